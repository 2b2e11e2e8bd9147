"""Packing keeps each path of a forest, whichever way the kernel takes to its leaves."""

from __future__ import annotations

from dataclasses import replace

import lightgbm_models as models
import numpy as np
import pytest
from same_bits import scorer_of

from airflow_batch_inference.flavors.forests.forest import (
    NAN_LEFT,
    NAN_RIGHT,
    ZERO_FOR_NAN,
    ZERO_MISSING_LEFT,
    ZERO_MISSING_RIGHT,
    ZERO_NAN_LEFT,
    Forest,
    NotCoveredError,
)
from airflow_batch_inference.trees import ensemble
from airflow_batch_inference.trees.compiled import raw_scores
from airflow_batch_inference.trees.ensemble import LANES, Masks, Walk, pack
from airflow_batch_inference.trees.probes import probe_rows

WAYS = [pytest.param(1 << 20, id="masks"), pytest.param(0, id="walk")]


@pytest.fixture
def stump():
    return Forest(
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        feature=np.zeros(3, dtype=int),
        rule=np.zeros(3, dtype=int),
        threshold=np.array([0.5, 0.0, 0.0]),
        value=np.array([0.0, 1.0, 2.0]),
        roots=np.array([0]),
        groups=np.array([0]),
        width=1,
        outputs=1,
    )


def random_forest(seed, *, trees=7, splits=60, width=5, single=False, rules=(NAN_LEFT, NAN_RIGHT)):
    """Make trees of any shape, whose thresholds are few and whose leaves are whole numbers."""
    rng = np.random.default_rng(seed)
    left, right, roots = [], [], []
    for _ in range(trees):
        roots.append(len(left))
        left.append(-1)
        right.append(-1)
        for _ in range(int(rng.integers(0, splits + 1))):
            ends = [node for node in range(roots[-1], len(left)) if left[node] < 0]
            split = ends[int(rng.integers(len(ends)))]
            left[split], right[split] = len(left), len(left) + 1
            left += [-1, -1]
            right += [-1, -1]
    nodes = len(left)
    thresholds = rng.choice([-np.inf, -2.5, -0.0, 0.0, 1e-40, 0.1, 0.7, 3e38, 1e39, np.inf], size=nodes)
    return Forest(
        left=np.array(left),
        right=np.array(right),
        feature=rng.integers(0, width, size=nodes),
        rule=rng.choice(rules, size=nodes),
        threshold=thresholds,
        value=rng.integers(0, 1000, size=nodes).astype(float),
        roots=np.array(roots),
        groups=rng.integers(0, 2, size=trees),
        width=width,
        outputs=2,
        is_single=single,
    )


def walked(forest, rows):
    """Add up leaves as plainly as can be."""
    tiny = float(np.float32(1e-35))
    sums = np.zeros((len(rows), forest.outputs))
    for place, row in enumerate(rows):
        for root, group in zip(forest.roots, forest.groups, strict=True):
            node = root
            while forest.left[node] >= 0:
                value, rule = row[forest.feature[node]], forest.rule[node]
                value = np.float64(np.float32(value)) if forest.is_single else value
                if rule not in (NAN_LEFT, NAN_RIGHT) and abs(value) <= tiny:
                    value = np.nan if rule in (ZERO_MISSING_LEFT, ZERO_MISSING_RIGHT) else 0.0
                if np.isnan(value) and rule == ZERO_FOR_NAN:
                    value = 0.0
                is_left = rule in (NAN_LEFT, ZERO_NAN_LEFT, ZERO_MISSING_LEFT)
                goes_left = is_left if np.isnan(value) else value <= forest.threshold[node]
                node = forest.left[node] if goes_left else forest.right[node]
            sums[place, group] += forest.value[node]
    return sums


def scored(forest, rows):
    packed = pack(forest)
    return raw_scores(packed, [np.ascontiguousarray(rows[:, place]) for place in packed.inputs], len(rows))


ODD = [np.nan, -np.inf, -3.0, -2.5, -0.0, 0.0, 1e-45, 1e-36, 0.1, np.nextafter(0.1, 1), 0.7, 3e38, 3.5e38, 1e39, np.inf]


@pytest.mark.parametrize("most", WAYS)
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_each_row_falls_into_the_leaves_of_a_plain_walk(monkeypatch, seed, single, most):
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", most)
    rules = (NAN_LEFT, NAN_RIGHT) if single else range(7)
    forest = random_forest(seed, single=single, rules=rules)
    rng = np.random.default_rng(seed)
    rows = rng.choice(ODD, size=(LANES * 3 + 5, forest.width))
    with np.errstate(over="ignore"):
        expected = walked(forest, rows)
    found = scored(forest, rows)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("most", WAYS)
@pytest.mark.parametrize("rows", [0, 1, LANES - 1, LANES, LANES + 1])
def test_any_number_of_rows_is_scored(monkeypatch, stump, rows, most):
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", most)
    found = scored(stump, np.arange(rows, dtype=float)[:, None])
    assert found.ravel().tolist() == [1.0 if row == 0 else 2.0 for row in range(rows)]


def test_trees_of_one_leaf_ask_for_no_column():
    alone = np.array([-1])
    nothing = np.zeros(1, dtype=int)
    forest = Forest(
        left=alone,
        right=alone,
        feature=nothing,
        rule=nothing,
        threshold=np.zeros(1),
        value=np.array([4.5]),
        roots=np.array([0]),
        groups=nothing,
        width=3,
        outputs=1,
    )
    assert scored(forest, np.zeros((2, 3))).tolist() == [[4.5], [4.5]]


def forest_of(tmp_path, seed=0):
    return scorer_of(models.load(models.random_booster(seed, "regression", with_categories=False)[0], tmp_path))[
        1
    ].forest


def depth(trees, node):
    return 0 if trees.left[node] < 0 else 1 + max(depth(trees, trees.left[node]), depth(trees, trees.right[node]))


def test_each_tree_takes_as_many_steps_as_it_is_deep(monkeypatch, tmp_path):
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", 0)
    trees = forest_of(tmp_path)
    assert pack(trees).way.steps.tolist() == [depth(trees, root) for root in trees.roots]


def test_walked_leaves_lead_to_themselves_and_right_follows_left(monkeypatch, tmp_path):
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", 0)
    way = pack(forest_of(tmp_path)).way
    child, column = way.nodes >> way.shift, way.nodes >> 32 & ((1 << way.shift - 32) - 1)
    for root, end in zip(way.roots, [*way.roots[1:], len(way.nodes)], strict=True):
        places = np.arange(int(end) - int(root))
        is_leaf = column[root:end] == 0
        assert (child[root:end][is_leaf] == places[is_leaf]).all()
        children = child[root:end][~is_leaf]
        assert sorted([0, *children.tolist(), *(children + 1).tolist()]) == places.tolist()


def test_the_way_goes_by_the_largest_tree(monkeypatch):
    forest = random_forest(3, splits=200)
    leaves = max(np.diff([*forest.roots, len(forest.left)]) + 1) // 2
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", leaves)
    assert isinstance(pack(forest).way, Masks)
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", leaves - 1)
    assert isinstance(pack(forest).way, Walk)


def test_packed_trees_take_few_bytes_a_node(tmp_path):
    trees = forest_of(tmp_path)
    packed = pack(trees)
    assert packed.way.nbytes + packed.values.nbytes <= 16 * len(trees.left)


@pytest.mark.parametrize("changed", [{"threshold": np.full(3, np.nan)}, {"value": np.full(3, np.nan)}])
def test_a_number_that_is_none_is_refused(stump, changed):
    with pytest.raises(NotCoveredError, match="NaN"):
        pack(replace(stump, **changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"groups": np.array([1])}, "an output that is none of its 1"), ({"groups": np.array([-1])}, "an output"),
     ({"feature": np.array([1, 0, 0])}, "an input that is none of its 1"),
     ({"feature": np.array([-1, 0, 0])}, "an input")],
)  # fmt: skip
def test_what_would_lead_to_other_memory_is_refused(stump, changed, message):
    with pytest.raises(NotCoveredError, match=message):
        pack(replace(stump, **changed))


def test_nodes_that_do_not_fit_into_a_number_are_refused(monkeypatch):
    monkeypatch.setattr(ensemble, "MOST_MASKED_LEAVES", 0)
    monkeypatch.setattr(ensemble, "_LINK_BITS", 8)
    with pytest.raises(NotCoveredError, match=r"a tree of \d+ nodes and splits \d+ columns, too many to number"):
        pack(random_forest(0))


def test_rows_made_from_trees_have_each_threshold_and_the_numbers_beside_it(tmp_path):
    trees = forest_of(tmp_path, seed=5)
    rows = probe_rows(trees, infinite=True, missing=True)
    for split in np.flatnonzero(trees.left >= 0):
        threshold, column = trees.threshold[split], rows[:, trees.feature[split]]
        for value in (threshold, np.nextafter(threshold, -np.inf), np.nextafter(threshold, np.inf)):
            assert value in column


def test_rows_made_from_trees_are_always_the_same(tmp_path):
    trees = forest_of(tmp_path)
    first, second = (probe_rows(trees, infinite=True, missing=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isnan(first).any()
    assert np.isinf(first).any()


def test_rows_for_an_estimator_that_refuses_them_are_neither_missing_nor_infinite(tmp_path):
    assert np.isfinite(probe_rows(forest_of(tmp_path), infinite=False, missing=False)).all()


def test_rows_made_from_a_tree_reach_each_of_its_leaves(tmp_path):
    booster, _ = models.random_booster(5, "regression", with_categories=False)
    model = models.load(booster, tmp_path)
    rows = probe_rows(scorer_of(model)[1].forest, infinite=True, missing=True)
    leaves = np.reshape(booster.predict(rows, pred_leaf=True), (len(rows), -1))
    for tree, reached in zip(booster.dump_model()["tree_info"], leaves.T, strict=True):
        assert len(np.unique(reached)) == tree["num_leaves"]
