"""Encoded columns are read as their values, whatever the writer encoded."""

from __future__ import annotations

import polars as pl
import pytest

from airflow_batch_inference.datasets.dataset import open_dataset
from airflow_batch_inference.storage import Storage


@pytest.mark.parametrize("writer", ["write_ipc", "write_ipc_stream"])
@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["Bern", "Köln"])])
def test_categories_of_polars_are_read_as_their_texts(tmp_path, writer, kind):
    frame = pl.DataFrame({"town": ["Bern", None, "Köln", "Bern"]})
    getattr(frame.with_columns(pl.col("town").cast(kind)), writer)(tmp_path / "x.arrow")
    found = open_dataset(str(tmp_path / "x.arrow"), Storage()).whole()
    assert found.column("town").to_pylist() == frame["town"].to_list()
    assert str(found.schema.field("town").type) in ("string", "large_string")
