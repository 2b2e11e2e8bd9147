from __future__ import annotations

import json
import math
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats import writers
from airflow_batch_inference.formats.writers import PartWriter

FORMATS = ["parquet", "csv", "arrow", "jsonl"]
TABLE = pa.table({"x": np.arange(100.0), "text": [None if row % 3 == 0 else f"row {row}" for row in range(100)]})


@pytest.fixture
def write(tmp_path):
    """Write tables to one part and return its path."""

    def run(output_format, *tables, name="part", metadata=None):
        path = tmp_path / f"{name}.{output_format}"
        with PartWriter(path, output_format, tables[0].schema, metadata or {}) as writer:
            for table in tables:
                writer.write(table)
        assert writer.rows == sum(table.num_rows for table in tables)
        return path

    return run


@pytest.mark.parametrize("output_format", FORMATS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 100), max_size=6).map(sorted))
def test_the_bytes_depend_on_the_rows_and_not_on_how_they_came(write, monkeypatch, output_format, cuts):
    monkeypatch.setattr(writers, "_GROUP_ROWS", 32)
    borders = [0, *cuts, 100]
    pieces = [TABLE.slice(start, stop - start) for start, stop in pairwise(borders)]
    assert write(output_format, *pieces, name="pieces").read_bytes() == write(output_format, TABLE).read_bytes()


def many_types(rows):
    numbers = np.random.default_rng(0).normal(size=rows)
    some = [None if number % 7 == 0 else number for number in range(rows)]
    return pa.table(
        {
            "dense": numbers,
            "rounded": numbers.round(1),
            "single": pa.array(numbers.astype("f4")),
            "missing": pa.array(some, pa.float64()),
            "late": pa.array([None] * (rows // 2) + [1.0] * (rows - rows // 2), pa.float64()),
            "whole": pa.array(some, pa.int32()),
            "flag": numbers > 0,
            "text": [None if number is None else f"{number} " * 200 for number in some],
            "kind": pa.array([str(number % 5) for number in range(rows)]).dictionary_encode(),
            "list": [[number, 1] for number in range(rows)],
            "day": pa.array(range(rows), pa.timestamp("us")),
            "exact": pa.array([Decimal(number) for number in range(rows)], pa.decimal128(9, 2)),
        }
    )


@pytest.mark.parametrize("without", [[], ["kind", "list"]])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.sampled_from([1024, 2048, 5 * 1024, 6000, 7 * 1024]), max_size=4).map(sorted))
def test_parquet_s_bytes_do_not_depend_on_chunks_either(write, without, cuts):
    table = many_types(8_000).drop_columns(without)
    pieces = [table.slice(start, stop - start) for start, stop in pairwise([0, *cuts, 8_000])]
    # As it comes from a file: other dictionaries, and memory of their own.
    pieces = [pa.concat_tables([piece.slice(0, 0), piece]).combine_chunks() for piece in pieces if len(piece)]
    found = write("parquet", *pieces, name="pieces")
    assert found.read_bytes() == write("parquet", table).read_bytes()
    assert pq.read_table(found).column("text").equals(table.column("text"))


def test_parquet_compresses_the_columns_that_it_makes_smaller(write):
    group = pq.read_metadata(write("parquet", many_types(4_000).drop_columns(["list"]))).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    plain = {column.path_in_schema for column in columns if column.compression == "UNCOMPRESSED"}
    assert plain == {"dense", "single"}


@pytest.mark.parametrize("output_format", FORMATS)
def test_no_rows_make_a_readable_file(write, output_format):
    path = write(output_format, TABLE.slice(0, 0))
    if output_format == "jsonl":
        assert path.read_bytes() == b""
        return
    readers = {
        "parquet": pq.read_table,
        "csv": pa_csv.read_csv,
        "arrow": lambda path: pa.ipc.open_file(path).read_all(),
    }
    assert readers[output_format](path).column_names == ["x", "text"]


def test_parquet_is_written_in_groups_with_checksums_and_provenance(write, monkeypatch):
    monkeypatch.setattr(writers, "_GROUP_ROWS", 32)
    path = write("parquet", TABLE, metadata={"model": "m"})
    file = pq.ParquetFile(path, page_checksum_verification=True)
    assert [file.metadata.row_group(group).num_rows for group in range(4)] == [32, 32, 32, 4]
    assert file.schema_arrow.metadata[b"model"] == b"m"
    content = bytearray(path.read_bytes())
    content[60:70] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


def test_arrow_keeps_provenance(write):
    path = write("arrow", TABLE, metadata={"model": "m"})
    assert pa.ipc.open_file(path).schema.metadata == {b"model": b"m"}


def test_json_lines_hold_no_nan(write):
    table = pa.table({"x": [math.nan, math.inf, -math.inf, None, 0.1], "text": ["ä", "", None, '"', "\n"]})
    rows = [json.loads(line) for line in write("jsonl", table).read_text().splitlines()]
    assert [row["x"] for row in rows] == [None, "inf", "-inf", None, 0.1]
    assert [row["text"] for row in rows] == table.column("text").to_pylist()


def test_json_lines_hold_no_nan_in_lists_and_structs_either(write):
    table = pa.table({"x": [[math.nan, 1.0], None], "y": [{"k": math.inf}, {"k": None}]})
    rows = [json.loads(line) for line in write("jsonl", table).read_text().splitlines()]
    assert rows == [{"x": [None, 1.0], "y": {"k": "inf"}}, {"x": None, "y": {"k": None}}]


def test_csv_quotes_text_and_writes_every_row_of_a_single_column(write):
    assert write("csv", pa.table({"a,b": ['x"y', "two\nlines"]})).read_text() == '"a,b"\n"x""y"\n"two\nlines"\n'
    assert len(write("csv", pa.table({"x": [1.5, None, 2.5]})).read_text().splitlines()) == 4


class Disk:
    """A sink whose disk is full at the second group."""

    def __init__(self, *_):
        self.groups = 0
        Disk.closed = False

    def write(self, table):
        self.groups += 1
        if self.groups == 2:
            raise OSError(28, "No space left on device")

    def close(self):
        Disk.closed = True


@pytest.mark.parametrize("rows", [8, 12, 40])
def test_an_error_in_the_writer_s_thread_reaches_the_caller(monkeypatch, tmp_path, rows):
    monkeypatch.setattr(writers, "_GROUP_ROWS", 4)
    monkeypatch.setitem(writers._SINKS, "parquet", Disk)
    with (
        pytest.raises(OSError, match="No space left"),
        PartWriter(tmp_path / "x", "parquet", TABLE.schema, {}) as writer,
    ):
        writer.write(TABLE.slice(0, rows))
    assert Disk.closed


def test_an_error_of_the_caller_is_the_one_that_is_seen(tmp_path):
    def fail():
        with PartWriter(tmp_path / "x", "parquet", TABLE.schema, {}) as writer:
            writer.write(TABLE)
            raise RuntimeError("the model failed")

    with pytest.raises(RuntimeError, match="the model failed"):
        fail()
    assert b"row 1" not in (tmp_path / "x").read_bytes()


@pytest.mark.parametrize(
    ("kind", "odd"),
    [
        ("parquet", pa.array([2**62, 1], pa.timestamp("s"))),
        ("csv", pa.array([0, 1], pa.timestamp("us", "Mars/Phobos"))),
        ("jsonl", pa.array([2**62, 1], pa.timestamp("s"))),
    ],
)
def test_a_value_that_a_format_cannot_hold_is_told_by_column_and_type(tmp_path, kind, odd):
    table = pa.table({"key": [1, 2], "odd": odd})

    def written():
        with PartWriter(tmp_path / "part", kind, table.schema, {}) as writer:
            writer.write(table)

    with pytest.raises(DataError, match=rf"cannot be written as {kind}: column 'odd' \(timestamp.*\): "):
        written()
