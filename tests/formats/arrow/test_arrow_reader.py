"""Arrow files and streams give the rows that their writer put in, from any of their record batches on."""

from __future__ import annotations

import struct

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.units import RowRange
from airflow_batch_inference.sources.cursor import Cursor
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORAGE = Storage()
ROWS = 1000


def batches(*, dictionaries=False):
    """Record batches of odd sizes; with dictionaries, each has words that the ones before do not have."""
    table = []
    for number, start in enumerate(range(0, ROWS, 170)):
        rows = np.arange(start, min(start + 170, ROWS))
        words = pa.array([f"w{row % (number * 3 + 2)}" for row in rows])
        table.append(
            pa.record_batch(
                {
                    "x": pa.array(rows, pa.int64()),
                    "word": words.dictionary_encode() if dictionaries else words,
                    "values": pa.array([[float(row)] * (row % 3) for row in rows]),
                }
            )
        )
    return table


def write_stream(path, found, **options):
    with pa.ipc.new_stream(str(path), found[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in found:
            writer.write_batch(batch)
    return str(path)


OPTIONS = {
    "plain": {},
    "lz4": {"compression": "lz4"},
    "zstd": {"compression": "zstd"},
    "legacy": {"use_legacy_format": True},
}


@pytest.mark.parametrize("dictionaries", [False, True], ids=["words", "dictionaries"])
@pytest.mark.parametrize("options", [*OPTIONS, "deltas"])
@pytest.mark.parametrize("suffix", [".arrow", ".arrows", ".feather", ".ipc"])
def test_a_stream_gives_the_rows_that_were_written(tmp_path, options, dictionaries, suffix):
    found = batches(dictionaries=dictionaries)
    more = {"emit_dictionary_deltas": True} if options == "deltas" else OPTIONS[options]
    dataset = open_dataset(write_stream(tmp_path / f"a{suffix}", found, **more), STORAGE)
    assert [unit.rows for unit in dataset.units[0]] == [batch.num_rows for batch in found]
    assert dataset.schema.field("word").type == pa.string()
    assert dataset.whole().to_pylist() == pa.Table.from_batches(found).to_pylist()


@pytest.mark.parametrize("dictionaries", [False, True], ids=["words", "dictionaries"])
@pytest.mark.parametrize("options", [*OPTIONS, "deltas"])
def test_a_stream_can_be_read_from_each_of_its_batches_on(tmp_path, options, dictionaries):
    found = batches(dictionaries=dictionaries)
    more = {"emit_dictionary_deltas": True} if options == "deltas" else OPTIONS[options]
    dataset = open_dataset(write_stream(tmp_path / "a.arrow", found, **more), STORAGE)
    expected = pa.Table.from_batches(found).to_pylist()
    first_row = 0
    for unit in dataset.units[0]:
        for skip in (0, 7):
            rows = unit.rows - skip
            wanted = [RowRange(0, unit.start, unit.stop, skip, first_row + skip, rows)]
            read = [row for batch in dataset.mini_batches(64, ranges=wanted) for row in batch.table.to_pylist()]
            assert read == expected[first_row + skip : first_row + unit.rows]
        read = [row for table in dataset.file_tables(0, unit.start, unit.stop) for row in table.to_pylist()]
        assert read == expected[first_row : first_row + unit.rows]
        first_row += unit.rows


def test_ranges_of_a_stream_that_follow_each_other_are_read_once(tmp_path):
    dataset = open_dataset(write_stream(tmp_path / "a.arrow", batches()), STORAGE)
    unit, cursor = dataset.units[0][0], Cursor()
    read = []
    for start in range(0, ROWS, 100):
        wanted = [RowRange(0, unit.start, None, start, start, 100)]
        read += [
            x for batch in dataset.mini_batches(64, ranges=wanted, cursor=cursor) for x in batch.table["x"].to_pylist()
        ]
    assert read == list(range(ROWS))


def test_a_stream_is_read_from_a_remote_store(tmp_path):
    fs = fsspec.filesystem("memory")
    write_stream(tmp_path / "a.arrow", batches(dictionaries=True))
    fs.pipe_file("/bucket/a.arrow", (tmp_path / "a.arrow").read_bytes())
    try:
        dataset = open_dataset("memory://bucket/a.arrow", STORAGE)
        assert dataset.whole().column("x").to_pylist() == list(range(ROWS))
        last = dataset.units[0][-1]
        (table,) = dataset.file_tables(0, last.start, None)
        assert table.column("x").to_pylist() == list(range(ROWS - last.rows, ROWS))
    finally:
        fs.rm("/bucket", recursive=True)


def test_streams_and_files_make_one_dataset(tmp_path):
    found = batches()
    write_stream(tmp_path / "1.arrow", found)
    feather.write_feather(pa.Table.from_batches(found), str(tmp_path / "2.feather"))
    dataset = open_dataset(str(tmp_path), STORAGE)
    assert dataset.whole().column("x").to_pylist() == [*range(ROWS), *range(ROWS)]


def test_a_stream_without_a_row_has_its_columns(tmp_path):
    schema = batches()[0].schema
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), schema):
        pass
    dataset = open_dataset(str(tmp_path / "a.arrow"), STORAGE)
    assert (dataset.schema.names, dataset.count_rows()) == (schema.names, 0)


def test_a_stream_that_was_cut_is_refused(tmp_path):
    path = tmp_path / "a.arrow"
    write_stream(path, batches())
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(DataError, match=r"a\.arrow cannot be read"):
        open_dataset(str(path), STORAGE)


def test_two_streams_in_one_file_are_refused_not_read_by_half(tmp_path):
    path = tmp_path / "a.arrow"
    write_stream(path, batches())
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(DataError, match=r"more follows .* after the end of its stream"):
        open_dataset(str(path), STORAGE)


def test_the_first_version_of_feather_is_refused_by_name(tmp_path):
    path = tmp_path / "a.feather"
    path.write_bytes(b"FEA1" + struct.pack("<I", 0) + b"FEA1")
    with pytest.raises(DataError, match=r"first version of Feather.*write_feather"):
        open_dataset(str(path), STORAGE)


@pytest.mark.parametrize("data", [b"", b"x", b"not an Arrow file at all", b"PAR1 and more of it"])
def test_what_is_no_arrow_is_refused(tmp_path, data):
    path = tmp_path / "a.arrow"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.arrow cannot be read"):
        open_dataset(str(path), STORAGE)


def test_a_run_end_encoded_column_is_its_values(tmp_path):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    dataset = open_dataset(write_stream(tmp_path / "a.arrow", [pa.record_batch({"x": runs})]), STORAGE)
    assert dataset.schema.field("x").type == pa.string()
    assert dataset.whole().to_pydict() == {"x": ["a", "a", "b"]}
