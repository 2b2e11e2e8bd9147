"""Wallaroo's columns from the engine: their order, their names, and which are asked for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.checks.checks import parse_checks
from airflow_batch_inference.compat.wallaroo.layout import ResultLayout
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.request import RowPolicy

TIME = 1_767_225_600_000  # 2026-01-01
DATA = {"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 1.0, 0.0, 1.0], "key": ["w", "x", "y", "z"]}
WALLAROO = {"layout": "wallaroo", "time_ms": TIME}


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
    arguments = {
        "include": ["*", "in.key", "metadata", "anomaly"],
        "exclude": ["in", "check_failures"],
        "separator": "_",
    }
    _, record = bench.score(
        bench.write("day.parquet", DATA), **WALLAROO, layout_arguments=arguments, checks=checks(high="in.a > 3")
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


def test_no_rows_make_an_empty_set_with_all_columns(bench):
    empty = pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())})
    _, record = bench.score(
        bench.write("day.parquet", empty), on_empty="succeed", **WALLAROO, checks=checks(x="out.predicted_label > 1")
    )
    assert bench.output(record).column_names == ["time", "in.a", "in.b", "out.predicted_label", "check_failures"]
    assert record.checks[0].rows == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": "wallaroo"}, "needs a time of the run"),
        ({**WALLAROO, "layout_arguments": {"include": ["in.c"]}}, "dataset names 'in.c'"),
        ({**WALLAROO, "layout_arguments": {"excluded": ["in"]}}, "'excluded'.*did you mean 'exclude'"),
    ],
)
def test_what_can_never_work_is_known_before_the_first_row(bench, options, words):
    with pytest.raises(ConfigurationError, match=words):
        bench.score(bench.write("day.parquet", DATA), **options)
    assert bench.visible() == []


def test_a_column_that_has_the_name_of_the_counts_is_a_field_of_the_input(bench):
    path = bench.write("day.parquet", DATA | {"check_failures": [0, 0, 0, 0]})
    _, record = bench.score(path, **WALLAROO)
    assert "in.check_failures" in bench.output(record).column_names


def test_the_fields_that_its_arguments_name():
    arguments = {"include": ["*", "in.key", "out.x"], "exclude": ["in.*", "in.a"]}
    assert ResultLayout.input_fields(arguments) == ("key", "a")
    assert ResultLayout.input_fields({}) == ()


def test_a_challenger_has_a_group_of_its_own():
    assert ResultLayout.challenger_column("b", "x") == "out_b.x"
