"""Random small XGBoost models of every kind that the kernel covers, and rows that ask them odd things."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xgboost

from airflow_batch_inference.flavors.xgboost.flavor import UBJ, XGBoostFlavor

OBJECTIVES = (
    "binary:logistic",
    "binary:logitraw",
    "reg:logistic",
    "multi:softprob",
    "multi:softmax",
    "reg:squarederror",
    "reg:absoluteerror",
    "reg:squaredlogerror",
    "count:poisson",
    "reg:gamma",
    "reg:tweedie",
    "rank:ndcg",
    "survival:cox",
    "reg:quantileerror",
)
CLASSES = 3


def _target(rng, data, objective):
    total = np.nan_to_num(data).sum(axis=1) + rng.normal(size=len(data))
    if objective.startswith("binary"):
        return (total > 0).astype(int)
    if objective.startswith("multi"):
        return np.digitize(total, [-1.0, 1.0])
    if objective == "reg:logistic":
        return 1 / (1 + np.exp(-total))
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie", "reg:squaredlogerror", "survival:cox"):
        return np.abs(total) + 0.1
    return np.clip(np.round(total), 0, 4) if objective == "rank:ndcg" else total


def random_booster(seed, objective=None, *, with_categories=None):
    """Train a booster on 400 rows; return it with them."""
    rng = np.random.default_rng(seed)
    objective = objective or str(rng.choice(OBJECTIVES))
    data = rng.normal(size=(400, int(rng.integers(3, 8))))
    data[:, 0] = np.round(data[:, 0], 1)
    data[:, 1] = rng.integers(0, 40, size=len(data))
    if rng.random() < 0.6:
        data[rng.random(data.shape) < 0.1] = np.nan
    categorical = rng.random() < 0.4 if with_categories is None else with_categories
    booster = str(rng.choice(["gbtree", "gbtree", "dart"]))
    given = {
        "objective": objective,
        "booster": booster,
        "max_depth": int(rng.integers(1, 7)),
        "eta": float(rng.uniform(0.1, 1.0)),
        "num_parallel_tree": int(rng.choice([1, 1, 3])),
        "subsample": 0.7,
        "tree_method": "hist",
        "max_cat_to_onehot": int(rng.integers(1, 9)),
        "seed": int(rng.integers(1000)),
        "nthread": 1,
    }
    if booster == "dart":
        given["rate_drop"] = 0.5
    if objective.startswith("multi"):
        given["num_class"] = CLASSES
    if objective == "reg:quantileerror":
        given["quantile_alpha"] = [0.2, 0.8]
    if rng.random() < 0.3 and objective == "reg:squarederror":
        given["base_score"] = 0.3
    types = ["c" if categorical and place == 1 else "float" for place in range(data.shape[1])]
    names = [f"f{place}" for place in range(data.shape[1])]
    label = _target(rng, data, objective)
    matrix = xgboost.DMatrix(data, label, feature_types=types, feature_names=names, enable_categorical=True)
    if objective == "rank:ndcg":
        matrix.set_group([40] * 10)
    return xgboost.train(given, matrix, num_boost_round=int(rng.integers(1, 8))), data


def load(booster, folder, **options):
    """Load a booster as a job does."""
    path = folder / "model.ubj"
    booster.save_model(path)
    return XGBoostFlavor().load(path, model_format=UBJ, trusted=(), options=options)


def odd_rows(rng, data, rows, *, types):
    """Return rows like those of training, with values that no row of training had; codes of categories stay codes."""
    found = data[rng.integers(len(data), size=rows)] + rng.normal(scale=0.1, size=(rows, data.shape[1]))
    exact = rng.random(found.shape) < 0.3
    found = np.where(exact, data[rng.integers(len(data), size=rows)], found)
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-46, 1e300, -1e39, 5.5]
    found = np.where(rng.random(found.shape) < 0.08, rng.choice(odd, size=found.shape), found)
    for place, kind in enumerate(types or ()):
        if kind == "c":
            codes = rng.choice([*range(45), 64.0, 1000.0, np.nan], size=rows)
            found[:, place] = codes
    return found


def table(model, data):
    """Return a mini-batch of a model's inputs."""
    names = model.feature_names or [f"f{place}" for place in range(data.shape[1])]
    return pa.table([np.ascontiguousarray(column) for column in data.T], names=list(names))
