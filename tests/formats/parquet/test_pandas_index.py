"""A pandas index in a file is no column of the dataset, unless it is asked for by its name."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORAGE = Storage()
INDEXES = {
    "range": pd.RangeIndex(3),
    "unnamed": pd.Index(["x", "y", "z"]),
    "unnamed numbers": pd.Index([5, 3, 8]),
    "named": pd.Index(["x", "y", "z"], name="key"),
    "named range": pd.RangeIndex(10, 40, 10, name="key"),
    "named times": pd.date_range("2024-05-01", periods=3, freq="D", name="key"),
    "two levels": pd.MultiIndex.from_tuples([("x", 1), ("y", 2), ("z", 3)], names=["key", None]),
}


def frame(index):
    return pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["r", "s", "t"]}, index=INDEXES[index])


def write(path, table):
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".feather":
        feather.write_feather(table, str(path))
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    return str(path)


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow"])
@pytest.mark.parametrize("index", INDEXES)
def test_an_index_is_no_column(tmp_path, index, suffix):
    path = write(tmp_path / f"a{suffix}", pa.Table.from_pandas(frame(index)))
    dataset = open_dataset(path, STORAGE)
    assert dataset.schema.names == ["a", "b"]
    assert dataset.count_rows() == 3
    assert dataset.whole().to_pydict() == {"a": [1.0, 2.0, 3.0], "b": ["r", "s", "t"]}


def test_a_named_index_is_there_for_whoever_names_it(tmp_path):
    stored = frame("named")
    stored.to_parquet(tmp_path / "a.parquet")
    dataset = open_dataset(str(tmp_path / "a.parquet"), STORAGE, model_names=["key", "a"])
    assert dataset.schema.names == ["a", "b", "key"]
    assert dataset.whole().column("key").to_pylist() == list(stored.index)
    assert dataset.select(["key"]).whole().column("key").to_pylist() == list(stored.index)


def test_a_column_that_is_the_index_in_some_files_only_stays_a_column(tmp_path):
    frame("named").to_parquet(tmp_path / "1.parquet")
    frame("named").reset_index().to_parquet(tmp_path / "2.parquet")
    dataset = open_dataset(str(tmp_path), STORAGE)
    assert sorted(dataset.schema.names) == ["a", "b", "key"]
    assert dataset.whole().column("key").to_pylist() == ["x", "y", "z"] * 2


def test_an_unnamed_index_is_known_where_another_writer_has_dropped_what_pandas_says(tmp_path):
    table = pa.Table.from_pandas(frame("unnamed")).replace_schema_metadata(None)
    assert open_dataset(write(tmp_path / "a.parquet", table), STORAGE).schema.names == ["a", "b"]


def test_a_file_that_holds_nothing_but_an_index_keeps_it(tmp_path):
    frame("named")[[]].to_parquet(tmp_path / "a.parquet")
    assert open_dataset(str(tmp_path / "a.parquet"), STORAGE).whole().to_pydict() == {"key": ["x", "y", "z"]}


@pytest.mark.parametrize(
    "stored", [b"", b"no json", b"{}", b'{"index_columns": 3}', b'{"index_columns": [{"kind": 1}]}']
)
def test_what_somebody_else_stored_under_pandas_name_is_passed_over(tmp_path, stored):
    table = pa.table({"a": [1.0]}).replace_schema_metadata({"pandas": stored})
    assert open_dataset(write(tmp_path / "a.parquet", table), STORAGE).schema.names == ["a"]


def test_an_index_that_folders_are_named_after_is_a_column_of_the_files(tmp_path):
    (tmp_path / "key=w").mkdir()
    frame("named").to_parquet(tmp_path / "key=w" / "a.parquet")
    (tmp_path / "key=v").mkdir()
    frame("range").to_parquet(tmp_path / "key=v" / "a.parquet")
    dataset = open_dataset(str(tmp_path), STORAGE)
    assert dataset.index.names == []
    assert dataset.whole().column("key").to_pylist() == ["v", "v", "v", "x", "y", "z"]
