"""Random small LightGBM models of every kind that the kernel covers, and rows that ask them odd things."""

from __future__ import annotations

import lightgbm
import numpy as np
import pyarrow as pa

from airflow_batch_inference.flavors.lightgbm.flavor import TEXT, LightGBMFlavor

OBJECTIVES = (
    "binary",
    "multiclass",
    "multiclassova",
    "regression",
    "regression_l1",
    "poisson",
    "gamma",
    "tweedie",
    "cross_entropy",
    "cross_entropy_lambda",
    "lambdarank",
    "quantile",
)
CLASSES = 3


def training_rows(rng, rows, width, *, missing):
    """Return inputs, of which some have few values, and some have missing ones."""
    data = rng.normal(size=(rows, width))
    data[:, 0] = np.round(data[:, 0], 1)
    data[:, 1] = rng.integers(0, 12, size=rows)
    if missing == "nan":
        data[rng.random(data.shape) < 0.1] = np.nan
        data[:, 1] = np.where(np.isnan(data[:, 1]), 0, data[:, 1])
    if missing == "zero":
        data[rng.random(data.shape) < 0.2] = 0.0
    return data


def target(rng, data, objective):
    """Return what an objective takes."""
    sum_of = np.nan_to_num(data).sum(axis=1) + rng.normal(size=len(data))
    if objective == "binary":
        return (sum_of > 0).astype(int)
    if objective.startswith("multiclass"):
        return np.digitize(sum_of, [-1.0, 1.0])
    if objective.startswith("cross_entropy"):
        return 1 / (1 + np.exp(-sum_of))
    if objective in ("poisson", "gamma", "tweedie"):
        return np.abs(sum_of) + 0.1
    return np.clip(np.round(sum_of), 0, 4) if objective == "lambdarank" else sum_of


def parameters(rng, objective):
    """Return training parameters at random."""
    missing = str(rng.choice(["none", "nan", "zero"]))
    found = {
        "objective": objective,
        "num_leaves": int(rng.integers(2, 24)),
        "min_data_in_leaf": int(rng.integers(1, 20)),
        "learning_rate": float(rng.uniform(0.05, 0.5)),
        "use_missing": missing != "none",
        "zero_as_missing": missing == "zero",
        "boosting": str(rng.choice(["gbdt", "gbdt", "dart", "rf"])),
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "feature_fraction": 0.8,
        "max_cat_to_onehot": int(rng.integers(1, 6)),
        "min_data_per_group": 5,
        "cat_smooth": 1.0,
        "seed": int(rng.integers(1000)),
        "verbose": -1,
        "num_threads": 1,
    }
    if objective == "lambdarank":
        found["boosting"] = "gbdt"
    if objective == "binary":
        found["sigmoid"] = float(rng.choice([1.0, 0.7]))
    if objective == "regression":
        found["reg_sqrt"] = bool(rng.random() < 0.5)
    if objective.startswith("multiclass"):
        found["num_class"] = CLASSES
    return found, missing


def random_booster(seed, objective=None, *, with_categories=None):
    """Train a booster on 400 rows."""
    rng = np.random.default_rng(seed)
    objective = objective or str(rng.choice(OBJECTIVES))
    given, missing = parameters(rng, objective)
    data = training_rows(rng, 400, int(rng.integers(3, 8)), missing=missing)
    categorical = [1] if (rng.random() < 0.4 if with_categories is None else with_categories) else []
    label = target(rng, data, objective)
    groups = [40] * 10 if objective == "lambdarank" else None
    dataset = lightgbm.Dataset(data, label, group=groups, categorical_feature=categorical)
    return lightgbm.train(given, dataset, num_boost_round=int(rng.integers(1, 12))), data


def load(booster, folder):
    """Load a booster as a job does."""
    path = folder / "model.txt"
    booster.save_model(path)
    return LightGBMFlavor().load(path, model_format=TEXT, trusted=(), options={})


def odd_rows(rng, data, rows):
    """Return rows like those of training, with values that no row of training had."""
    found = data[rng.integers(len(data), size=rows)] + rng.normal(scale=0.1, size=(rows, data.shape[1]))
    exact = rng.random(found.shape) < 0.3
    found = np.where(exact, data[rng.integers(len(data), size=rows)], found)
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1e300, -7.0, 5.5, 31.0, 32.0, 1e9, 3e9, -0.5]
    return np.where(rng.random(found.shape) < 0.08, rng.choice(odd, size=found.shape), found)


def table(model, data):
    """Return a mini-batch of a model's inputs."""
    names = model.feature_names or [f"f{place}" for place in range(data.shape[1])]
    return pa.table([np.ascontiguousarray(column) for column in data.T], names=list(names))
