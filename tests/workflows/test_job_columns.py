"""Columns of a scoring job's output: dropped, passed through, of odd types, and those of the predictions."""

from __future__ import annotations

import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from job_rows import ROWS, path_of
from publishing import publish

from airflow_batch_inference.checks.checks import parse_checks
from airflow_batch_inference.exceptions import (
    ConfigurationError,
    SignatureMismatchError,
)
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.workflows.preflight import preflight


@pytest.mark.parametrize("drop", [("id",), (0,), ("id", 0)])
def test_drop_columns_takes_names_and_positions(bench, drop):
    _, record = bench.score(bench.write("in.parquet", {"id": [1, 2, 3], **ROWS}), drop_columns=drop)
    assert bench.output(record).column_names == ["a", "b", "predicted_label"]


@pytest.mark.parametrize("drop", ["Id", 3, -1])
def test_dropping_a_column_that_is_not_there_is_refused(bench, drop):
    with pytest.raises(ConfigurationError, match=rf"drop_columns names {drop!r}, .* Its columns: id, a, b"):
        bench.score(bench.write("in.parquet", {"id": [1, 2, 3], **ROWS}), drop_columns=(drop,))


def test_dropping_a_feature_is_reported_as_a_missing_column(bench):
    with pytest.raises(SignatureMismatchError, match="'a'"):
        bench.score(bench.write("in.parquet", ROWS), drop_columns=("a",))


def test_passthrough_columns_choose_what_stands_beside_the_predictions(bench):
    source = bench.write("in.parquet", {"id": [1, 2, 3], **ROWS})
    _, chosen = bench.score(source, passthrough_columns=("id",))
    assert bench.output(chosen).column_names == ["id", "predicted_label"]
    _, none = bench.score(source, passthrough_columns=None)
    assert bench.output(none).column_names == ["predicted_label"]


def test_an_index_of_pandas_is_neither_a_feature_by_position_nor_in_the_output(bench, make_model):
    path = bench.folder / "in.parquet"
    pd.DataFrame(ROWS, index=pd.Index(["x", "y", "z"], name="key")).to_parquet(path)
    bench.model = make_model(inputs=None)
    _, record = bench.score(str(path))
    assert bench.output(record).to_pydict() == {**ROWS, "predicted_label": [21.0, 42.0, 63.0]}


def test_an_index_of_pandas_that_is_named_is_passed_through(bench):
    path = bench.folder / "in.parquet"
    pd.DataFrame(ROWS, index=pd.Index(["x", "y", "z"], name="key")).to_parquet(path)
    _, record = bench.score(str(path), passthrough_columns=("key",))
    assert bench.output(record).to_pydict() == {"key": ["x", "y", "z"], "predicted_label": [21.0, 42.0, 63.0]}


def test_an_index_of_pandas_that_the_model_names_is_its_input(bench):
    path = bench.folder / "in.parquet"
    pd.DataFrame({"a": ROWS["a"]}, index=pd.Index(ROWS["b"], name="b")).to_parquet(path)
    _, record = bench.score(str(path))
    assert bench.output(record).column("predicted_label").to_pylist() == [21.0, 42.0, 63.0]


ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def odd_columns():
    """Columns that CSV and JSON have no types for, as a database or pandas writes them."""
    frame = pd.DataFrame({"month": pd.period_range("2024-05", periods=3, freq="M")})
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([ID.bytes] * 3, pa.binary(16)))
    image, waited = pa.array([b"\xff\x00", None, b"x"]), pa.array([5, None, 0], pa.duration("s"))
    table = pa.Table.from_pandas(frame).append_column("id", ids)
    return table.append_column("image", image).append_column("waited", waited)


@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_columns_without_a_type_in_text_are_written_as_text_of_one_form(bench, output_format):
    table = odd_columns().append_column("a", pa.array(ROWS["a"])).append_column("b", pa.array(ROWS["b"]))
    _, record = bench.score(bench.write("in.parquet", table))
    path = bench.folder / f"out.{output_format}"
    publish(record, str(path), storage=bench.storage, target_storage=bench.storage)
    csv = output_format == "csv"
    frame = pd.read_csv(path, dtype=str) if csv else pd.read_json(path, lines=True, dtype=False)
    found = {name: [None if pd.isna(value) else value for value in frame[name]] for name in frame}
    assert found["id"] == [str(ID)] * 3
    assert found["month"] == ["2024-05", "2024-06", "2024-07"]
    assert found["image"] == ["/wA=", None, "eA=="]
    assert found["waited"] == ["0 days 00:00:05", None, "0 days 00:00:00"]
    types = {spec.name: spec.type for spec in record.columns}
    assert [types[name] for name in ("image", "waited")] == ["binary", "duration[s]"]


def test_a_column_that_parquet_cannot_hold_is_refused_before_anything_is_written(bench):
    column = pa.array([pa.MonthDayNano([1, 2, 3])] * 3)
    path = bench.folder / "in.arrow"
    table = pa.table({**ROWS, "every": column})
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)
    words = r"A prediction set \(Parquet\) cannot hold the column 'every', of month_day_nano_interval\. Write it as"
    with pytest.raises(ConfigurationError, match=words):
        bench.score(str(path))
    assert bench.files() == []
    found = preflight(lambda: bench.request(str(path)), dataset=str(path), storage=bench.storage)
    assert any("cannot hold the column 'every'" in each.text for each in found.findings if each.level == "problem")
    _, record = bench.score(str(path), passthrough_columns=("a",))
    assert record.rows_out == 3


def test_a_rejected_row_keeps_a_column_that_parquet_has_no_type_for(bench, make_model):
    column = pa.array([pa.MonthDayNano([1, 2, 3])] * 3)
    path = bench.folder / "in.arrow"
    table = pa.table({"a": ["1", "none", "3"], "b": ROWS["b"], "every": column})
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)
    checks = parse_checks({"never": "in.every is null"})  # so that it is read, though it is not passed through
    policy = RowPolicy(error_threshold=1)
    _, record = bench.score(str(path), passthrough_columns=("a",), policy=policy, checks=checks)
    (rejected,) = pq.read_table(path_of(record.quarantine[0].uri)).to_pylist()
    assert (rejected["a"], rejected["every"]) == ("none", str(column[0].as_py()))


def test_an_unknown_passthrough_column_is_refused(bench):
    with pytest.raises(ConfigurationError, match=r"passthrough_columns names 'idd'.*a, b"):
        bench.score(bench.write("in.parquet", ROWS), passthrough_columns=("idd",))


def test_a_label_that_the_input_has_already_is_refused(bench):
    source = bench.write("in.parquet", {**ROWS, "label": [0, 0, 0]})
    with pytest.raises(ConfigurationError, match="'label' would stand twice"):
        bench.score(source, label_columns=("label",))
    _, record = bench.score(source, label_columns=("label",), drop_columns=("label",))
    assert bench.output(record).column_names == ["a", "b", "label"]


def test_several_prediction_columns_are_numbered_or_named(bench, make_model):
    model = make_model(answer=lambda batch: np.column_stack([batch.column("a"), batch.column("b")]))
    source = bench.write("in.parquet", ROWS)
    _, numbered = bench.score(source, model=model)
    assert numbered.label_columns == ("predicted_label_0", "predicted_label_1")
    _, named = bench.score(source, model=model, label_columns=("p0", "p1"))
    output = bench.output(named)
    assert (output.column("p0").to_pylist(), output.column("p1").to_pylist()) == (ROWS["a"], ROWS["b"])
    with pytest.raises(ConfigurationError, match=r"names 1 column.*the model returns 2"):
        bench.score(source, model=model, label_columns=("p",))


def test_text_predictions_stay_text(bench, make_model):
    model = make_model(answer=lambda batch: np.where(batch.column("a").to_numpy() > 1, "late", "on time"))
    _, record = bench.score(bench.write("in.parquet", ROWS), model=model)
    assert bench.output(record).column("predicted_label").to_pylist() == ["on time", "late", "late"]
