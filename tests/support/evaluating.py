"""Models, labelled data and evaluations of them."""

from __future__ import annotations

import hashlib

import joblib
import numpy as np
import pytest
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from airflow_batch_inference.operators import (
    EvaluateModelOperator,
    LoadModelOperator,
)
from airflow_batch_inference.records import EvaluationRecord
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


def record_of(uri):
    record = STORE.read_record(uri)
    assert isinstance(record, EvaluationRecord)
    return record


def text_of(uri):
    return STORE.read_bytes(uri).decode()


@pytest.fixture
def load(runner, tmp_path):
    """``load(estimator)``: the URI of its model record."""

    def load(estimator, name="model", **arguments):
        path = tmp_path / f"{name}.joblib"
        joblib.dump(estimator, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=digest, **arguments))

    return load


@pytest.fixture
def write(tmp_path):
    """``write(frame)``: the path of its Parquet file."""

    def write(frame, name="labelled.parquet"):
        frame.to_parquet(tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.fixture
def evaluate(runner):
    """``evaluate(model, dataset, label_columns, …)``: the evaluation's record."""

    def evaluate(model, dataset, label_columns="truth", **arguments):
        operator = EvaluateModelOperator(
            task_id="evaluate", model=model, dataset=dataset, label_columns=label_columns, **arguments
        )
        return record_of(runner(operator))

    return evaluate


@pytest.fixture(scope="session")
def tumours():
    """Breast-cancer measurements, "benign" or "malignant", and a pipeline that was fitted on every second row."""
    inputs, benign = datasets.load_breast_cancer(return_X_y=True, as_frame=True)
    inputs, truth = inputs.iloc[:, :5], np.where(benign == 1, "benign", "malignant")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs[::2], truth[::2])
    return model, inputs[1::2].assign(truth=truth[1::2], key=range(len(inputs) // 2))


@pytest.fixture
def gate(load, write, evaluate, tumours):
    """``gate(**arguments)``: the evaluation of the tumour model."""
    model, labelled = tumours
    uri, dataset = load(model), write(labelled)
    return lambda **arguments: evaluate(uri, dataset, **arguments)
