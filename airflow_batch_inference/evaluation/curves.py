"""What the report draws: ROC and precision-recall curves, reliability bins, the confusion matrix; all kept thin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from airflow_batch_inference.records import CalibrationBin, Confusion, Curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_CLASSES = 20
_POINTS = 200
_BINS = 10
_DIGITS = 4


def curves(
    name: str,
    is_class: NDArray[np.bool_],
    scores: NDArray[np.float64],
    areas: tuple[float | None, float | None],
    *,
    points: int = _POINTS,
) -> list[Curve]:
    """Return a class's ROC curve and precision-recall curve; none where it is every row's, or no row's.

    Parameters
    ----------
    name
        The class.
    is_class, scores
        Whether a row is of it, and how much the model says so, shape (n,).
    areas
        ROC AUC and average precision.
    points
        At most so many are kept of each curve.
    """
    if not is_class.any() or is_class.all():
        return []
    fpr, tpr, _ = roc_curve(is_class, scores)
    precision, recall, _ = precision_recall_curve(is_class, scores)
    found = (("roc", fpr, tpr), ("precision_recall", recall[::-1], precision[::-1]))
    return [
        Curve(kind=kind, name=name, area=area, x=_rounded(x[kept]), y=_rounded(y[kept]))  # type: ignore[arg-type]  # mypy: kind is any text
        for (kind, x, y), area in zip(found, areas, strict=True)
        for kept in [thinned(x, y, points)]
    ]


def thinned(x: NDArray[np.float64], y: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return which points of a line to keep: about the same way apart, with both ends, shape (at most ``most``,).

    Examples
    --------
    >>> thinned(np.arange(5.0), np.zeros(5), 3).tolist()
    [0, 2, 4]
    """
    if len(x) <= most:
        return np.arange(len(x))
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    kept = np.searchsorted(way, np.linspace(0.0, way[-1], most)).clip(0, len(x) - 1)
    kept[-1] = len(x) - 1  # where the last steps are too short to lengthen the way
    return np.unique(kept)


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.round(values, _DIGITS).tolist())


def reliability(happened: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> tuple[CalibrationBin, ...]:
    """Return the filled ones of ten bins of probabilities of equal width, as ``calibration_curve`` makes them.

    Parameters
    ----------
    happened
        Whether it came true, shape (n,).
    probabilities
        From 0 to 1, shape (n,).

    Raises
    ------
    ValueError
        Probabilities beyond 0 and 1.
    """
    observed, predicted = calibration_curve(happened, probabilities, n_bins=_BINS, pos_label=True)
    place = np.searchsorted(np.linspace(0.0, 1.0, _BINS + 1)[1:-1], probabilities)  # as calibration_curve does
    rows = np.bincount(place, minlength=_BINS)
    return tuple(
        CalibrationBin(rows=int(count), predicted=float(mean), observed=float(share))
        for count, mean, share in zip(rows[rows > 0], predicted, observed, strict=True)
    )


def expected_calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Return the mean over rows of how far a bin's promise is from what came: sum over bins of n_b / n * |o_b - p_b|.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning" (AAAI 2015),
    equation 1; for several classes with the confidence in the predicted class, as Guo, Pleiss, Sun and Weinberger, "On
    Calibration of Modern Neural Networks" (ICML 2017), equation 3.
    """
    rows = sum(each.rows for each in bins)
    return sum(each.rows * abs(each.observed - each.predicted) for each in bins) / rows


def confusion(actual: NDArray[np.int64], predicted: NDArray[np.int64], names: Sequence[str]) -> Confusion:
    """Return the confusion matrix; of very many classes those most often confused, and the others as one.

    Parameters
    ----------
    actual, predicted
        Codes of classes, shape (n,).
    names
        The classes' names, by code.
    """
    counts = confusion_matrix(actual, predicted, labels=np.arange(len(names)))
    if len(names) <= MOST_CLASSES:
        return Confusion(classes=tuple(names), counts=_plain(counts), merged=0)
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    shown = np.sort(np.argsort(-wrong, kind="stable")[: MOST_CLASSES - 1])
    group = np.full(len(names), len(shown))
    group[shown] = np.arange(len(shown))
    merged = np.zeros((len(shown) + 1, len(shown) + 1), dtype=np.int64)
    np.add.at(merged, (group[:, None], group[None, :]), counts)
    others = len(names) - len(shown)
    classes = (*(names[code] for code in shown), f"{others} other classes")
    return Confusion(classes=classes, counts=_plain(merged), merged=others)


def _plain(counts: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in counts.tolist())
