"""Timestamps of 96 bits keep every date and every digit, or are refused."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
TEXTS = ["0001-01-01", "1500-06-15 01:02:03.456789", "2024-01-01", None, "9999-12-31"]
HIVE = [text and datetime.fromisoformat(text) for text in TEXTS]


def write(path, **columns):
    pq.write_table(pa.table(columns), path, use_deprecated_int96_timestamps=True, row_group_size=2)
    schema = pq.ParquetFile(path).schema
    assert all(schema.column(place).physical_type == "INT96" for place in range(len(schema)))
    return str(path)


def whole(*paths):
    return open_dataset(list(paths), STORE).whole()


def test_dates_outside_1677_to_2262_are_what_hive_wrote(tmp_path):
    file = write(tmp_path / "hive.parquet", valid_from=pa.array(HIVE, pa.timestamp("us")))
    assert whole(file).column("valid_from").to_pylist() == HIVE


def test_digits_below_a_microsecond_are_kept(tmp_path):
    values = pa.array([-1, 1, 1_234_567_891, None], pa.timestamp("ns"))
    file = write(tmp_path / "impala.parquet", seen=values)
    assert whole(file).column("seen").combine_chunks().equals(values)


def test_files_whose_types_no_column_holds_together_are_refused(tmp_path):
    far = write(tmp_path / "far.parquet", seen=pa.array(HIVE, pa.timestamp("us")))
    fine = write(tmp_path / "fine.parquet", seen=pa.array([1], pa.timestamp("ns")))
    with pytest.raises(DataError, match=r"far\.parquet cannot become timestamp\[ns\]"):
        whole(far, fine)


def test_two_columns_that_no_one_unit_holds_are_refused_by_name(tmp_path):
    path = tmp_path / "both.parquet"
    far = np.array(["0001-01-01", "2024-01-01"], "datetime64[us]")
    near = pa.array([1, 2], pa.timestamp("ns"))
    write(path, valid_from=pa.array(far), seen=near)
    with pytest.raises(DataError, match=r"'valid_from' has some outside.*'seen' some with digits below a microsecond"):
        whole(str(path))


def test_those_within_lists_and_structs_are_kept_too(tmp_path):
    struct = pa.struct([("at", pa.timestamp("us"))])
    columns = {
        "lists": pa.array([HIVE[:3], None, []], pa.list_(pa.timestamp("us"))),
        "structs": pa.array([{"at": HIVE[1]}, {"at": None}, None], struct),
    }
    found = whole(write(tmp_path / "nested.parquet", **columns))
    assert {name: found.column(name).to_pylist() for name in columns} == {
        name: values.to_pylist() for name, values in columns.items()
    }
    fine = pa.array([[1, None], [2001]], pa.list_(pa.timestamp("ns")))
    assert whole(write(tmp_path / "fine.parquet", fine=fine)).column("fine").combine_chunks().equals(fine)


def test_files_of_both_units_go_together_where_no_value_is_lost(tmp_path):
    plain = write(tmp_path / "a.parquet", seen=pa.array([1_000, 2_000], pa.timestamp("ns")))
    fine = write(tmp_path / "b.parquet", seen=pa.array([1_001], pa.timestamp("ns")))
    assert whole(plain, fine).column("seen").cast(pa.int64()).to_pylist() == [1_000, 2_000, 1_001]
