"""The whole pipeline with model, data, artifacts and published predictions on an S3-compatible store (moto)."""

from __future__ import annotations

import io
import json

import fsspec
import pandas as pd
import pytest
from publishing import publish
from s3_server import reach, s3_server

from airflow_batch_inference.exceptions import ArtifactConflictError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)
from airflow_batch_inference.storage.catalog import latest_artifact
from airflow_batch_inference.storage.store import Storage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as found:
        yield found


@pytest.fixture
def bucket(endpoint, monkeypatch):
    reach(endpoint, monkeypatch)
    fs = fsspec.filesystem("s3")
    if not fs.exists("scoring"):
        fs.mkdir("scoring")
    yield fs
    fs.rm("scoring", recursive=True)
    fs.clear_instance_cache()


@pytest.fixture
def on_s3(bucket, model_text, rng_frame, runner):
    bucket.pipe_file("scoring/model.txt", model_text.encode())
    for name, frame in {"1": rng_frame.iloc[:150], "2": rng_frame.iloc[150:]}.items():
        data = io.BytesIO()
        frame.to_parquet(data)
        bucket.pipe_file(f"scoring/batch/{name}.parquet", data.getvalue())
    runner.root = "s3://scoring/artifacts"
    return runner


def test_the_pipeline_runs_on_a_bucket(on_s3, bucket, digest):
    load = LoadModelOperator(
        task_id="load", model_uri="s3://scoring/model.txt", sha256=digest, sample_set="s3://scoring/batch/*.parquet"
    )
    model = on_s3(load)
    prediction = on_s3(PredictOperator(task_id="predict", model=model, dataset="s3://scoring/batch"))
    drift = on_s3(DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction))
    log = LogArtifactsOperator(
        task_id="log", artifacts=[model, prediction, drift], publish_to="s3://scoring/public/day=1"
    )
    on_s3(log)
    assert on_s3(DriftGateOperator(task_id="gate", drift=drift)) == drift
    manifest = json.loads(bucket.cat_file("scoring/public/day=1/_published.json"))
    (part,) = manifest["files"]
    assert len(pd.read_parquet(io.BytesIO(bucket.cat_file(f"scoring/public/day=1/{part}")))) == 400
    assert latest_artifact(root=on_s3.root, name="prediction", storage=Storage()).uri == prediction
    again = PredictOperator(task_id="predict", model=model, dataset="s3://scoring/batch")
    assert on_s3(again, try_number=2) == prediction


def test_a_foreign_folder_on_a_bucket_is_not_replaced(on_s3, bucket, digest):
    model = on_s3(LoadModelOperator(task_id="load", model_uri="s3://scoring/model.txt", sha256=digest))
    prediction = on_s3(PredictOperator(task_id="predict", model=model, dataset="s3://scoring/batch"))
    bucket.pipe_file("scoring/theirs/file.csv", b"a\n1\n")
    storage = Storage()
    record = storage.read_record(prediction)
    with pytest.raises(ArtifactConflictError, match="not this DAG's to replace"):
        publish(record, "s3://scoring/theirs", storage=storage, target_storage=storage)
    assert bucket.ls("scoring/theirs", detail=False) == ["scoring/theirs/file.csv"]


def test_of_two_writers_on_a_bucket_one_wins(bucket):
    storage = Storage()
    results = [storage.put_new("s3://scoring/once.json", data) for data in (b"first", b"second")]
    assert results == [True, False]
    assert storage.read_bytes("s3://scoring/once.json") == b"first"
