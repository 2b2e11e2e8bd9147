"""From two tables to a drift result."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import Roles, analyse
from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.records import BaselineRecord, DriftResult


def profile_of(baseline, table):
    profiler = Profiler(baseline.columns)
    profiler.add(table)
    return profiler.profile()


def baseline_of(table, **arguments):
    baseline = make_baseline(lambda: [table], schema=table.schema, **arguments)
    assert BaselineRecord.from_json(baseline.to_json(), where="the test") == baseline
    return baseline


@pytest.fixture(scope="session")
def count():
    """Return what counts a table on a baseline."""
    return profile_of


@pytest.fixture(scope="session")
def make():
    """Return what makes a table's baseline, and proves that it can be stored."""
    return baseline_of


@pytest.fixture(scope="session")
def compare():
    """Return what compares two tables (or dicts of columns) under a rule, and proves that the result can be stored."""

    def compare(reference, current, *, roles=None, baseline_arguments=None, **rule):
        before, now = (side if isinstance(side, pa.Table) else pa.table(side) for side in (reference, current))
        baseline = baseline_of(before, **(baseline_arguments or {}))
        result = analyse(
            baseline,
            profile_of(baseline, now),
            column_names=now.column_names,
            rule=make_rule(**{"name": "effect", **rule}),
            roles=roles or Roles(),
        )
        json.loads(result.to_json(), parse_constant=pytest.fail)  # a bare NaN or Infinity is no JSON
        assert DriftResult.from_json(result.to_json(), where="the test") == result
        return result

    return compare
