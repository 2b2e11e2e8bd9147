"""Every metric's name is known before anything is scored, and which way it is better."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from airflow_batch_inference.evaluation.names import (
    CLASSIFICATION,
    REGRESSION,
    function_of,
    greater_is_better,
    names_of,
    require_known,
)
from airflow_batch_inference.exceptions import ConfigurationError


def test_two_classes_have_a_positive_one_and_several_have_means():
    assert "f1" in names_of("classification", 2)
    assert "f1_macro" not in names_of("classification", 2)
    assert "f1" not in names_of("classification", 3)
    assert "f1_macro" in names_of("classification", 3)
    assert names_of("regression") == REGRESSION
    assert set(names_of(None)) == {*CLASSIFICATION, *REGRESSION}


def test_means_over_two_classes_may_be_asked_for():
    require_known(["f1_macro"], "metrics", "classification", 2)
    with pytest.raises(ConfigurationError, match=r"'f1' \(did you mean 'f1_macro'\?\).* with 3 classes"):
        require_known(["f1"], "metrics", "classification", 3)


def test_losses_and_errors_are_better_where_they_are_less():
    lower = {name for name in (*CLASSIFICATION, *REGRESSION) if not greater_is_better(name)}
    assert lower == {
        *("log_loss", "brier_score", "expected_calibration_error"),
        *("mae", "rmse", "mape", "median_absolute_error", "max_error"),
    }


def test_scikit_learns_own_scorers_agree_about_which_way_is_better():
    found = 0
    for name in sklearn.metrics.get_scorer_names():
        scorer = sklearn.metrics.get_scorer(name)
        function = scorer._score_func.__name__
        if function_of(function) is not None:
            found += 1
            assert greater_is_better(function) == (scorer._sign == 1), function
    assert found >= 20


def test_functions_are_those_that_take_labels_and_predictions_and_need_nothing_else():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 2, 50), rng.integers(0, 2, 50)
    assert function_of("hamming_loss")(truth, predicted) == sklearn.metrics.hamming_loss(truth, predicted)
    for name in (
        "fbeta_score",
        "roc_auc_score",
        "silhouette_score",
        "confusion_matrix",
        "get_scorer",
        "np",
        "__name__",
    ):
        assert function_of(name) is None, name
