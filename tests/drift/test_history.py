"""Guards against earlier runs, and drift that must last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import DriftRule, Roles, not_analysed
from airflow_batch_inference.drift.history import guard, persistent, summarise, with_history
from airflow_batch_inference.drift.reasons import history_reasons
from airflow_batch_inference.records import ColumnSummary, DriftStatus, HistoryEntry, TaskKey

NO, POSSIBLE, DRIFT = DriftStatus.NO_DRIFT, DriftStatus.POSSIBLE_DRIFT, DriftStatus.DRIFT_DETECTED


def column(**values):
    given = {"name": "x", "role": "input", "missing_fraction": 0.01, "mean": 10.0, "std": 2.0, "status": NO}
    return ColumnSummary(**(given | values))


def entry(rows=1000, run_status=NO, columns=()):
    return HistoryEntry(
        task=TaskKey(dag_id="d", run_id="r", task_id="t"),
        at="2026-01-01T00:00:00+00:00",
        status=run_status,
        run_status=run_status,
        rows=rows,
        columns=tuple(columns),
        result_uri="file:///r",
        baseline_sha256=None,
    )


def week(**wobbles):
    """Seven runs whose numbers wobble a little."""
    rng = np.random.default_rng(2)
    return [
        entry(
            rows=int(1000 + 30 * wobble),
            columns=[
                column(missing_fraction=0.01 + 0.001 * abs(wobble), mean=10 + 0.05 * wobble),
                column(
                    name="kind", mean=None, std=None, shares=(("a", 0.6 + 0.005 * wobble), ("b", 0.4 - 0.005 * wobble))
                ),
            ],
        )
        for wobble in rng.normal(size=7)
    ]


def found(rows=1000, **values):
    batch, columns = guard(rows, [column(**values)], week())
    checks = [*batch, *(check for each in columns.values() for check in each)]
    return {check.name: check.status for check in checks if check.status != NO}


def test_a_run_like_the_earlier_ones_is_quiet():
    assert found() == {}
    assert found(rows=1100, mean=10.1, missing_fraction=0.012) == {}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"rows": 450}, {"volume": POSSIBLE}),
        ({"rows": 2300}, {"volume": POSSIBLE}),
        ({"rows": 90}, {"volume": DRIFT}),
        ({"rows": 0}, {"volume": DRIFT}),
        ({"missing_fraction": 0.05}, {"missing": POSSIBLE}),
        ({"missing_fraction": 0.5}, {"missing": DRIFT}),
        ({"mean": 10.3}, {"mean": POSSIBLE}),
        ({"mean": 8.0}, {"mean": DRIFT}),
        ({"name": "kind", "mean": None, "shares": (("a", 0.45), ("b", 0.55))}, {"mix": POSSIBLE}),
        ({"name": "kind", "mean": None, "shares": (("a", 0.2), ("b", 0.8))}, {"mix": DRIFT}),
        ({"name": "kind", "mean": None, "shares": (("a", 0.6), ("b", 0.37), ("new", 0.03))}, {"unseen": POSSIBLE}),
    ],
)
def test_what_is_unlike_the_earlier_runs_is_named(now, expected):
    assert found(**now) == expected


def test_one_odd_run_among_the_earlier_ones_hides_nothing():
    runs = week()
    runs[3] = replace(runs[3], rows=20, columns=(column(mean=900.0), runs[3].columns[1]))
    (volume,), columns = guard(90, [column(mean=8.0)], runs)
    assert volume.status == DRIFT
    assert {check.name: check.status for check in columns["x"]}["mean"] == DRIFT


@pytest.mark.parametrize("number", [0, 1, 3])
def test_too_short_a_history_says_nothing(number):
    assert guard(1, [column(mean=900.0)], week()[:number]) == ((), {})


def test_columns_that_the_model_does_not_take_and_new_ones_are_passed_over():
    _, columns = guard(1000, [column(role="other", mean=99.0), column(name="fresh", mean=99.0)], week())
    assert columns == {}


def test_numbers_that_usually_wobble_much_may_wobble_on():
    rng = np.random.default_rng(0)
    runs = [entry(columns=[column(mean=10 + 4 * wobble)]) for wobble in rng.normal(size=8)]
    _, columns = guard(1000, [column(mean=14.0)], runs)
    assert {check.name: check.status for check in columns["x"]}["mean"] == NO


def test_guards_make_a_verdict_worse_and_never_better():
    quiet = replace(not_analysed(100, DriftRule()), status=NO, run_status=NO)
    batch, columns = guard(90, [column()], week())
    said = history_reasons(batch, columns, 90, week())
    assert with_history(quiet, batch, columns, said, 7).status == DRIFT
    assert said == ["Unlike the last 7 runs: 90 rows, usually 990."]
    drifted = replace(quiet, status=DRIFT, run_status=DRIFT)
    assert with_history(drifted, (), {}, [], 7).status == DRIFT
    few = replace(quiet, status=DriftStatus.INSUFFICIENT, run_status=DriftStatus.INSUFFICIENT)
    assert with_history(few, batch, columns, said, 7).status == DriftStatus.INSUFFICIENT


def test_without_a_reference_the_guards_alone_give_the_verdict():
    nothing = not_analysed(100, DriftRule())
    batch, columns = guard(1000, [column()], week())
    assert with_history(nothing, batch, columns, [], 7).status == NO
    assert with_history(nothing, (), {}, [], 0).status == DriftStatus.NOT_ANALYSED


@pytest.mark.parametrize(
    ("before", "needed", "of", "expected"),
    [
        ([], 1, 1, DRIFT),
        ([], 2, 3, POSSIBLE),
        ([DRIFT], 2, 3, DRIFT),
        ([DRIFT, NO], 2, 3, DRIFT),
        ([DRIFT, NO, NO], 2, 3, POSSIBLE),
        ([DRIFT, POSSIBLE], 3, 3, POSSIBLE),
        ([DRIFT, DRIFT], 3, 3, DRIFT),
    ],
)
def test_drift_counts_where_it_was_found_often_enough(before, needed, of, expected):
    drifted = replace(not_analysed(100, DriftRule()), status=DRIFT, run_status=DRIFT)
    result = persistent(drifted, [entry(run_status=status) for status in before], needed, of)
    assert (result.status, result.run_status) == (expected, DRIFT)
    if needed > 1:
        assert f"{needed} of {of} are needed" in result.reasons[0]


def test_no_drift_needs_no_second_run():
    quiet = replace(not_analysed(100, DriftRule()), status=NO, run_status=NO)
    assert persistent(quiet, [entry(run_status=DRIFT)], 2, 3) == quiet


def test_a_run_is_summed_up_by_what_later_ones_compare(make, count):
    table = pa.table({"x": [1.0, 3.0, None, 2.0], "kind": ["a", "a", "b", None], "key": [1, 2, 3, 4]})
    baseline = make(table)
    roles = Roles(inputs=("x", "kind"))
    summaries = {each.name: each for each in summarise(count(baseline, table), baseline.columns, (), roles)}
    assert (summaries["x"].mean, summaries["x"].std, summaries["x"].missing_fraction) == (2.0, 1.0, 0.25)
    assert summaries["kind"].shares == (("a", 2 / 3), ("b", 1 / 3))
    assert summaries["key"].role == "other"
