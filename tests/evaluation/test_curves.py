"""Curves stay thin and keep their shape; bins and matrices lose no row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, average_precision_score, confusion_matrix, roc_auc_score

from airflow_batch_inference.evaluation.curves import (
    MOST_CLASSES,
    confusion,
    curves,
    expected_calibration_error,
    reliability,
    thinned,
)
from airflow_batch_inference.records import CalibrationBin


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.3
    return truth, np.clip(rng.normal(0.4, 0.2, 20_000) + 0.2 * truth, 0, 1)


def test_a_thinned_curve_has_at_most_200_points_and_the_same_area(scored):
    roc, precision_recall = curves("yes", *scored, (0.1, 0.2))
    assert (roc.kind, roc.name, roc.area, precision_recall.area) == ("roc", "yes", 0.1, 0.2)
    assert max(len(roc.x), len(precision_recall.x)) <= 200
    assert auc(roc.x, roc.y) == pytest.approx(roc_auc_score(*scored), abs=1e-3)
    assert auc(precision_recall.x, precision_recall.y) == pytest.approx(average_precision_score(*scored), abs=5e-3)
    assert ((roc.x[0], roc.y[0]), (roc.x[-1], roc.y[-1])) == ((0.0, 0.0), (1.0, 1.0))


def test_there_is_no_curve_of_a_class_that_is_all_or_nothing(scored):
    _, scores = scored
    assert curves("x", np.ones(20_000, bool), scores, (None, None)) == []
    assert curves("x", np.zeros(20_000, bool), scores, (None, None)) == []


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60), st.integers(2, 20))
@example([(0.0, 1.0), (0.0, 1e-241), (0.0, 0.0)], 2)
def test_thinning_keeps_both_ends_and_the_order(points, most):
    x, y = (np.array(side) for side in zip(*points, strict=True))
    kept = thinned(x, y, most)
    assert len(kept) <= max(most, 1)
    assert kept[0] == 0 or (x[kept[0]], y[kept[0]]) == (x[0], y[0])
    assert (x[kept[-1]], y[kept[-1]]) == (x[-1], y[-1])
    assert (np.diff(kept) > 0).all()


def test_reliability_is_scikit_learns_with_the_rows_of_each_bin(scored):
    truth, chance = scored
    bins = reliability(truth, chance)
    observed, predicted = calibration_curve(truth, chance, n_bins=10)
    assert [each.observed for each in bins] == observed.tolist()
    assert [each.predicted for each in bins] == predicted.tolist()
    assert sum(each.rows for each in bins) == len(truth)


def test_the_bins_ends_belong_to_the_bins_below_as_in_scikit_learn():
    truth, chance = np.array([True, False, True, False]), np.array([0.0, 0.1, 0.1000001, 1.0])
    assert [each.rows for each in reliability(truth, chance)] == [2, 1, 1]
    assert [each.observed for each in reliability(truth, chance)] == calibration_curve(truth, chance, n_bins=10)[
        0
    ].tolist()


def test_the_calibration_error_is_the_mean_over_rows():
    bins = [CalibrationBin(rows=30, predicted=0.2, observed=0.3), CalibrationBin(rows=10, predicted=0.9, observed=0.5)]
    assert expected_calibration_error(bins) == pytest.approx((30 * 0.1 + 10 * 0.4) / 40)


def test_a_matrix_of_very_many_classes_keeps_the_most_confused_ones_and_every_row():
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 60, 5000)
    predicted = np.where((actual < 5) & (rng.random(5000) < 0.8), (actual + 1) % 5, actual)
    found = confusion(actual, predicted, [f"c{i}" for i in range(60)])
    assert len(found.classes) == len(found.counts) == MOST_CLASSES
    assert found.classes[:5] == ("c0", "c1", "c2", "c3", "c4")
    assert (found.classes[-1], found.merged) == ("41 other classes", 41)
    assert np.sum(found.counts) == 5000
    whole = confusion_matrix(actual, predicted, labels=range(60))
    np.testing.assert_array_equal(np.array(found.counts)[:5, :5], whole[:5, :5])
