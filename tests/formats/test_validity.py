"""Damaged or hostile Arrow and Parquet files are refused by file, batch and column, before memory is spent."""

from __future__ import annotations

import bz2
import gzip
import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats import streams
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
SMALL = Storage(max_memory=256 << 20)


def buffer(values, kind):
    return pa.py_buffer(np.array(values, dtype=kind).tobytes())


def made(kind, rows, buffers, children=None):
    return pa.Array.from_buffers(kind, rows, buffers, children=children)


def _ends(indices):
    return made(pa.run_end_encoded(pa.int32(), pa.int8()), 4, [None], [indices, pa.array([1, 2, 3], pa.int8())])


TEXT = b"abcdefgh" * 4
BAD = {
    "offsets that go back": lambda: made(pa.string(), 2, [None, buffer([0, 8, 3], "i4"), pa.py_buffer(TEXT)]),
    "offsets beyond the data": lambda: made(pa.string(), 2, [None, buffer([0, 9999, 4], "i4"), pa.py_buffer(TEXT)]),
    "large offsets": lambda: made(pa.large_binary(), 2, [None, buffer([0, 1 << 40, 3], "i8"), pa.py_buffer(TEXT)]),
    "no UTF-8": lambda: made(pa.string(), 2, [None, buffer([0, 2, 4], "i4"), pa.py_buffer(b"\xff\xfeok")]),
    "half a character": lambda: made(pa.string(), 2, [None, buffer([0, 1, 2], "i4"), pa.py_buffer("é".encode())]),
    "list beyond its values": lambda: made(
        pa.list_(pa.int64()), 2, [None, buffer([0, 500, 2], "i4")], [pa.array([1, 2, 3])]
    ),
    "dictionary index": lambda: pa.DictionaryArray.from_arrays(
        pa.array([0, 7], pa.int8()), pa.array(["a", "b"]), safe=False
    ),
    "negative index": lambda: pa.DictionaryArray.from_arrays(
        pa.array([0, -3], pa.int8()), pa.array(["a", "b"]), safe=False
    ),
    "union type": lambda: made(
        pa.sparse_union([pa.field("a", pa.int8())]), 2, [None, buffer([0, 9], "i1")], [pa.array([1, 2], pa.int8())]
    ),
    "runs that go back": lambda: _ends(pa.array([3, 2, 4], pa.int32())),
    "list view": lambda: made(
        pa.list_view(pa.int64()), 2, [None, buffer([0, 90], "i4"), buffer([1, 5], "i4")], [pa.array([1, 2])]
    ),
    "text in a struct": lambda: pa.StructArray.from_arrays([BAD["no UTF-8"]()], names=["s"]),
    "text in JSON": lambda: pa.ExtensionArray.from_storage(pa.json_(pa.string()), BAD["no UTF-8"]()),
    "decimal": lambda: made(pa.decimal128(2, 0), 2, [None, buffer([1, 0, 12345, 0], "i8")]),
}


def ipc(batches, stream=False, **options):
    sink = pa.BufferOutputStream()
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("what", BAD)
def test_a_batch_whose_values_are_not_what_it_says_is_refused_by_column(tmp_path, what, stream):
    bad = BAD[what]()
    good = bad if pa.types.is_union(bad.type) else pa.nulls(2, bad.type)
    if pa.types.is_dictionary(bad.type):  # a file may not have two for one column
        good = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), bad.dictionary)
    rows = [pa.record_batch([pa.array(range(len(each))), each], names=["key", "odd"]) for each in (good, bad)]
    path = tmp_path / "x.arrow"
    path.write_bytes(ipc(rows, stream=stream, compression=None if stream else "zstd"))
    with pytest.raises(DataError, match=r"(x\.arrow)") as caught:
        list(open_dataset(str(path), STORE).mini_batches(10))
    if not pa.types.is_union(bad.type):
        assert "record batch" in str(caught.value)
        assert "'odd'" in str(caught.value)


@pytest.mark.parametrize("what", BAD)
def test_a_table_that_somebody_gives_is_looked_at_too(what):
    with pytest.raises(DataError, match="'odd' of the Arrow table is damaged"):
        open_dataset(pa.table({"key": range(len(BAD[what]())), "odd": BAD[what]()}), STORE)


def test_text_in_a_parquet_file_that_is_no_utf_8_is_refused(tmp_path):
    pq.write_table(pa.table({"key": [1, 2], "odd": BAD["no UTF-8"]()}), tmp_path / "x.parquet")
    opened = open_dataset(str(tmp_path / "x.parquet"), STORE)
    with pytest.raises(DataError, match=r"'odd' of .*x\.parquet, from row group 0 on is damaged: .*UTF8"):
        list(opened.mini_batches(10))


def test_what_is_good_is_read_as_it_is_in_every_form(tmp_path):
    table = pa.table(
        {
            "text": ["é", None, "z"],
            "dictionary": pa.array(["a", "b", None]).dictionary_encode(),
            "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1, 2])),
            "view": pa.array(["long enough for no place inside", None, "s"], pa.string_view()),
            "lists": pa.array([[1], [], None], pa.list_view(pa.int64())),
            "null": pa.nulls(3),
        }
    )
    batches = table.to_batches()
    for name, stream, compression in [("a", False, "zstd"), ("b", False, None), ("c", True, "lz4"), ("d", True, None)]:
        (tmp_path / f"{name}.arrow").write_bytes(ipc(batches, stream=stream, compression=compression))
        (batch,) = open_dataset(str(tmp_path / f"{name}.arrow"), SMALL).mini_batches(10)
        assert batch.table.to_pylist() == table.to_pylist()


# -- little that unfolds to much --------------------------------------------------------------------------------------


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def zeros():
    values = pa.array(np.zeros(1 << 25))
    return parquet(pa.table({"key": [1], "big": pa.LargeListArray.from_arrays([0, 1 << 25], values)}))


def same_text(kind=None):
    long = pa.array(["x" * (10 << 20)], kind)
    few = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000), pa.int32()), long)
    return pa.table({"key": pa.array(range(20_000)), "big": few})


def runs():
    ends = pa.array([1 << 30], pa.int32())
    return pa.record_batch({"big": pa.RunEndEncodedArray.from_arrays(ends, pa.array(["some text"]))})


def views():
    kind = pa.list_view(pa.int64())
    there = np.full(10_000, 100_000, "i4")
    values = pa.array(np.zeros(100_000, "i8"))
    return pa.record_batch({"big": made(kind, 10_000, [None, buffer(there * 0, "i4"), buffer(there, "i4")], [values])})


BOMBS = {
    "zeros.parquet": zeros,
    "text.parquet": lambda: parquet(same_text(), compression="zstd"),
    "text.arrow": lambda: ipc(same_text().to_batches(), compression="zstd"),
    "batch.arrow": lambda: ipc([wide()], compression="zstd"),
    "stream.arrow": lambda: ipc([wide()], stream=True, compression="zstd"),
    "runs.arrow": lambda: ipc([runs()]),
    "views.arrow": lambda: ipc([views()], compression="zstd"),
    "line.jsonl.gz": lambda: gzip.compress(b'{"big": "' + b"x" * (64 << 20) + b'"}\n'),
    "line.csv.bz2": lambda: bz2.compress(b"big,key\n" + b"x" * (64 << 20) + b",1\n"),
}


def wide():
    return pa.record_batch({"key": pa.array(np.zeros(1 << 25, "i1")), "big": np.zeros(1 << 25)})


READ = """
import resource, sys
import numpy, pyarrow.compute, pyarrow.parquet, pyarrow.csv, pyarrow.json
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.storage.store import Storage
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), used + (1 << 30)))
for path in sys.argv[1:]:
    try:
        print("read", sum(len(b.table) for b in open_dataset(path, Storage(max_memory=200 << 20)).mini_batches(100)))
    except DataError as error:
        print(str(error).replace("\\n", " "), flush=True)
"""


def test_a_small_file_that_unpacks_to_much_is_refused_by_file_and_column_before_it_does(tmp_path):
    for name, content in BOMBS.items():
        (tmp_path / name).write_bytes(content())
        assert (tmp_path / name).stat().st_size < 1 << 20
    done = subprocess.run(
        [sys.executable, "-c", READ, *(str(tmp_path / name) for name in BOMBS)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-800:]
    for name, said in zip(BOMBS, done.stdout.splitlines(), strict=True):
        assert name in said
        assert "max_memory" in said
        assert ("'big'" in said) is not name.startswith("line")


def test_a_compressed_file_that_unpacks_to_no_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_ALWAYS_BYTES", 1 << 20)
    monkeypatch.setattr(streams, "MOST_RATIO", 100)
    for name, content in [("x.csv.gz", b"a,b\n" + b"1,2\n" * 2_000_000), ("x.jsonl.gz", b'{"a": 1}\n' * 1_000_000)]:
        (tmp_path / name).write_bytes(gzip.compress(content))
        with pytest.raises(DataError, match=rf"{name} unpacks to more than .* bytes, over 100 times its size"):
            list(open_dataset(str(tmp_path / name), STORE).mini_batches(1000))


def test_ordinary_parquet_is_read_where_memory_is_little(tmp_path):
    """Also long text and lists: rows come as they were, in smaller steps."""
    rng = np.random.default_rng(4)
    rows = 3000
    table = pa.table(
        {
            "text": [f"text {i}" * 50 for i in range(rows)],
            "again": pa.array(["y" * 100_000 if i % 2 else "n" for i in range(rows)]),
            "list": rng.normal(size=(rows, 64)).tolist(),
            "zeros": np.zeros((rows, 64)).tolist(),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", compression="zstd", row_group_size=1500)
    found = [b.table for b in open_dataset(str(tmp_path / "x.parquet"), SMALL).mini_batches(500)]
    assert pa.concat_tables(found).to_pylist() == table.to_pylist()


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.arrow"])
def test_a_file_of_a_million_columns_is_refused_by_their_number(tmp_path, name):
    path = tmp_path / name
    names = [f"c{i}" for i in range(200_000)]
    if name == "x.arrow":
        path.write_bytes(ipc([pa.record_batch([pa.array([], pa.int8())] * 100_001, names=names[:100_001])]))
    else:
        separator = "," if name == "x.csv" else "\t"
        path.write_text("\n".join([separator.join(names), separator.join("1" * 200_000)]) + "\n")
    with pytest.raises(DataError, match=rf"{name} has about .*00,00. columns; the limit is 100,000"):
        open_dataset(str(path), STORE)
