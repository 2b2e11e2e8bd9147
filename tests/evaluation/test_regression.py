"""Numbers that no metric can be made of have none, and a reason; pictures keep every row."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_batch_inference.evaluation.names import REGRESSION
from airflow_batch_inference.evaluation.regression import evaluate_numbers


def evaluated(actual, predicted):
    return evaluate_numbers(
        np.array(actual, float), np.array(predicted, float), label_column="y", rows_without_label=0, wanted=REGRESSION
    )


def test_r2_of_a_single_row_has_no_value_and_a_reason():
    found = evaluated([1.0], [1.5])
    assert (found.metrics["mae"], found.metrics["r2"]) == (0.5, None)
    assert "two samples" in found.undefined["r2"]


def test_an_infinite_prediction_leaves_no_metric():
    found = evaluated([1.0, 2.0, 3.0], [1.0, np.inf, 3.0])
    assert set(found.metrics.values()) == {None}
    assert "infinity" in found.undefined["rmse"]
    assert sum(found.residuals.counts) == 2


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e300])
def test_pictures_have_a_width_however_alike_and_large_the_values_are(size):
    found = evaluated([size, size, size], [size, size, size]).residuals
    assert found.high > found.low
    assert found.density_high > found.density_low
    assert sum(found.counts) == sum(rows for _, _, rows in found.density) == 3


def test_outliers_do_not_squeeze_the_picture_and_count_at_its_ends():
    rng = np.random.default_rng(0)
    actual = rng.normal(size=5000)
    predicted = actual + rng.normal(size=5000)
    predicted[0] = 1e6
    found = evaluated(actual, predicted).residuals
    assert -4 < found.low < found.high < 4
    assert sum(found.counts) == 5000
    assert found.quantiles["min"] == pytest.approx(-1e6, rel=1e-3)
