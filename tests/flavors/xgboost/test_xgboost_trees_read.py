"""The kernel gives XGBoost's own bits, whatever kind of model it is; what it does not cover is refused by name."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xgboost
import xgboost_models as models
from hypothesis import given, settings
from hypothesis import strategies as st
from same_bits import difference, difference_on, scorer_of

from airflow_batch_inference.flavors.forests import forest
from airflow_batch_inference.flavors.forests.forest import NotCoveredError
from airflow_batch_inference.flavors.registry import trees_of

SEEDS = range(14)
LONG_SEEDS = range(1000, 1300)


def require_same(seed, folder, objective=None, **kind):
    booster, data = models.random_booster(seed, objective, **kind)
    model = models.load(booster, folder)
    rows = models.odd_rows(np.random.default_rng(seed), data, 2000, types=model.types)
    assert difference(model, models.table(model, rows)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_each_objective_has_the_same_bits(seed, tmp_path):
    require_same(seed, tmp_path, models.OBJECTIVES[seed % len(models.OBJECTIVES)])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_three_hundred_random_models_have_the_same_bits(tmp_path):
    for seed in LONG_SEEDS:
        require_same(seed, tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_a_split_by_a_set_of_categories_has_the_same_bits(seed, tmp_path):
    require_same(seed, tmp_path, "reg:squarederror", with_categories=True)


def test_sets_that_are_too_large_are_refused_by_name(tmp_path, monkeypatch):
    model = models.load(models.random_booster(1, "reg:squarederror", with_categories=True)[0], tmp_path)
    words = sum(map(len, scorer_of(model)[1].forest.sets))
    assert words
    monkeypatch.setattr(forest, "_MOST_WORDS", words - 1)

    with pytest.raises(NotCoveredError, match=f"sets of categories take {words} words"):
        scorer_of(model)


def test_only_the_trees_up_to_the_best_iteration_of_a_wrapper_count(tmp_path):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(300, 3))
    label = data.sum(axis=1) + rng.normal(size=300)
    wrapper = xgboost.XGBRegressor(n_estimators=60, early_stopping_rounds=2, learning_rate=1.0, n_jobs=1)
    wrapper.fit(data[:200], label[:200], eval_set=[(data[200:], label[200:])], verbose=False)
    model = models.load(wrapper, tmp_path)

    assert model.iteration_range[1] < wrapper.get_booster().num_boosted_rounds()
    assert difference(model, pa.table(list(data.T.copy()), names=["a", "b", "c"])) is None


@pytest.mark.parametrize("missing", [-999, 0, 0.1])
def test_a_number_that_stands_for_missing_values_has_the_same_bits(tmp_path, missing):
    rng = np.random.default_rng(3)
    data = rng.integers(-3, 4, size=(400, 3)) / 4
    data[rng.random(data.shape) < 0.2] = missing
    data[rng.random(data.shape) < 0.1] = np.nan
    label = (np.nan_to_num(data).sum(axis=1) > 0).astype(int)
    wrapper = xgboost.XGBClassifier(n_estimators=9, missing=missing, n_jobs=1).fit(data, label)
    model = models.load(wrapper, tmp_path, missing=missing)
    table = pa.table(list(data.T.copy()), names=["a", "b", "c"])

    assert difference(model, table) is None
    scorer, _ = scorer_of(model)
    found = scorer.score(table, ("predict_proba",))["predict_proba"]
    np.testing.assert_array_equal(found, wrapper.predict_proba(data))


def test_a_linear_booster_is_no_tree_ensemble(tmp_path):
    data = np.random.default_rng(0).normal(size=(50, 2))
    given = {"booster": "gblinear", "objective": "reg:squarederror"}
    model = models.load(xgboost.train(given, xgboost.DMatrix(data, data.sum(axis=1)), 2), tmp_path)

    assert trees_of(model) is None


def test_leaves_of_several_numbers_are_refused_by_name(tmp_path):
    data = np.random.default_rng(0).normal(size=(80, 3))
    given = {"multi_strategy": "multi_output_tree", "objective": "reg:squarederror", "tree_method": "hist"}
    model = models.load(xgboost.train(given, xgboost.DMatrix(data, data[:, :2]), 2), tmp_path)

    with pytest.raises(NotCoveredError, match="several numbers"):
        scorer_of(model)


def test_an_objective_that_is_not_known_is_refused_by_name(tmp_path):
    data = np.random.default_rng(0).normal(size=(80, 3))
    given = {"objective": "binary:hinge"}
    model = models.load(xgboost.train(given, xgboost.DMatrix(data, data[:, 0] > 0), 2), tmp_path)

    with pytest.raises(NotCoveredError, match="binary:hinge"):
        scorer_of(model)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3), min_size=1, max_size=40),
)
def test_any_numbers_have_the_same_bits(rows, some_model):
    model, scorer = some_model
    assert difference_on(scorer, models.table(model, np.array(rows)), ("predict", "predict_proba")) is None


@pytest.fixture(scope="module")
def some_model(tmp_path_factory):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(300, 3)) * (rng.random((300, 3)) < 0.8)
    given = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "nthread": 1}
    booster = xgboost.train(given, xgboost.DMatrix(data, np.digitize(data.sum(axis=1), [-1, 1])), 3)
    model = models.load(booster, tmp_path_factory.mktemp("model"))
    return model, scorer_of(model)[0]
