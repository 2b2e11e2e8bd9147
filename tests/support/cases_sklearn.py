"""Tiny estimators in joblib, pickle and skops files, with their own predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import skops.io
from cases import Case, Saved
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def encoded_pipeline() -> object:
    columns = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), ["city"]), ("number", StandardScaler(), ["a", "b", "floor"])]
    )
    return make_pipeline(columns, LogisticRegression())


def lgbm(kind: type = LGBMClassifier) -> object:
    return kind(n_estimators=8, num_leaves=5, min_child_samples=5, verbose=-1, random_state=1, n_jobs=1)


def expected_of(estimator: object, data: object) -> dict[str, np.ndarray]:
    found = {name: getattr(estimator, name)(data) for name in METHODS if hasattr(estimator, name)}
    if isinstance(estimator, LGBMModel):
        more = {"raw_score": "raw_score", "leaf_index": "pred_leaf", "contributions": "pred_contrib"}
        return found | {ours: estimator.predict(data, **{theirs: True}) for ours, theirs in more.items()}
    return found | ({"leaf_index": estimator.apply(data)} if hasattr(estimator, "apply") else {})


def _case(
    name: str,
    data: Callable[[], pd.DataFrame],
    target: Callable[[pd.DataFrame], np.ndarray],
    make: Callable[[], object],
    file: str,
    *,
    by_name: bool = True,
) -> Case:
    def save(folder: Path) -> Saved:
        frame, path = data(), folder / file
        fitted_on = frame if by_name else np.ascontiguousarray(frame)
        estimator = make().fit(fitted_on, target(frame))
        (skops.io if is_skops else joblib).dump(estimator, path)
        names = tuple(frame.columns) if by_name else None
        return Saved(path, table(frame), expected_of(estimator, fitted_on), names)

    is_skops = file.endswith(".skops")
    kind = "skops" if is_skops else "joblib" if ".joblib" in file else "pickle"
    needs = ("skops.io", "skops") if is_skops else ("joblib", "")
    versions = ("lightgbm", "sklearn") if name.startswith("lgbm") else ("sklearn",)
    return Case(name, "sklearn", kind, save, *needs, versions, needs_pin=not is_skops)


CASES = [
    _case("logistic-regression", numbers, binary, LogisticRegression, "model.joblib"),
    _case("logistic-regression-of-an-array", numbers, binary, LogisticRegression, "model.pkl", by_name=False),
    _case("pipeline-on-strings", mixed, three_classes, encoded_pipeline, "model.skops"),
    _case("decision-tree", numbers, three_classes, lambda: DecisionTreeClassifier(random_state=1), "model.skops"),
    _case("random-forest", numbers, binary, lambda: RandomForestClassifier(8, random_state=1), "model.joblib.gz"),
    _case("forest-regressor", numbers, real, lambda: RandomForestRegressor(8, random_state=1), "model.skops"),
    _case("extra-trees", numbers, binary, lambda: ExtraTreesClassifier(8, random_state=1), "model.skops"),
    _case("gradient-boosting", numbers, binary, lambda: GradientBoostingClassifier(n_estimators=5), "model.skops"),
    _case("hist-gb", numbers_with_gaps, binary, lambda: HistGradientBoostingClassifier(max_iter=5), "model.skops"),
    _case("hist-gb-regressor", numbers_with_gaps, real, lambda: HistGradientBoostingRegressor(max_iter=5), "m.pickle"),
    _case("lgbm-joblib", numbers_with_gaps, binary, lgbm, "model.joblib"),
    _case("lgbm-skops", numbers_with_gaps, three_classes, lgbm, "model.skops"),
    _case("lgbm-regressor-of-an-array", numbers, real, lambda: lgbm(LGBMRegressor), "model.skops", by_name=False),
    _case("lgbm-categorical", categorical, binary, lgbm, "model.skops"),
]
