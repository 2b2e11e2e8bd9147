"""Encoded columns are read as their values, whatever the writer encoded."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from airflow_batch_inference.formats.decoding import decoded, read_type
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage


@pytest.mark.parametrize("writer", ["write_ipc", "write_ipc_stream"])
@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["Bern", "Köln"])])
def test_categories_of_polars_are_read_as_their_texts(tmp_path, writer, kind):
    frame = pl.DataFrame({"town": ["Bern", None, "Köln", "Bern"]})
    getattr(frame.with_columns(pl.col("town").cast(kind)), writer)(tmp_path / "x.arrow")
    found = open_dataset(str(tmp_path / "x.arrow"), Storage()).whole()
    assert found.column("town").to_pylist() == frame["town"].to_list()
    assert str(found.schema.field("town").type) in ("string", "large_string")


NESTED = {
    "struct": pa.array(
        [{"s": "x", "n": 1}, None, {"s": None, "n": 2}], pa.struct([("s", pa.string_view()), ("n", pa.int8())])
    ),
    "list": pa.array([["x", None], None, []], pa.list_(pa.string_view())),
    "large list": pa.array([["x", None], None, []], pa.large_list(pa.binary_view())),
    "fixed list": pa.array([["x", "y"], None, [None, "z"]], pa.list_(pa.string_view(), 2)),
    "map": pa.array([[("k", "v")], None, []], pa.map_(pa.string(), pa.string_view())),
    "deep": pa.array([[{"s": ["x"]}], None, [None]], pa.list_(pa.struct([("s", pa.list_(pa.string_view()))]))),
}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("cut", [slice(0, 3), slice(1, 3), slice(1, 2)])
def test_views_within_other_values_are_read_as_theirs(kind, cut):
    column = NESTED[kind][cut]
    found = decoded(pa.table({"x": column})).column("x")
    assert found.to_pylist() == column.to_pylist()
    assert found.type == read_type(column.type)
    assert "view" not in str(found.type)
    found.validate(full=True)
    assert found.take([0]).to_pylist() == column.to_pylist()[:1]


def test_structs_and_lists_of_polars_are_read_as_their_texts(tmp_path):
    frame = pl.DataFrame({"a": [1.0, 2.0], "st": [{"s": "x"}, {"s": None}], "li": [["x"], None]})
    frame.write_ipc(tmp_path / "x.arrow")
    found = open_dataset(str(tmp_path / "x.arrow"), Storage()).whole()
    assert found.to_pylist() == frame.to_dicts()
    assert "view" not in str(found.schema)
