"""Statistics equal pandas' and numpy's, and survive what those do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.statistics import column_statistics, dataset_statistics
from airflow_batch_inference.records import StatisticsRecord


def statistics(values):
    return column_statistics("x", pa.chunked_array([pa.array(values)]))


@pytest.mark.parametrize("seed", range(3))
def test_numbers_equal_pandas_describe_and_numpys_histogram(seed):
    values = np.random.default_rng(seed).lognormal(size=1001)
    found, described = statistics(values), pd.Series(values).describe()
    for ours, theirs in {"mean": "mean", "std": "std", "min": "min", "q25": "25%", "q50": "50%", "q75": "75%"}.items():
        assert getattr(found, ours) == pytest.approx(described[theirs], rel=1e-12)
    counts, edges = np.histogram(values, bins=20)
    assert found.counts == tuple(counts)
    np.testing.assert_array_equal(found.edges, edges)


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


@pytest.mark.parametrize("values", [[1e308, -1e308], [5e-324, 0.0], [1e300, 1e300], [1.0, np.nextafter(1.0, 2.0)]])
def test_ranges_that_numpys_histogram_refuses_lose_no_value(values):
    assert sum(statistics(values * 10).counts) == 20


def test_only_the_thousand_most_frequent_categories_are_kept_by_name():
    found = statistics(["often"] * 5 + [f"c{i:04d}" for i in range(1500)])
    assert (len(found.counts), found.other, found.distinct) == (1000, 501, 1501)
    assert found.counts[:2] == (("often", 5), ("c0000", 1))


def test_chunks_do_not_matter():
    values = np.random.default_rng(0).normal(size=100)
    chunked = pa.chunked_array([pa.array(values[:30]), pa.array([], pa.float64()), pa.array(values[30:])])
    assert column_statistics("x", chunked) == statistics(values)


def test_a_column_of_an_odd_type_is_named_and_stops_none():
    columns = [
        ("list", pa.chunked_array([pa.array([[1], [2]])])),
        ("x", pa.chunked_array([pa.array([1, 2])])),
    ]
    record = dataset_statistics(columns, rows=2, source=())
    assert [column.name for column in record.columns] == ["x"]
    assert "list" in record.skipped
    assert StatisticsRecord.from_json(record.to_json(), where="the test") == record
