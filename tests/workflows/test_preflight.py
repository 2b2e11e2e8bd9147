"""A job tried out: everything that is wrong is listed, what it takes is estimated, and nothing is written."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import UntrustedModelError
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.preflight import preflight

ROWS = 500


class WatchedStorage(Storage):
    """Refuses to write."""

    def put_new(self, uri, data):
        raise AssertionError(f"written: {uri}")

    put = put_record = put_content = writing = remove = require_writable = put_new


@pytest.fixture
def dataset(bench):
    rows = np.arange(ROWS, dtype=float)
    return bench.write("in/1.parquet", {"a": rows, "b": rows, "key": [f"k{i}" for i in range(ROWS)]})


@pytest.fixture
def tried(bench):
    """``tried(dataset, …)``: what the preflight of a job finds; nothing may be written for it."""

    def tried(dataset, *, resources=None, **arguments):
        before = sorted(bench.folder.rglob("*"))
        found = preflight(
            lambda: bench.request(dataset, **arguments), dataset=dataset, storage=WatchedStorage(), resources=resources
        )
        assert sorted(bench.folder.rglob("*")) == before
        return found

    return tried


def test_a_job_that_can_run_is_ready(tried, dataset):
    found = tried(dataset)
    assert found.is_ready
    assert [finding.level for finding in found.findings] == ["ok"] * 4
    assert (found.rows, found.parts, found.workers, found.rows_tried, found.rows_rejected) == (ROWS, 1, 0, 100, 0)


def test_no_temporary_file_is_left(tried, dataset, tmp_path_factory, monkeypatch):
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert tried(dataset).estimate.output_bytes > 0
    assert list(temporary.iterdir()) == []


def test_the_estimate_says_what_it_is_made_of(tried, dataset):
    found = tried(dataset, rows_per_batch=100)
    estimate = found.estimate
    assert estimate.timed_rows == 400  # four mini-batches at most
    assert 0 < estimate.low_s < estimate.high_s
    assert estimate.memory_bytes > 50e6
    assert "from 400 rows that were read, scored and written in" in found.text()


def test_many_rows_take_longer_than_few(tried, bench):
    few, many = (
        bench.write(f"{name}.parquet", {"a": np.ones(rows), "b": np.ones(rows)})
        for name, rows in (("few", 2_000), ("many", 200_000))
    )
    first, second = (tried(each, rows_per_batch=500) for each in (few, many))
    assert second.estimate.output_bytes > 20 * first.estimate.output_bytes
    assert second.parts == 2
    assert second.estimate.low_s > first.estimate.low_s


def test_workers_are_said_and_their_memory_counts(tried, dataset, bench):
    alone = tried(dataset)
    model = bench.request(dataset).models.first
    from_file = single_model(model.record, model=model.model, storage=bench.storage)
    several = tried(dataset, models=from_file, resources=Resources(isolate=True, max_memory=1_000_000))
    assert several.workers == 1
    assert several.estimate.memory_bytes > 1.5 * alone.estimate.memory_bytes
    assert several.is_ready
    warning = next(finding.text for finding in several.findings if finding.level == "warning")
    assert warning.startswith("The job may take")


def test_all_problems_are_listed(tried, bench):
    path = bench.write("wrong.parquet", {"a": [[1.0]] * 3, "key": ["x"] * 3})
    found = tried(
        path,
        drop_columns=("nothing",),
        passthrough_columns=("nowhere",),
        predict_method="guess",
        decision_threshold=0.5,
        on_mismatch={"age": "null"},
    )
    assert not found.is_ready
    for part in (
        "drop_columns names 'nothing'",
        "passthrough_columns names 'nowhere'",
        "no method 'guess'",
        "decision_threshold is 0.5",
        "on_mismatch names 'age'",
        "lacks 1 column(s) that the model needs: 'b'",
        "Column 'a' of",
    ):
        assert sum(part in problem for problem in found.problems) == 1, (part, found.problems)
    assert found.estimate is None
    assert found.text().splitlines()[-1] == "NOT READY nothing was written"


def test_labels_that_clash_or_do_not_fit_are_found(tried, dataset):
    assert "would stand twice" in tried(dataset, label_columns=("a",)).problems[0]
    assert "label_columns names 2" in tried(dataset, label_columns=("x", "y")).problems[0]


def test_text_for_a_number_names_its_row(tried, bench):
    path = bench.write("text.parquet", {"a": ["1", "two"], "b": [1.0, 2.0]})
    (problem,) = tried(path).problems
    assert "row 1 (from 0) is 'two'" in problem


def test_a_model_that_is_refused_does_not_hide_what_is_wrong_with_the_dataset(bench):
    def refused():
        raise UntrustedModelError("it could run anything")

    found = preflight(refused, dataset=str(bench.folder / "none.parquet"), storage=bench.storage)
    assert [problem.split(":")[0] for problem in found.problems] == ["UntrustedModelError", "ArtifactNotFoundError"]


def test_without_a_model_the_dataset_is_still_counted(bench, dataset):
    def refused():
        raise UntrustedModelError("it could run anything")

    found = preflight(refused, dataset=dataset, storage=bench.storage)
    assert (found.rows, len(found.problems)) == (ROWS, 1)


def test_an_empty_dataset_is_a_problem_unless_it_is_allowed(tried, bench):
    path = bench.write("empty.parquet", pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())}))
    assert "has no rows to score" in tried(path).problems[0]
    found = tried(path, on_empty="succeed")
    assert found.is_ready
    assert "an empty prediction set would be committed" in found.findings[-1].text


@pytest.fixture
def some_fail(make_model):
    def answer(batch):
        values = batch.column("a").to_numpy()
        if np.isin(values, [3, 60]).any():
            raise ValueError("no such leaf")
        return values

    return make_model(answer=answer)


def test_rows_that_fail_are_problems_that_name_them_where_none_may(tried, dataset, some_fail):
    found = tried(dataset, model=some_fail)
    assert (found.rows_tried, found.rows_rejected) == (100, 2)
    assert "2 of the first 100 rows would be rejected; at that rate 10 of all 500, where 0 may be." in found.problems
    assert [("row 3 " in problem, "row 60 " in problem) for problem in found.problems[-2:]] == [
        (True, False),
        (False, True),
    ]


def test_rows_that_fail_within_the_limits_are_warnings(tried, dataset, some_fail):
    found = tried(dataset, model=some_fail, policy=RowPolicy(error_threshold=20))
    assert found.is_ready
    assert (found.rows_rejected, found.estimate is not None) == (2, True)
    assert [finding.level for finding in found.findings[-3:]] == ["warning"] * 3


def test_more_than_may_be_among_the_first_rows_is_a_problem(tried, dataset, some_fail):
    assert not tried(dataset, model=some_fail, policy=RowPolicy(error_threshold=1)).is_ready
    assert not tried(dataset, model=some_fail, policy=RowPolicy(max_rejected_fraction=0.001)).is_ready


def test_values_of_rows_are_not_shown_where_columns_are_redacted(tried, dataset, some_fail):
    found = tried(dataset, model=some_fail, policy=RowPolicy(error_threshold=20, redact_columns=("a",)))
    assert not any("row rejected" in finding.text for finding in found.findings)


def test_a_model_that_fails_everywhere_is_a_problem(tried, dataset, make_model):
    def answer(batch):
        raise ValueError("never")

    assert any("never" in problem for problem in tried(dataset, model=make_model(answer=answer)).problems)
    found = tried(dataset, model=make_model(answer=answer), policy=RowPolicy(error_threshold=-1))
    assert "None of" in found.problems[0]


def test_predictions_that_depend_on_other_rows_are_a_problem(tried, dataset, make_model):
    model = make_model(answer=lambda batch: np.cumsum(batch.column("a").to_numpy()))
    assert "it depends on the rows around it" in tried(dataset, model=model, alignment_check_rows=4).problems[0]


def test_a_place_that_cannot_be_written_to_is_a_problem(bench, dataset):
    (bench.folder / "file").write_text("no folder")
    request = bench.request(dataset)
    request = replace(request, destination=replace(request.destination, root=f"file://{bench.folder}/file/store"))
    found = preflight(lambda: request, dataset=dataset, storage=bench.storage)
    assert found.problems[0].startswith("Cannot write to")


def test_an_output_larger_than_the_disk_is_a_problem(tried, dataset, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    assert "Make room" in tried(dataset).problems[0]


def test_what_the_system_says_is_no_finding(bench, dataset):
    class Broken(Storage):
        def filesystem(self, uri):
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        preflight(lambda: bench.request(dataset), dataset=dataset, storage=bench.storage, data_storage=Broken())


def test_its_numbers_and_its_document_are_plain(tried, dataset):
    found = tried(dataset)
    assert set(found.numbers()) >= {"rows", "parts", "workers", "rows_tried", "rows_rejected", "low_s", "high_s"}
    document = found.to_dict()
    assert document["findings"][0]["level"] == "ok"
    assert document["is_ready"] is True


def test_inline_records_can_be_tried_out(tried):
    found = tried({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert (found.is_ready, found.rows) == (True, 2)
