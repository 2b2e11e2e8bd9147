"""Random small scikit-learn ensembles of every kind that the kernel covers, and rows that ask them odd things."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
from sklearn import ensemble, tree

from airflow_batch_inference.flavors.sklearn.model import describe

TREES = ("DecisionTree", "ExtraTree")
FORESTS = ("RandomForest", "ExtraTrees")
KINDS = tuple(
    f"{kind}{task}"
    for kind in (*TREES, *FORESTS, "GradientBoosting", "HistGradientBoosting")
    for task in ("Classifier", "Regressor")
)


def _parameters(rng, name):
    seed = int(rng.integers(1000))
    if name.startswith("HistGradientBoosting"):
        losses = ["squared_error", "absolute_error", "gamma", "poisson"] if name.endswith("Regressor") else ["log_loss"]
        return {"max_iter": int(rng.integers(1, 12)), "max_leaf_nodes": int(rng.integers(2, 20)), "random_state": seed,
                "learning_rate": float(rng.uniform(0.05, 1)), "loss": str(rng.choice(losses))}  # fmt: skip
    shared = {"max_depth": rng.choice([None, 3, 8]), "min_samples_leaf": int(rng.integers(1, 8)), "random_state": seed}
    if name.startswith("GradientBoosting"):
        return {**shared, "n_estimators": int(rng.integers(1, 12)), "init": rng.choice([None, "zero"]),
                "learning_rate": float(rng.uniform(0.05, 1)), "max_depth": int(rng.integers(1, 6))}  # fmt: skip
    if name.startswith(FORESTS):
        return {**shared, "n_estimators": int(rng.integers(1, 12)), "n_jobs": rng.choice([None, 2])}
    return shared


def random_estimator(seed, name, *, labels=None):
    """Fit an estimator on 300 rows; return it with them."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(300, int(rng.integers(2, 7))))
    data[:, 0] = np.round(data[:, 0], 1)
    if rng.random() < 0.5 and not name.startswith("GradientBoosting"):
        data[rng.random(data.shape) < 0.15] = np.nan
    total = np.nan_to_num(data).sum(axis=1) + rng.normal(size=len(data))
    target = np.abs(total) + 0.1
    if name.endswith("Classifier"):
        number = int(rng.integers(2, 5))
        target = np.digitize(total, np.linspace(-2, 2, number - 1) if number > 2 else [0.0])
        target = target if labels is None else np.asarray(labels, dtype=object)[target]
    kind = getattr(tree if name.startswith(TREES) and not name.startswith("ExtraTrees") else ensemble, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(**_parameters(rng, name)).fit(data, target), data


def load(estimator):
    """Describe an estimator as a job does."""
    return describe(estimator)


def odd_rows(rng, data, rows, *, infinite=False, missing=True):
    """Return rows like those of training, with values that no row of training had."""
    found = data[rng.integers(len(data), size=rows)] + rng.normal(scale=0.1, size=(rows, data.shape[1]))
    exact = rng.random(found.shape) < 0.3
    found = np.where(exact, data[rng.integers(len(data), size=rows)], found)
    odd = [
        0.0,
        -0.0,
        1e-36,
        1e-46,
        3e38,
        -3e38,
        *((np.nan,) if missing else ()),
        *((np.inf, -np.inf) if infinite else ()),
    ]
    found = np.where(rng.random(found.shape) < 0.08, rng.choice(odd, size=found.shape), found)
    return found if missing else np.nan_to_num(found)


def table(model, data):
    """Return a mini-batch of a model's inputs."""
    names = model.feature_names or [f"f{place}" for place in range(data.shape[1])]
    return pa.table([np.ascontiguousarray(column) for column in data.T], names=list(names))
