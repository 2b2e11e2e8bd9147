"""The baseline: exact quantiles where the data fit into memory, exact counts always."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.packing import unpack_counts, unpack_numbers
from airflow_batch_inference.records import BaselineRecord

RNG = np.random.default_rng(0)
ROWS = 40_000
TABLE = pa.table(
    {
        "x": RNG.normal(size=ROWS),
        "n": RNG.integers(0, 300, ROWS),
        "c": RNG.choice([f"k{i}" for i in range(40)], ROWS),
        "gap": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.lognormal(size=ROWS)),
    }
)


def baseline(table=TABLE, rows=ROWS, **arguments):
    parts = [table.slice(start, rows) for start in range(0, max(1, table.num_rows), rows)]
    return make_baseline(lambda: parts, schema=table.schema, **arguments)


def test_it_is_small_and_comes_back_as_it_was():
    record = baseline()
    text = record.to_json()
    assert BaselineRecord.from_json(text, where="the test") == record
    assert len(text) < 8_192 * len(record.columns)


def test_every_row_is_counted_however_the_data_come():
    whole, in_parts = baseline(), baseline(rows=999)
    for left, right in zip(whole.columns, in_parts.columns, strict=True):
        assert unpack_counts(left.profile.counts).tolist() == unpack_counts(right.profile.counts).tolist()


def test_beyond_its_memory_the_counts_and_the_range_of_all_rows_stay_exact():
    record = baseline(rows=1_000, most_bytes=64 << 10)
    x, n, c, gap = record.columns
    values = TABLE["x"].to_numpy()
    edges, counts = unpack_numbers(x.edges), unpack_counts(x.profile.counts)
    expected = np.histogram(values, np.concatenate([[-np.inf], edges, [np.inf]]))[0]
    assert counts.tolist() == expected.tolist()
    assert (x.profile.min, x.profile.max) == (values.min(), values.max())
    assert counts[0] == counts[-1] == 0
    assert len(edges) > 200
    assert unpack_counts(n.profile.counts).sum() == unpack_counts(c.profile.counts).sum() + c.profile.other == ROWS
    assert gap.profile.missing == int(np.isnan(TABLE["gap"].to_numpy()).sum())
    assert x.profile.mean == pytest.approx(values.mean(), rel=1e-12)


def test_beyond_its_memory_no_bin_holds_much_more_than_a_256th():
    x = baseline(rows=1_000, most_bytes=512 << 10).columns[0]
    assert unpack_counts(x.profile.counts).max() / ROWS < 3 / 256


def test_mlruns_edges_are_numpys():
    x = baseline().columns[0]
    assert np.array_equal(x.histogram_edges, np.histogram(TABLE["x"].to_numpy(), bins=20)[1])


def test_the_digest_is_that_of_what_is_compared():
    assert baseline().data_sha256 == baseline(model_sha256="0", importances={"x": 1.0}).data_sha256
    assert baseline().data_sha256 != baseline(TABLE.slice(1)).data_sha256


def test_a_thousand_categories_are_kept_by_name_and_the_rest_counted():
    names = [f"k{i:05d}" for i in range(1_500) for _ in range(1 + (i < 1_000))]
    (column,) = baseline(pa.table({"c": names}), rows=100).columns
    assert len(column.categories) == 1_000
    assert (column.profile.other, column.distinct) == (500, 1_500)


def test_a_column_without_a_distribution_is_named():
    record = baseline(pa.table({"l": [[1]], "x": [1.0]}))
    assert list(record.skipped) == ["l"]
    assert [column.profile.name for column in record.columns] == ["x"]


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.null(), pa.date32()])
def test_a_column_of_nothing_has_a_baseline_too(kind):
    (column,) = baseline(pa.table({"x": pa.nulls(5, kind)})).columns
    assert (column.profile.rows, column.profile.missing) == (5, 5)


def test_no_rows_at_all_make_a_baseline_of_none():
    assert make_baseline(list, schema=TABLE.schema).rows == 0
