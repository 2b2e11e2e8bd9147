"""Two tables to a result, and results to earlier runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import Roles, analyse
from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.records import ColumnSummary, HistoryEntry, TaskKey


@pytest.fixture(scope="session")
def analysed():
    """``analysed(reference, current, roles=…, **rule)`` of mappings of name to values."""

    def analysed(reference, current, roles=None, **rule):
        before, now = pa.table(reference), pa.table(current)
        baseline = make_baseline(lambda: [before], schema=before.schema)
        profiler = Profiler(baseline.columns)
        profiler.add(now)
        names, rule = now.column_names, make_rule(**{"name": "effect", **rule})
        return analyse(baseline, profiler.profile(), column_names=names, rule=rule, roles=roles or Roles())

    return analysed


@pytest.fixture(scope="session")
def earlier():
    """``earlier(result, days)``: a run a day before, with the same reference, for each mapping of name to status."""

    def earlier(result, days, **changes):
        return [
            replace(
                HistoryEntry(
                    task=TaskKey(dag_id="nightly", task_id="drift", run_id=f"run {day}"),
                    at=f"2026-07-{day + 1:02}T00:00:00+00:00",
                    status=result.status,
                    run_status=result.status,
                    rows=1000,
                    columns=tuple(
                        ColumnSummary(
                            name=name, role="input", kind="numeric", values=9, missing_fraction=0.0, status=status
                        )
                        for name, status in each.items()
                    ),
                    result_uri="file:///store/drift_results.json",
                    baseline_sha256=result.baseline_sha256,
                ),
                **changes,
            )
            for day, each in enumerate(days)
        ]

    return earlier


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def result_of(analysed, rng):
    """A result with a numeric column for each name, each drifted more than the one before, and maybe a category."""

    def result_of(names, categories=None, **options):
        before = {name: rng.normal(size=500) for name in names}
        now = {name: rng.normal(size=500) + i for i, name in enumerate(names)}
        if categories is not None:
            before["kind"], now["kind"] = pa.array(["known"] * 500), pa.array((categories * 500)[:500])
        return analysed(before, now, **options)

    return result_of
