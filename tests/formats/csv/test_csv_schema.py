"""CSV: columns whose types later rows widen, all found together, however many there are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_batch_inference.formats.csv import reader, schema
from airflow_batch_inference.records import CsvOptions, ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
COLUMNS = 60


@pytest.fixture
def readings(monkeypatch):
    """How often a file was opened to find its types."""
    monkeypatch.setattr(reader, "BLOCK_BYTES", 4_000)
    opened = []
    whole = schema.open_stream

    def counting(uri, *others):
        opened.append(uri)
        return whole(uri, *others)

    monkeypatch.setattr(schema, "open_stream", counting)
    return opened


@pytest.mark.parametrize(
    ("early", "late"),
    [("1", "1.5"), ("1", "x"), ("1.5", "x"), ("", "1"), ("", "1.5"), ("", "x"), ("true", "x"), ("1", "2.5e5")],
)
def test_a_file_is_read_a_few_times_however_many_columns_are_wider_later(tmp_path, readings, early, late):
    """Each column has its first later value in a row, and so in a block, of its own."""
    rows = [[early] * COLUMNS for _ in range(100)]
    for place in range(COLUMNS):
        rows += [[late if at <= place else early for at in range(COLUMNS)]] * 20
    path = tmp_path / "wide.csv"
    frame = pd.DataFrame(rows, columns=[f"c{place}" for place in range(COLUMNS)])
    frame.to_csv(path, index=False)
    found = open_dataset(str(path), STORE).whole().to_pandas()
    assert len(readings) <= 6
    expected = pd.read_csv(path, dtype=str if late == "x" else np.float64)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_decimal_comma_widens_like_a_point(tmp_path, readings):
    names = [f"c{place}" for place in range(COLUMNS)]
    lines = [";".join(names), *[";".join(["1"] * COLUMNS)] * 100, ";".join(["2,5"] * COLUMNS)]
    (tmp_path / "wide.csv").write_text("\n".join([*lines, ""]))
    reading = ReadOptions(csv=CsvOptions(separator=";", decimal=","))
    found = open_dataset(str(tmp_path / "wide.csv"), STORE, reading=reading).whole()
    assert len(readings) <= 6
    assert found.slice(100).to_pylist() == [dict.fromkeys(names, 2.5)]
