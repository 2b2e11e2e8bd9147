"""Folders as MLflow writes them, and how they are loaded."""

from __future__ import annotations

import json
import pickle

import xgboost as xgb
import yaml
from cases import numbers
from sklearn.linear_model import LogisticRegression

from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.storage.store import Storage


def folder_of(path, flavors, files=(), **more):
    """Write a model's folder as MLflow would."""
    path.mkdir(exist_ok=True)
    (path / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors, **more}))
    for name, content in dict(files).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def booster_bytes(data=None, kind="json"):
    data = numbers() if data is None else data
    return bytes(xgb.train({"nthread": 1}, xgb.DMatrix(data, data.iloc[:, 0]), 3).save_raw(kind))


def columns(*entries):
    return {"inputs": json.dumps([{"type": kind, "name": name, "required": True} for name, kind in entries])}


def load(path, *, pinned=False, **options):
    with private_copy(str(path), Storage()) as copy:
        trust = TrustRequest(sha256=copy.sha256 if pinned else None)
    return load_model(str(path), storage=Storage(), trust=trust, options=options, apart=False)


def sklearn_folder(path, predict_fn=None, **more):
    data = numbers(gaps=False)
    model = LogisticRegression().fit(data, data["a"] > 0)
    function = {"loader_module": "mlflow.sklearn", "model_path": "model.pkl"}
    if predict_fn is not None:
        function["predict_fn"] = predict_fn
    flavors = {"python_function": function, "sklearn": {"pickled_model": "model.pkl"}}
    return folder_of(path, flavors, {"model.pkl": pickle.dumps(model)}, **more), model, data
