"""Labels and predictions as codes: matched by what they are."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.evaluation.labels import matched, numbered, sorted_classes, text, values_of
from airflow_batch_inference.exceptions import SignatureMismatchError


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


def codes(values, classes, **arguments):
    found = values_of(values)
    return found.coded(matched(found, classes, "truth", **arguments)).tolist()


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (column(["no", "yes", None]), ("no", "yes")),
        (column(["no", "yes", None]).dictionary_encode(), ("no", "yes")),
        (column([0, 1, None]), (0, 1)),
        (column([0, 1, None]), (False, True)),
        (column([0, 1, None]), ("0", "1")),
        (column([0.0, 1.0, float("nan")]), (0, 1)),
        (column(["0", "1", None]), (0, 1)),
        (column([False, True, None]), (0, 1)),
        (column(["false", "true", None]), (False, True)),
        (column([decimal.Decimal("1.50"), decimal.Decimal("2.50"), None]), ("1.50", "2.50")),
    ],
)
def test_a_class_is_the_same_however_it_is_written(values, classes):
    assert codes(values, classes) == [0, 1, -1]


def test_days_are_classes_by_their_text():
    assert codes(column([dt.date(2026, 1, 1)]), ("2026-01-01", "2026-01-02")) == [0]


def test_text_is_not_taken_for_a_number_where_other_labels_are_classes():
    assert codes(column(["a", "1"]), ("a", "b")) == [0, 2]


def test_labels_that_are_no_class_get_codes_of_their_own_in_the_order_of_their_names():
    assert codes(column([3, 1, 2, 3]), (1, 7)) == [3, 0, 2, 3]


def test_labels_may_have_names_of_their_own_for_the_classes():
    assert codes(column(["good", "bad"]), (0, 1), named=("bad", "good")) == [1, 0]
    assert codes(column([1, 0]), (0, 1), named=("bad", "good")) == [1, 0]


def test_labels_of_which_none_is_a_class_are_refused_with_both_sides():
    with pytest.raises(SignatureMismatchError, match=r"it has 'a', 'b', and the model knows 0, 1"):
        codes(column(["b", "a"]), (0, 1))


def test_predictions_that_are_no_class_get_codes_after_all_others():
    found = values_of(column(["b", "c"]))
    assert numbered(found, ("a", "b"), 5) == {"b": 1, "c": 5}


def test_without_any_value_all_are_missing():
    assert codes(pa.chunked_array([], pa.string()), ("a", "b")) == []
    assert codes(column([None, None], pa.null()), ("a", "b")) == [-1, -1]


def test_classes_are_in_scikit_learns_order():
    assert sorted_classes(values_of(column([10, 9])), values_of(column(["b", "a"]))) == (9, 10, "a", "b")


@given(st.lists(st.lists(st.one_of(st.none(), st.sampled_from("abc")), max_size=5), max_size=4))
def test_chunks_make_no_difference(chunks):
    values = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())
    expected = ["abc".index(value) if value else -1 for chunk in chunks for value in chunk]
    assert codes(values, tuple("abc")) == expected
    found = values_of(values)
    back = [None if code < 0 else found.distinct[code] for code in np.asarray(found.codes).tolist()]
    assert back == values.to_pylist()


def test_names_are_written_as_people_write_them():
    assert [text(value) for value in (1.0, 0.25, True, "x", -3)] == ["1", "0.25", "true", "x", "-3"]
