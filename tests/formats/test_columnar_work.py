"""What is known of text costs Parquet and Arrow nothing: one look at a file, and no question about its columns."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.formats import readers
from airflow_batch_inference.formats.reading import Reading
from airflow_batch_inference.records import ColumnSpec, CsvOptions, ReadOptions
from airflow_batch_inference.sources import dataset as dataset_module
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


def must_not(*_, **__):
    pytest.fail("a file of columns was treated as text")


@pytest.fixture
def opened_files(tmp_path, monkeypatch):
    """Every file that Parquet's reader opens, of a folder of three."""
    for part in range(3):
        pd.DataFrame({"a": [part], "b": ["x"]}).to_parquet(tmp_path / f"{part}.parquet")
    opened = []

    class Counting(pq.ParquetFile):
        def __init__(self, source, **options):
            opened.append(str(source))
            super().__init__(source, **options)

    monkeypatch.setattr(readers.pq, "ParquetFile", Counting)
    for name in ("wanted", "forced", "forced_types", "guessed", "is_number"):
        monkeypatch.setattr(Reading, name, must_not)
    for name in ("_with_text_alike", "_again"):
        monkeypatch.setattr(dataset_module, name, must_not)
    return opened


def test_a_parquet_file_is_opened_once_to_be_known_and_once_to_be_read(tmp_path, opened_files):
    types = tuple(ColumnSpec(name=name, type="string") for name in "ab")
    reading = ReadOptions(csv=CsvOptions(separator=";"), types=types)
    dataset = open_dataset(str(tmp_path), STORE, reading=reading, model_names=["a"], tolerant=True, text_alike=True)
    assert len(opened_files) == 3
    assert dataset.options is None
    assert [batch.table.num_rows for batch in dataset.mini_batches(10)] == [3]
    assert len(opened_files) == 6
    assert {info.csv for info in dataset.infos} == {None}
