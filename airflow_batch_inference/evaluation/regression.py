"""How good predicted numbers are, by scikit-learn's metrics; a residual is actual - predicted."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from sklearn import metrics as sk

from airflow_batch_inference.evaluation.measuring import measure, named_functions
from airflow_batch_inference.records import OutputEvaluation, Residuals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FUNCTIONS = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "r2": sk.r2_score,
    "median_absolute_error": sk.median_absolute_error,
    "mape": sk.mean_absolute_percentage_error,
    "max_error": sk.max_error,
    "explained_variance": sk.explained_variance_score,
}
_QUANTILES = {"min": 0.0, "5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95, "max": 1.0}
_BINS = 32
_CELLS = 28
_TAIL = 0.005
"""Share of the rows at either end that may lie beyond the drawn range."""


def evaluate_numbers(
    actual: NDArray[np.float64],
    predicted: NDArray[np.float64],
    *,
    label_column: str,
    rows_without_label: int,
    wanted: Sequence[str],
) -> OutputEvaluation:
    """Return one output's metrics and what the report draws.

    Parameters
    ----------
    actual, predicted
        Shape (n,), at least one row.
    label_column, rows_without_label
        Kept in the result.
    wanted
        The metrics' names.
    """
    functions = {name: functools.partial(function, actual, predicted) for name, function in _FUNCTIONS.items()}
    metrics, undefined = measure({**named_functions(wanted, actual, predicted), **functions}, wanted)
    return OutputEvaluation(
        label_column=label_column,
        rows=len(actual),
        rows_without_label=rows_without_label,
        rows_of_unknown_class=0,
        classes=(),
        positive_class=None,
        metrics=metrics,
        undefined=undefined,
        per_class=(),
        confusion=None,
        curves=(),
        calibration=(),
        residuals=_residuals(actual, predicted),
    )


def _residuals(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> Residuals | None:
    finite = np.isfinite(predicted)
    actual, predicted = actual[finite], predicted[finite]
    with np.errstate(over="ignore"):
        errors = actual - predicted
    if not len(errors) or not np.isfinite(errors).all():
        return None
    low, high = _range(errors)
    counts, _ = np.histogram(errors.clip(low, high), bins=_BINS, range=(low, high))
    quantiles = np.quantile(errors, list(_QUANTILES.values()))
    start, end = _range(np.concatenate([actual, predicted]))
    inside = actual.clip(start, end), predicted.clip(start, end)
    density, _, _ = np.histogram2d(*inside, bins=_CELLS, range=((start, end), (start, end)))
    filled = np.argwhere(density)
    return Residuals(
        quantiles=dict(zip(_QUANTILES, quantiles.tolist(), strict=True)),
        low=low,
        high=high,
        counts=tuple(counts.tolist()),
        density_low=start,
        density_high=end,
        density_bins=_CELLS,
        density=tuple((int(i), int(j), int(density[i, j])) for i, j in filled),
    )


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return ends that all but a few values lie between; never the same number twice."""
    low, high = (float(value) for value in np.quantile(values, [_TAIL, 1.0 - _TAIL]))
    if high - low > abs(high) * 1e-9:
        return low, high
    margin = max(abs(low), 1.0) * 0.5
    return low - margin, high + margin
