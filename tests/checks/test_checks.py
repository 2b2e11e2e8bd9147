"""Validation checks: how they are given, what they mark, when they are too many."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.checks.checks import (
    Check,
    added,
    columns_read,
    count_marks,
    judged,
    mark,
    parse_checks,
    require_passed,
    set_aside,
)
from airflow_batch_inference.exceptions import CheckFailedError, ConfigurationError
from airflow_batch_inference.predictors.isolation import RejectedRow, ScoredRows
from airflow_batch_inference.records import CheckCount
from airflow_batch_inference.sources.batches import MiniBatch, Origin

COLUMNS = {"in.a": pa.array([1.0, -1.0, 5.0]), "out.risk": pa.array([0.2, 0.95, 0.99])}
GIVEN = {"negative": "in.a < 0", "high": {"when": "out.risk > 0.9", "max_rate": 0.5, "action": "fail"}}


def batch(rows=3):
    return MiniBatch(pa.table({"a": list(range(rows))}), (Origin("/day.csv", 10, rows),))


def test_a_check_is_an_expression_or_one_with_a_budget():
    assert parse_checks(GIVEN) == (
        Check(name="negative", when="in.a < 0"),
        Check(name="high", when="out.risk > 0.9", max_rate=0.5, action="fail"),
    )
    assert parse_checks(None) == parse_checks({}) == ()
    assert parse_checks({"x": {"when": "in.a < 0", "max_rate": "0.5"}})[0].action == "alert"
    assert parse_checks({"x": {"when": "in.a < 0", "max_rate": None, "action": "quarantine"}})[0].max_rate is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["in.a < 0"], "checks is a list"),
        ({"": "in.a < 0"}, "named ''"),
        ({"count": "in.a < 0"}, "named 'count'"),
        ({"x": {"wenn": "in.a < 0"}}, "has 'wenn' .did you mean 'when'"),
        ({"x": {"max_rate": 0.1}}, "has no 'when'"),
        ({"x": "in.a <"}, "The check 'x': The expression 'in.a <' cannot be read"),
        ({"x": {"when": "in.a < 0", "max_rate": 1.5}}, "max_rate 1.5; it must be a share"),
        ({"x": {"when": "in.a < 0", "max_rate": "many"}}, "max_rate 'many'"),
        ({"x": {"when": "in.a < 0", "action": "quarantene"}}, "did you mean 'quarantine'"),
        ({f"c{number}": "in.a < 0" for number in range(128)}, "the limit is 127"),
    ],
)
def test_what_can_never_work_is_named(given, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_checks(given)


def test_rows_are_marked_and_counted_and_the_first_are_named():
    marked = mark(parse_checks(GIVEN), COLUMNS, 3)
    assert marked.failures.to_pylist() == [0, 2, 1]
    assert marked.failures.type == pa.int8()
    assert count_marks(marked, batch()) == (
        CheckCount(name="negative", rows=1, first=("/day.csv row 11",)),
        CheckCount(name="high", rows=2, first=("/day.csv row 11", "/day.csv row 12")),
    )
    assert columns_read(parse_checks(GIVEN)) == ("in.a", "out.risk")


def test_counts_add_up_and_keep_the_first_rows():
    one = (CheckCount(name="x", rows=2, first=("a", "b")),)
    other = (CheckCount(name="x", rows=3, first=("c", "d")),)
    assert added(one, other) == (CheckCount(name="x", rows=5, first=("a", "b", "c")),)
    assert added((), one) == added(one, ()) == one


@pytest.mark.parametrize(
    ("action", "max_rate", "rows", "expected"),
    [
        (None, None, 100, False),
        ("fail", None, 1, True),
        ("fail", None, 0, False),
        ("alert", 0.29, 29, False),  # 0.29 * 100 is 28.999…
        ("alert", 0.29, 30, True),
        ("quarantine", None, 99, False),
        ("quarantine", None, 100, True),
        ("quarantine", 0.1, 11, True),
        ("fail", 1.0, 100, False),
    ],
)
def test_a_budget_is_a_share_of_the_rows(action, max_rate, rows, expected):
    check = Check(name="x", when="in.a < 0", max_rate=max_rate, action=action)
    assert check.is_exceeded(rows, 100) is expected
    assert not check.is_exceeded(0, 0)


def test_an_exceeded_budget_names_check_count_rate_limit_and_rows():
    results = judged(parse_checks(GIVEN), count_marks(mark(parse_checks(GIVEN), COLUMNS, 3), batch()), 3)
    assert [(each.name, each.rows, each.is_exceeded) for each in results] == [("negative", 1, False), ("high", 2, True)]
    with pytest.raises(
        CheckFailedError, match=r"'high' \(out.risk > 0.9\) holds for 2 of 3 rows \(66.7%\), and max_rate"
    ):
        require_passed(results, 3)
    with pytest.raises(
        CheckFailedError, match=r"is 50%. First: /day.csv row 11, /day.csv row 12. Nothing was committed"
    ):
        require_passed(results, 3)


def test_an_alert_lets_the_job_pass():
    checks = parse_checks({"high": {"when": "out.risk > 0.9", "action": "alert"}})
    results = judged(checks, count_marks(mark(checks, COLUMNS, 3), batch()), 3)
    assert results[0].is_exceeded
    require_passed(results, 3)


def test_no_row_at_all_is_no_failure():
    results = judged(parse_checks(GIVEN), (), 0)
    assert [each.rows for each in results] == [0, 0]
    require_passed(results, 0)


def test_quarantine_moves_marked_rows_to_the_rejects_in_order():
    checks = parse_checks({"high": {"when": "out.risk > 0.9", "action": "quarantine"}, "negative": "in.a < 0"})
    five = batch(5)
    kept = MiniBatch(
        five.table.take([0, 2, 4]), (Origin("/day.csv", 10, 1), Origin("/day.csv", 12, 1), Origin("/day.csv", 14, 1))
    )
    scored = ScoredRows(
        kept, [pa.array([0.2, 0.95, 0.99])], [RejectedRow(1, "schema", "a"), RejectedRow(3, "predict", "b")]
    )
    aside = set_aside(checks, five, scored, mark(checks, COLUMNS, 3))
    assert aside.keep.tolist() == [True, False, False]
    assert [(row.row, row.stage) for row in aside.scored.rejected] == [
        (1, "schema"), (2, "check"), (3, "predict"), (4, "check"),
    ]  # fmt: skip
    assert "'high' (out.risk > 0.9) holds" in aside.scored.rejected[1].error
    assert aside.scored.rows.origins == (Origin("/day.csv", 10, 1),)
    assert aside.scored.predicted[0].to_pylist() == [0.2]


def test_without_a_quarantine_check_nothing_moves():
    checks = parse_checks(GIVEN)
    scored = ScoredRows(batch(), [pa.array([0.2, 0.95, 0.99])], [])
    assert set_aside(checks, batch(), scored, mark(checks, COLUMNS, 3)) is None


def test_marks_of_some_rows():
    marked = mark(parse_checks(GIVEN), COLUMNS, 3).taken(np.array([True, False, True]))
    assert (marked.rows, marked.failures.to_pylist()) == (2, [0, 1])
