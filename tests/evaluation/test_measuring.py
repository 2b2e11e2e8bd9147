"""A metric is a finite number, or it has a reason why not."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from airflow_batch_inference.evaluation.measuring import mean_of, measure, named_functions, number
from airflow_batch_inference.evaluation.regression import evaluate_numbers


def failing():
    raise ValueError("Two   lines\nof reason")


def warning():
    warnings.warn("Only one class.", UserWarning, stacklevel=1)
    return float("nan")


def test_what_is_no_finite_number_has_a_reason_in_one_line():
    functions = {"a": lambda: np.float32(0.5), "b": failing, "c": warning, "d": lambda: float("inf")}
    metrics, undefined = measure(functions, ["a", "b", "c", "d", "e"])
    assert metrics == {"a": 0.5, "b": None, "c": None, "d": None, "e": None}
    assert undefined == {
        "b": "Two lines of reason.",
        "c": "Only one class.",
        "d": "scikit-learn gives no finite number for these rows.",
        "e": "It is none of this model's.",
    }


def test_measuring_warns_nobody_and_hides_no_mistake_of_the_code():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert number(warning) is None
    with pytest.raises(KeyError):
        number(lambda: {}["x"])


def test_functions_of_scikit_learn_are_called_with_labels_first():
    functions = named_functions(["mean_pinball_loss", "mae"], [1.0, 2.0], [1.0, 4.0])
    assert set(functions) == {"mean_pinball_loss"}
    assert functions["mean_pinball_loss"]() == 0.5


def test_a_mean_over_outputs_needs_every_output():
    one = evaluate_numbers(
        np.array([1.0, 2.0]), np.array([1.5, 2.5]), label_column="one", rows_without_label=0, wanted=["mae", "r2"]
    )
    two = replace(one, label_column="two", metrics={"mae": 1.5, "r2": None}, undefined={"r2": "Why."})
    metrics, undefined = mean_of([one, two], ["mae", "r2"])
    assert metrics == {"mae": 1.0, "r2": None}
    assert undefined == {"r2": "Output 'two': Why."}
