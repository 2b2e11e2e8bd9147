"""How good predicted classes and their probabilities are, by scikit-learn's metrics.

Invariants: rows of a class that the model never saw are compared and count as errors; and a metric that
has no meaning for the rows at hand (ROC AUC of one class alone) is left empty with the reason, never made up.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn import metrics as sk

from airflow_batch_inference.evaluation.curves import confusion, curves, expected_calibration_error, reliability
from airflow_batch_inference.evaluation.measuring import (
    Functions,
    UndefinedMetricError,
    measure,
    named_functions,
    number,
)
from airflow_batch_inference.records import ClassEvaluation, Curve, OutputEvaluation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from airflow_batch_inference.records import CalibrationBin

_TWO = 2
_MOST_CLASSES = 200
_DRAWN_CLASSES = 5
_POINTS_OF_SEVERAL = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedRows:
    """Rows with a label and a prediction.

    Attributes
    ----------
    actual, predicted
        Codes of classes, shape (n,); those from ``known`` on are classes that the model never saw.
    names
        The classes' names by code, those that the model never saw last.
    known
        How many classes the model knows; two are binary, and the second one is positive.
    probabilities
        Shape (n, known), or None.
    scores
        Of the positive class of two, larger for likelier ones, shape (n,); None: the probabilities, if any.
    decision
        The positive class was predicted for probabilities at or over it; None: the model itself predicted.
    """

    actual: NDArray[np.int64]
    predicted: NDArray[np.int64]
    names: tuple[str, ...]
    known: int
    probabilities: NDArray[np.float64] | None = None
    scores: NDArray[np.float64] | None = None
    decision: float | None = None

    @property
    def is_binary(self) -> bool:
        """Whether there is a positive class."""
        return self.known == _TWO

    def scores_of(self, code: int) -> NDArray[np.float64] | None:
        """Return how much the model says that rows are of a class; None where it does not say."""
        if code >= self.known:
            return None
        if self.probabilities is not None:
            return self.probabilities[:, code]
        if self.scores is None or not self.is_binary:
            return None
        return self.scores if code == 1 else -self.scores


def evaluate_classes(
    rows: ClassifiedRows, *, label_column: str, rows_without_label: int, wanted: Sequence[str]
) -> OutputEvaluation:
    """Return one output's metrics and what the report draws.

    Parameters
    ----------
    rows
        What to compare.
    label_column, rows_without_label
        Kept in the result.
    wanted
        The metrics' names.
    """
    bins = _bins(rows)
    areas = _areas(rows)
    functions = {
        **_named_functions(rows, wanted),
        **_class_functions(rows),
        **_probability_functions(rows, bins, areas),
    }
    metrics, undefined = measure(functions, wanted)
    return OutputEvaluation(
        label_column=label_column,
        rows=len(rows.actual),
        rows_without_label=rows_without_label,
        rows_of_unknown_class=int((rows.actual >= rows.known).sum()),
        classes=rows.names[: rows.known],
        positive_class=rows.names[1] if rows.is_binary else None,
        metrics=metrics,
        undefined=undefined,
        per_class=_per_class(rows, areas),
        confusion=confusion(rows.actual, rows.predicted, rows.names),
        curves=_curves(rows, areas),
        calibration=bins,
        residuals=None,
    )


def _named_functions(rows: ClassifiedRows, wanted: Sequence[str]) -> Functions:
    """Return scikit-learn's functions by name, with the classes' own values where they are numbers.

    A measure of distance between classes that are no numbers has no value.
    """
    try:
        values = np.array([float(name) for name in rows.names])
    except ValueError:
        found = named_functions(wanted, rows.actual, rows.predicted)
        return {name: _no_numbers if _is_distance(name) else function for name, function in found.items()}
    return named_functions(wanted, values[rows.actual], values[rows.predicted])


def _is_distance(name: str) -> bool:
    return name.endswith(("_error", "_deviance", "_loss_error")) or name in ("r2_score", "explained_variance_score")


def _no_numbers() -> float:
    message = "it measures distances between numbers, and the classes are no numbers."
    raise ValueError(message)


def _class_functions(rows: ClassifiedRows) -> Functions:
    actual, predicted = rows.actual, rows.predicted
    found: Functions = {
        "accuracy": functools.partial(sk.accuracy_score, actual, predicted),
        "balanced_accuracy": functools.partial(sk.balanced_accuracy_score, actual, predicted),
        "matthews_corrcoef": functools.partial(sk.matthews_corrcoef, actual, predicted),
    }
    scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    for name, score in scores.items():
        if rows.is_binary:
            found[name] = functools.partial(_of_positive, score, actual, predicted)
        for average in ("macro", "weighted"):
            found[f"{name}_{average}"] = functools.partial(score, actual, predicted, average=average, zero_division=0.0)
    return found


def _of_positive(score: functools.partial[float], actual: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return a score of the class with code 1, whatever other classes there are."""
    values = score(actual, predicted, labels=[1], average=None, zero_division=np.nan)
    return float(values[0])  # type: ignore[index]  # mypy: an array, with average=None


def _probability_functions(
    rows: ClassifiedRows, bins: tuple[CalibrationBin, ...], areas: list[tuple[float | None, float | None]]
) -> Functions:
    found: Functions = {
        "roc_auc": functools.partial(_mean_area, rows, areas, 0),
        "average_precision": functools.partial(_mean_area, rows, areas, 1),
    }
    probabilities = rows.probabilities
    if probabilities is None:
        names = ("log_loss", "brier_score", "expected_calibration_error")
        return found | {name: functools.partial(_without, "The model gives no probabilities.") for name in names}
    if rows.is_binary:
        positive, chance = rows.actual == 1, probabilities[:, 1]
        found["log_loss"] = functools.partial(sk.log_loss, positive, chance, labels=[False, True])
        found["brier_score"] = functools.partial(sk.brier_score_loss, positive, chance, pos_label=True)
    else:
        codes = np.arange(len(rows.names))
        # A class that the model never saw has the probability 0.
        wide = np.pad(probabilities, ((0, 0), (0, len(codes) - rows.known)))
        found["log_loss"] = functools.partial(sk.log_loss, rows.actual, wide, labels=codes)
        found["brier_score"] = functools.partial(sk.brier_score_loss, rows.actual, wide, labels=codes)
    found["expected_calibration_error"] = functools.partial(_calibration_error, bins)
    return found


def _without(reason: str) -> float:
    raise UndefinedMetricError(reason)


def _calibration_error(bins: tuple[CalibrationBin, ...]) -> float:
    return expected_calibration_error(bins) if bins else _without("The model's outputs are no probabilities.")


def _areas(rows: ClassifiedRows) -> list[tuple[float | None, float | None]]:
    """Return ROC AUC and average precision of each class that the model knows, against all others."""
    found: list[tuple[float | None, float | None]] = []
    for code in range(rows.known):
        scores, is_class = rows.scores_of(code), rows.actual == code
        if scores is None or not is_class.any():
            found.append((None, None))
            continue
        auc = None if is_class.all() else number(functools.partial(sk.roc_auc_score, is_class, scores))
        found.append((auc, number(functools.partial(sk.average_precision_score, is_class, scores))))
    return found


def _mean_area(rows: ClassifiedRows, areas: list[tuple[float | None, float | None]], which: int) -> float:
    """Return the positive class's area, or the mean over the classes among the labels (one against the rest)."""
    if rows.scores_of(1 if rows.is_binary else 0) is None:
        return _without("The model gives neither probabilities nor scores.")
    of = areas[1:] if rows.is_binary else areas
    values = [area[which] for area in of if area[which] is not None]
    if not values:
        present = {rows.names[code] for code in np.unique(rows.actual)}
        return _without(f"All labels are of the class {' and '.join(sorted(present))}: there is nothing to tell apart.")
    return sum(values) / len(values)  # type: ignore[arg-type]  # mypy: None is left out above


def _bins(rows: ClassifiedRows) -> tuple[CalibrationBin, ...]:
    """Return the reliability of the positive class's probability, or of the confidence in the predicted class."""
    if rows.probabilities is None:
        return ()
    if rows.is_binary:
        happened, chance = rows.actual == 1, rows.probabilities[:, 1]
    else:
        top = rows.probabilities.argmax(axis=1)
        happened, chance = rows.actual == top, rows.probabilities.max(axis=1)
    if chance.min() < 0 or chance.max() > 1:
        return ()
    return reliability(happened, chance)


def _per_class(rows: ClassifiedRows, areas: list[tuple[float | None, float | None]]) -> tuple[ClassEvaluation, ...]:
    """Return each class against all others; of very many those with most rows."""
    codes = np.arange(len(rows.names))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        rows.actual, rows.predicted, labels=codes, average=None, zero_division=np.nan
    )
    found = []
    for code in np.sort(np.argsort(-support, kind="stable")[:_MOST_CLASSES]):
        metrics = {
            "precision": _finite(precision[code]),
            "recall": _finite(recall[code]),
            "f1": _finite(f1[code]),
        }
        if code < rows.known and rows.scores_of(code) is not None:
            metrics |= dict(zip(("roc_auc", "average_precision"), areas[code], strict=True))
        if code < rows.known and rows.probabilities is not None:
            brier = functools.partial(
                sk.brier_score_loss, rows.actual == code, rows.probabilities[:, code], pos_label=True
            )
            metrics["brier_score"] = number(brier)
        found.append(ClassEvaluation(name=rows.names[code], rows=int(support[code]), metrics=metrics))
    return tuple(found)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _curves(rows: ClassifiedRows, areas: list[tuple[float | None, float | None]]) -> tuple[Curve, ...]:
    """Return the positive class's curves, or those of the classes with most rows."""
    if rows.is_binary:
        scores = rows.scores_of(1)
        return () if scores is None else tuple(curves(rows.names[1], rows.actual == 1, scores, areas[1]))
    counts = np.bincount(rows.actual, minlength=len(rows.names))[: rows.known]
    drawn = np.sort(np.argsort(-counts, kind="stable")[:_DRAWN_CLASSES])
    found: list[Curve] = []
    for code in drawn:
        scores = rows.scores_of(int(code))
        if scores is not None:
            is_class = rows.actual == code
            found += curves(rows.names[code], is_class, scores, areas[code], points=_POINTS_OF_SEVERAL)
    return tuple(found)
