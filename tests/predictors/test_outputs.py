"""What a model returned, as columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import PredictionError, RowAlignmentError
from airflow_batch_inference.predictors.explanations import EXPLANATION_TYPE
from airflow_batch_inference.predictors.outputs import (
    MOST_COLUMNS,
    equal_rows,
    has_missing,
    missing_rows,
    output_columns,
)


def names(predicted, method="predict", **arguments):
    found = output_columns(predicted, method=method, rows=2, where="here", **arguments)
    assert all(len(values) == 2 for _, values in found)
    return [name for name, _ in found]


@pytest.mark.parametrize(
    ("predicted", "method", "arguments", "expected"),
    [
        (np.zeros(2), "predict", {}, ["predicted_label"]),
        (np.zeros((2, 1)), "predict", {}, ["predicted_label"]),
        (np.zeros((2, 3)), "predict", {}, ["predicted_label_0", "predicted_label_1", "predicted_label_2"]),
        (np.zeros((2, 2)), "predict_proba", {}, ["predicted_label_0", "predicted_label_1"]),
        (np.zeros((2, 2)), "predict_proba", {"endings": ("no", "yes")}, ["predicted_label_no", "predicted_label_yes"]),
        (np.zeros((2, 3)), "predict_proba", {"endings": ("no", "yes")}, [f"predicted_label_{k}" for k in range(3)]),
        (
            np.zeros((2, 2)),
            "predict_proba",
            {"is_alone": False},
            ["predicted_probability_0", "predicted_probability_1"],
        ),
        (np.zeros(2), "predict", {"is_alone": False}, ["predicted_label"]),
        (np.zeros(2), "raw_score", {}, ["raw_score"]),
        (np.zeros((2, 2)), "leaf_index", {}, ["leaf_index_0", "leaf_index_1"]),
        (np.zeros((2, 2)), "contributions", {"endings": ("a", "z")}, ["contribution_a", "contribution_z"]),
        ({"risk": np.zeros(2)}, "predict", {}, ["predicted_label"]),
        ({"risk": np.zeros(2), "cost": np.zeros((2, 2))}, "predict", {}, ["risk", "cost_0", "cost_1"]),
        (
            {"a": np.zeros(2), "b": np.zeros(2)},
            "predict",
            {"is_alone": False},
            ["predicted_label_a", "predicted_label_b"],
        ),
        (np.zeros((2, MOST_COLUMNS + 1)), "predict", {}, ["predicted_label"]),
        (np.zeros((2, 3, 4)), "predict", {}, ["predicted_label"]),
    ],
)
def test_columns_have_the_same_names_whatever_the_framework(predicted, method, arguments, expected):
    assert names(predicted, method, **arguments) == expected


def test_a_long_vector_is_one_column_of_lists_of_its_own_type():
    predicted = np.arange(2 * 150, dtype=np.float32).reshape(2, 150)
    ((_, column),) = output_columns(predicted, method="predict", rows=2, where="here")
    assert column.type == pa.list_(pa.float32(), 150)
    np.testing.assert_array_equal(np.array(column.to_pylist(), dtype=np.float32), predicted)


def test_a_tensor_is_a_column_of_nested_lists():
    predicted = np.arange(12.0).reshape(2, 3, 2)
    ((_, column),) = output_columns(predicted, method="predict", rows=2, where="here")
    assert column.to_pylist() == predicted.tolist()


@pytest.mark.parametrize(
    "predicted", [np.zeros(3), np.zeros((1, 2)), np.float64(1.0), {"a": np.zeros(2), "b": np.zeros(1)}]
)
def test_another_number_of_rows_is_an_error(predicted):
    with pytest.raises(RowAlignmentError, match=r"for 2 rows of here; it must be \(2,\)"):
        output_columns(predicted, method="predict", rows=2, where="here")


def test_values_that_no_column_holds_are_an_error():
    with pytest.raises(PredictionError, match="values of type object that no column can hold"):
        output_columns(np.array([object(), 1], dtype=object), method="predict", rows=2, where="here")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (pa.array([1.0, None, np.nan]), pa.array([1.00001, None, 2.0]), [True, True, False]),
        (pa.array(["a", None]), pa.array(["b", None]), [False, True]),
        (pa.array([1, 2]), pa.array([1, 3]), [True, False]),
        (pa.array([[1.0, 2.0], [3.0]]), pa.array([[1.0, 2.00001], [4.0]]), [True, False]),
        (pa.array([[1.0], [3.0]]), pa.array([[1.0, 2.0], [3.0]]), [False, True]),
        (pa.array([["a"], ["b"]]), pa.array([["a"], ["c"]]), [True, False]),
    ],
)
def test_rows_are_equal_where_numbers_are_near_and_all_else_is_the_same(first, second, expected):
    assert equal_rows(first, second, relative=1e-4, absolute=1e-7).tolist() == expected


def test_explanations_are_equal_where_both_are_there():
    first = pa.array([[{"feature": "a", "contribution": 1.0}], None], EXPLANATION_TYPE)
    second = pa.array(
        [[{"feature": "b", "contribution": 1.0}], [{"feature": "b", "contribution": 1.0}]], EXPLANATION_TYPE
    )
    assert equal_rows(first, second, relative=0, absolute=0).tolist() == [True, False]


def test_a_nan_within_a_vector_is_a_missing_prediction():
    values = np.zeros((3, 150))
    values[1, 7] = np.nan
    ((_, column),) = output_columns(values, method="predict", rows=3, where="here")
    assert missing_rows(column).tolist() == [False, True, False]
    nested = np.zeros((2, 3, 2))
    nested[1, 2, 0] = np.nan
    ((_, column),) = output_columns(nested, method="predict", rows=2, where="here")
    assert missing_rows(column).tolist() == [False, True]
    assert missing_rows(pa.array([1.0, None, float("nan")])).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, 2]), False),
        (pa.array([1, None]), True),
        (pa.array([1.0, 2.0]), False),
        (pa.array([1.0, float("nan")]), True),
        (pa.array(["a", "b"]), False),
        (pa.array([True, False]), False),
        (pa.array([[1.0], [float("nan")]]), True),
        (pa.nulls(2), True),
        (pa.array([], pa.float64()), False),
    ],
)
def test_a_look_says_whether_a_prediction_may_be_missing(values, expected):
    assert has_missing(values) == expected
    assert expected or not missing_rows(values).any()
