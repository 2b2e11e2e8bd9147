"""What a model's columns are: classes, probabilities or numbers; told by themselves where nobody says."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.evaluation.labelled_predictions import (
    Classes,
    LabelledPredictions,
    by_methods,
    classified_rows,
    infer_problem_type,
    numbers_of,
)
from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError

BOTH = ("predict", "predict_proba")


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


def rows_of(labels, columns, methods=BOTH, **known):
    classes = Classes(**known)
    labelled = by_methods([column(labels)], columns, methods, None if classes.own is None else len(classes.own))
    return classified_rows(labelled, 0, "truth", classes)[0]


@pytest.mark.parametrize(
    ("labels", "predicted", "problem"),
    [
        ([0, 1], [0, 1], "classification"),
        ([0, 1], [0.2, 1.0], "classification"),
        ([0.0, 1.0], [0.2, 0.9], "classification"),
        ([False, True], [0.2, 0.9], "classification"),
        (["a", "b"], ["a", "b"], "classification"),
        ([0, 1], [0.2, 1.1], "regression"),
        ([0, 2], [0.2, 0.9], "regression"),
        ([0.5, 1.0], [0.2, 0.9], "regression"),
        ([3, 4], [3.0, 4.0], "regression"),
        ([3.0, 4.0], [3, 4], "regression"),
    ],
)
def test_the_problem_is_told_by_labels_and_predictions(labels, predicted, problem):
    assert infer_problem_type(LabelledPredictions(labels=(column(labels),), predicted=(column(predicted),))) == problem


def test_a_networks_shares_a_row_are_probabilities_in_the_order_of_numbered_classes():
    rows = rows_of([2, 0], [column([0.1, 0.8]), column([0.2, 0.1]), column([0.7, 0.1])], ("predict",))
    assert (rows.names, rows.predicted.tolist(), rows.known) == (("0", "1", "2"), [2, 0], 3)


def test_very_many_classes_come_as_one_column_of_lists():
    lists = pa.FixedSizeListArray.from_arrays(pa.array([0.1, 0.2, 0.7, 0.8, 0.1, 0.1]), 3)
    rows = rows_of([2, 0], [column([2, 0]), pa.chunked_array([lists])], own=(0, 1, 2))
    np.testing.assert_array_equal(rows.probabilities, [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]])


def test_a_boosters_classes_are_numbered_unless_the_labels_say_otherwise():
    chances = [column([0.3, 0.6]), column([0.7, 0.4])]
    assert rows_of([0, 1], chances, ("predict_proba",)).names == ("0", "1")
    assert rows_of([True, False], chances, ("predict_proba",)).names == ("0", "1")
    assert rows_of(["yes", "no"], chances, ("predict_proba",)).names == ("no", "yes")
    with pytest.raises(ConfigurationError, match=r"Give the classes in the order of the probabilities"):
        rows_of(["yes", "yes"], chances, ("predict_proba",))


def test_the_models_own_classes_count_unless_a_decision_threshold_is_given():
    columns = [column(["no", "no"]), column([0.7, 0.4]), column([0.3, 0.6])]
    own = rows_of(["yes", "no"], columns, own=("no", "yes"))
    assert (own.predicted.tolist(), own.decision) == ([0, 0], None)
    decided = rows_of(["yes", "no"], columns, own=("no", "yes"), decision=0.6)
    assert (decided.predicted.tolist(), decided.decision) == ([0, 1], 0.6)


def test_classes_that_are_floats_are_no_probabilities():
    rows = rows_of([0.0, 1.0], [column([1.0, 0.0])], ("predict",))
    assert (rows.predicted.tolist(), rows.probabilities) == ([1, 0], None)


def test_scores_of_a_decision_function_are_those_of_the_second_class():
    rows = rows_of(
        ["a", "b"], [column(["a", "a"]), column([-2.0, -1.0])], ("predict", "decision_function"), own=("a", "b")
    )
    np.testing.assert_array_equal(rows.scores_of(1), [-2.0, -1.0])
    np.testing.assert_array_equal(rows.scores_of(0), [2.0, 1.0])


def test_predictions_that_are_neither_classes_nor_shares_are_refused():
    with pytest.raises(ConfigurationError, match="Is it task='regression'"):
        rows_of([0, 1], [column([1.5, 2.5])], ("predict",), own=(0, 1))


def test_another_number_of_probabilities_than_classes_is_refused():
    with pytest.raises(ConfigurationError, match=r"3 probabilities a row, but there are 2 classes"):
        rows_of([0, 1], [column([0.2, 0.2])] * 3, ("predict",), own=(0, 1))


def test_text_is_no_number_of_a_regression():
    with pytest.raises(SignatureMismatchError, match=r"'truth' holds string, but a regression compares numbers"):
        numbers_of(column(["a"]), "truth")
    np.testing.assert_array_equal(numbers_of(column([1, None]), "truth"), [1.0, np.nan])
