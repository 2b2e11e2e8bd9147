"""Performance estimated without labels (CBPE): what calibrated scores say of their own errors.

A score of 0.9 that is right nine times out of ten expects 0.9 hits and 0.1 misses of its row. Summed over the rows
that gives the expected confusion matrix. Source: NannyML, "Confidence-based performance estimation"; its estimates
are met to 1e-4 from the score column's bins.

Invariants: it sees errors that the scores show; where the relation of inputs and labels itself has changed (concept
drift) it sees nothing, and nobody may be told otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.drift.packing import pack, unpack_counts, unpack_numbers
from airflow_batch_inference.records import Calibration, NumericBaseline, NumericProfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_batch_inference.records import BaselineRecord, Profile

_MOST_KNOTS = 1024
_FOLDS = 10
_BINS = 10
_PERFECT = 0.999


def estimated_performance(baseline: BaselineRecord, profile: Profile) -> dict[str, float]:
    """Return the estimated ``accuracy``, ``f1`` and ``roc_auc`` of a batch; empty where nothing is calibrated."""
    calibration = baseline.calibration
    if calibration is None:
        return {}
    name = calibration.score_column
    reference = next((column for column in baseline.columns if column.profile.name == name), None)
    current = next((column for column in profile.columns if column.name == name), None)
    if not isinstance(reference, NumericBaseline) or not isinstance(current, NumericProfile):
        return {}
    counts = unpack_counts(current.counts)
    filled = counts > 0
    if not filled.any():
        return {}
    scores = unpack_numbers(current.sums)[filled] / counts[filled]
    weights = counts[filled].astype(np.float64)
    return expected_performance(scores, weights, calibrated(scores, calibration), calibration.decision)


def score_edges(calibration: Calibration) -> NDArray[np.float64]:
    """Return further edges for the score's bins, so that sums over bins are exact: the decision and the curve's points.

    Between two of them the curve is linear, so that its value at a bin's mean score is its mean in the bin.
    """
    points = unpack_numbers(calibration.scores)
    if len(points) > _MOST_KNOTS:
        points = points[np.linspace(0, len(points) - 1, _MOST_KNOTS).astype(int)]
    return np.union1d(points, [calibration.decision])


def calibrated(scores: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Return the share of the positive label at each score."""
    points = unpack_numbers(calibration.scores)
    if not len(points):
        return np.clip(scores, 0.0, 1.0)
    rates: NDArray[np.float64] = np.interp(scores, points, unpack_numbers(calibration.rates))
    return rates


def expected_performance(
    scores: NDArray[np.float64], weights: NDArray[np.float64], rates: NDArray[np.float64], decision: float
) -> dict[str, float]:
    """Return accuracy, F1 and ROC AUC to be expected of scores whose share of positives is known.

    With TP = sum of rates over the rows predicted positive, FP = their sum of 1 - rates, and so on: accuracy =
    (TP + TN) / n, F1 = 2 TP / (2 TP + FP + FN), and the area under the curve of TP rate over FP rate as the decision
    moves through the rates (trapezoids).

    Parameters
    ----------
    scores
        Of rows or of bins, shape (n,).
    weights
        How many rows each stands for, shape (n,).
    rates
        The share of the positive label, in [0, 1], shape (n,).
    decision
        The positive label is predicted for scores at or over it.

    Examples
    --------
    >>> found = expected_performance(np.array([0.2, 0.9]), np.ones(2), np.array([0.2, 0.9]), 0.5)
    >>> {name: round(value, 4) for name, value in found.items()}
    {'accuracy': 0.85, 'f1': 0.8571, 'roc_auc': 0.8535}
    """
    positive = scores >= decision
    tp, fn = float((rates * weights)[positive].sum()), float((rates * weights)[~positive].sum())
    fp, tn = float(((1 - rates) * weights)[positive].sum()), float(((1 - rates) * weights)[~positive].sum())
    found = {"accuracy": (tp + tn) / (tp + tn + fp + fn)}
    if 2 * tp + fp + fn > 0:
        found["f1"] = 2 * tp / (2 * tp + fp + fn)
    if tp + fn > 0 and fp + tn > 0:
        found["roc_auc"] = _area(weights, rates)
    return found


def _area(weights: NDArray[np.float64], rates: NDArray[np.float64]) -> float:
    """Return the area under the expected ROC curve, the decision moving down through the rates."""
    distinct, place = np.unique(rates, return_inverse=True)
    rows = np.bincount(place, weights=weights)[::-1]
    hits, misses = np.cumsum(distinct[::-1] * rows), np.cumsum((1 - distinct[::-1]) * rows)
    tpr, fpr = np.append(0.0, hits / hits[-1]), np.append(0.0, misses / misses[-1])
    return float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))


def fit_calibration(
    scores: NDArray[np.float64],
    labels: NDArray[np.bool_],
    *,
    score_column: str,
    target_column: str,
    positive: str,
    decision: float = 0.5,
) -> Calibration:
    """Fit the share of the positive label to the scores where that is needed, and measure the reference's performance.

    Parameters
    ----------
    scores
        Shape (n,), finite, in [0, 1].
    labels
        Shape (n,): whether the label was the positive one; both must be there.
    score_column, target_column, positive, decision
        Kept in the record.
    """
    points = rates = np.empty(0)
    if _needs_calibration(scores, labels):
        points, rates = _isotonic(scores, labels)
    return Calibration(
        score_column=score_column,
        target_column=target_column,
        positive=positive,
        decision=decision,
        scores=pack(points),
        rates=pack(rates),
        performance=_performance(scores, labels, decision),
    )


def _needs_calibration(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> bool:
    """Say whether isotonic regression brings the scores closer to the labels on rows that it has not seen.

    As NannyML decides: ten stratified splits of 90 and 10 % of the rows, and the expected calibration error over ten
    bins of equal counts, of all test rows together, before and after.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedShuffleSplit

    if min(labels.sum(), (~labels).sum()) < _FOLDS or roc_auc_score(labels, scores) > _PERFECT:
        return False
    splits = StratifiedShuffleSplit(n_splits=_FOLDS, test_size=0.1, random_state=42).split(scores, labels)
    before, after, truth = [], [], []
    for train, test in splits:
        points, rates = _isotonic(scores[train], labels[train])
        before.append(scores[test])
        after.append(np.interp(scores[test], points, rates))
        truth.append(labels[test].astype(np.float64))
    true = np.concatenate(truth)
    return _calibration_error(np.concatenate(before), true) > _calibration_error(np.concatenate(after), true)


def _calibration_error(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Return the expected calibration error: the mean over bins of |mean score - share of the positive label|."""
    order = np.argsort(scores, kind="stable")
    bins = zip(np.array_split(scores[order], _BINS), np.array_split(labels[order], _BINS), strict=True)
    return sum(len(part) * abs(float(part.mean()) - float(truth.mean())) for part, truth in bins) / len(scores)


def _isotonic(
    scores: NDArray[np.float64], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(out_of_bounds="clip").fit(scores, labels.astype(np.float64))
    return np.asarray(curve.X_thresholds_, dtype=np.float64), np.asarray(curve.y_thresholds_, dtype=np.float64)


def _performance(scores: NDArray[np.float64], labels: NDArray[np.bool_], decision: float) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    predicted = scores >= decision
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, zero_division=0.0)),
        "roc_auc": float(roc_auc_score(labels, scores)),
    }
