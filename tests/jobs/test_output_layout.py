"""Validation checks in the output of the engine: parts, budgets, quarantine, resume, certificate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.checks.checks import parse_checks
from airflow_batch_inference.exceptions import CheckFailedError, ConfigurationError
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.records import PredictionSetRecord
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

TIME = 1_767_225_600_000  # 2026-01-01
DATA = {"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 1.0, 0.0, 1.0], "key": ["w", "x", "y", "z"]}
WALLAROO = {"layout": "wallaroo", "time_ms": TIME}


def checks(**given):
    return parse_checks(given)


def test_checks_alone_add_one_column_to_the_ordinary_output(bench):
    _, record = bench.score(bench.write("day.parquet", DATA), checks=checks(high="in.a > 3", key="in.key == 'w'"))
    found = bench.output(record)
    assert found.column_names == ["a", "b", "key", "predicted_label", "check_failures"]
    assert found["check_failures"].to_pylist() == [1, 0, 0, 1]
    assert record.label_columns == ("predicted_label",)
    assert [(each.name, each.expression, each.rows, each.action) for each in record.checks] == [
        ("high", "in.a > 3", 1, None), ("key", "in.key == 'w'", 1, None),
    ]  # fmt: skip


def test_a_check_may_read_what_is_not_in_the_output(bench):
    _, record = bench.score(
        bench.write("day.parquet", DATA), passthrough_columns=("a",), checks=checks(key="in.key == 'w' and in.b == 0")
    )
    assert bench.output(record).column_names == ["a", "predicted_label", "check_failures"]
    assert record.checks[0].rows == 1


def test_fail_commits_nothing_and_names_the_rows(bench):
    given = {"high": {"when": "in.a > 2", "max_rate": 0.25, "action": "fail"}}
    path = bench.write("day.parquet", DATA)
    with pytest.raises(
        CheckFailedError, match=r"'high' \(in.a > 2\) holds for 2 of 4 rows \(50%\), and max_rate is 25%"
    ) as error:
        bench.score(path, checks=parse_checks(given))
    assert f"First: file://{path} row 2, file://{path} row 3" in str(error.value)
    assert bench.visible() == []
    recorded = json.loads(Path(str(error.value).rpartition("All checks: file://")[2]).read_text())
    assert [(each["name"], each["rows"], each["is_exceeded"]) for each in recorded] == [("high", 2, True)]
    given["high"]["max_rate"] = 0.5
    _, record = bench.score(path, checks=parse_checks(given))
    assert (record.checks[0].rows, record.checks[0].is_exceeded) == (2, False)


def test_the_rate_is_that_of_the_whole_input_whatever_the_parts(bench, monkeypatch):
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 10)
    rows = 100
    path = bench.write("day.parquet", {"a": np.arange(rows, dtype=float), "b": np.zeros(rows)})
    given = {"first": {"when": "in.a < 10", "max_rate": 0.1, "action": "fail"}}
    _, record = bench.score(path, checks=parse_checks(given))
    assert len(record.parts) == 10
    assert (record.checks[0].rows, record.checks[0].first[0]) == (10, f"file://{path} row 0")
    given["first"]["max_rate"] = 0.09
    with pytest.raises(CheckFailedError, match="10 of 100 rows"):
        bench.score(path, checks=parse_checks(given))


def test_an_alert_is_recorded_and_commits(bench):
    given = {"high": {"when": "in.a > 2", "action": "alert"}}
    _, record = bench.score(bench.write("day.parquet", DATA), checks=parse_checks(given))
    assert record.checks[0].is_exceeded
    assert record.rows_out == 4


def test_quarantine_sets_rows_aside_within_its_own_budget(bench):
    given = {"high": {"when": "in.a > 2", "max_rate": 0.5, "action": "quarantine"}, "all": "in.a > 0"}
    path = bench.write("day.parquet", DATA)
    uri, record = bench.score(path, checks=parse_checks(given), **WALLAROO)
    found = bench.output(record)
    assert found["in.key"].to_pylist() == ["w", "x"]
    assert found["check_failures"].to_pylist() == [1, 1]
    assert (record.rows_in, record.rows_out, record.rows_rejected, record.rows_set_aside) == (4, 2, 2, 2)
    assert [each.rows for each in record.checks] == [2, 4]
    aside = pq.read_table(record.quarantine[0].uri.removeprefix("file://")).to_pylist()
    assert [(row["_row"], row["_stage"], row["key"]) for row in aside] == [(2, "check", "y"), (3, "check", "z")]
    assert aside[0]["_error"] == "The check 'high' (in.a > 2) holds."
    verified = verify(uri, Storage(), inputs=Storage())
    assert verified.problems == []
    assert "2 output rows have the columns of their input rows, in input order" in verified.checks
    given["high"]["max_rate"] = 0.4
    with pytest.raises(CheckFailedError, match="holds for 2 of 4"):
        bench.score(path, checks=parse_checks(given))


def test_rows_set_aside_do_not_count_as_errors(bench, make_model):
    def picky(batch):
        if 1.0 in batch["a"].to_pylist():
            raise ValueError("one")
        return batch["a"].to_numpy()

    given = {"high": {"when": "in.a > 2", "action": "quarantine"}}
    path = bench.write("day.parquet", DATA)
    _, record = bench.score(
        path, model=make_model(answer=picky), checks=parse_checks(given), policy=RowPolicy(error_threshold=1)
    )
    assert (record.rows_out, record.rows_rejected, record.rows_set_aside) == (1, 3, 2)
    stages = pq.read_table(record.quarantine[0].uri.removeprefix("file://"))["_stage"].to_pylist()
    assert stages == ["predict", "check", "check"]


def test_a_quarantine_that_leaves_nothing_fails(bench):
    given = {"all": {"when": "in.a > 0", "action": "quarantine"}}
    with pytest.raises(CheckFailedError, match="not all may be set aside"):
        bench.score(bench.write("day.parquet", DATA), checks=parse_checks(given))


def test_a_retry_takes_the_counts_of_finished_parts(bench, monkeypatch):
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 10)
    path = bench.write("day.parquet", {"a": np.arange(100, dtype=float), "b": np.zeros(100)})
    given = parse_checks({"even": {"when": "in.a >= 50", "max_rate": 0.5, "action": "quarantine"}})
    stops = iter([False] * 6)
    with pytest.raises(InterruptedError):
        bench.score(path, checks=given, attempt="1", stopped=lambda: next(stops, True))
    model = bench.model
    model.calls.clear()
    _, record = bench.score(path, checks=given, attempt="2")
    assert (record.rows_out, record.rows_set_aside, record.checks[0].rows) == (50, 50, 50)
    assert sum(call[0].num_rows for call in model.calls) < 164  # the sample's 64, and not all rows again


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"checks": parse_checks({"x": "in.aa > 1"})}, "The check 'x': .*names 'in.aa'.*did you mean 'in.a'"),
        ({"checks": parse_checks({"x": "in.key > 1"})}, "The check 'x': .*compares string with int64"),
        ({"checks": parse_checks({"x": "out.risk > 1"})}, "names 'out.risk'"),
        ({"layout": "walaroo"}, "output layout is 'walaroo'.*did you mean 'wallaroo'"),
    ],
)
def test_what_can_never_work_is_known_before_the_first_row(bench, options, words):
    with pytest.raises(ConfigurationError, match=words):
        bench.score(bench.write("day.parquet", DATA), **options)
    assert bench.visible() == []


def test_a_column_that_has_the_name_of_the_counts_is_refused(bench):
    path = bench.write("day.parquet", DATA | {"check_failures": [0, 0, 0, 0]})
    with pytest.raises(ConfigurationError, match="'check_failures' of its own"):
        bench.score(path, checks=checks(x="in.a > 1"))


def test_text_that_stands_for_numbers_is_checked_as_numbers(bench):
    path = bench.folder / "day.csv"
    path.write_text("a,b\n1,0\nx,0\n30,0\n")
    _, record = bench.score(
        str(path), checks=checks(large="in.a > 9"), policy=RowPolicy(error_threshold=1), on_mismatch={"*": "quarantine"}
    )
    assert (record.rows_out, record.checks[0].rows) == (2, 1)


def test_records_are_read_as_they_were_written(bench):
    uri, record = bench.score(bench.write("day.parquet", DATA), checks=checks(x="in.a > 1"), **WALLAROO)
    assert Storage().read_record(uri) == record
    assert PredictionSetRecord.from_dict(record.to_dict()) == record
