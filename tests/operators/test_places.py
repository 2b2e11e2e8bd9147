"""Where models and data may lie: paths as text or pathlib's, web addresses; and what is said of all others."""

from __future__ import annotations

import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from airflow.models.connection import Connection
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import ObjectStoragePath

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    Processes,
)
from airflow_batch_inference.operators.stores import storage_for
from airflow_batch_inference.storage.store import Storage


@pytest.fixture
def address(tmp_path):
    """The address under which a web server gives the test's folder, and what it was asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append((self.path, self.headers.get("Authorization")))

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def rows(runner, uri):
    record = Storage().read_record(uri)
    return pd.concat(pq.read_table(part.uri.removeprefix("file://")).to_pandas() for part in record.parts)


def test_paths_of_pathlib_are_taken_wherever_a_place_is_given(runner, model_file, digest, batch, sample_set, tmp_path):
    model = runner(
        LoadModelOperator(
            task_id="load", model_uri=model_file, sha256=digest, sample_set=sample_set, golden_set=batch / "1.parquet"
        )
    )
    predictions = runner(PredictOperator(task_id="predict", model=model, dataset=batch))
    several = runner(
        PredictOperator(task_id="several", model=model, dataset=[batch / "2.parquet", str(batch / "1.parquet")])
    )
    assert rows(runner, several)["key"].tolist() == [f"k{i}" for i in [*range(150, 400), *range(150)]]
    assert Storage().read_record(predictions).dataset_uris == (str(batch),)
    drift = DriftAnalysisOperator(task_id="drift", dataset=batch, sample_set=sample_set)
    assert Storage().read_record(runner(drift)).dataset_uri == str(batch)
    log = LogArtifactsOperator(task_id="log", artifacts=[predictions], publish_to=tmp_path / "out" / "scores.parquet")
    runner(log)
    assert pq.read_table(tmp_path / "out" / "scores.parquet").num_rows == 400


def test_a_template_within_a_path_is_rendered(runner, model_file, batch, digest):
    runner.params = {"file": "1.parquet"}
    path = Path(batch, "{{ params.file }}")
    model = runner(LoadModelOperator(task_id="load", model_uri=model_file, sha256=digest))
    assert len(rows(runner, runner(PredictOperator(task_id="predict", model=model, dataset=path)))) == 150


def test_a_path_of_airflow_s_object_storage_is_taken_but_for_its_connection(runner, model_file, digest, batch):
    model = runner(LoadModelOperator(task_id="load", model_uri=model_file, sha256=digest))
    predict = PredictOperator(task_id="predict", model=model, dataset=ObjectStoragePath(f"file://{batch}"))
    assert len(rows(runner, runner(predict))) == 400
    with pytest.raises(ConfigurationError, match="conn_id='lake'"):
        PredictOperator(task_id="other", model=model, dataset=ObjectStoragePath("s3://lake@bucket/in"))


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (PredictOperator, {"model": "/m.txt", "dataset": "data/in.parquet"}),
        (PredictOperator, {"model": "/m.txt", "dataset": ["/data/a.csv", "./b.csv"]}),
        (PredictOperator, {"model": "/m.txt", "dataset": Path("in.parquet")}),
        (PredictOperator, {"model": "models/churn.txt", "dataset": "/data"}),
        (LoadModelOperator, {"model_uri": "churn.txt"}),
        (LoadModelOperator, {"model_uri": "/churn.txt", "sample_set": "../sample.parquet"}),
        (DriftAnalysisOperator, {"dataset": "data/in.parquet"}),
        (EvaluateModelOperator, {"model": "/m.txt", "dataset": "data/in.parquet", "label_columns": "y"}),
        (LogArtifactsOperator, {"artifacts": ["a"], "publish_to": "out/scores.csv"}),
    ],
)
def test_a_relative_path_is_refused_when_the_dag_is_parsed(operator, arguments):
    with pytest.raises(ConfigurationError, match=r"of the task 't' is .*Path\(__file__\)\.parent / '"):
        operator(task_id="t", **arguments)


def test_the_home_folder_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ConfigurationError, match=r"whose home '~' is.*/home/…"):
        PredictOperator(task_id="t", model="/m.txt", dataset="~/in.parquet")


@pytest.mark.parametrize(
    "model", ["models/churn@champion", "models:/churn/1", "runs:/7/model", "{{ params.model }}.txt"]
)
def test_what_is_no_path_is_left_for_the_run(model):
    assert PredictOperator(task_id="t", model=model, dataset="{{ params.day }}/in.csv").model == model


def test_a_relative_path_of_a_template_is_refused_when_it_is_known(runner, model_file):
    runner.params = {"file": "in.parquet"}
    with pytest.raises(AirflowFailException, match="give an absolute path"):
        runner(PredictOperator(task_id="t", model=str(model_file), dataset="data/{{ params.file }}"))


def test_a_model_and_its_data_come_from_web_addresses(
    runner, address, model_file, digest, batch, rng_frame, monkeypatch
):
    monkeypatch.setattr(plan, "_PART_ROWS", 100)
    site, asked = address
    keyed = rng_frame.assign(key=[f"k{i}" for i in range(len(rng_frame))])
    keyed.to_csv(batch / "all.csv", index=False)
    model = runner(LoadModelOperator(task_id="load", model_uri=f"{site}/model.txt", sha256=digest))
    dataset = [f"{site}/batch/1.parquet", f"{site}/batch/2.parquet"]
    found = runner(PredictOperator(task_id="predict", model=model, dataset=dataset, engine=Processes(max_workers=2)))
    local = runner(PredictOperator(task_id="local", model=model, dataset=batch / "1.parquet"))
    assert rows(runner, found).iloc[:150].equals(rows(runner, local))
    assert [path for path, _ in asked].count("/batch/1.parquet") == 1
    record = Storage().read_record(found)
    assert (record.dataset_uris, len(record.parts)) == (tuple(dataset), 5)
    text = runner(PredictOperator(task_id="text", model=model, dataset=f"{site}/batch/all.csv"))
    assert rows(runner, text)["predicted_label"].tolist() == rows(runner, found)["predicted_label"].tolist()


def test_a_page_of_a_folder_is_no_dataset(runner, address, model_file, batch):
    site, _ = address
    with pytest.raises(AirflowFailException, match="is a web page"):
        runner(PredictOperator(task_id="t", model=str(model_file), dataset=f"{site}/batch"))


def test_a_connection_lets_in_at_its_own_host_and_stays_out_of_records(runner, address, batch, model_file, monkeypatch):
    site, asked = address
    uri = Connection(conn_type="http", host=site, login="me", password="secret").get_uri()
    monkeypatch.setenv("AIRFLOW_CONN_SITE", uri)
    dataset = f"{site}/batch/1.parquet"
    found = runner(PredictOperator(task_id="t", model=str(model_file), dataset=dataset, conn_id="site"))
    assert asked[-1][1] == "Basic bWU6c2VjcmV0"
    kept = [path.read_bytes() for path in runner.root.rglob("*") if path.is_file()]
    assert not any(b"secret" in each or b"bWU6c2VjcmV0" in each for each in kept)
    assert json.loads(Path(found.removeprefix("file://")).read_text())["rows_out"] == 150
    elsewhere = f"{site.replace('127.0.0.1', 'localhost')}/batch/1.parquet"
    storage_for("site").stat(elsewhere)
    assert asked[-1][1] is None


def test_a_model_that_not_everybody_is_given_reaches_other_processes(
    runner, address, batch, model_file, digest, monkeypatch
):
    monkeypatch.setattr(plan, "_PART_ROWS", 100)
    site, asked = address
    monkeypatch.setenv(
        "AIRFLOW_CONN_SITE", Connection(conn_type="http", host=site, login="me", password="secret").get_uri()
    )
    model = runner(LoadModelOperator(task_id="load", model_uri=f"{site}/model.txt", sha256=digest, conn_id="site"))
    asked.clear()
    found = runner(PredictOperator(task_id="predict", model=model, dataset=batch, engine=Processes(max_workers=2)))
    assert Storage().read_record(found).rows_out == 400
    assert {login for _, login in asked} == {"Basic bWU6c2VjcmV0"}
