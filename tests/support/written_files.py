"""One table, written in every format that can be read."""

from __future__ import annotations

import bz2
import gzip
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from pathlib import Path


def write_file(path: Path, table: pa.Table) -> str:
    """Write a table in the format that the file's name tells, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if name.endswith((".parquet", ".pq")):
        pq.write_table(table, path)
    elif name.endswith(".feather"):
        feather.write_feather(table, str(path))
    elif name.endswith(".arrow"):
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    else:
        path.write_bytes(_compressed(name, _csv(table) if ".csv" in name else _json_lines(table)))
    return str(path)


def _csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(table, sink)
    return sink.getvalue().to_pybytes()


def _json_lines(table: pa.Table) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()


def _compressed(name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(data)
    if name.endswith(".bz2"):
        return bz2.compress(data)
    if name.endswith(".zst"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return sink.getvalue().to_pybytes()
    return data


@pytest.fixture
def write(tmp_path):
    """Write a table (or a dict of columns) under a name below the test's folder."""
    return lambda name, table: write_file(tmp_path / name, table if isinstance(table, pa.Table) else pa.table(table))
