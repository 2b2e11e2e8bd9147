"""A part that is published in another format has the bytes that it would have, had it been written in that format."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.formats.writers import PartWriter
from airflow_batch_inference.formats.written_types import is_writable
from airflow_batch_inference.sinks import conversion

FOOTER = {"batch_inference.version": "1", "batch_inference.job_key": "key"}
SECONDS = pa.array([1, None, 3], pa.timestamp("s"))
COLUMNS = {
    "seconds": SECONDS,
    "seconds in a zone": SECONDS.cast(pa.timestamp("s", "Europe/Berlin")),
    "nanoseconds": pa.array([1, None, 3], pa.timestamp("ns")),
    "time": pa.array([1, None, 3], pa.time32("s")),
    "time in nanoseconds": pa.array([1, None, 3], pa.time64("ns")),
    "date64": pa.array([86_400_000, None, 0], pa.date64()),
    "date32": pa.array([1, None, 0], pa.date32()),
    "duration": pa.array([5, None, 0], pa.duration("s")),
    "decimal": pa.array(["1.50", None, "2"]).cast(pa.decimal128(10, 2)),
    "wide decimal": pa.array(["1.50", None, "2"]).cast(pa.decimal256(50, 2)),
    "half": pa.array([1.5, None, np.nan], pa.float16()),
    "float": pa.array([0.1, None, np.inf], pa.float32()),
    "double": pa.array([0.1, None, np.nan]),
    "uint8": pa.array([1, None, 3], pa.uint8()),
    "uint64": pa.array([2**64 - 1, None, 3], pa.uint64()),
    "bool": pa.array([True, None, False]),
    "text": pa.array(["NA", None, ""]),
    "quotes": pa.array(['a "b", c', None, "line\nbreak"]),
    "large text": pa.array(["a", None, "007"], pa.large_string()),
    "text view": pa.array(["a", None, "b"], pa.string_view()),
    "bytes": pa.array([b"\xff\x00", None, b""]),
    "fixed bytes": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "category": pa.array(["a", None, "a"]).dictionary_encode(),
    "category of numbers": pa.array([5, None, 6]).dictionary_encode(),
    "small category of times": pa.DictionaryArray.from_arrays(pa.array([0, None, 1], pa.int8()), SECONDS.drop_null()),
    "nothing": pa.nulls(3),
    "list": pa.array([[1, None], None, []], pa.list_(pa.int8())),
    "list of seconds": pa.array([[1], None, []], pa.list_(pa.timestamp("s"))),
    "fields": pa.array(
        [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}], pa.struct([("a", pa.timestamp("s")), ("b", pa.string())])
    ),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None, b"1" * 16], pa.binary(16))),
    "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 0], pa.int8())),
    "period": pa.Table.from_pandas(pd.DataFrame({"x": pd.period_range("2024-05", periods=3, freq="M")})).column(0),
    "interval": pa.Table.from_pandas(pd.DataFrame({"x": pd.interval_range(0, 3)})).column(0),
}


def written(path, table, output_format):
    with PartWriter(path, output_format, table.schema, FOOTER) as writer:
        writer.write(table)
    return path


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "arrow"])
@pytest.mark.parametrize("name", COLUMNS)
def test_each_type_has_the_bytes_of_the_format_itself(tmp_path, name, output_format):
    table = pa.table({"key": [1, 2, 3], "x": COLUMNS[name]})
    if not is_writable(table.schema.field("x").type, output_format):
        pytest.skip("refused before the first row")
    direct = written(tmp_path / "direct", table, output_format)
    part = written(tmp_path / "part.parquet", table, "parquet")
    conversion.convert([part], tmp_path / "converted", output_format)
    if output_format == "arrow":
        first, second = (pa.ipc.open_file(path.read_bytes()) for path in (direct, tmp_path / "converted"))
        assert second.schema.equals(first.schema, check_metadata=True)
        assert second.read_all().to_pylist() == first.read_all().to_pylist() or name == "double" or name == "half"
    else:
        assert (tmp_path / "converted").read_bytes() == direct.read_bytes()


@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_many_parts_make_the_bytes_of_one(tmp_path, monkeypatch, output_format):
    monkeypatch.setattr("airflow_batch_inference.formats.writers._GROUP_ROWS", 64)
    monkeypatch.setattr(conversion, "_COPIED_ROWS", 48)
    table = pa.table(
        {"n": np.arange(500), "x": np.arange(500) / 7, "t": [None if at % 3 else f"{at}" for at in range(500)]}
    )
    parts = [written(tmp_path / f"{at}.parquet", table.slice(at, 100), "parquet") for at in range(0, 500, 100)]
    conversion.convert(parts, tmp_path / "all", output_format)
    assert (tmp_path / "all").read_bytes() == written(tmp_path / "direct", table, output_format).read_bytes()


def test_a_category_may_have_other_values_in_each_part(tmp_path):
    tables = [pa.table({"x": pa.array(values).dictionary_encode()}) for values in (["a", "b"], ["c"], ["b"])]
    parts = [written(tmp_path / f"{at}.parquet", table, "parquet") for at, table in enumerate(tables)]
    conversion.convert(parts, tmp_path / "all", "arrow")
    table = pa.ipc.open_file((tmp_path / "all").read_bytes()).read_all()
    assert table.column("x").to_pylist() == ["a", "b", "c", "b"]


def test_a_category_may_have_other_values_in_each_group(tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_batch_inference.formats.writers._GROUP_ROWS", 2)
    tables = [pa.table({"x": pa.array(values).dictionary_encode()}) for values in (["a", "b"], ["c", "d"], ["b", "e"])]
    parts = [written(tmp_path / f"{at}.parquet", table, "parquet") for at, table in enumerate(tables)]
    conversion.convert(parts, tmp_path / "all", "arrow")
    table = pa.ipc.open_file((tmp_path / "all").read_bytes()).read_all()
    assert table.column("x").to_pylist() == ["a", "b", "c", "d", "b", "e"]


def test_types_of_pandas_are_known_in_a_process_that_has_no_pandas(tmp_path):
    part = written(tmp_path / "part.parquet", pa.table({"x": COLUMNS["period"]}), "parquet")
    code = (
        "import sys; from pathlib import Path; from airflow_batch_inference.sinks import conversion\n"
        "conversion.convert([Path(sys.argv[1])], Path(sys.argv[2]), 'csv')"
    )
    subprocess.run([sys.executable, "-c", code, str(part), str(tmp_path / "x.csv")], check=True)
    assert (tmp_path / "x.csv").read_text().splitlines() == ['"x"', '"2024-05"', '"2024-06"', '"2024-07"']


def test_no_rows_keep_their_header(tmp_path):
    part = written(
        tmp_path / "part.parquet",
        pa.table({"x": pa.array([], pa.float64()), "y": pa.array([], pa.string())}),
        "parquet",
    )
    conversion.convert([part], tmp_path / "x.csv", "csv")
    assert (tmp_path / "x.csv").read_text() == '"x","y"\n'
    assert pq.read_metadata(part).num_rows == 0
