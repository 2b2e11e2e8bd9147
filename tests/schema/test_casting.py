"""What does not fit a type is found for all rows at once, and found right."""

from __future__ import annotations

import time
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.schema.casting import converted, fitted, unfit

TEXT = st.one_of(
    st.none(),
    st.sampled_from(
        ["", " ", "n/a", "1,5", "0x10", "1e400", "nan", "inf", "-inf", "+7", "7.0", "7.", ".5", "- 1", "1_0"]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.text(max_size=4),
)


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


def converts(values, kind):
    try:
        converted(values, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


@given(st.lists(TEXT, max_size=30), st.sampled_from([pa.float64(), pa.float32(), pa.int64(), pa.bool_()]))
def test_text_fits_where_it_can_be_read_alone(values, kind):
    text = column(values, pa.string())
    expected = [not converts(text.slice(row, 1), kind) for row in range(len(values))]
    found = unfit(text, kind)
    assert found.tolist() == expected
    assert fitted(text, kind, found).is_null().to_pylist() == [
        wrong or value is None for wrong, value in zip(expected, values, strict=True)
    ]


@pytest.mark.parametrize(
    ("values", "kind", "wrong"),
    [
        (column([1, 2**53, 2**53 + 1, None, -(2**53) - 1]), pa.float64(), [2, 4]),
        (column([2**54]), pa.float64(), [0]),
        (column([1, 2**53 + 1], pa.uint64()), pa.float64(), [1]),
        (column([1, 2**24 + 1]), pa.float32(), [1]),
        (column([1, 2**63], pa.uint64()), pa.int64(), [1]),
        (column([Decimal("1.25"), Decimal("0.10")]), pa.float64(), []),
        (column([Decimal(12345678901234567890), Decimal(7)]), pa.float64(), [0]),
        (column([1_500, 2_000], pa.timestamp("ms")), pa.timestamp("s"), [0]),
        (column([-(10**16), 10**15], pa.timestamp("us")), pa.timestamp("ns"), [0]),
        (column([[1.0, 2.0], [1.0], None]), pa.list_(pa.float64(), 2), [1]),
        (column([True, None]), pa.float64(), []),
    ],
)
def test_the_rows_that_do_not_fit_are_these(values, kind, wrong):
    found = unfit(values, kind)
    assert np.flatnonzero(found).tolist() == wrong
    assert fitted(values, kind, found).type == kind


def test_nothing_is_wrong_with_a_column_of_its_own_type():
    assert not unfit(column(["x", None]), None).any()
    assert not unfit(column(["x", None]), pa.string()).any()


def test_a_dictionary_becomes_its_values():
    values = pa.chunked_array([pa.array(["x", None, "y"]).dictionary_encode()])
    assert converted(values, pa.string()).to_pylist() == ["x", None, "y"]


def test_a_million_texts_take_seconds_however_many_are_no_numbers():
    values = column(np.where(np.arange(1_000_000) % 3 == 0, "n/a", "12.5"))
    started = time.monotonic()
    assert unfit(values, pa.float64()).sum() == 333_334
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(("there", "kind", "large"), [("double", "float", 1e300), ("float", "halffloat", 1e6)])
def test_a_number_that_a_narrower_type_makes_infinite_does_not_fit(there, kind, large):
    values = pa.chunked_array([pa.array([1.5, large, None, float("inf"), float("nan")]).cast(there)])
    narrow = pa.type_for_alias(kind)
    with pytest.raises(pa.ArrowInvalid, match="too large"):
        converted(values, narrow)
    assert unfit(values, narrow).tolist() == [False, True, False, False, False]
    assert fitted(values, narrow, unfit(values, narrow)).null_count == 2
