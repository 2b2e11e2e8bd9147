"""Readable statistics of a profile equal pandas' and numpy's, and survive what those do not."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.statistics import statistics_of
from airflow_batch_inference.records import DataFile, StatisticsRecord


def column_of(values):
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values)])


def statistics(values, reference=None):
    """Statistics of one column, counted on the edges of a reference; without one, on its own."""
    now = pa.table({"x": column_of(values)})
    before = now if reference is None else pa.table({"x": column_of(reference)})
    baseline = make_baseline(lambda: [before], schema=before.schema)
    profiler = Profiler(baseline.columns)
    profiler.add(now.select(["x"]))
    record = statistics_of(profiler.profile(), baseline.columns, source=())
    assert StatisticsRecord.from_json(record.to_json(), where="the test") == record
    (column,) = record.columns
    return column


EXACT = {"mean": "mean", "std": "std", "min": "min", "max": "max"}


def assert_as_pandas_describes(found, series):
    described = series.describe()
    assert found.rows - found.missing == described["count"]
    for ours, theirs in EXACT.items():
        assert getattr(found, ours) == pytest.approx(float(described[theirs]), rel=1e-12, abs=1e-12), ours
    assert_quartiles_are_right_in_rank(found, series.dropna().to_numpy(float))


def assert_quartiles_are_right_in_rank(found, values, apart=1 / 256):
    """A quartile is right where its share of the rows lies between those below it and those up to it."""
    for share, value in ((0.25, found.q25), (0.5, found.q50), (0.75, found.q75)):
        assert np.mean(values < value) - apart <= share <= np.mean(values <= value) + apart


def assert_numpys_histogram(found, values):
    counts, edges = np.histogram(values, bins=20)
    assert found.counts == tuple(counts)
    np.testing.assert_array_equal(found.edges, edges)


@pytest.mark.parametrize("rows", [2, 3, 1000, 1001, 70_002])
def test_numbers_equal_pandas_describe_and_numpys_histogram(rows):
    values = np.random.default_rng(rows).lognormal(size=rows)
    found = statistics(values)
    assert_as_pandas_describes(found, pd.Series(values))
    assert_numpys_histogram(found, values)


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e9, 1e150])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_the_scale_of_a_column_costs_no_digits(scale, shift):
    values = (np.random.default_rng(1).normal(size=5000) + shift) * scale
    found = statistics(values)
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.std == pytest.approx(values.std(ddof=1), rel=1e-10)
    assert_numpys_histogram(found, values)


@pytest.mark.parametrize("kind", ["Int64", "Int8", "Float32", "float64"])
def test_nullable_numbers_equal_pandas_describe(kind):
    series = pd.Series([3, None, 1, 4, None, 1, 5, 9, 2, 6], dtype=kind)
    found = statistics(pa.array(series, from_pandas=True))
    assert_as_pandas_describes(found, series.astype("Float64"))  # pandas computes singles in single precision


def test_a_batch_is_described_on_its_references_edges():
    rng = np.random.default_rng(5)
    reference, values = rng.normal(size=20_000), rng.normal(size=5000) * 0.8 + 0.1
    found = statistics(values, reference)
    described = pd.Series(values).describe()
    for ours, theirs in EXACT.items():
        assert getattr(found, ours) == pytest.approx(float(described[theirs]), rel=1e-12), ours
    assert_quartiles_are_right_in_rank(found, values, apart=0.01)
    edges = np.histogram(reference, bins=20)[1]
    np.testing.assert_array_equal(found.edges, edges)
    assert found.counts == tuple(np.histogram(values, bins=edges)[0])


def test_a_batch_outside_its_references_range_has_its_own_quartiles_between_its_extremes():
    found = statistics(np.arange(100.0, 201.0), np.arange(50.0))
    assert (found.min, found.q25, found.q50, found.q75, found.max) == (100.0, 125.0, 150.0, 175.0, 200.0)
    assert sum(found.counts) == 0  # MLRun's bins are the reference's


@pytest.mark.parametrize(
    ("values", "quartiles"),
    [
        ([0.0] * 100 + [1.0] * 300, (0.0, 1.0, 1.0)),  # as pandas has them
        ([0.0] * 300 + [1.0] * 100, (0.0, 0.0, 0.0)),
        ([5.0] * 10, (5.0, 5.0, 5.0)),
        ([1.0, 2.0, 2.0, 2.0, 3.0], (2.0, 2.0, 2.0)),
        (np.tile([7.0, 8.0, 9.0], 900), (7.0, 8.0, 9.0)),
        ([np.finfo(float).max] * 9, (np.finfo(float).max,) * 3),
    ],
)
def test_a_quartile_of_values_that_repeat_is_one_of_them(values, quartiles):
    found = statistics(values)
    assert (found.q25, found.q50, found.q75) == quartiles


def test_missing_and_infinite_values_are_counted_apart():
    found = statistics([1.0, None, float("nan"), float("inf"), float("-inf"), 3.0])
    assert (found.rows, found.missing, found.inf, found.min, found.max) == (6, 2, 2, 1.0, 3.0)
    assert sum(found.counts) == 2


@pytest.mark.parametrize("rows", [10, 999, 66_000])
@pytest.mark.parametrize("value", [5.0, 0.1, 0.7, 1e-300, 1.7e308])
def test_a_constant_has_no_deviation_at_all(value, rows):
    found = statistics(np.full(rows, value))
    assert (found.mean, found.std, found.q25, found.q75) == (value, 0.0, value, value)
    assert sum(found.counts) == rows


def test_one_value_has_no_deviation_and_none_has_no_edges():
    assert statistics([5.0]).std is None
    nothing = statistics(pa.nulls(3, pa.float64()))
    assert (nothing.edges, nothing.counts, nothing.q50, nothing.mean) == ((), (), None, None)


RANGES = [
    [1e308, -1e308],
    [np.finfo(float).max, -np.finfo(float).max],
    [5e-324, 0.0],
    [5e-324, 1e-323],
    [0.0, 30 * 5e-324],
    [5e-324, -1e308],
    [1e300, 1e300],
    [1.0, np.nextafter(1.0, 2.0)],
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", RANGES)
def test_ranges_that_numpys_histogram_refuses_lose_no_value(values):
    found = statistics(values * 10)
    assert sum(found.counts) == 20
    assert (found.min, found.max) == (min(values), max(values))
    assert {found.q25, found.q50, found.q75} <= set(values)


@pytest.mark.filterwarnings("error")
def test_a_mean_that_overflows_is_none_and_no_infinity():
    found = statistics([1.7e308, 1.6e308] * 4)
    assert (found.mean, found.std) == (None, None)
    spread = statistics([1.7e308, -1.7e308])
    assert (spread.mean, spread.std) == (0.0, None)


@example([0.0, -0.0])
@example([-1.7976931348623157e308, 1.7976931348623157e308, 1.0])
@given(st.lists(st.floats(-1e308, 1e308) | st.sampled_from([math.nan, math.inf, -math.inf]) | st.none(), max_size=60))
@settings(max_examples=60)
def test_every_value_of_any_numbers_is_counted_once(values):
    found = statistics(pa.array(values, pa.float64()))
    finite = [value for value in values if value is not None and math.isfinite(value)]
    assert sum(found.counts) == len(finite) == found.rows - found.missing - found.inf
    assert len(found.edges) == (21 if finite else 0)
    if finite:
        assert (found.min, found.max) == (min(finite), max(finite))
        # So few rows have a bin each: a quartile is one of them.
        assert {found.q25, found.q50, found.q75} <= set(finite)
        assert found.min <= found.q25 <= found.q50 <= found.q75 <= found.max
        assert_quartiles_are_right_in_rank(found, np.array(finite), apart=0)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=80))
@settings(max_examples=60)
def test_any_numbers_have_numpys_histogram(values):
    assert_numpys_histogram(statistics(values), np.array(values))


@given(st.integers(0, 2**32), st.integers(256, 3000), st.sampled_from([0, 1, 3]))
@settings(max_examples=30)
def test_the_quartiles_of_any_numbers_are_right_in_rank(seed, rows, digits):
    values = np.random.default_rng(seed).standard_t(2, size=rows).round(digits)
    assert_quartiles_are_right_in_rank(statistics(values), values)


def test_only_the_thousand_most_frequent_categories_are_kept_by_name():
    found = statistics(["often"] * 5 + [f"c{i:04d}" for i in range(1500)])
    assert (len(found.counts), found.other, found.distinct) == (1000, 501, 1501)
    assert found.counts[:2] == (("often", 5), ("c0000", 1))


def test_a_batchs_new_categories_stand_beside_the_references_by_frequency():
    found = statistics(["b", "new", "new", None, "a", "new", "b"], ["a", "b", "c"])
    assert found.counts == (("new", 3), ("b", 2), ("a", 1))
    assert (found.rows, found.missing, found.other, found.distinct) == (7, 1, 0, 3)


def test_two_hundred_new_categories_are_named_and_all_are_counted():
    found = statistics([f"n{i:04d}" for i in range(1500)] + ["a"], ["a"])
    assert (len(found.counts), found.other, found.distinct) == (201, 1300, 201)


def test_booleans_are_categories():
    found = statistics([True, False, None, True])
    assert (found.counts, found.missing) == ((("true", 2), ("false", 1)), 1)


def test_dates_are_described_in_seconds():
    days = pd.date_range("1970-01-02", periods=3).date
    found = statistics(pa.array(days))
    assert (found.type, found.min, found.q50, found.max) == ("date32[day]", 86_400.0, 172_800.0, 259_200.0)


@pytest.mark.parametrize("kind", [pa.float64(), pa.int32(), pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_a_column_of_no_rows_has_statistics_too(kind):
    found = statistics(pa.chunked_array([], kind))
    assert (found.rows, found.missing, found.counts) == (0, 0, ())


def test_chunks_do_not_matter():
    values = np.random.default_rng(0).normal(size=100)
    chunked = pa.chunked_array([pa.array(values[:30]), pa.array([], pa.float64()), pa.array(values[30:])])
    one, other = statistics(chunked), statistics(values)
    assert (one.counts, one.min, one.q25, one.max) == (other.counts, other.min, other.q25, other.max)
    assert (one.mean, one.std) == pytest.approx((other.mean, other.std), rel=1e-14)


def test_a_column_of_an_odd_type_or_another_kind_is_named_and_stops_none():
    before = pa.table({"list": ["a", "b"], "kind": [1.0, 2.0], "broken": [1.0, 2.0], "x": [1, 2]})
    now = pa.table({"list": [[1], [2]], "kind": ["u", "v"], "broken": [{"a": 1}, {"a": 2}], "x": [1, 2]})
    baseline = make_baseline(lambda: [before], schema=before.schema)
    profiler = Profiler(baseline.columns)
    profiler.add(now)
    file = DataFile(uri="file:///data/part-0.parquet", size_bytes=3, version="1")
    record = statistics_of(profiler.profile(), baseline.columns, source=(file,))
    assert [column.name for column in record.columns] == ["x"]
    assert set(record.skipped) == {"list", "kind", "broken"}
    assert record.skipped["kind"] == "it is string now, and was another kind in the reference"
    assert "struct" in record.skipped["broken"]
    assert (record.rows, record.source) == (2, (file,))
