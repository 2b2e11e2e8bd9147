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
from airflow_batch_inference.storage import Storage

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
