"""What is written for a check by mistake, and what the message says to write in its place."""

from __future__ import annotations

import operator

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from airflow_batch_inference.checks.checks import describe, judged, mark, parse_checks, require_passed
from airflow_batch_inference.checks.expressions import parse_expression
from airflow_batch_inference.checks.polars_checks import as_text
from airflow_batch_inference.exceptions import CheckFailedError, ConfigurationError
from airflow_batch_inference.operators import PredictOperator
from airflow_batch_inference.records import CheckCount

A, B, LISTS, WORDS = pl.col("in.a"), pl.col("in.b"), pl.col("out.dense_1"), pl.col("in.some word")
FRAME = pl.DataFrame(
    {
        "in.a": [1.0, 2.0, -3.0, None],
        "in.b": [0.5, 9.0, 2.0, 1.0],
        "out.dense_1": [[0.1, 0.95], [0.99, 0.2], [0.5, 0.5], [0.0, 1.0]],
        "in.some word": ["x", "y", None, "x"],
    }
)


@pytest.mark.parametrize(
    "expression",
    [
        A > 1,
        LISTS.list.get(0) > 0.9,
        LISTS.list.first() <= 0.5,
        (A < 0) | (A > 1.5) | A.is_null(),
        (A > 0) & ((B > 5) | (B < 0.75)),
        A - (B - A) > 1,
        (A + 1) * 2 > 3,
        A / B >= 0.25,
        LISTS.list.max() > 0.9,
        LISTS.list.min() > 0.1,
        WORDS == "x",
        WORDS.is_in(["x", "z"]),
        WORDS.is_not_null(),
        A.abs() > 2,
        B > 1e-7,
    ],
    ids=str,
)
def test_a_polars_expression_is_refused_with_text_that_means_the_same(expression):
    text = as_text(expression)
    with pytest.raises(ConfigurationError, match=r"The check 'x' is a polars expression.* Write ") as raised:
        parse_checks({"x": {"when": expression, "max_rate": 0.1}})
    assert repr(text) in str(raised.value)
    table = FRAME.to_arrow()
    columns = {name: table.column(name) for name in table.column_names}
    expected = FRAME.select(expression.fill_null(value=False)).to_series().to_list()
    assert parse_expression(text).holds(columns, FRAME.height).tolist() == expected


@pytest.mark.parametrize(
    "expression",
    [~(A > 1), A.is_between(0, 1), A.cast(pl.Int64) > 1, WORDS == "x (y)", WORDS == "a & b", A.sqrt() > 1],
    ids=str,
)
def test_one_that_has_no_such_text_says_how_it_is_written(expression):
    with pytest.raises(ConfigurationError, match=r"such text as 'out.dense_1\[0\] > 0.9': pl.col\(name\) is the name"):
        parse_checks({"x": expression})


@pytest.mark.parametrize("given", [A > 1, {"when": A > 1, "max_rate": 0.1}])
def test_it_is_refused_while_the_dag_is_read(given):
    with pytest.raises(ConfigurationError, match=r"Write 'in\.a > 1'"):
        PredictOperator(task_id="p", model="/m.txt", dataset="/d.csv", checks={"x": given})


def test_templates_are_left_for_the_run():
    PredictOperator(task_id="p", model="/m.txt", dataset="/d.csv", checks="{{ params.checks }}")
    PredictOperator(task_id="p", model="/m.txt", dataset="/d.csv", checks={"x": "in.a > {{ params.limit }}"})


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)])
@pytest.mark.parametrize(
    "expression",
    [
        "out.d > 0.9",
        "0.9 < out.d",
        "out.d == 1",
        "not out.d > 0.9",
        "out.d in (1, 2)",
        "out.d + 1 > 2",
        "abs(out.d) > 1",
    ],
)
def test_a_list_compared_with_a_number_says_how_its_values_are_named(expression, kind):
    columns = {"out.d": pa.array([[0.1, 0.95]], kind)}
    with pytest.raises(ConfigurationError, match=r"write out\.d\[0\] for its first value, or max\(out\.d\)"):
        mark(parse_checks({"x": expression}), columns, 1)
    with pytest.raises(ConfigurationError, match=r"write out\.d\[0\]"):  # and before the first row
        mark(parse_checks({"x": expression}), {"out.d": pa.chunked_array([], kind)}, 0)


@pytest.mark.parametrize("expression", ["out.d[1] > 0.9", "max(out.d) > 0.9", "min(out.d) < 0.2", "length(out.d) == 2"])
def test_what_it_says_to_write_works(expression):
    columns = {"out.d": pa.array([[0.1, 0.95]], pa.list_(pa.float32()))}
    np.testing.assert_array_equal(mark(parse_checks({"x": expression}), columns, 1).by_check["x"], [True])


def test_text_compared_with_a_number_is_told_as_before():
    with pytest.raises(ConfigurationError, match="Compare numbers with numbers, and text with text in quotes"):
        mark(parse_checks({"x": "in.a > 1"}), {"in.a": pa.array(["x"])}, 1)


def result_of(action, rate=None):
    check = {"when": "in.a < 0"} | ({} if action is None else {"action": action})
    checks = parse_checks({"odd": check | ({} if rate is None else {"max_rate": rate})})
    return judged(checks, [CheckCount(name="odd", rows=3)], 100)


@pytest.mark.parametrize(
    ("action", "rate", "words"),
    [
        (None, None, "(3%), and nothing follows from it: give it a max_rate (0.01 for 1%), or an action"),
        ("alert", None, "(3%), and none may be, since it has no max_rate"),
        ("fail", None, "(3%), and none may be, since it has no max_rate"),
        ("quarantine", None, "(3%), and not all may be set aside"),
        ("fail", 0.01, "(3%), and max_rate is 1%"),
        ("fail", 0, "(3%), and max_rate is 0%"),
    ],
)
def test_a_rate_that_was_not_given_is_not_told_as_one(action, rate, words):
    results = result_of(action, rate)
    assert words in describe(results[0], 100)
    if action == "fail":
        with pytest.raises(CheckFailedError) as raised:
            require_passed(results, 100)
        assert words in str(raised.value)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"when": "in.a < 0", "max_rate": 5}, "from 0 to 1. For 5 % write 0.05"),
        ({"when": "in.a < 0", "max_rate": "5%"}, "max_rate '5%'; it must be a share"),
        ({"when": "in.a < 0", "rate": 0.1}, r"has 'rate' \(did you mean 'max_rate'\?\)"),
        ({"max_rate": 0.1}, "has no 'when'"),
        (operator.gt, "write one such as"),
    ],
)
def test_other_mistakes(check, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_checks({"x": check})
