"""Every type of Arrow's through every output format: read back by the format's usual reader, or refused by name."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.writers import PartWriter
from airflow_batch_inference.formats.written_types import as_written, require_writable, written_type
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
MOMENT = dt.datetime(2024, 5, 1, 8, 15, 0, 5)  # noqa: DTZ001  # what Arrow gives for a moment without a zone


def extension(kind, storage):
    return pa.ExtensionArray.from_storage(kind, storage)


def of_pandas(values):
    return pa.Table.from_pandas(pd.DataFrame({"x": values})).column("x").combine_chunks()


# The column of three rows, and what pandas.read_csv(dtype=str) gives for the first and the last of them.
COLUMNS = {
    "boolean": (pa.array([True, None, False]), ["true", "false"]),
    "int8": (pa.array([1, None, -2], pa.int8()), ["1", "-2"]),
    "uint64": (pa.array([2**64 - 1, None, 0], pa.uint64()), ["18446744073709551615", "0"]),
    "half": (pa.array([1.5, None, 2.0], pa.float16()), ["1.5", "2"]),
    "double": (pa.array([0.1, None, 1e300]), ["0.1", "1e+300"]),
    "decimal32": (pa.array([Decimal("1.10"), None, Decimal("-2.00")], pa.decimal32(5, 2)), ["1.10", "-2.00"]),
    "decimal128": (pa.array([Decimal("1.10"), None, Decimal("-2.00")]), ["1.10", "-2.00"]),
    "decimal256": (pa.array([Decimal("1.10"), None, Decimal("-2.00")], pa.decimal256(50, 2)), ["1.10", "-2.00"]),
    "date32": (pa.array([MOMENT.date(), None, dt.date(1, 1, 1)]), ["2024-05-01", "0001-01-01"]),
    "date64": (pa.array([MOMENT.date(), None, dt.date(1900, 1, 1)], pa.date64()), ["2024-05-01", "1900-01-01"]),
    "time32": (pa.array([dt.time(8, 15), None, dt.time(0)], pa.time32("s")), ["08:15:00", "00:00:00"]),
    "time64": (pa.array([MOMENT.time(), None, dt.time(0)], pa.time64("us")), ["08:15:00.000005", "00:00:00.000000"]),
    "time64 in ns": (pa.array([1, None, 3], pa.time64("ns")), ["00:00:00.000000001", "00:00:00.000000003"]),
    "timestamp": (pa.array([MOMENT, None, MOMENT]), ["2024-05-01 08:15:00.000005"] * 2),
    "timestamp in a zone": (pa.array([0, None, 0], pa.timestamp("s", "UTC")), ["1970-01-01 00:00:00Z"] * 2),
    "duration": (
        pa.array([dt.timedelta(days=1, seconds=5), None, dt.timedelta(0)]),
        ["1 days 00:00:05", "0 days 00:00:00"],
    ),
    "duration in ns": (pa.array([1, None, 0], pa.duration("ns")), ["0 days 00:00:00.000000001", "0 days 00:00:00"]),
    "binary": (pa.array([b"\x00\xff", None, b"text"]), ["AP8=", "dGV4dA=="]),
    "large binary": (pa.array([b"\x00\xff", None, b"text"], pa.large_binary()), ["AP8=", "dGV4dA=="]),
    "binary view": (pa.array([b"\x00\xff", None, b"text"], pa.binary_view()), ["AP8=", "dGV4dA=="]),
    "fixed-size binary": (pa.array([b"\x00\xff", None, b"ab"], pa.binary(2)), ["AP8=", "YWI="]),
    "string": (pa.array(["a", None, 'ü,\n"']), ["a", 'ü,\n"']),
    "large string": (pa.array(["a", None, "b"], pa.large_string()), ["a", "b"]),
    "string view": (pa.array(["a", None, "b"], pa.string_view()), ["a", "b"]),
    "uuid": (extension(pa.uuid(), pa.array([ID.bytes, None, ID.bytes], pa.binary(16))), [str(ID)] * 2),
    "json": (extension(pa.json_(), pa.array(['{"a": [1]}', None, "[]"])), ['{"a": [1]}', "[]"]),
    "bool8": (extension(pa.bool8(), pa.array([1, None, 0], pa.int8())), ["true", "false"]),
    "opaque text": (extension(pa.opaque(pa.string(), "geo", "pg"), pa.array(["a", None, "b"])), ["a", "b"]),
    "opaque bytes": (extension(pa.opaque(pa.binary(), "geo", "pg"), pa.array([b"\xff", None, b"b"])), ["/w==", "Yg=="]),
    "period": (of_pandas(pd.PeriodIndex(["2024-05", None, "2024-07"], freq="M")), ["2024-05", "2024-07"]),
    "interval": (
        of_pandas(pd.arrays.IntervalArray.from_tuples([(0, 1), None, (1.5, 2)])),
        ["(0.0, 1.0]", "(1.5, 2.0]"],
    ),
}
NESTED = {
    "list": (pa.array([[1, 2], None, []]), [[1, 2], None, []]),
    "large list": (pa.array([[1.5], None, []], pa.large_list(pa.float64())), [[1.5], None, []]),
    "fixed-size list": (pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)), [[1, 2], None, [3, 4]]),
    "list view": (pa.array([[1, 2], None, []], pa.list_view(pa.int64())), [[1, 2], None, []]),
    "large list view": (pa.array([None, [1, 2], [3]], pa.large_list_view(pa.int64())), [None, [1, 2], [3]]),
    "list of bytes": (pa.array([[b"\xff"], None, []]), [["/w=="], None, []]),
    "list of moments": (pa.array([[MOMENT], None, []]), [["2024-05-01 08:15:00.000005"], None, []]),
    "struct": (
        pa.array([{"a": 1, "b": b"\xff", "c": Decimal("1.10")}, None, {"a": None, "b": None, "c": None}]),
        [{"a": 1, "b": "/w==", "c": "1.10"}, None, {"a": None, "b": None, "c": None}],
    ),
    "map": (pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())), [[["a", 1]], None, []]),
    "tensor": (
        extension(
            pa.fixed_shape_tensor(pa.float32(), [2]), pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32(), 2))
        ),
        [[1.0, 2.0], None, [3.0, 4.0]],
    ),
}
INTERVAL = pa.array([pa.MonthDayNano([1, 2, 3]), None, pa.MonthDayNano([0, 0, 0])])
UNION = pa.UnionArray.from_dense(
    pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["x"])]
)


def written(folder, column, output_format):
    table = pa.table({"key": pa.array([1, 2, 3]), "x": column})
    require_writable(table.schema, output_format)
    path = folder / f"out.{output_format}"
    with PartWriter(path, output_format, table.schema, {}) as writer:
        writer.write(table.slice(0, 1))
        writer.write(table.slice(1))
    return path


@pytest.mark.parametrize("name", COLUMNS)
def test_csv_holds_each_value_as_text_of_one_form(tmp_path, name):
    column, (first, last) = COLUMNS[name]
    read = pd.read_csv(written(tmp_path, column, "csv"), dtype=str, keep_default_na=False)
    assert read["x"].tolist() == [first, "", last]


@pytest.mark.parametrize("name", COLUMNS)
def test_json_lines_hold_each_value(tmp_path, name):
    column, (first, last) = COLUMNS[name]
    read = pd.read_json(written(tmp_path, column, "jsonl"), lines=True, dtype=False)["x"].tolist()
    assert read[1] is None or pd.isna(read[1])
    for value, text in ((read[0], first), (read[2], last)):
        if isinstance(value, str):
            assert value.removesuffix(".000000") == text.replace("Z", "+00:00").removesuffix(".000000")
        else:  # numbers and booleans are JSON's own
            assert str(value).lower() == text or float(value) == float(text)


@pytest.mark.parametrize("output_format", ["parquet", "arrow"])
@pytest.mark.parametrize("name", [*COLUMNS, *NESTED])
def test_parquet_and_arrow_hold_the_values_themselves(tmp_path, name, output_format):
    column = {**COLUMNS, **NESTED}[name][0]
    path = written(tmp_path, column, output_format)
    own = pq.read_table(path) if output_format == "parquet" else pa.ipc.open_file(path.read_bytes()).read_all()
    assert own.column("x").to_pylist() == column.to_pylist()
    again = open_dataset(str(path), Storage()).whole()
    again.validate(full=True)
    assert again.column("x").to_pylist() == column.to_pylist()
    if name in ("period", "interval", "uuid"):
        assert again.to_pandas()["x"].equals(own.to_pandas()["x"])


@pytest.mark.parametrize("name", NESTED)
def test_json_lines_hold_nested_values_and_csv_refuses_them(tmp_path, name):
    column, expected = NESTED[name]
    read = pd.read_json(written(tmp_path, column, "jsonl"), lines=True, dtype=False)["x"]
    assert [None if value is None or value is pd.NA or value != value else value for value in read] == expected
    with pytest.raises(
        ConfigurationError, match=r"CSV cannot hold the column 'x'.*output_format \(parquet, arrow, json"
    ):
        written(tmp_path, column, "csv")


@pytest.mark.parametrize(
    ("column", "formats", "type_name"),
    [
        (INTERVAL, ("csv", "jsonl", "parquet"), "month_day_nano_interval"),
        (UNION, ("csv", "parquet"), "nested"),
        (pa.array([[dt.timedelta(1)], None, []]), ("jsonl",), "a list"),
        (pa.array([{}, {}, None], pa.struct([])), ("parquet",), "fields"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_by_column_and_type(tmp_path, column, formats, type_name):
    for output_format in formats:
        with pytest.raises(ConfigurationError, match=f"cannot hold the column 'x', (of )?{type_name}.*leave it out"):
            written(tmp_path, column, output_format)
    assert (
        open_dataset(str(written(tmp_path, column, "arrow")), Storage()).whole()["x"].to_pylist() == column.to_pylist()
    )


@pytest.mark.parametrize("name", COLUMNS)
def test_the_type_that_is_told_is_the_type_that_is_written(name):
    table = pa.table({"x": COLUMNS[name][0]})
    for output_format in ("csv", "jsonl", "parquet", "arrow"):
        assert as_written(table, output_format).schema.field("x").type == written_type(
            table.schema.field("x").type, output_format
        )


def test_one_column_of_bytes_keeps_its_empty_rows_in_csv(tmp_path):
    table = pa.table({"x": pa.array([b"\xff", None, b""])})
    with PartWriter(tmp_path / "a.csv", "csv", table.schema, {}) as writer:
        writer.write(table)
    assert (tmp_path / "a.csv").read_text() == '"x"\n"/w=="\n""\n""\n'
    assert base64.b64decode("/w==") == b"\xff"


def test_a_file_of_periods_is_read_alike_before_and_after_pandas_is_there(tmp_path):
    import subprocess
    import sys

    pd.DataFrame({"x": pd.period_range("2024-01", periods=2, freq="M")}).to_parquet(tmp_path / "a.parquet")
    code = (
        "import sys; from airflow_batch_inference.sources.registry import open_dataset; "
        "from airflow_batch_inference.storage.store import Storage; "
        "assert 'pandas' not in sys.modules; "
        f"print(open_dataset({str(tmp_path / 'a.parquet')!r}, Storage()).schema.field('x').type)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pandas.period" in told
