"""A part is scored by any process that has what the job was planned with, and by no other."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ArtifactNotFoundError,
    ConfigurationError,
    EnvironmentMismatchError,
    NotDescribableError,
)
from airflow_batch_inference.jobs import environment, open_job, plan
from airflow_batch_inference.jobs.open_job import score_part
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.function import FunctionModel, function_record, pickled
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.commit_job import commit_job
from airflow_batch_inference.workflows.plan_job import plan_job
from airflow_batch_inference.workflows.register_model import register_model


@pytest.fixture(autouse=True)
def nothing_open():
    open_job._OPEN.clear()


@pytest.fixture
def request_of(bench, model_file):
    digest = hashlib.sha256(model_file.read_bytes()).hexdigest()
    asked = ModelRequest(model_uri=str(model_file), trust=TrustRequest(sha256=digest))
    _, record = register_model(asked, root=str(bench.root), storage=bench.storage, model_storage=bench.storage)
    values = np.arange(50.0)
    source = bench.write("in.parquet", {"a": values, "b": -values})
    return replace(bench.request(source), models=single_model(record, storage=bench.storage))


@pytest.fixture
def planned(bench, request_of):
    return plan_job(request_of, storage=bench.storage)


def test_the_description_is_json_that_names_its_digest(planned):
    data = Path(planned.uri.removeprefix("file://")).read_bytes()
    assert hashlib.sha256(data).hexdigest() in planned.uri
    assert json.loads(data)["$"] == "airflow_batch_inference.jobs.spec:JobSpec"
    assert len(data) < 16_384


def test_a_description_that_was_changed_is_refused(planned):
    path = Path(planned.uri.removeprefix("file://"))
    path.write_bytes(path.read_bytes().replace(b"prediction", b"predictioN"))
    with pytest.raises(ArtifactIntegrityError, match="is not the description of a job that was put there"):
        score_part(planned.uri, 0)


def test_a_description_that_is_not_there_is_told(planned):
    with pytest.raises(ArtifactNotFoundError, match="Nothing lies at"):
        score_part(planned.uri.replace("_work", "_work2"), 0)


def test_another_record_is_no_description(bench):
    uri = bench.storage.put_content(f"file://{bench.folder}", "job", ".json", b'{"a": 1}')
    with pytest.raises(ArtifactIntegrityError, match="describes no job, but a dict"):
        score_part(uri, 0)


@pytest.mark.parametrize("index", [-1, 1])
def test_a_part_that_the_job_does_not_have_is_refused(planned, index):
    with pytest.raises(ConfigurationError, match=f"The job has no part {index}: it has 1 part"):
        score_part(planned.uri, index)


@pytest.mark.parametrize("package", ["airflow-batch-inference", "python", "pyarrow", "numpy", "lightgbm"])
def test_a_process_with_another_version_refuses_before_the_first_row(bench, planned, monkeypatch, package):
    stamp = environment.environment_stamp
    assert package in json.loads(Path(planned.uri.removeprefix("file://")).read_text())["environment"]
    monkeypatch.setattr(
        environment,
        "environment_stamp",
        lambda found=None: {**stamp(found), **({package: "0.1"} if package != "lightgbm" or found else {})},
    )
    with pytest.raises(EnvironmentMismatchError, match=rf"{package} 0\.1 \(planned with "):
        score_part(planned.uri, 0)
    assert not [name for name in bench.files() if name.startswith("part-")]


def test_a_model_is_loaded_once_a_process(planned, monkeypatch):
    loaded = []
    load = open_job.load_models
    monkeypatch.setattr(open_job, "load_models", lambda spec: loaded.append(1) or load(spec))
    assert score_part(planned.uri, 0) == score_part(planned.uri, 0)
    assert loaded == [1]


def test_threads_of_one_process_score_one_after_the_other(bench, request_of, monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 5)
    planned = plan_job(request_of, storage=bench.storage)
    at_work, most, score = [], [], PartScorer.score

    def noted(self, part, **arguments):
        at_work.append(part.index)
        most.append(len(at_work))
        try:
            return score(self, part, **arguments)
        finally:
            at_work.remove(part.index)

    monkeypatch.setattr(PartScorer, "score", noted)
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda index: score_part(planned.uri, index), range(planned.parts)))
    assert [receipt.index for receipt in receipts] == list(range(10))
    assert max(most) == 1
    assert commit_job(planned.uri)[1].rows_out == 50


def test_each_call_has_its_own_word_and_storage(planned):
    assert score_part(planned.uri, 0, attempt="one").part.uri.endswith("part-00000-one.parquet")
    with pytest.raises(ConfigurationError, match="lies outside"):
        score_part(planned.uri, 0, storage=Storage(roots=("file:///elsewhere",)))


def test_a_forked_process_has_no_job_open_and_takes_nothing_from_its_parent(planned):
    score_part(planned.uri, 0)
    ((_, known),) = open_job._OPEN.values()
    with open_job._LOCKS["turn"]:  # which no thread of the child would ever give back
        child = os.fork()
        if not child:
            is_free = Thread(target=lambda: open_job._LOCKS["turn"].acquire(timeout=1) or os._exit(1))
            is_free.start()
            is_free.join()
            os._exit(0 if not open_job._OPEN and known in open_job._INHERITED[-1][planned.uri] else 2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert open_job._OPEN


def test_a_value_that_only_this_process_has_is_refused_before_a_part_is_scored(bench, request_of):
    options = replace(request_of.options, predict_kwargs={"num_iteration": np.int64(3)})
    with pytest.raises(NotDescribableError, match=r"num_iteration has a numpy.int64, which only this process can have"):
        plan_job(replace(request_of, options=options), storage=bench.storage)


def test_values_of_variables_are_stored_nowhere_and_asked_for(bench, request_of, monkeypatch):
    secret = {"MODEL_KEY": "hunter2"}
    planned = plan_job(replace(request_of, environment=secret), storage=bench.storage)
    assert "hunter2" not in "".join(path.read_text() for path in bench.root.rglob("*.json"))
    with pytest.raises(ConfigurationError, match="this process lacks MODEL_KEY"):
        score_part(planned.uri, 0)
    monkeypatch.setenv("MODEL_KEY", "other")
    with pytest.raises(ConfigurationError, match="has other values of MODEL_KEY"):
        score_part(planned.uri, 0)
    monkeypatch.setenv("MODEL_KEY", "hunter2")
    assert score_part(planned.uri, 0).rows_out == 50


def test_what_only_this_process_has_is_refused_before_it_is_planned(bench, request_of):
    model = FunctionModel(function=len, form="pandas")
    function = single_model(function_record(model, where="here"), model=model, function=pickled(model))
    with pytest.raises(NotDescribableError, match="has no file that another process could load"):
        plan_job(replace(request_of, models=function), storage=bench.storage)
    by_hand = replace(bench.storage, filesystem_for=lambda protocol: bench.storage.filesystem_for(protocol))
    with pytest.raises(NotDescribableError, match=r"cannot reach .*in\.parquet as this one does"):
        plan_job(request_of, storage=bench.storage, data_storage=by_hand)
