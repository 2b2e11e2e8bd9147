"""The language of checks: what it says of rows, as Python would; and where it cannot be read."""

from __future__ import annotations

import math
import operator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.checks.expressions import MOST_CHARACTERS, parse_expression
from airflow_batch_inference.exceptions import ConfigurationError

COLUMNS = {
    "in.a": pa.array([1, 2, None]),
    "in.petal length": pa.array([1.0, math.nan, 3.0]),
    "in.town": pa.array(["Ulm", "Bonn", None]).dictionary_encode(),
    "in.0": pa.array([True, False, None]),
    "in.day": pa.array([0, 10**12, None], pa.timestamp("ms")),
    "in.price": pa.array([1, 2, 3], pa.decimal128(5, 2)),
    "out.dense_1": pa.array([[0.1, 0.9], [0.5], None]),
    "out.fixed": pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2, 3, 4, 5, 6]), 2),
    "in.big": pa.array([2**64 - 1, 1, 2], pa.uint64()),
}


def rows(text):
    return parse_expression(text).holds(COLUMNS, 3).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in.a > 1", [False, True, False]),
        ("IN.a > 1 or in.a > 1", None),
        ("in.a in (1, 3)", [True, False, False]),
        ("in.a not in (1, 3)", [False, True, False]),
        ("in.a is null", [False, False, True]),
        ("in.`petal length` is null", [False, True, False]),
        ("in.`petal length` is not null AND not in.a == 1", [False, False, False]),
        ("not in.a == 1", [False, True, False]),
        ("in.town == 'Ulm'", [True, False, False]),
        ('in.town < "C"', [False, True, False]),
        ("length(in.town) == 3", [True, False, False]),
        ("in.0", [True, False, False]),
        ("in.0 == false", [False, True, False]),
        ("in.day > '2001-01-01'", [False, True, False]),
        ("in.price >= 2", [False, True, True]),
        ("out.dense_1[0] < 0.5", [True, False, False]),
        ("out.dense_1[1] >= 0.9", [True, False, False]),
        ("max(out.dense_1) < 0.6", [False, True, False]),
        ("min(out.fixed) >= 3", [False, True, True]),
        ("length(out.fixed) == 2", [True, True, True]),
        ("in.a * 2 - 1 == 3", [False, True, False]),
        ("in.a + 2 * 3 == 7", [True, False, False]),
        ("(in.a + 2) * 3 == 9", [True, False, False]),
        ("abs(-in.a) == 2", [False, True, False]),
        ("in.a / 0 > 0 or in.a / 0 <= 0", [False, False, False]),
        ("in.big > 9223372036854775807", [True, False, False]),
        ("9223372036854775807 + in.a > 0", [True, True, False]),
        ("in.a == -1 or in.a == +2", [False, True, False]),
        ("true", [True, True, True]),
        ("in.a > 1 or true", [True, True, True]),
        ("in.a > 1 and false", [False, False, False]),
        ("  in.a>1  ", [False, True, False]),
    ],
)
def test_an_expression_marks_rows_and_null_marks_none(text, expected):
    if expected is None:
        with pytest.raises(ConfigurationError, match=r"'IN\.a', which is no column"):
            rows(text)
    else:
        assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "An expression is ''"),
        (None, "An expression is None"),
        ("in.a >", "at its end: expected a column, a number"),
        ("in.a >> 3", "at character 7, '> 3': expected a column"),
        ("in.a > 1 2", "at character 10, '2': expected 'and' or 'or'"),
        ("(in.a > 1", r"at its end: expected '\)'"),
        ("in.a < 1 < 2", "at character 10"),
        ("in.a is", "expected 'null'"),
        ("in.a = 1", "at character 6"),
        ("in.a $ 1", "at character 6"),
        ("in.a == null", "never true. Write 'is null'"),
        ("sum(in.a) > 1", "calls sum.*the functions are abs, length, min, max"),
        ("lenght(in.town) > 1", "did you mean 'length'"),
        ("__import__('os').system('true')", "cannot be read"),
        ("out.dense_1[0.5] > 1", r"\[0.5\]; it must be a whole number"),
        ("-" * 900 + "in.a > 0", "too many brackets or signs"),
        ("x" * (MOST_CHARACTERS + 1), "the limit is 1000"),
    ],
)
def test_what_cannot_be_read_is_shown_with_its_place(text, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("in.b > 1", r"names 'in.b', which is no column .did you mean 'in\.\w+'"),
        ("in.a", "gives int64; it must be true or false"),
        ("in.town > 1", "compares string with int64"),
        ("in.town + 1 > 1", "'in.town' .* is string, which cannot be calculated with"),
        ("in.a[0] > 1", r"'in.a' .* is int64; \[0\] needs a list"),
        ("max(in.a) > 1", r"max\(\) needs a list"),
        ("length(in.a) > 1", r"length\(\) needs a list"),
        ("not in.a", "gives int64, where true or false is needed"),
        ("in.day > 'soon'", "compares timestamp"),
    ],
)
def test_what_cannot_be_evaluated_on_a_type_is_named_even_without_rows(text, words):
    empty = {name: values.slice(0, 0) for name, values in COLUMNS.items()}
    expression = parse_expression(text)
    for columns, number in ((COLUMNS, 3), (empty, 0)):
        with pytest.raises(ConfigurationError, match=words):
            expression.holds(columns, number)


def test_names_are_those_that_are_read_each_once():
    assert parse_expression("in.a > 1 and in.`b c` < in.a").names == ("in.a", "in.b c")


def test_columns_may_come_in_chunks():
    chunks = pa.chunked_array([[1, 2], [3]])
    assert parse_expression("a >= 2 and a in (2, 4)").holds({"a": chunks}, 3).tolist() == [False, True, False]


# Against Python: expressions are built with their own meaning beside them, over rows with gaps.
COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
COMPARISONS["!="] = operator.ne
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def lifted(function):
    """Apply a function to values, null where one of them is."""
    return lambda *values: None if None in values else function(*values)


def divided(a, b):
    return None if b == 0 else a / b


def kleene_and(a, b):
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def kleene_or(a, b):
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


SMALL = st.integers(-5, 5)
NUMBERS = st.recursive(
    st.one_of(
        st.sampled_from(["in.i", "in.f"]).map(lambda name: (name, lambda row, name=name: row[name])),
        SMALL.map(lambda value: (str(value), lambda row, value=value: value)),
    ),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(list(ARITHMETIC)), inner, inner).map(
            lambda t: (
                f"({t[1][0]} {t[0]} {t[2][0]})",
                lambda row: lifted(ARITHMETIC[t[0]])(t[1][1](row), t[2][1](row)),
            )
        ),
        st.tuples(inner, inner).map(
            lambda t: (f"({t[0][0]} / {t[1][0]})", lambda row: lifted(divided)(t[0][1](row), t[1][1](row)))
        ),
        inner.map(lambda t: (f"(-{t[0]})", lambda row: lifted(operator.neg)(t[1](row)))),
    ),
    max_leaves=5,
)
TRUTHS = st.recursive(
    st.one_of(
        st.tuples(st.sampled_from(list(COMPARISONS)), NUMBERS, NUMBERS).map(
            lambda t: (f"{t[1][0]} {t[0]} {t[2][0]}", lambda row: lifted(COMPARISONS[t[0]])(t[1][1](row), t[2][1](row)))
        ),
        NUMBERS.map(lambda t: (f"{t[0]} is null", lambda row: t[1](row) is None)),
        st.tuples(NUMBERS, SMALL, SMALL).map(
            lambda t: (f"{t[0][0]} in ({t[1]}, {t[2]})", lambda row: lifted(lambda v: v in t[1:])(t[0][1](row)))
        ),
        st.sampled_from(["a", "b"]).map(
            lambda text: (f"in.s == '{text}'", lambda row: lifted(lambda v: v == text)(row["in.s"]))
        ),
    ),
    lambda inner: st.one_of(
        inner.map(lambda t: (f"not ({t[0]})", lambda row: lifted(operator.not_)(t[1](row)))),
        st.tuples(inner, inner).map(
            lambda t: (f"({t[0][0]}) and ({t[1][0]})", lambda row: kleene_and(t[0][1](row), t[1][1](row)))
        ),
        st.tuples(inner, inner).map(
            lambda t: (f"({t[0][0]}) or ({t[1][0]})", lambda row: kleene_or(t[0][1](row), t[1][1](row)))
        ),
    ),
    max_leaves=6,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "in.i": st.none() | SMALL,
            "in.f": st.none() | SMALL.map(lambda value: value / 4),
            "in.s": st.none() | st.sampled_from(["a", "b"]),
        }
    ),
    max_size=6,
)


@given(TRUTHS, ROWS)
def test_an_expression_means_what_python_means_row_by_row(truth, given_rows):
    text, meaning = truth
    types = {"in.i": pa.int64(), "in.f": pa.float64(), "in.s": pa.string()}
    columns = {name: pa.array([row[name] for row in given_rows], kind) for name, kind in types.items()}
    found = parse_expression(text).holds(columns, len(given_rows)).tolist()
    assert found == [meaning(row) is True for row in given_rows]
