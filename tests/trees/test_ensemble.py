"""Packing keeps each path of a forest, in the number of steps that it says."""

from __future__ import annotations

from dataclasses import replace

import lightgbm_models as models
import numpy as np
import pytest
from same_bits import scorer_of

from airflow_batch_inference.trees.ensemble import Forest, NotCoveredError, pack
from airflow_batch_inference.trees.probes import probe_rows


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


def forest(tmp_path, seed=0):
    return scorer_of(models.load(models.random_booster(seed, "regression", with_categories=False)[0], tmp_path))[
        1
    ].forest


def depth(trees, node):
    return 0 if trees.left[node] < 0 else 1 + max(depth(trees, trees.left[node]), depth(trees, trees.right[node]))


def test_each_tree_takes_as_many_steps_as_it_is_deep(tmp_path):
    trees = forest(tmp_path)
    assert pack(trees).steps.tolist() == [depth(trees, root) for root in trees.roots]


def test_leaves_lead_to_themselves_and_right_follows_left(tmp_path):
    packed = pack(forest(tmp_path))
    column, left = packed.links.reshape(-1, 2).T
    leaf = column == 0
    assert (left[leaf] == np.flatnonzero(leaf)).all()
    children = np.concatenate([left[~leaf], left[~leaf] + 1, packed.roots])
    assert sorted(children.tolist()) == list(range(len(left)))


def test_packed_trees_take_sixteen_bytes_a_node(tmp_path):
    packed = pack(forest(tmp_path))
    assert packed.thresholds.nbytes + packed.links.nbytes == 16 * len(packed.thresholds)


@pytest.mark.parametrize("changed", [{"threshold": np.full(3, np.nan)}, {"value": np.full(3, np.nan)}])
def test_a_number_that_is_none_is_refused(stump, changed):
    with pytest.raises(NotCoveredError, match="NaN"):
        pack(replace(stump, **changed))


def test_rows_made_from_trees_have_each_threshold_and_the_numbers_beside_it(tmp_path):
    trees = forest(tmp_path, seed=5)
    rows = probe_rows(trees, infinite=True, missing=True)
    for split in np.flatnonzero(trees.left >= 0):
        threshold, column = trees.threshold[split], rows[:, trees.feature[split]]
        for value in (threshold, np.nextafter(threshold, -np.inf), np.nextafter(threshold, np.inf)):
            assert value in column


def test_rows_made_from_trees_are_always_the_same(tmp_path):
    trees = forest(tmp_path)
    first, second = (probe_rows(trees, infinite=True, missing=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isnan(first).any()
    assert np.isinf(first).any()


def test_rows_for_an_estimator_that_refuses_them_are_neither_missing_nor_infinite(tmp_path):
    assert np.isfinite(probe_rows(forest(tmp_path), infinite=False, missing=False)).all()


def test_rows_made_from_a_tree_reach_each_of_its_leaves(tmp_path):
    booster, _ = models.random_booster(5, "regression", with_categories=False)
    model = models.load(booster, tmp_path)
    rows = probe_rows(scorer_of(model)[1].forest, infinite=True, missing=True)
    leaves = np.reshape(booster.predict(rows, pred_leaf=True), (len(rows), -1))
    for tree, reached in zip(booster.dump_model()["tree_info"], leaves.T, strict=True):
        assert len(np.unique(reached)) == tree["num_leaves"]
