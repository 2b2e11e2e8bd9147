"""Columns of every kind under MLRun's rule: missing, infinite, new, gone, too few; a bad one stops no other."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import not_analysed
from airflow_batch_inference.drift.rules.mlrun import MlrunRule
from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DriftStatus

RULE = MlrunRule()


def score(column):
    return column.metrics.get("mlrun_drift")


def test_every_kind_of_column_is_compared_and_a_bad_one_stops_none(by_mlrun):
    text = pa.chunked_array([pa.array(["u", "v", None] * 20)])
    reference = {
        "float": np.arange(60.0),
        "nullable": pa.chunked_array([pa.array([1, None, 3] * 20)]),
        "text": text,
        "view": text.cast(pa.string_view()),
        "category": text.dictionary_encode(),
        "numbered category": pa.chunked_array([pa.array(pd.Categorical([7, 8, None] * 20))]),
        "nullable bool": pa.chunked_array([pa.array([True, None, False] * 20)]),
        "infinite": np.array([1.0, np.inf, -np.inf, np.nan] * 15),
        "single": np.arange(60, dtype=np.float32),
        "half": np.arange(60, dtype=np.float16),
        "largest": np.array([2**64 - 1, 0] * 30, dtype=np.uint64),
        "duration": pa.chunked_array([pa.array([1, 2, None] * 20, pa.duration("ms"))]),
        "hour": pa.chunked_array([pa.array([1, 2, None] * 20, pa.time32("s"))]),
        "bool": np.array([True, False, True] * 20),
        "day": pa.chunked_array([pa.array(pd.date_range("2026-01-01", periods=60).date)]),
        "time": pa.chunked_array([pa.array(pd.date_range("2026-01-01", periods=60, tz="UTC"))]),
        "decimal": pa.chunked_array([pa.array([Decimal("1.10"), Decimal("2.20"), None] * 20)]),
        "list": pa.chunked_array([pa.array([[1], [2], [3]] * 20)]),
        "bytes": pa.chunked_array([pa.array([b"1", b"2", None] * 20)]),
        "struct": pa.chunked_array([pa.array([{"a": 1}] * 60)]),
        "nothing": pa.chunked_array([pa.nulls(60)]),
    }
    result = by_mlrun(reference, reference)
    compared = {column.name: score(column) for column in result.columns}
    assert {name for name, drift in compared.items() if drift is None} == {"list", "bytes", "struct", "nothing"}
    assert {drift for drift in compared.values() if drift is not None} == {0.0}
    assert set(compared) == set(reference)
    assert result.status == DriftStatus.NO_DRIFT
    said = " ".join(result.reasons)
    assert all(name in said for name in ("list", "bytes", "struct", "nothing"))


def test_a_column_that_turned_into_a_list_stops_no_other_and_is_named(by_mlrun):
    numbers = np.arange(50.0)
    lists = pa.chunked_array([pa.array([[1.0]] * 50)])
    result = by_mlrun({"a": numbers, "b": numbers}, {"a": lists, "b": numbers + 1000})
    assert [score(column) for column in result.columns] == [None, 1.0]
    assert result.drift_metric == 1.0
    assert any(reason.startswith("Not compared: a (") for reason in result.reasons)


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_same_times_in_another_unit_are_the_same(by_mlrun, unit):
    times = pa.array(pd.date_range("2026-01-01", periods=60, freq="h").as_unit("ns"))
    before, now = (pa.chunked_array([times.cast(pa.timestamp(other))]) for other in ("ns", unit))
    assert by_mlrun({"t": before}, {"t": now}).drift_metric == 0.0


def test_a_category_is_the_same_however_it_is_stored(by_mlrun):
    text = pa.chunked_array([pa.array(["u", "v", None] * 20)])
    for other in (text.dictionary_encode(), text.cast(pa.large_string()), text.cast(pa.string_view())):
        (column,) = by_mlrun({"x": text}, {"x": other}).columns
        assert (score(column), column.unseen, column.current_missing_fraction) == (0.0, (), 1 / 3)


def test_missing_and_infinite_values_are_shares_of_their_own(by_mlrun):
    before = np.array([0.0, 1.0, 2.0, np.nan] * 25)
    now = np.array([0.0, 1.0, 2.0, np.nan, np.nan, np.inf] * 25)
    (column,) = (result := by_mlrun({"x": before}, {"x": now})).columns
    assert score(column) == 0.0
    assert (column.reference_missing_fraction, column.current_missing_fraction) == (0.25, 2 / 6)
    assert (column.reference_inf_fraction, column.current_inf_fraction) == (0.0, 1 / 6)
    said = " ".join(result.reasons)
    assert "Missing values: x 33% (was 25%)." in said
    assert "Infinite values: x 16.67%." in said


def test_categories_beyond_the_thousand_kept_share_one_bin_with_those_never_seen(by_mlrun):
    names = np.array([f"c{i:04d}" for i in range(1500)])
    (same,) = by_mlrun({"x": names}, {"x": names}).columns
    counts = same.reference_histogram
    assert (score(same), len(counts), counts[-1]) == (0.0, 1001, 500)
    (column,) = by_mlrun({"x": names}, {"x": np.array(["never seen"] * 60)}).columns
    assert (column.metrics["mlrun_tvd"], column.current_histogram[-1]) == (pytest.approx(2 / 3), 60)
    assert (column.unseen_fraction, column.unseen) == (None, ())  # "never seen" may be among the 500


def test_a_thousand_and_more_new_categories_are_counted_and_ten_named(by_mlrun):
    now = np.array([f"c{i:04d}" for i in range(1500)])
    (column,) = by_mlrun({"x": np.array(["a"] * 100)}, {"x": now}).columns
    assert (score(column), column.unseen_fraction, len(column.unseen)) == (1.0, 1.0, 10)


def test_missing_and_extra_columns_are_reported(by_mlrun):
    data = np.arange(50.0)
    result = by_mlrun({"kept": data, "gone": data}, {"kept": data, "new": data})
    assert (result.missing_columns, result.extra_columns) == (("gone",), ("new",))
    assert "Gone from the data: gone." in result.reasons
    assert "New, not in the reference: new." in result.reasons
    assert result.drift_metric == 0.0


@pytest.mark.parametrize("rows", [1, 29])
def test_too_few_rows_are_insufficient_with_the_numbers_still_given(by_mlrun, rows):
    result = by_mlrun({"x": np.arange(100.0)}, {"x": np.full(rows, 5.0)})
    assert result.status == DriftStatus.INSUFFICIENT
    assert result.drift_metric > 0.7
    assert result.columns[0].status == DriftStatus.INSUFFICIENT
    assert result.reasons[0].startswith(f"Only {rows} current rows: below 30 no verdict is given.")
    assert by_mlrun({"x": np.arange(100.0)}, {"x": np.full(30, 5.0)}).status == DriftStatus.DRIFT_DETECTED


def test_unseen_categories_are_counted_and_named(by_mlrun):
    (column,) = by_mlrun({"x": np.array(["a", "b"] * 50)}, {"x": np.array(["a", "b", "c", "c"] * 25)}).columns
    assert column.unseen_fraction == 0.5
    assert column.unseen == (("c", 50),)
    assert column.metrics["mlrun_tvd"] == 0.5


def test_a_reference_of_too_few_rows_judges_nothing(by_mlrun):
    result = by_mlrun({"x": np.arange(29.0)}, {"x": np.arange(100.0)})
    assert result.status == DriftStatus.INSUFFICIENT
    assert result.reasons[0].startswith("Only 29 reference rows")


def test_no_rows_at_all_are_insufficient_and_without_a_number(by_mlrun):
    result = by_mlrun({"x": np.arange(50.0)}, {"x": np.empty(0)})
    assert (result.status, result.drift_metric) == (DriftStatus.INSUFFICIENT, None)
    assert "x (there are no current rows)" in " ".join(result.reasons)


def test_a_column_with_too_few_values_is_insufficient_by_itself(by_mlrun):
    mostly_null = np.where(np.arange(100) < 5, 900.0, np.nan)
    data = np.arange(100.0)
    result = by_mlrun({"x": data, "y": data}, {"x": mostly_null, "y": data})
    assert [column.status for column in result.columns] == [DriftStatus.INSUFFICIENT, DriftStatus.NO_DRIFT]
    assert score(result.columns[0]) == 1.0


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("before", [np.arange(50.0), np.array(["a", "b"] * 25), np.array([True, False] * 25)])
@pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.string()])
def test_a_column_that_lost_all_its_values_is_full_drift_and_said_so(by_mlrun, edges, before, kind):
    result = by_mlrun({"x": before}, {"x": pa.chunked_array([pa.nulls(50, kind)])}, edges=edges)
    assert (score(result.columns[0]), result.columns[0].current_missing_fraction) == (1.0, 1.0)
    assert result.status == DriftStatus.DRIFT_DETECTED
    assert "x (no current value is left)" in " ".join(result.reasons)


def test_a_column_of_nothing_but_nan_has_lost_all_its_values_too(by_mlrun):
    (column,) = by_mlrun({"x": np.arange(50.0)}, {"x": np.full(50, np.nan)}).columns
    assert (score(column), column.current_missing_fraction, column.reason) == (1.0, 1.0, "no current value is left")


def test_a_changed_type_is_named_and_not_guessed(by_mlrun):
    result = by_mlrun({"x": np.arange(50.0), "y": np.arange(50.0)}, {"x": np.array(["a"] * 50), "y": np.arange(50.0)})
    assert score(result.columns[0]) is None
    assert result.status == DriftStatus.NO_DRIFT
    assert "it was double in the reference and is string now" in " ".join(result.reasons)


def test_a_reference_that_shares_no_column_vouches_for_nothing(by_mlrun):
    result = by_mlrun({"x": np.arange(50.0)}, {"y": np.arange(50.0)})
    assert (result.status, result.drift_metric) == (DriftStatus.NOT_ANALYSED, None)


def test_without_a_reference_nothing_is_judged():
    result = not_analysed(50, RULE)
    assert (result.status, result.rule, result.current_rows) == (DriftStatus.NOT_ANALYSED, "mlrun", 50)
    assert (result.drift_metric, result.metrics, result.extra_columns) == (None, {}, ())


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "mean"},
        {"drift_threshold": 1.1},
        {"drift_threshold": 0.4, "possible_drift_threshold": 0.5},
        {"possible_drift_threshold": -0.1},
        {"drift_threshold": math.nan},
        {"inf_capping": math.inf},
        {"edges": "closed"},
    ],
)
def test_a_rule_that_can_never_work_is_refused(arguments):
    with pytest.raises(ConfigurationError):
        make_rule(**{"name": "mlrun", **arguments})
