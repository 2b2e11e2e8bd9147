"""The three steps of a job where an engine, a kernel or a caller does what it should not."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.engines.local import Resources, TaskSession
from airflow_batch_inference.exceptions import ConfigurationError, EngineError
from airflow_batch_inference.jobs import open_job, plan
from airflow_batch_inference.jobs.open_job import score_part
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.trees.fast_model import DIFFERS
from airflow_batch_inference.workflows import commit_job as commit_module
from airflow_batch_inference.workflows.commit_job import commit_job
from airflow_batch_inference.workflows.plan_job import plan_job
from airflow_batch_inference.workflows.register_model import register_model
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.score_parts import score_parts

PARTS = 4


@pytest.fixture
def ask(bench, model_file, monkeypatch):
    """``ask(is_counted=False, **options)``: a job of four parts with a pinned model, counted on a baseline if asked."""
    open_job._OPEN.clear()
    monkeypatch.setattr(plan, "_PART_ROWS", 10)
    trust = TrustRequest(sha256=hashlib.sha256(model_file.read_bytes()).hexdigest())
    asked = ModelRequest(model_uri=str(model_file), trust=trust)
    values = np.arange(10.0 * PARTS)
    source = bench.write("in.parquet", {"a": values, "b": -values})
    places = {"root": str(bench.root), "storage": bench.storage, "model_storage": bench.storage}

    def request(*, is_counted=False, **options):
        _, record = register_model(asked, sample_set=source if is_counted else None, **places)
        made = bench.request(source, models=single_model(record, storage=bench.storage), **options)
        return replace(made, baseline=bench.storage.read_record(record.baseline_uri)) if is_counted else made

    return request


class Made:
    """An engine that does what a function does."""

    capabilities = EngineCapabilities()

    def __init__(self, work):
        self.work = work

    def run(self, job_uri, indices, limits):
        yield from self.work(job_uri, indices)

    def stop(self):
        pass


def scored(job_uri, indices):
    return [score_part(job_uri, index) for index in indices]


def test_receipts_of_another_job_are_refused(bench, ask):
    other = list(score_parts(plan_job(ask(predict_kwargs={"num_iteration": 1}), storage=bench.storage).uri))
    engine = Made(lambda uri, indices: other)
    with pytest.raises(EngineError, match=r"a receipt of part 0 of the job \w{16}, and was asked for the 4 part"):
        score_dataset(ask(), storage=bench.storage, engine=engine)
    with pytest.raises(EngineError, match="a receipt of part 0 of the job"):
        list(score_parts(plan_job(ask(), storage=bench.storage).uri, engine=engine))
    assert bench.visible() == []


@pytest.mark.parametrize(
    "told",
    [
        lambda receipts: [],
        lambda receipts: [*receipts, *receipts],
        lambda receipts: [replace(each, part=replace(each.part, sha256="0" * 64)) for each in receipts],
        lambda receipts: [replace(each, rows_out=3) for each in receipts],
    ],
    ids=["nothing", "twice", "another file", "another count"],
)
def test_what_lies_in_the_store_counts_and_not_what_an_engine_tells(bench, ask, told):
    engine = Made(lambda uri, indices: told(scored(uri, indices)))
    _, record = score_dataset(ask(), storage=bench.storage, engine=engine)
    assert record.rows_out == 10 * PARTS
    for part in record.parts:
        assert hashlib.sha256(bench.storage.read_bytes(part.uri)).hexdigest() == part.sha256


def test_what_an_engine_tells_twice_is_told_once(bench, ask):
    engine = Made(lambda uri, indices: 2 * scored(uri, indices))
    planned = plan_job(ask(), storage=bench.storage)
    assert [receipt.index for receipt in score_parts(planned.uri, engine=engine)] == [0, 1, 2, 3]


def test_an_engine_that_tells_of_parts_that_it_has_not_scored_commits_nothing(bench, ask):
    engine = Made(lambda uri, indices: [replace(scored(uri, [0])[0], index=index) for index in indices])
    with pytest.raises(EngineError, match="3 of 4 parts have no receipt, part 1 first"):
        score_dataset(ask(), storage=bench.storage, engine=engine)
    assert bench.visible() == []


@pytest.mark.parametrize(
    "asked", [iter([2, 1]), np.array([2, 1]), [2, 1, 2, 1], (index for index in (2, 1))], ids=range(4)
)
def test_parts_can_be_named_in_any_form_and_are_scored_once(bench, ask, asked):
    planned = plan_job(ask(), storage=bench.storage)
    assert [receipt.index for receipt in score_parts(planned.uri, asked)] == [2, 1]
    assert plan_job(ask(), storage=bench.storage).missing == (0, 3)


def test_what_is_no_index_is_refused(bench, ask):
    planned = plan_job(ask(), storage=bench.storage)
    for wrong in (["0"], [0.5], [PARTS]):
        with pytest.raises(ConfigurationError, match="The job has no part"):
            list(score_parts(planned.uri, wrong))


def test_parts_of_a_kernel_that_was_found_wrong_elsewhere_are_not_committed(bench, ask, monkeypatch):
    """Part 2 is scored where the kernel is found to differ; what it has scored in other processes must not stay."""
    monkeypatch.setattr(
        "airflow_batch_inference.jobs.part.tree_kernel",
        lambda models: told.pop(0),
    )
    told = [{"m": ""}, {"m": ""}, {"m": f"{DIFFERS} on the first rows: row 3"}, {"m": ""}, {}, {}, {}]
    planned = plan_job(ask(), storage=bench.storage)
    assert len(list(score_parts(planned.uri))) == PARTS
    with pytest.raises(EngineError, match=r"gave other bits than .* 3 of 4 parts was removed") as raised:
        commit_job(planned.uri)
    assert bench.visible() == []
    slow = str(raised.value).partition("without it is ")[2].partition(". Score")[0]
    assert [receipt.index for receipt in score_parts(slow)] == [0, 1, 3]
    assert open_job.open_job(slow).spec.request.accelerate == "off"
    uri, record = commit_job(slow)
    assert record.tree_kernel == {"m": f"{DIFFERS} on the first rows: row 3"}
    assert commit_job(planned.uri) == (uri, record)


def test_a_value_without_a_description_is_no_reason_to_score_in_the_task(bench, ask, monkeypatch):
    monkeypatch.setattr(TaskSession, "prepare", None)
    asked = ask(predict_kwargs={"num_iteration": np.int64(3)})
    _, record = score_dataset(asked, storage=bench.storage, resources=Resources(isolate=True))
    assert record.rows_out == 10 * PARTS


def test_parts_of_a_job_that_was_committed_are_not_scored_again(bench, ask):
    planned = plan_job(ask(is_counted=True), storage=bench.storage)
    assert len(list(score_parts(planned.uri))) == PARTS
    done = commit_job(planned.uri)
    files = bench.files()
    assert not any(name.endswith(".details") for name in files)
    assert list(score_parts(planned.uri)) == []
    assert bench.files() == files
    assert commit_job(planned.uri) == done


def test_who_commits_while_another_does_gives_its_commit(bench, ask, monkeypatch):
    planned = plan_job(ask(is_counted=True), storage=bench.storage)
    list(score_parts(planned.uri))
    looked, done = commit_module.finished_parts, []

    def late(spec):
        if not done:
            done.append(None)
            done.append(commit_job(planned.uri))
        return looked(spec)

    monkeypatch.setattr(commit_module, "finished_parts", late)
    assert commit_job(planned.uri) == done[1]
    assert bench.visible() == ["0000000001.json"]
