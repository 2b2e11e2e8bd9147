"""The first rows of a file in each format that is written, and of files that are damaged or large."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from airflow_batch_inference.plugin.preview import Preview, first_rows
from airflow_batch_inference.storage.store import Storage

TABLE = pa.table({"key": ["a", "b", "c"], "in.x": [1.5, None, 2.5], "n": [1, 2, 3]})


def write(path):
    if path.suffix == ".parquet":
        pq.write_table(TABLE, path)
    elif path.suffix == ".arrow":
        pa.feather.write_feather(TABLE, path)
    elif path.name.endswith(".csv"):
        csv.write_csv(TABLE, path)
    else:
        text = "\n".join(json.dumps(row) for row in TABLE.to_pylist()).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.csv", "x.jsonl", "x.jsonl.gz"])
def test_the_first_rows_of_some_columns_are_read_in_the_order_asked_for(tmp_path, name):
    found = first_rows(write(tmp_path / name), ["in.x", "none", "key"], 2, Storage())
    text = name == "x.csv"  # which has no types
    assert found == Preview(("in.x", "key"), (("1.5" if text else 1.5, "a"), ("" if text else None, "b")))
    assert first_rows(str(tmp_path / name), None, 9, Storage()).columns == ("key", "in.x", "n")


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.jsonl", "x.jsonl.gz", "x.csv.zst", "x.txt"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 99, b"PAR1garbagePAR1", b'{"a": '])
def test_a_file_that_cannot_be_read_shows_nothing_and_breaks_nothing(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    found = first_rows(str(tmp_path / name), None, 5, Storage())
    assert found is None or not found.rows


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (pa.array([2**62], pa.timestamp("us")), "4611686018427387904 (timestamp[us])"),
        (pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), "2147483647 (date32[day])"),
        (pa.array([2**62], pa.duration("s")), "4611686018427387904 (duration[s])"),
        (pa.array([0], pa.timestamp("us", "Mars/Phobos")), "0 (timestamp[us, tz=Mars/Phobos])"),
        (pa.array([[2**62]], pa.list_(pa.timestamp("us"))), ["4611686018427387904 (timestamp[us])"]),
        (pa.array([{"a": 2**62}], pa.struct({"a": pa.timestamp("us")})), {"a": "4611686018427387904 (timestamp[us])"}),
    ],
)
def test_a_value_that_python_cannot_hold_is_shown_as_text_beside_the_others(tmp_path, value, shown):
    pq.write_table(pa.table({"key": [1], "odd": value}), tmp_path / "x.parquet")
    assert first_rows(str(tmp_path / "x.parquet"), None, 5, Storage()) == Preview(("key", "odd"), ((1, shown),))


@pytest.mark.parametrize("depth", [3, 500, 900, 960, 100_000])
def test_deeply_nested_json_breaks_nothing(tmp_path, depth):
    (tmp_path / "x.jsonl").write_text('{"a": ' + "[" * depth + "]" * depth + "}\n")
    found = first_rows(str(tmp_path / "x.jsonl"), None, 5, Storage())
    assert found is None or all(isinstance(each, str) for each in found.rows[0][0])


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert first_rows(str(tmp_path / "x.csv"), ["a"], 1, Storage()) == Preview(("a",), (("1",),))


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_of_a_long_text_only_the_beginning_is_made(tmp_path, name, kind):
    long = pa.table({"v": pa.array(["\u00e9" * 100_000, "b", None]).cast(kind)})
    pq.write_table(long, tmp_path / name) if name == "x.parquet" else pa.feather.write_feather(long, tmp_path / name)
    assert first_rows(str(tmp_path / name), None, 5, Storage()).rows == (("\u00e9" * 1_000,), ("b",), (None,))


def test_one_long_text_in_every_row_is_held_once(tmp_path):
    pq.write_table(pa.table({"v": ["x" * 100_000] * 500}), tmp_path / "x.parquet")
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        found = first_rows(str(tmp_path / "x.parquet"), None, 200, Storage())
    finally:
        pa.set_memory_pool(usual)
    assert len(found.rows) == 200
    assert 0 < pool.max_memory() < 5_000_000


@pytest.mark.parametrize(("name", "shown"), [("x.parquet", ("n",)), ("x.arrow", ("n",))])
def test_columns_that_are_too_large_are_left_out_and_named(tmp_path, monkeypatch, name, shown):
    monkeypatch.setattr("airflow_batch_inference.plugin.preview._MOST_BYTES", 64 << 10)
    table = pa.table({"a.b": np.random.default_rng(0).normal(size=20_000), "n": np.arange(20_000, dtype="i1")})
    if name == "x.parquet":
        pq.write_table(table, tmp_path / name)
    else:
        pa.feather.write_feather(table, tmp_path / name)
    found = first_rows(str(tmp_path / name), ["a.b", "n"], 5, Storage())
    assert (found.columns, found.left_out) == (shown, tuple(each for each in ("a.b", "n") if each not in shown))
    assert found.names == ("a.b", "n")


def test_of_an_arrow_file_only_the_columns_that_are_shown_are_read(tmp_path):
    wide = pa.table({f"c{number}": np.random.default_rng(0).normal(size=10_000) for number in range(50)})
    pa.feather.write_feather(wide, tmp_path / "x.arrow", compression="uncompressed")
    read = []

    class Counted(type(Storage().filesystem(str(tmp_path))[0])):
        cachable = False

        def open(self, *args, **kwargs):
            opened = super().open(*args, **kwargs)
            whole = opened.read

            def noted(size=-1):
                read.append(size)
                return whole(size)

            opened.read = noted
            return opened

    found = first_rows(str(tmp_path / "x.arrow"), ["c7"], 1, Storage(filesystem_for=lambda protocol: Counted()))
    assert found.columns == ("c7",)
    assert 0 < sum(read) < 300_000


def test_no_rows_are_read_where_none_may_be_shown(tmp_path):
    assert first_rows(str(tmp_path / "missing.parquet"), None, 0, Storage()) is None


def test_of_a_long_list_only_the_beginning_is_made(tmp_path):
    values = pa.array([list(range(100_000)), [1, 2]])
    pq.write_table(pa.table({"v": values}), tmp_path / "x.parquet")
    (long,), (short,) = first_rows(str(tmp_path / "x.parquet"), None, 5, Storage()).rows
    assert long == [0, 1, 2, 3, 4, 5, Ellipsis]
    assert short == [1, 2]


def test_of_a_large_file_only_its_beginning_is_read(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "1,2\n" * 1_000_000)
    read = []

    class Files(type(Storage().filesystem(str(path))[0])):
        cachable = False

        def open(self, *args, **kwargs):
            opened = super().open(*args, **kwargs)
            whole = opened.read

            def noted(size=-1):
                read.append(size)
                return whole(size)

            opened.read = noted
            return opened

    found = first_rows(str(path), None, 3, Storage(filesystem_for=lambda protocol: Files()))
    assert found.rows == (("1", "2"),) * 3
    assert read
    assert all(0 <= size <= 1 << 18 for size in read)


def test_many_columns_are_not_read_for_the_few_that_are_shown(tmp_path):
    wide = pa.table({f"c{number}": np.arange(3) for number in range(2_000)})
    pq.write_table(wide, tmp_path / "x.parquet")
    assert first_rows(str(tmp_path / "x.parquet"), ["c7", "c1999"], 1, Storage()) == Preview(("c7", "c1999"), ((0, 0),))
