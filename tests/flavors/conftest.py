"""Tiny fitted models, saved in every format that a flavor loads, with the framework's own predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from cases_c import CASES as FLAVOR_CASES
from cases_c import FlavorCase
from cases_d import CASES as NETWORK_CASES
from cases_d import NetworkCase
from lightgbm import LGBMClassifier, LGBMModel, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.flavors.registry import recognise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_batch_inference.flavors.base import LoadedModel

ROWS = 120
METHODS = ("predict", "predict_proba", "decision_function")


def numbers() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame(rng.normal(size=(ROWS, 4)), columns=["a", "b", "c", "d"])


def numbers_with_gaps() -> pd.DataFrame:
    data = numbers()
    data.loc[::7, "c"] = np.nan
    return data


def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return numbers()[["a", "b"]].assign(city=rng.choice(["Ulm", "Köln", "Bonn"], ROWS), floor=rng.integers(0, 9, ROWS))


def categorical() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    return pd.DataFrame(
        {
            "a": numbers()["a"],
            "city": pd.Categorical(rng.choice(["Ulm", "Köln", "Bonn"], ROWS)),
            "zone": pd.Categorical(rng.choice([30, 7, 110], ROWS)),
            "flag": pd.Categorical(rng.choice([True, False], ROWS)),
            "same": pd.Categorical(["x"] * ROWS),
            "k": rng.integers(0, 2, ROWS).astype(float),
        }
    )


def binary(data: pd.DataFrame) -> np.ndarray:
    rng = np.random.default_rng(10)
    extra = (data["city"] == "Ulm").to_numpy() if "city" in data else 0
    return (data["a"].to_numpy() + extra + rng.normal(scale=0.3, size=ROWS) > 0.2).astype(int)


def three_classes(data: pd.DataFrame) -> np.ndarray:
    return np.array(["high", "low", "mid"])[np.digitize(data["a"], [-0.5, 0.5])]


def real(data: pd.DataFrame) -> np.ndarray:
    return data["a"].to_numpy() * 2 + (data["city"] == "Ulm").to_numpy() if "city" in data else data["a"].to_numpy() * 2


def table(data: pd.DataFrame) -> pa.Table:
    """Return the frame as a caller hands it over: plain columns, categories as their values."""
    plain = data.copy(deep=False)
    for name in plain.columns:
        if isinstance(plain[name].dtype, pd.CategoricalDtype):
            plain[name] = plain[name].astype(plain[name].cat.categories.dtype)
    return pa.Table.from_pandas(plain, preserve_index=False)


@dataclass(frozen=True)
class Case:
    """How to fit a model, and how to save it."""

    name: str
    data: Callable[[], pd.DataFrame]
    target: Callable[[pd.DataFrame], np.ndarray]
    make: Callable[[], object]
    file: str
    by_name: bool = True


@dataclass(frozen=True)
class Saved:
    """A saved model and what its framework predicts with the original in memory."""

    name: str
    path: Path
    model: LoadedModel
    batch: pa.Table
    expected: dict[str, np.ndarray]
    names: tuple[str, ...] | None
    is_exact: bool = True


def encoded_pipeline() -> object:
    columns = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), ["city"]), ("number", StandardScaler(), ["a", "b", "floor"])]
    )
    return make_pipeline(columns, LogisticRegression())


def lgbm(kind: type = LGBMClassifier) -> object:
    return kind(n_estimators=8, num_leaves=5, min_child_samples=5, verbose=-1, random_state=1, n_jobs=1)


SKLEARN_CASES = [
    Case("logistic-regression", numbers, binary, LogisticRegression, "model.joblib"),
    Case("logistic-regression-of-an-array", numbers, binary, LogisticRegression, "model.pkl", by_name=False),
    Case("pipeline-on-strings", mixed, three_classes, encoded_pipeline, "model.skops"),
    Case("decision-tree", numbers, three_classes, lambda: DecisionTreeClassifier(random_state=1), "model.skops"),
    Case("random-forest", numbers, binary, lambda: RandomForestClassifier(8, random_state=1), "model.joblib.gz"),
    Case("forest-regressor", numbers, real, lambda: RandomForestRegressor(8, random_state=1), "model.skops"),
    Case("extra-trees", numbers, binary, lambda: ExtraTreesClassifier(8, random_state=1), "model.skops"),
    Case("gradient-boosting", numbers, binary, lambda: GradientBoostingClassifier(n_estimators=5), "model.skops"),
    Case("hist-gb", numbers_with_gaps, binary, lambda: HistGradientBoostingClassifier(max_iter=5), "model.skops"),
    Case("hist-gb-regressor", numbers_with_gaps, real, lambda: HistGradientBoostingRegressor(max_iter=5), "m.pickle"),
    Case("lgbm-joblib", numbers_with_gaps, binary, lgbm, "model.joblib"),
    Case("lgbm-skops", numbers_with_gaps, three_classes, lgbm, "model.skops"),
    Case("lgbm-regressor-of-an-array", numbers, real, lambda: lgbm(LGBMRegressor), "model.skops", by_name=False),
    Case("lgbm-categorical", categorical, binary, lgbm, "model.skops"),
]

BOOSTER_CASES = [
    Case("text-binary", numbers_with_gaps, binary, lambda: {"objective": "binary"}, "model.txt"),
    Case(
        "text-multiclass",
        numbers,
        lambda data: np.digitize(data["a"], [-0.5, 0.5]),
        lambda: {"objective": "multiclass", "num_class": 3},
        "model.lgb",
    ),
    Case("text-regression", numbers, real, lambda: {"objective": "regression"}, "model"),
    Case("text-of-an-array", numbers, real, lambda: {"objective": "regression"}, "model.txt", by_name=False),
    Case(
        "text-categorical",
        categorical,
        binary,
        lambda: {"objective": "binary", "min_data_per_group": 1, "cat_smooth": 1},
        "model.txt",
    ),
]


def load(path: Path, options: dict[str, object] | None = None) -> LoadedModel:
    flavor, model_format = recognise(path, options=options)
    return flavor.load(path, model_format=model_format, trusted=(), options=options or {})


def save_estimator(case: Case, path: Path) -> dict[str, np.ndarray]:
    data = case.data()
    fitted_on = data if case.by_name else np.ascontiguousarray(data)
    estimator = case.make().fit(fitted_on, case.target(data))
    if path.suffix == ".skops":
        skops.io.dump(estimator, path)
    else:
        joblib.dump(estimator, path)
    expected = {name: getattr(estimator, name)(fitted_on) for name in METHODS if hasattr(estimator, name)}
    if isinstance(estimator, LGBMModel):
        more = {"raw_score": "raw_score", "leaf_index": "pred_leaf", "contributions": "pred_contrib"}
        return expected | {ours: estimator.predict(fitted_on, **{theirs: True}) for ours, theirs in more.items()}
    return expected | ({"leaf_index": estimator.apply(fitted_on)} if hasattr(estimator, "apply") else {})


def save_booster(case: Case, path: Path) -> dict[str, np.ndarray]:
    data = case.data()
    fitted_on = data if case.by_name else np.ascontiguousarray(data)
    parameters = {"verbose": -1, "num_leaves": 6, "min_data_in_leaf": 4, "num_threads": 1, **case.make()}
    booster = lgb.train(parameters, lgb.Dataset(fitted_on, case.target(data)), 8)
    booster.save_model(path)
    predicted = booster.predict(fitted_on)
    more = {
        "raw_score": booster.predict(fitted_on, raw_score=True),
        "leaf_index": booster.predict(fitted_on, pred_leaf=True),
        "contributions": booster.predict(fitted_on, pred_contrib=True),
    }
    if parameters["objective"] == "binary":
        return {"predict": predicted, "predict_proba": np.column_stack([1.0 - predicted, predicted]), **more}
    return {"predict": predicted} | ({"predict_proba": predicted} if predicted.ndim == 2 else {}) | more


@pytest.fixture(
    scope="session",
    params=SKLEARN_CASES + BOOSTER_CASES + FLAVOR_CASES + NETWORK_CASES,
    ids=lambda case: case.name,
)
def saved(request, tmp_path_factory) -> Saved:
    case = request.param
    if isinstance(case, (FlavorCase, NetworkCase)):
        made = case.save(tmp_path_factory.mktemp(case.name))
        is_exact = isinstance(case, FlavorCase) and made.is_exact
        model = load(made.path, made.options)
        return Saved(case.name, made.path, model, made.batch, made.expected, made.names, is_exact=is_exact)
    path = tmp_path_factory.mktemp(case.name) / case.file
    expected = (save_booster if case in BOOSTER_CASES else save_estimator)(case, path)
    data = case.data()
    names = tuple(data.columns) if case.by_name else None
    return Saved(case.name, path, load(path), table(data), expected, names)
