"""What holds of every metric, whoever made it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.comparison import CompareOptions, compare_column
from airflow_batch_inference.drift.metrics.registry import get_metric
from airflow_batch_inference.drift.profile import Profiler

if TYPE_CHECKING:
    from airflow_batch_inference.drift.metrics.base import Metric
    from airflow_batch_inference.records import ColumnDrift

_RNG = np.random.default_rng(7)
_NUMBERS = _RNG.normal(size=600)
_WORDS = _RNG.choice(list("abc"), 600)
SIDES = {
    "numbers": (_NUMBERS, _NUMBERS[::2] + 2),
    "numbers that lie outside": (_NUMBERS, np.full(50, 1e6)),
    "a constant": (np.full(100, 3.0), np.full(40, 3.0)),
    "numbers and infinities": (_NUMBERS, np.append(_NUMBERS, [np.inf, -np.inf, np.nan])),
    "numbers of any size": (np.array([-1e300, 1e300] * 30), np.array([5e-324, 1.0] * 30)),
    "a single number": (_NUMBERS, np.array([0.5])),
    "categories": (_WORDS, np.where(_WORDS == "a", "b", _WORDS)),
    "categories that are new": (_WORDS, np.array(["new"] * 60)),
    "flags": (_NUMBERS > 0, _NUMBERS > 1),
}


def compared(reference: np.ndarray, current: pa.Array | np.ndarray, metric: Metric) -> ColumnDrift:
    """Return the comparison of two sides by one metric and those that every comparison needs."""
    before, now = pa.table({"x": reference}), pa.table({"x": current})
    baseline = make_baseline(lambda: [before], schema=before.schema)
    profiler = Profiler(baseline.columns)
    profiler.add(now)
    (column,) = profiler.profile().columns
    needed = [get_metric(name) for name in ("w1_sd", "js_corrected", "ks_low")]
    others = [each for each in needed if each.name != metric.name]
    return compare_column(baseline.columns[0], column, CompareOptions(metrics=[*others, metric])).column


class MetricSuite:
    """A subclass gives the fixture ``name``: that of a metric which can be had."""

    def test_it_calls_itself_by_the_name_that_it_has_in_records(self, name):
        assert get_metric(name).name == name

    def test_it_is_for_a_kind_of_columns(self, name):
        assert get_metric(name).kind in ("numeric", "categorical", "any")

    def test_what_it_says_in_reports_fits_there(self, name):
        metric = get_metric(name)
        assert len(metric.heading) <= 12
        assert not set(metric.heading + metric.hint + metric.overall_heading) & set('<>"\n')
        assert bool(metric.heading) == bool(metric.hint)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
    def test_a_value_is_a_number(self, name, sides):
        column = compared(*sides, get_metric(name))
        for found in (column.metrics, column.noise_floor):
            assert math.isfinite(found.get(name, 0.0))
            assert isinstance(found.get(name, 0.0), float)

    @pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
    def test_of_equal_data_it_is_nothing(self, name, sides):
        assert compared(sides[0], sides[0], get_metric(name)).metrics.get(name, 0.0) == pytest.approx(0.0, abs=1 / 256)

    @pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
    def test_it_is_measured_of_its_kind_alone(self, name, sides):
        metric = get_metric(name)
        column = compared(*sides, metric)
        assert name not in column.metrics or metric.kind in ("any", column.kind)

    @pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
    def test_the_order_of_the_rows_does_not_matter(self, name, sides):
        metric = get_metric(name)
        before, now = sides
        assert compared(before[::-1], now[::-1], metric).metrics == pytest.approx(
            compared(before, now, metric).metrics, rel=1e-9, abs=1e-9
        )

    @pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
    def test_rows_without_a_value_stop_nothing(self, name, sides):
        kind = pa.array(sides[0]).type
        for current in (pa.nulls(40, kind), pa.nulls(0, kind)):
            value = compared(sides[0], current, get_metric(name)).metrics.get(name, 0.0)
            assert math.isfinite(value)

    def test_its_value_of_no_columns_is_none(self, name):
        table = pa.table({"x": _NUMBERS})
        baseline = make_baseline(lambda: [table], schema=table.schema)
        assert get_metric(name).overall([], baseline) is None
