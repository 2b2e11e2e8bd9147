"""Statistics equal pandas' and numpy's, and survive what those do not."""

from __future__ import annotations

import math
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.drift.statistics import (
    MAX_CATEGORY_CHARACTERS,
    UnsupportedColumnError,
    column_statistics,
    dataset_statistics,
)
from airflow_batch_inference.records import StatisticsRecord


def statistics(values):
    return column_statistics("x", pa.chunked_array([pa.array(values)]))


DESCRIBED = {
    "mean": "mean",
    "std": "std",
    "min": "min",
    "q25": "25%",
    "q50": "50%",
    "q75": "75%",
    "max": "max",
}


def assert_as_pandas_describes(found, series):
    described = series.describe()
    assert found.rows - found.missing == described["count"]
    for ours, theirs in DESCRIBED.items():
        assert getattr(found, ours) == pytest.approx(float(described[theirs]), rel=1e-12), ours


@pytest.mark.parametrize("rows", [2, 3, 1000, 1001, 1002])
def test_numbers_equal_pandas_describe_and_numpys_histogram(rows):
    values = np.random.default_rng(rows).lognormal(size=rows)
    found = statistics(values)
    assert_as_pandas_describes(found, pd.Series(values))
    counts, edges = np.histogram(values, bins=20)
    assert found.counts == tuple(counts)
    np.testing.assert_array_equal(found.edges, edges)


@pytest.mark.parametrize("kind", ["Int64", "Int8", "Float32", "float64"])
def test_nullable_numbers_equal_pandas_describe(kind):
    series = pd.Series([3, None, 1, 4, None, 1, 5, 9, 2, 6], dtype=kind)
    found = column_statistics("x", pa.chunked_array([pa.array(series, from_pandas=True)]))
    assert_as_pandas_describes(found, series.astype("Float64"))  # pandas computes singles in single precision


@pytest.mark.parametrize(
    ("values", "first"),
    [
        (pa.array([date(1970, 1, 2), date(1970, 1, 3)]), 86_400.0),
        (pa.array([date(1970, 1, 2), date(1970, 1, 3)], pa.date64()), 86_400.0),
        (pa.array([1_500, 2_000], pa.timestamp("ms", "UTC")), 1.5),
        (pa.array([-5, 5], pa.duration("us")), -5e-6),
        (pa.array([30, 90], pa.time32("s")), 30.0),
        (pa.array([30, 90], pa.time64("ns")), 3e-8),
    ],
)
def test_dates_and_times_are_numbers_of_seconds(values, first):
    assert statistics(values).min == first


def test_whole_numbers_over_2_to_the_53_are_rounded_and_refused_by_nothing():
    found = statistics(pa.array([2**64 - 1, 2**53 + 1, None], pa.uint64()))
    assert (found.max, found.min, found.missing) == (2.0**64, 2.0**53, 1)


def test_missing_and_infinite_values_are_counted_apart():
    found = statistics([1.0, None, float("nan"), float("inf"), float("-inf"), 3.0])
    assert (found.rows, found.missing, found.inf, found.min, found.max) == (6, 2, 2, 1.0, 3.0)
    assert sum(found.counts) == 2


def test_a_constant_has_numpys_edges():
    found = statistics([5.0] * 10)
    assert (found.edges[0], found.edges[-1], found.std) == (4.5, 5.5, 0.0)


def test_one_value_has_no_deviation_and_none_has_no_edges():
    assert statistics([5.0]).std is None
    assert statistics(pa.nulls(3, pa.float64())).edges == ()


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


@pytest.mark.parametrize("values", RANGES)
def test_ranges_that_numpys_histogram_refuses_lose_no_value(values):
    found = statistics(values * 10)
    assert sum(found.counts) == 20
    assert (found.min, found.max) == (min(values), max(values))
    assert all(low <= high for low, high in pairwise(found.edges))


def test_a_mean_that_overflows_is_none_and_no_infinity():
    found = statistics([1.7e308] * 4)
    assert (found.mean, found.std) == (None, None)
    record = dataset_statistics([("x", pa.chunked_array([pa.array([1.7e308, -1.7e308])]))], rows=2, source=())
    assert b"Infinity" not in record.to_json()
    assert b"NaN" not in record.to_json()


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.none(), max_size=60))
def test_every_value_of_any_numbers_is_counted_once(values):
    found = statistics(pa.array(values, pa.float64()))
    finite = [value for value in values if value is not None and math.isfinite(value)]
    assert sum(found.counts) == len(finite) == found.rows - found.missing - found.inf
    assert len(found.edges) == (21 if finite else 0)
    assert all(low <= high for low, high in pairwise(found.edges))
    if finite:
        assert (found.min, found.max) == (min(finite), max(finite))
        # A rounding of the interpolation may pass a neighbour by the last bit.
        slack = 1e-15 * max(map(abs, finite))
        assert found.min <= found.q25 <= found.q50 + slack <= found.q75 + 2 * slack <= found.max + 3 * slack


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=80))
def test_any_numbers_have_numpys_histogram(values):
    found = statistics(values)
    counts, edges = np.histogram(np.array(values), bins=20)
    np.testing.assert_array_equal(found.edges, edges)
    assert found.counts == tuple(counts)


def test_only_the_thousand_most_frequent_categories_are_kept_by_name():
    found = statistics(["often"] * 5 + [f"c{i:04d}" for i in range(1500)])
    assert (len(found.counts), found.other, found.distinct) == (1000, 501, 1501)
    assert found.counts[:2] == (("often", 5), ("c0000", 1))


def test_categories_are_text_and_a_null_is_none_of_them():
    expected = (("b", 2), ("", 1), ("a", 1))
    text = pa.array(["b", "a", None, "b", ""])
    for values in (text, text.dictionary_encode(), text.cast(pa.large_string()), text.cast(pa.string_view())):
        found = statistics(values)
        assert (found.counts, found.missing, found.distinct) == (expected, 1, 3), values.type
    hidden = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), pa.array([None, "a"]))
    assert (statistics(hidden).counts, statistics(hidden).missing) == ((("a", 2),), 1)


def test_booleans_are_categories():
    found = statistics([True, False, None, True])
    assert (found.counts, found.missing) == ((("true", 2), ("false", 1)), 1)


def test_free_text_is_told_apart_by_its_first_characters_only():
    start = "\N{GRINNING FACE}" * MAX_CATEGORY_CHARACTERS
    found = statistics([start + "a", start + "b", "c"])
    assert found.counts == ((start, 2), ("c", 1))


@pytest.mark.parametrize("kind", [pa.float64(), pa.int32(), pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_a_column_of_no_rows_has_statistics_too(kind):
    found = column_statistics("x", pa.chunked_array([], kind))
    assert (found.rows, found.missing, found.counts) == (0, 0, ())


def test_chunks_do_not_matter():
    values = np.random.default_rng(0).normal(size=100)
    chunked = pa.chunked_array([pa.array(values[:30]), pa.array([], pa.float64()), pa.array(values[30:])])
    assert column_statistics("x", chunked) == statistics(values)
    words = pa.array(["a", "b", "a"]).dictionary_encode(), pa.array(["c", None, "a"]).dictionary_encode()
    assert column_statistics("x", pa.chunked_array(words)).counts == (("a", 3), ("b", 1), ("c", 1))


@pytest.mark.parametrize("values", [pa.array([[1]]), pa.array([b"a"]), pa.array([{"a": 1}])])
def test_a_type_without_a_distribution_is_refused_by_name(values):
    with pytest.raises(UnsupportedColumnError, match=str(values.type)[:4]):
        statistics(values)


def test_a_column_of_an_odd_type_is_named_and_stops_none():
    columns = [
        ("list", pa.chunked_array([pa.array([[1], [2]])])),
        ("x", pa.chunked_array([pa.array([1, 2])])),
    ]
    record = dataset_statistics(columns, rows=2, source=())
    assert [column.name for column in record.columns] == ["x"]
    assert "list" in record.skipped
    assert StatisticsRecord.from_json(record.to_json(), where="the test") == record
