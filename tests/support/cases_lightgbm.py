"""Tiny boosters in LightGBM's text format, with the predictions of LightGBM itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
from cases import Case, Saved
from cases_sklearn import binary, categorical, numbers, numbers_with_gaps, real, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd


def expected_of(booster: lgb.Booster, data: object, objective: str) -> dict[str, np.ndarray]:
    predicted = booster.predict(data)
    more = {
        "raw_score": booster.predict(data, raw_score=True),
        "leaf_index": booster.predict(data, pred_leaf=True),
        "contributions": booster.predict(data, pred_contrib=True),
    }
    if objective == "binary":
        return {"predict": predicted, "predict_proba": np.column_stack([1.0 - predicted, predicted]), **more}
    return {"predict": predicted} | ({"predict_proba": predicted} if predicted.ndim == 2 else {}) | more


def _case(
    name: str,
    data: Callable[[], pd.DataFrame],
    target: Callable[[pd.DataFrame], np.ndarray],
    file: str,
    *,
    by_name: bool = True,
    **parameters: object,
) -> Case:
    def save(folder: Path) -> Saved:
        frame, path = data(), folder / file
        fitted_on = frame if by_name else np.ascontiguousarray(frame)
        common = {"verbose": -1, "num_leaves": 6, "min_data_in_leaf": 4, "num_threads": 1}
        booster = lgb.train({**common, **parameters}, lgb.Dataset(fitted_on, target(frame)), 8)
        booster.save_model(path)
        names = tuple(frame.columns) if by_name else None
        return Saved(path, table(frame), expected_of(booster, fitted_on, parameters["objective"]), names)

    return Case(name, "lightgbm", "lightgbm-text", save, "lightgbm", "", ("lightgbm",))


def three_numbers(data: pd.DataFrame) -> np.ndarray:
    return np.digitize(data["a"], [-0.5, 0.5])


CASES = [
    _case("text-binary", numbers_with_gaps, binary, "model.txt", objective="binary"),
    _case("text-multiclass", numbers, three_numbers, "model.lgb", objective="multiclass", num_class=3),
    _case("text-regression", numbers, real, "model", objective="regression"),
    _case("text-of-an-array", numbers, real, "model.txt", by_name=False, objective="regression"),
    _case("text-categorical", categorical, binary, "model.txt", objective="binary", min_data_per_group=1, cat_smooth=1),
]
