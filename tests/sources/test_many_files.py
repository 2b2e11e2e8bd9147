"""Datasets of many files: looked at several at a time, with one schema in memory, and the first wrong one named."""

from __future__ import annotations

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3_server import s3_bucket

from airflow_batch_inference.exceptions import DataError, InputChangedError, SignatureMismatchError
from airflow_batch_inference.jobs.columns import require_everywhere
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

FILES = 200


@pytest.fixture
def folder(tmp_path):
    for at in range(FILES):
        pq.write_table(pa.table({"a": np.full(3, float(at)), "b": [1, 2, 3]}), tmp_path / f"{at:03d}.parquet")
    return tmp_path


def test_rows_come_in_the_order_of_the_files_which_share_a_schema(folder):
    opened = open_dataset(str(folder), Storage())
    assert opened.whole()["a"].to_pylist() == [float(at) for at in range(FILES) for _ in range(3)]
    assert len({id(info.schema) for info in opened.source.infos}) == 1
    assert len({id(split.columns) for split in opened.source.splits}) == 1


def test_of_several_damaged_files_the_first_is_named(folder):
    for at in (150, 77, 199, 76):
        (folder / f"{at:03d}.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(DataError, match=r"/076\.parquet cannot be read"):
        open_dataset(str(folder), Storage())


def test_of_several_changed_files_the_first_is_named(folder):
    opened = open_dataset(str(folder), Storage())
    for at in (150, 77, 199, 76):
        (folder / f"{at:03d}.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(InputChangedError, match=r"/076\.parquet was changed"):
        opened.require_unchanged()


def test_the_first_file_that_lacks_a_column_is_named_and_types_are_united(folder):
    for at in (190, 33, 34):
        pq.write_table(pa.table({"a": [1.0]}), folder / f"{at:03d}.parquet")
    pq.write_table(pa.table({"a": [1.0], "b": [0.5]}), folder / "120.parquet")
    opened = open_dataset(str(folder), Storage())
    assert opened.absent == {"b": f"file://{folder}/033.parquet"}
    assert opened.schema.field("b").type == pa.float64()
    with pytest.raises(SignatureMismatchError, match=r"033\.parquet lacks the column 'b'"):
        require_everywhere(opened, ["b"])


def test_columns_come_in_the_order_of_the_first_files_whichever_files_are_like_them(tmp_path):
    for at, names in enumerate(["ab", "cba", "ab"]):
        pq.write_table(pa.table({name: [1.0] for name in names}), tmp_path / f"{at}.parquet")
    assert open_dataset(str(tmp_path), Storage()).schema.names == ["a", "b", "c"]


def test_of_two_files_with_other_types_the_later_is_named_and_what_the_first_has(tmp_path):
    for at, value in enumerate([1, "x", 1]):
        pq.write_table(pa.table({"a": [value]}), tmp_path / f"{at}.parquet")
    with pytest.raises(DataError, match=r"holds string in \S+/1\.parquet, but int64 in \S+/0\.parquet"):
        open_dataset(str(tmp_path), Storage())


def test_a_stop_is_heard_while_files_are_looked_at(folder):
    def stopped():
        raise InterruptedError("stop")

    with pytest.raises(InterruptedError, match="stop"):
        open_dataset(str(folder), Storage(), raise_if_stopped=stopped)


def test_files_of_a_bucket_come_in_their_order_and_as_a_list_too(folder, monkeypatch):
    with s3_bucket("many", monkeypatch) as bucket:
        store = fsspec.filesystem("s3")
        store.put(str(folder), f"{bucket}/in", recursive=True)
        opened = open_dataset(f"s3://{bucket}/in", Storage())
        assert len(opened.source.files) == FILES
        assert opened.whole()["a"].to_pylist() == [float(at) for at in range(FILES) for _ in range(3)]
        asked = []
        counting = Storage(filesystem_for=lambda protocol: asked.append(protocol) or store)
        counted = open_dataset(f"s3://{bucket}/in", counting)
        assert counted.identity == opened.identity
        counted.require_unchanged()
        assert len(asked) < 20  # and not once a file, as each may ask Airflow for a connection
        named = [file.uri for file in reversed(opened.identity)]
        again = open_dataset(named, Storage())
        assert list(again.identity) == list(reversed(opened.identity))
        assert again.whole()["a"].to_pylist() == [float(at) for at in reversed(range(FILES)) for _ in range(3)]
