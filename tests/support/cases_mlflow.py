"""MLflow folders with a model of each trust, as MLflow itself saves them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb
from cases import Case, Saved, numbers, table, yes
from cases_onnx import network, run, x_of
from cases_xgboost import xgb_expected
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def in_mlflow(kind: str) -> Callable[[Path], Saved]:
    """Save with MLflow's own ``save_model``."""

    def save(folder: Path) -> Saved:
        from mlflow.models import infer_signature

        path, data = folder / "model", numbers(gaps=kind in ("xgboost", "lightgbm"))
        target = pd.Series(yes(data), name="answer")
        common = {"path": str(path), "pip_requirements": [], "signature": infer_signature(data, target)}
        expected = _SAVERS[kind](data, target, common)
        return Saved(path, table(data), expected, tuple(data.columns), is_exact=kind not in ("onnx", "skops", "pickle"))

    return save


def _mlflow_xgboost(data, target, common):
    import mlflow.xgboost

    model = xgb.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1).fit(data, target)
    mlflow.xgboost.save_model(model, **common)
    return xgb_expected(model.get_booster(), data, proba=model.predict_proba(data))


def _mlflow_lightgbm(data, target, common):
    import mlflow.lightgbm

    parameters = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 5, "num_threads": 1}
    booster = lgb.train(parameters, lgb.Dataset(data, target), 5)
    mlflow.lightgbm.save_model(booster, **common)
    predicted = booster.predict(data)
    return {
        "predict": predicted,
        "predict_proba": np.column_stack([1 - predicted, predicted]),
        "raw_score": booster.predict(data, raw_score=True),
        "leaf_index": booster.predict(data, pred_leaf=True),
        "contributions": booster.predict(data, pred_contrib=True),
    }


def _mlflow_sklearn(data, target, common, form):
    import mlflow.sklearn

    model = LogisticRegression().fit(data, target)
    mlflow.sklearn.save_model(model, serialization_format=form, **common)
    return {name: getattr(model, name)(data) for name in ("predict", "predict_proba", "decision_function")}


def _mlflow_onnx(data, target, common):
    import mlflow.onnx

    model = network()
    mlflow.onnx.save_model(model, **common)
    return {"predict": run(model, x_of(data))[0]}


def _mlflow_pyfunc(data, target, common):
    import mlflow.pyfunc

    class Twice(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["a"] * 2

    mlflow.pyfunc.save_model(python_model=Twice(), **common)
    return {"predict": data["a"].to_numpy() * 2}


_SAVERS = {
    "xgboost": _mlflow_xgboost,
    "lightgbm": _mlflow_lightgbm,
    "skops": lambda data, target, common: _mlflow_sklearn(data, target, common, "skops"),
    "pickle": lambda data, target, common: _mlflow_sklearn(data, target, common, "cloudpickle"),
    "onnx": _mlflow_onnx,
    "pyfunc": _mlflow_pyfunc,
}


def _case(kind: str, trust: str, module: str, extra: str, versions: tuple[str, ...]) -> Case:
    named = "mlflow" if trust == "data" else f"mlflow-{trust}"
    needs_pin = trust == "code"
    return Case(f"{kind}-in-mlflow", "mlflow", named, in_mlflow(kind), module, extra, versions, needs_pin=needs_pin)


CASES = [
    _case("xgboost", "data", "xgboost", "xgboost", ("xgboost",)),
    _case("lightgbm", "data", "lightgbm", "", ("lightgbm",)),
    _case("onnx", "data", "onnxruntime", "onnx", ("onnxruntime",)),
    _case("skops", "allow-list", "skops.io", "skops", ("sklearn",)),
    _case("pickle", "code", "joblib", "", ("sklearn",)),
    _case("pyfunc", "code", "mlflow", "mlflow", ("mlflow",)),
]
