"""The kernel gives scikit-learn's own bits; values that an estimator refuses go to the estimator."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn_models as models
from hypothesis import given, settings
from hypothesis import strategies as st
from same_bits import difference, difference_on, scorer_of
from sklearn import ensemble, linear_model, tree

from airflow_batch_inference.flavors.forests.forest import NotCoveredError
from airflow_batch_inference.flavors.registry import trees_of

SEEDS = range(12)
LONG_SEEDS = range(1000, 1300)


def require_same(seed, name):
    estimator, data = models.random_estimator(seed, name)
    model = models.load(estimator)
    scorer, _ = scorer_of(model)
    rows = models.odd_rows(
        np.random.default_rng(seed), data, 1000, infinite=scorer.takes_infinite, missing=scorer.takes_missing
    )
    assert difference(model, models.table(model, rows)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_each_estimator_has_the_same_bits(seed):
    require_same(seed, models.KINDS[seed % len(models.KINDS)])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_hundred_random_models_have_the_same_bits():
    for seed in LONG_SEEDS:
        require_same(seed, models.KINDS[seed % len(models.KINDS)])


@pytest.mark.parametrize("name", ["RandomForestClassifier", "HistGradientBoostingClassifier"])
def test_labels_that_are_text_come_out_as_they_are(name):
    estimator, data = models.random_estimator(2, name, labels=["red", "green", "blue", "black"])
    model = models.load(estimator)

    assert difference(model, models.table(model, np.nan_to_num(data))) is None


def test_names_and_integers_of_a_frame_have_the_same_bits():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "n": rng.integers(0, 9, size=200)})
    model = models.load(ensemble.RandomForestRegressor(5, random_state=0).fit(frame, frame["a"] + frame["n"]))

    assert difference(model, pa.table({"a": [0.5, -1.0], "n": [3, 7]})) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RandomForestRegressor", np.inf),
        ("RandomForestRegressor", 1e300),
        ("GradientBoostingRegressor", np.nan),
        ("GradientBoostingClassifier", -np.inf),
    ],
)
def test_a_value_that_the_estimator_refuses_goes_to_the_estimator(name, value):
    estimator, data = models.random_estimator(1, name)
    model = models.load(estimator)
    data = np.nan_to_num(data)
    data[3, -1] = value

    assert scorer_of(model)[0].score(models.table(model, data), ("predict",)) is None


@pytest.mark.parametrize(
    ("estimator", "targets", "reason"),
    [
        (tree.DecisionTreeRegressor(), 2, "several outputs"),
        (ensemble.GradientBoostingRegressor(init=linear_model.LinearRegression()), 1, "LinearRegression"),
        (ensemble.HistGradientBoostingRegressor(categorical_features=[0]), 1, "categories"),
    ],
)
def test_what_is_not_covered_is_refused_by_name(estimator, targets, reason):
    data = np.random.default_rng(0).integers(0, 5, size=(100, 2)).astype(float)
    model = models.load(estimator.fit(data, data[:, 0] if targets == 1 else data))

    with pytest.raises(NotCoveredError, match=reason):
        scorer_of(model)


class TheirForest(ensemble.RandomForestRegressor):
    """Predicts in a way of its own."""

    def predict(self, X):  # noqa: N803  # scikit-learn's name
        return super().predict(X) + 1


@pytest.mark.parametrize("estimator", [TheirForest(2), linear_model.LinearRegression()])
def test_only_the_very_classes_are_read(estimator):
    data = np.random.default_rng(0).normal(size=(30, 2))

    assert trees_of(models.load(estimator.fit(data, data[:, 0]))) is None


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(*[st.floats(width=32, allow_infinity=False)] * 3), min_size=1, max_size=30))
def test_any_numbers_have_the_same_bits(rows, some_model):
    model, scorer = some_model
    assert difference_on(scorer, models.table(model, np.array(rows)), ("predict", "predict_proba")) is None


@pytest.fixture(scope="module")
def some_model():
    rng = np.random.default_rng(0)
    data = np.where(rng.random((200, 3)) < 0.2, np.nan, rng.normal(size=(200, 3)))
    forest = ensemble.ExtraTreesClassifier(4, random_state=0, max_depth=4)
    model = models.load(forest.fit(data, np.nan_to_num(data).sum(axis=1) > 0))
    return model, scorer_of(model)[0]
