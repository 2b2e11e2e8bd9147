"""Many columns of a table at once, and of many files."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_inference.schema.columns import append_columns, repeated, replace_columns
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

TABLE = pa.table({"a": [1, 2], "b": ["x", "y"]}, metadata={"kept": "yes"})


def test_names_that_stand_twice_are_told_once_each():
    assert repeated(["b", "a", "b", "c", "a", "b"]) == ["a", "b"]
    assert repeated(iter("abc")) == []


def test_other_values_keep_the_names_the_order_and_the_metadata():
    found = replace_columns(TABLE, {0: pa.array(["1", None]), 1: TABLE["a"]})
    assert found.to_pydict() == {"a": ["1", None], "b": [1, 2]}
    assert found.schema.types == [pa.string(), pa.int64()]
    assert found.schema.metadata == TABLE.schema.metadata
    assert replace_columns(TABLE, {}) is TABLE


def test_more_columns_come_last():
    found = append_columns(TABLE, {"c": pa.array([1.0, None]), "d": TABLE["a"]})
    assert found.schema.names == ["a", "b", "c", "d"]
    assert found.to_pydict() == {**TABLE.to_pydict(), "c": [1.0, None], "d": [1, 2]}
    assert append_columns(TABLE, {}) is TABLE


def test_the_first_file_that_lacks_a_column_is_told(tmp_path):
    for number, names in enumerate((["a", "b"], ["a"], ["b", "c"])):
        pq.write_table(pa.table({name: [1] for name in names}), tmp_path / f"{number}.parquet")
    opened = open_dataset(str(tmp_path), Storage())
    assert opened.schema.names == ["a", "b", "c"]
    assert {name: uri[-9:] for name, uri in opened.absent.items()} == {
        "a": "2.parquet",
        "b": "1.parquet",
        "c": "0.parquet",
    }
