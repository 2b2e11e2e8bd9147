"""A model is asked with the methods that tell most, and for metrics that it can have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_batch_inference.evaluation.limits import parse_thresholds
from airflow_batch_inference.evaluation.spec import EvaluationSpec
from airflow_batch_inference.exceptions import ConfigurationError

ALL = ("predict", "predict_proba", "decision_function")


def described(classes=None, class_names=None, inputs=None):
    return SimpleNamespace(name="churn", classes=classes, class_names=class_names, inputs=inputs)


@pytest.mark.parametrize(
    ("has", "classes", "asked", "expected"),
    [
        (ALL, (0, 1), {}, ("predict", "predict_proba")),
        (("predict", "decision_function"), (0, 1), {}, ("predict", "decision_function")),
        (("predict", "decision_function"), (0, 1, 2), {}, ("predict",)),
        (("predict", "decision_function"), None, {}, ("predict",)),
        (("predict", "predict_proba"), None, {}, ("predict_proba",)),
        (("predict",), (0, 1), {}, ("predict",)),
        (("predict",), None, {"problem": "classification"}, ("predict",)),
        (ALL, (0, 1), {"problem": "regression"}, ("predict",)),
        (ALL, None, {"label_columns": ("x", "y")}, ("predict",)),
    ],
)
def test_the_methods_are_those_that_tell_most(has, classes, asked, expected):
    spec = EvaluationSpec(**({"label_columns": ("y",)} | asked))
    assert spec.methods(SimpleNamespace(methods=has), classes) == expected


def test_classes_are_the_models_and_may_be_called_otherwise():
    spec = EvaluationSpec(label_columns=("y",), classes=("no", "yes"))
    assert (spec.known_classes(described((0, 1))).own, spec.known_classes(described((0, 1))).named) == (
        (0, 1),
        ("no", "yes"),
    )
    assert spec.known_classes(described()).own == ("no", "yes")
    plain = EvaluationSpec(label_columns=("y",)).known_classes(described((0, 1), ("bad", "good")))
    assert (plain.own, plain.named) == ((0, 1), ("bad", "good"))


def test_a_metric_with_a_limit_is_measured_even_where_others_were_chosen():
    spec = EvaluationSpec(label_columns=("y",), metrics=("mae",), limits=parse_thresholds({"r2": 0.5, "mae": 3}))
    assert spec.wanted("regression", None) == ("mae", "r2")
    with pytest.raises(ConfigurationError, match="no metric of a classification"):
        spec.wanted("classification", 2)


def test_an_input_is_no_label_however_its_name_is_written():
    inputs = [SimpleNamespace(name="petal_width")]
    spec = EvaluationSpec(label_columns=("petal width",))
    with pytest.raises(ConfigurationError, match="it would see the answer"):
        spec.require_possible(SimpleNamespace(methods=("predict",)), described(inputs=inputs))
