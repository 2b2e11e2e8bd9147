"""Wallaroo's columns and validation checks from the engine: parts, budgets, quarantine, resume, certificate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.checks.checks import parse_checks
from airflow_batch_inference.exceptions import CheckFailedError, ConfigurationError
from airflow_batch_inference.jobs.request import RowPolicy, require_output_schema
from airflow_batch_inference.jobs.result_columns import ColumnChoice
from airflow_batch_inference.records import PredictionSetRecord
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

TIME = 1_767_225_600_000  # 2026-01-01
DATA = {"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 1.0, 0.0, 1.0], "key": ["w", "x", "y", "z"]}
WALLAROO = {"output_schema": "wallaroo", "time_ms": TIME}


def checks(**given):
    return parse_checks(given)


def test_wallaroos_columns_in_their_order(bench):
    _, record = bench.score(bench.write("day.parquet", DATA), **WALLAROO, checks=checks(high="out.predicted_label > 4"))
    found = bench.output(record)
    assert found.column_names == ["time", "in.a", "in.b", "in.key", "out.predicted_label", "check_failures"]
    assert found["time"].to_pylist()[0].isoformat() == "2026-01-01T00:00:00"
    assert found.schema.field("time").type == pa.timestamp("ms")
    assert found["in.key"].to_pylist() == DATA["key"]
    assert found["out.predicted_label"].to_pylist() == [1.0, 4.0, 3.0, 6.0]
    assert found["check_failures"].to_pylist() == [0, 0, 0, 1]
    assert found.schema.field("check_failures").type == pa.int8()
    assert [spec.name for spec in record.columns] == found.column_names
    assert (record.feature_columns, record.label_columns) == (("in.a", "in.b"), ("out.predicted_label",))
    assert record.input_names == {"in.a": "a", "in.b": "b", "in.key": "key", "out.predicted_label": "predicted_label"}


def test_chosen_columns_with_another_separator_and_metadata(bench):
    choice = ColumnChoice(
        include=("*", "in.key", "metadata", "anomaly"), exclude=("in", "check_failures"), separator="_"
    )
    _, record = bench.score(
        bench.write("day.parquet", DATA), **WALLAROO, result_columns=choice, checks=checks(high="in.a > 3")
    )
    found = bench.output(record)
    assert found.column_names == [
        "time", "in_key", "out_predicted_label", "anomaly_count", "anomaly_high", "metadata_elapsed",
        "metadata_last_model", "metadata_pipeline_version",
    ]  # fmt: skip
    assert found["anomaly_high"].to_pylist() == [False, False, False, True]
    assert found["metadata_last_model"][0].as_py() == {"model_name": "fake", "model_sha": "5" * 64}
    assert all(len(each) == 2 and min(each) > 0 for each in found["metadata_elapsed"].to_pylist())
    assert record.feature_columns == ("a", "b")  # not written: as the dataset has them


def test_parts_are_the_same_whatever_the_mini_batch_and_the_try(bench):
    path = bench.write("day.parquet", {name: values * 50 for name, values in DATA.items()})
    options = {**WALLAROO, "checks": checks(high="out.predicted_label > 4")}
    _, first = bench.score(path, attempt="1", rows_per_batch=7, **options)
    digest = first.parts[0].sha256
    for file in bench.root.rglob("*"):
        if file.is_file():
            file.unlink()
    _, second = bench.score(path, attempt="2", rows_per_batch=64, **options)
    assert second.parts[0].sha256 == digest
    assert second.checks == first.checks


def test_several_values_a_row_are_one_list(bench, make_model):
    model = make_model(
        answer=lambda batch: np.column_stack([batch.column("a").to_numpy(), batch.column("b").to_numpy()])
    )
    _, record = bench.score(
        bench.write("day.parquet", DATA), model=model, **WALLAROO, checks=checks(x="out.predicted_label[1] > 0.5")
    )
    found = bench.output(record)
    assert found.schema.field("out.predicted_label").type == pa.list_(pa.float64())
    assert found["check_failures"].to_pylist() == [0, 1, 0, 1]


def test_a_missing_value_within_a_list_rejects_its_row(bench, make_model):
    model = make_model(
        answer=lambda batch: np.column_stack([[np.nan if a == 2 else a for a in batch["a"].to_pylist()]] * 2)
    )
    _, record = bench.score(
        bench.write("day.parquet", DATA), model=model, **WALLAROO, policy=RowPolicy(error_threshold=1)
    )
    assert (record.rows_out, record.rows_rejected, record.rows_set_aside) == (3, 1, 0)


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
        ({"output_schema": "wallaroo"}, "needs a time of the run"),
        ({**WALLAROO, "result_columns": ColumnChoice(include=("in.c",))}, "dataset names 'in.c'"),
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
    _, record = bench.score(path, **WALLAROO)
    assert "in.check_failures" in bench.output(record).column_names


def test_no_rows_make_an_empty_set_with_all_columns(bench):
    empty = pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())})
    _, record = bench.score(
        bench.write("day.parquet", empty), on_empty="succeed", **WALLAROO, checks=checks(x="out.predicted_label > 1")
    )
    assert bench.output(record).column_names == ["time", "in.a", "in.b", "out.predicted_label", "check_failures"]
    assert record.checks[0].rows == 0


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


def test_an_output_schema_is_a_word_of_a_few():
    assert require_output_schema(None) is None
    assert require_output_schema("wallaroo") == "wallaroo"
    with pytest.raises(ConfigurationError, match="did you mean 'wallaroo'"):
        require_output_schema("walaroo")
