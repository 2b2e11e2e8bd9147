"""Guards against earlier runs, and drift that must last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import Roles, not_analysed
from airflow_batch_inference.drift.history import Guards, guard, persistent, summarise, with_history
from airflow_batch_inference.drift.reasons import history_reasons
from airflow_batch_inference.drift.rules.effect import EffectRule
from airflow_batch_inference.records import ColumnSummary, DriftStatus, HistoryEntry, TaskKey

RULE = EffectRule()
NO, POSSIBLE, DRIFT = DriftStatus.NO_DRIFT, DriftStatus.POSSIBLE_DRIFT, DriftStatus.DRIFT_DETECTED


def column(**values):
    given = {"name": "x", "role": "input", "missing_fraction": 0.01, "values": 990, "status": NO}
    if "shares" in values:
        given |= {"kind": "categorical"}
    else:
        given |= {"kind": "numeric", "mean": 10.0, "std": 2.0}
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
                column(name="kind", shares=(("a", 0.6 + 0.005 * wobble), ("b", 0.4 - 0.005 * wobble))),
            ],
        )
        for wobble in rng.normal(size=7)
    ]


def found(rows=1000, **values):
    others = [column(name="kind", shares=(("a", 0.6), ("b", 0.4)))] if values.get("name") != "kind" else [column()]
    found = guard(rows, [column(**values), *others], week(), rule=RULE)
    checks = [*found.batch, *(check for each in found.columns.values() for check in each)]
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
        ({"name": "kind", "shares": (("a", 0.45), ("b", 0.55))}, {"mix": POSSIBLE}),
        ({"name": "kind", "shares": (("a", 0.2), ("b", 0.8))}, {"mix": DRIFT}),
        ({"name": "kind", "shares": (("a", 0.6), ("b", 0.37), ("new", 0.03))}, {"unseen": POSSIBLE}),
    ],
)
def test_what_is_unlike_the_earlier_runs_is_named(now, expected):
    assert found(**now) == expected


def test_one_odd_run_among_the_earlier_ones_hides_nothing():
    runs = week()
    runs[3] = replace(runs[3], rows=20, columns=(column(mean=900.0), runs[3].columns[1]))
    found = guard(90, [column(mean=8.0)], runs, rule=RULE, has_reference=True)
    assert found.batch[0].status == DRIFT
    assert {check.name: check.status for check in found.columns["x"]}["mean"] == DRIFT


@pytest.mark.parametrize("number", [0, 1, 3])
def test_too_short_a_history_says_nothing(number):
    assert guard(1, [column(mean=900.0)], week()[:number], rule=RULE) == Guards()


def test_columns_that_the_model_does_not_take_and_new_ones_are_passed_over():
    columns = [column(role="other", mean=99.0), column(name="fresh", mean=99.0)]
    assert guard(1000, columns, week(), rule=RULE, has_reference=True).worst == NO
    ignored = guard(1000, [column(mean=99.0)], week(), rule=EffectRule(ignore=("x",)), has_reference=True)
    assert ignored.worst == NO


def test_numbers_that_usually_wobble_much_may_wobble_on():
    rng = np.random.default_rng(0)
    runs = [entry(columns=[column(mean=10 + 4 * wobble)]) for wobble in rng.normal(size=8)]
    found = guard(1000, [column(mean=14.0)], runs, rule=RULE)
    assert {check.name: check.status for check in found.columns["x"]}["mean"] == NO


def test_few_rows_are_not_compared_column_by_column():
    found = guard(20, [column(mean=99.0, values=20)], week(), rule=RULE)
    assert (found.batch[0].status, found.columns) == (DRIFT, {})


@pytest.mark.parametrize("rows", [50, 100, 300, 1_000])
def test_ordinary_small_batches_raise_no_alarm(make, count, rows):
    rng = np.random.default_rng(rows)

    def entry_of():
        names = [f"c{place}" for place in range(10)]
        frame = {name: rng.normal(size=rows) for name in names} | {"kind": rng.choice(list("abcdefgh"), rows)}
        table = pa.table(frame)
        baseline = make(table)
        return entry(rows=rows, columns=summarise(count(baseline, table), baseline.columns, (), Roles()))

    runs = [entry_of() for _ in range(28)]
    alarms = [
        guard(rows, runs[place].columns, runs[place - 8 : place], rule=RULE).worst in (POSSIBLE, DRIFT)
        for place in range(8, 28)
    ]
    assert sum(alarms) <= 1


def test_without_a_reference_a_column_that_vanishes_or_changes_its_kind_is_a_schema_change():
    changed = column(name="kind")
    found = guard(1000, [changed], week(), rule=RULE)
    assert {name: checks[0].name for name, checks in found.columns.items()} == {"x": "gone", "kind": "type"}
    assert found.worst == DRIFT
    assert guard(1000, [changed], week(), rule=RULE, has_reference=True).worst == NO


def test_categories_that_the_reference_knows_are_not_new_because_a_week_lacked_them():
    now = column(name="kind", shares=(("a", 0.6), ("b", 0.37), ("known", 0.03)))
    assert guard(1000, [now], week(), rule=RULE, has_reference=True).worst == NO


def test_guards_make_a_verdict_worse_and_never_better():
    quiet = replace(not_analysed(100, EffectRule()), status=NO, run_status=NO, reference_rows=1000)
    found = guard(90, [column()], week(), rule=RULE, has_reference=True)
    said = history_reasons(found, 90, week())
    worse = with_history(quiet, found, said, 7)
    assert (worse.status, worse.reasons[0]) == (DRIFT, "Unlike the last 7 runs: 90 rows, usually 990.")
    drifted = replace(quiet, status=DRIFT, run_status=DRIFT)
    assert with_history(drifted, Guards(), [], 7).status == DRIFT
    few = replace(quiet, status=DriftStatus.INSUFFICIENT, run_status=DriftStatus.INSUFFICIENT)
    assert with_history(few, found, said, 7).status == DriftStatus.INSUFFICIENT


def test_without_a_reference_the_guards_alone_give_the_verdict():
    nothing = not_analysed(100, EffectRule())
    columns = [column(), column(name="kind", shares=(("a", 0.6), ("b", 0.4)))]
    found = guard(1000, columns, week(), rule=RULE)
    assert with_history(nothing, found, [], 7).status == NO
    assert with_history(nothing, Guards(), [], 0).status == DriftStatus.NOT_ANALYSED
    assert with_history(nothing, Guards(), [], 2).reasons[-1] == (
        "Earlier runs so far: 2; from 4 on they are compared with."
    )


def test_a_reference_that_vouches_for_nothing_is_not_vouched_for_by_the_number_of_rows():
    nothing = replace(not_analysed(100, EffectRule()), reference_rows=1000)
    found = guard(1000, [], week(), rule=RULE, has_reference=True)
    assert with_history(nothing, found, [], 7).status == DriftStatus.NOT_ANALYSED


def test_what_only_the_guards_found_is_kept_by_column():
    found = guard(1000, [column(mean=8.0)], week(), rule=RULE, has_reference=True)
    result = with_history(replace(not_analysed(1000, RULE), reference_rows=1000), found, [], 7)
    assert [check.name for check in result.history_columns["x"]] == ["mean"]


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
    drifted = replace(not_analysed(100, EffectRule()), status=DRIFT, run_status=DRIFT)
    result = persistent(drifted, [entry(run_status=status) for status in before], needed, of)
    assert (result.status, result.run_status) == (expected, DRIFT)
    if needed > 1:
        assert f"{needed} of {of} are needed" in result.reasons[0]


def test_no_drift_needs_no_second_run():
    quiet = replace(not_analysed(100, EffectRule()), status=NO, run_status=NO)
    assert persistent(quiet, [entry(run_status=DRIFT)], 2, 3) == quiet


def test_a_run_is_summed_up_by_what_later_ones_compare(make, count):
    table = pa.table({"x": [1.0, 3.0, None, 2.0], "kind": ["a", "a", "b", None], "key": [1, 2, 3, 4]})
    baseline = make(table)
    roles = Roles(inputs=("x", "kind"))
    summaries = {each.name: each for each in summarise(count(baseline, table), baseline.columns, (), roles)}
    assert (summaries["x"].mean, summaries["x"].std, summaries["x"].missing_fraction) == (2.0, 1.0, 0.25)
    assert summaries["kind"].shares == (("a", 2 / 3), ("b", 1 / 3))
    assert summaries["key"].role == "other"
