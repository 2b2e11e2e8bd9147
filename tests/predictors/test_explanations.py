"""Explanations: which rows, which inputs, in which order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.explanations import EXPLANATION_TYPE, Explain, explanations, parse_explain

FEATURES = ("a", "b", "c")
CONTRIBUTIONS = np.array([[0.1, -0.5, 0.2, 9.0], [0.0, 0.0, -1.0, 9.0]])


def test_the_largest_contributions_come_first_whatever_their_sign():
    found = explanations(CONTRIBUTIONS, FEATURES, np.array([True, True]), 2)
    assert found.type == EXPLANATION_TYPE
    assert found.to_pylist() == [
        [{"feature": "b", "contribution": -0.5}, {"feature": "c", "contribution": 0.2}],
        [{"feature": "c", "contribution": -1.0}, {"feature": "a", "contribution": 0.0}],
    ]


def test_rows_that_are_not_explained_are_null():
    found = explanations(CONTRIBUTIONS, FEATURES, np.array([False, True, False, True, False]), 1)
    assert [row and row[0]["feature"] for row in found.to_pylist()] == [None, "b", None, "c", None]


def test_no_row_at_all_is_explained_by_nulls():
    assert explanations(np.empty((0, 4)), FEATURES, np.array([False, False]), 1).to_pylist() == [None, None]


def test_of_several_classes_the_one_with_the_highest_score_is_explained():
    first, second = [0.1, 0.0, 0.0, 0.0], [0.0, 0.0, 3.0, -1.0]
    for shape in ((1, 8), (1, 2, 4)):
        found = explanations(np.array([*first, *second]).reshape(shape), FEATURES, np.array([True]), 1)
        assert found.to_pylist() == [[{"feature": "c", "contribution": 3.0}]]


def test_more_inputs_than_there_are_is_all_of_them():
    assert len(explanations(CONTRIBUTIONS, FEATURES, np.array([True, True]), 9).to_pylist()[0]) == 3


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (None, [True, True, True]),
        ("score >= 0.5", [False, True, False]),
        ("score<0.5", [True, False, False]),
        ("label == 'yes'", [False, True, False]),
        ("label != yes", [True, False, False]),
        ("my label == 2", [True, False, False]),
    ],
)
def test_a_condition_picks_rows_and_never_those_without_a_value(when, expected):
    columns = {
        "score": pa.array([0.1, 0.5, None]),
        "label": pa.array(["no", "yes", None]),
        "my label": pa.array([2, 3, None]),
    }
    assert Explain(when=when).rows(list(columns.items())).tolist() == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"top": 3}, "explain has 'top'.*It takes: top_k, when"),
        ({"top_k": 0}, "top_k=0; it must be a whole number from 1"),
        ({"top_k": "many"}, "top_k='many'"),
        ({"when": "score"}, "when='score', which cannot be read"),
        ({"when": 3}, "when=3, which cannot be read"),
    ],
)
def test_what_cannot_be_asked_for_is_named(given, text):
    with pytest.raises(ConfigurationError, match=text):
        parse_explain(given)


def test_nothing_asked_for_is_nothing():
    assert parse_explain({}) is None


@pytest.mark.parametrize("when", ["risk > 1", "score == yes"])
def test_a_condition_on_what_is_not_predicted_is_named(when):
    with pytest.raises(ConfigurationError, match="explain has when="):
        Explain(when=when).rows([("score", pa.array([0.1]))])


def test_a_condition_may_use_the_names_that_the_output_has():
    explain = Explain(when="risk >= 0.5", labels=("risk",))
    assert explain.rows([("predicted_label", pa.array([0.1, 0.9]))]).tolist() == [False, True]
