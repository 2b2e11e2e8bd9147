"""A million rows of each kind of model, and those made from its thresholds, have the library's bits."""

from __future__ import annotations

import lightgbm
import lightgbm_models
import numpy as np
import pytest
import sklearn_models
import xgboost
import xgboost_models
from same_bits import difference_of_way
from sklearn import ensemble

ROWS = 1_000_000
WIDTH = 8
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def inputs():
    """Training rows with a column of few values and one of categories, and rows to score."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(4000, WIDTH))
    data[:, 0] = np.round(data[:, 0], 1)
    data[:, 1] = rng.integers(0, 40, size=len(data))
    missing = data.copy()
    missing[rng.random(data.shape) < 0.1] = np.nan
    return {False: data, True: missing}


def label_of(data, classes=0):
    total = np.nan_to_num(data).sum(axis=1) + np.random.default_rng(1).normal(size=len(data))
    return np.digitize(total, np.quantile(total, np.linspace(0, 1, classes + 1)[1:-1])) if classes else total


CLASSES = {"multiclass": 3, "ranking": 5, "regression": 0, "categorical": 0, "large trees": 0}
"""Of the label; two where nothing is said."""
LIGHTGBM = {
    "binary": {"objective": "binary"},
    "multiclass": {"objective": "multiclass", "num_class": 3},
    "regression": {"objective": "regression"},
    "ranking": {"objective": "lambdarank"},
    "categorical": {"objective": "regression"},
    "missing": {"objective": "binary"},
    "dart": {"objective": "binary", "boosting": "dart"},
    "random forest": {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    "large trees": {"objective": "regression", "num_leaves": 400, "min_data_in_leaf": 2},
}


@pytest.mark.parametrize("kind", LIGHTGBM)
def test_lightgbm(kind, inputs, tmp_path):
    given = {"num_leaves": 63, "verbose": -1, **LIGHTGBM[kind]}
    data = inputs[kind == "missing"]
    groups = [40] * 100 if kind == "ranking" else None
    categories = [1] if kind == "categorical" else []
    dataset = lightgbm.Dataset(data, label_of(data, CLASSES.get(kind, 2)), group=groups, categorical_feature=categories)
    model = lightgbm_models.load(lightgbm.train(given, dataset, num_boost_round=12), tmp_path)
    rows = lightgbm_models.odd_rows(np.random.default_rng(2), data, ROWS)
    assert difference_of_way(model, lightgbm_models.table(model, rows)) is None


XGBOOST = {
    "binary": {"objective": "binary:logistic"},
    "multiclass": {"objective": "multi:softprob", "num_class": 3},
    "regression": {"objective": "reg:squarederror"},
    "ranking": {"objective": "rank:ndcg"},
    "categorical": {"objective": "reg:squarederror"},
    "missing": {"objective": "binary:logistic"},
    "dart": {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.3},
    "random forest": {"objective": "binary:logistic", "num_parallel_tree": 4, "subsample": 0.6},
    "large trees": {"objective": "reg:squarederror", "max_depth": 10},
}


@pytest.mark.parametrize("kind", XGBOOST)
def test_xgboost(kind, inputs, tmp_path):
    data = inputs[kind == "missing"]
    types = ["c" if kind == "categorical" and place == 1 else "float" for place in range(WIDTH)]
    matrix = xgboost.DMatrix(data, label_of(data, CLASSES.get(kind, 2)), feature_types=types, enable_categorical=True)
    if kind == "ranking":
        matrix.set_group([40] * 100)
    model = xgboost_models.load(xgboost.train(XGBOOST[kind], matrix, num_boost_round=12), tmp_path)
    rows = xgboost_models.odd_rows(np.random.default_rng(2), data, ROWS, types=types)
    assert difference_of_way(model, xgboost_models.table(model, rows)) is None


SKLEARN = {
    "random forest": ensemble.RandomForestClassifier(12, random_state=0),
    "extra trees": ensemble.ExtraTreesClassifier(12, random_state=0),
    "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=12, random_state=0),
    "hist-gradient boosting": ensemble.HistGradientBoostingClassifier(max_iter=12, random_state=0),
    "bagged regression": ensemble.RandomForestRegressor(12, random_state=0),
}


@pytest.mark.parametrize("kind", SKLEARN)
def test_sklearn(kind, inputs):
    may_miss = kind != "gradient boosting"
    data = inputs[may_miss]
    label = label_of(data, 0 if kind.endswith("regression") else 3)
    model = sklearn_models.load(SKLEARN[kind].fit(data, label))
    rows = sklearn_models.odd_rows(np.random.default_rng(2), data, ROWS, missing=may_miss)
    assert difference_of_way(model, sklearn_models.table(model, rows)) is None
