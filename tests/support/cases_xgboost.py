"""Tiny XGBoost models of every kind, with the predictions of XGBoost itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xgboost as xgb
from cases import ROWS, Case, Saved, numbers, table, thirds, yes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def typed() -> pd.DataFrame:
    rng = np.random.default_rng(22)
    return numbers().assign(d=rng.integers(0, 9, ROWS), t=rng.random(ROWS) > 0.5)


def towns() -> pd.DataFrame:
    rng = np.random.default_rng(23)
    return pd.DataFrame(
        {
            "a": rng.normal(size=ROWS),
            "town": pd.Categorical(rng.choice(["Ulm", "Bonn", "Bern", None], ROWS)),
            "zone": pd.Categorical(rng.choice([30, 7, 110], ROWS)),
        }
    )


def xgb_expected(booster: xgb.Booster, data, *, trees=(0, 0), proba=None) -> dict[str, np.ndarray]:
    wrapped = xgb.DMatrix(data, enable_categorical=True)
    found = {"predict": booster.predict(wrapped, iteration_range=trees)}
    if proba is not None:
        found["predict_proba"] = proba
    arguments = {"raw_score": "output_margin", "leaf_index": "pred_leaf", "contributions": "pred_contribs"}
    for ours, theirs in arguments.items():
        try:
            found[ours] = booster.predict(wrapped, iteration_range=trees, **{theirs: True})
        except xgb.core.XGBoostError:
            continue
    return found


def wrapped(kind: type, file: str, data=numbers, target=yes, **parameters) -> Callable[[Path], Saved]:
    """Fit and save with XGBoost's scikit-learn interface."""

    def save(folder: Path) -> Saved:
        frame = data()
        # qid is not among the columns: a ranker needs groups to be fitted, not to predict.
        groups = {"qid": np.repeat(range(9), 10)} if kind is xgb.XGBRanker else {}
        stop = {"eval_set": [(frame, 1 - target(frame))]} if "early_stopping_rounds" in parameters else {}
        model = kind(n_estimators=6, max_depth=3, n_jobs=1, random_state=1, enable_categorical=True, **parameters)
        model.fit(frame, target(frame), verbose=False, **groups, **stop)
        model.save_model(folder / file)
        proba = model.predict_proba(frame) if hasattr(model, "predict_proba") else None
        trees = (0, model.best_iteration + 1) if stop else (0, 0)
        expected = xgb_expected(model.get_booster(), frame, trees=trees, proba=proba)
        return Saved(folder / file, table(frame), expected, tuple(frame.columns))

    return save


def trained(file: str, target=yes, *, by_name: bool = True, **parameters) -> Callable[[Path], Saved]:
    """Train and save with XGBoost's own interface."""

    def save(folder: Path) -> Saved:
        frame = numbers()
        data = frame if by_name else frame.to_numpy()
        booster = xgb.train(
            {"max_depth": 3, "nthread": 1, "seed": 1, **parameters}, xgb.DMatrix(data, target(frame)), 6
        )
        booster.save_model(folder / file)
        expected = xgb_expected(booster, data)
        objective = parameters.get("objective", "")
        if objective.startswith("multi:"):
            margins = expected["raw_score"]
            powers = np.exp(margins - margins.max(axis=1, keepdims=True))
            soft = powers / powers.sum(axis=1, keepdims=True)
            rest = {name: values for name, values in expected.items() if name != "predict"}
            proba = expected["predict"] if objective == "multi:softprob" else soft
            expected = {"predict": expected["predict"], "predict_proba": proba, **rest}
        names = tuple(frame.columns) if by_name else None
        return Saved(folder / file, table(frame), expected, names, is_exact=objective != "multi:softmax")

    return save


def _case(name: str, save: Callable[[Path], Saved], kind: str = "json") -> Case:
    return Case(f"xgb-{name}", "xgboost", f"xgboost-{kind}", save, "xgboost", "xgboost", ("xgboost",))


CASES = [
    _case("classifier", wrapped(xgb.XGBClassifier, "model.json")),
    _case("classifier-ubj", wrapped(xgb.XGBClassifier, "model.ubj"), "ubj"),
    _case("three-classes", wrapped(xgb.XGBClassifier, "model.json", target=thirds)),
    _case("categories", wrapped(xgb.XGBClassifier, "model.ubj", towns, max_cat_to_onehot=1), "ubj"),
    _case("typed", wrapped(xgb.XGBRegressor, "model.xgb", typed), "ubj"),
    _case("forest", wrapped(xgb.XGBRFClassifier, "model.json")),
    _case("dart", wrapped(xgb.XGBClassifier, "model.json", booster="dart", rate_drop=0.5)),
    _case("ranker", wrapped(xgb.XGBRanker, "model.json")),
    _case("base-score", wrapped(xgb.XGBRegressor, "model.json", base_score=7.5)),
    _case("stopped-early", wrapped(xgb.XGBClassifier, "model.json", early_stopping_rounds=1)),
    _case("softprob", trained("model.json", thirds, objective="multi:softprob", num_class=3)),
    _case("softmax", trained("model.ubj", thirds, objective="multi:softmax", num_class=3), "ubj"),
    _case("linear", trained("model.json", booster="gblinear", updater="coord_descent")),
    _case("of-an-array", trained("model.model", by_name=False), "ubj"),
    _case("margins", trained("model.json", objective="binary:logitraw")),
]
