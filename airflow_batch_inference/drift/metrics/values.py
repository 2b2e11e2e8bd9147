"""Metrics of the order and the distances of a numeric column's values, on fine bins."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from airflow_batch_inference.drift.bins import is_one_point
from airflow_batch_inference.drift.metrics import distances
from airflow_batch_inference.drift.metrics.base import Kind, Metric
from airflow_batch_inference.drift.significance import wasserstein_floor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_batch_inference.drift.metrics.base import Sample


class KolmogorovSmirnovLow(Metric):
    """The least that the two-sample Kolmogorov-Smirnov distance of the values can be."""

    name: ClassVar[str] = "ks_low"
    kind: ClassVar[Kind] = "numeric"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return the lower end of its interval."""
        return _interval(reference, current)[0]


class KolmogorovSmirnovHigh(Metric):
    """The most that the two-sample Kolmogorov-Smirnov distance of the values can be."""

    name: ClassVar[str] = "ks_high"
    kind: ClassVar[Kind] = "numeric"
    heading: ClassVar[str] = "KS"
    hint: ClassVar[str] = "Kolmogorov-Smirnov distance, at most"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return the upper end of its interval."""
        return _interval(reference, current)[1]


class Wasserstein(Metric):
    """The Wasserstein-1 distance, in the column's unit."""

    name: ClassVar[str] = "w1"
    kind: ClassVar[Kind] = "numeric"

    def measure(self, reference: Sample, current: Sample) -> float | None:
        """Return it; None where a bin's mean is not known, or it is too large for a number."""
        return _moved(reference, current)


class StandardizedWasserstein(Metric):
    """The Wasserstein-1 distance in standard deviations of the reference.

    What lies more than a range outside the reference's range counts as there: one outlier is no shift.
    """

    name: ClassVar[str] = "w1_sd"
    kind: ClassVar[Kind] = "numeric"
    heading: ClassVar[str] = "W1/sd"
    hint: ClassVar[str] = "Wasserstein-1 distance in standard deviations of the reference"

    def measure(self, reference: Sample, current: Sample) -> float | None:
        """Return it; where only the reference's mean is known, how far the means are apart: the least it can be."""
        if not reference.std:
            return None
        near = _clipped(current.means, reference)
        if np.isnan(reference.means).any():
            if reference.mean is None:
                return None
            return _finite(abs(float(near @ current.weights) - reference.mean) / reference.std)
        if _moved(reference, current) is None:
            return None
        distance = _distance(near, reference, current)
        return None if distance is None else _finite(distance / reference.std)

    def noise_floor(self, reference: Sample, current: Sample) -> float | None:
        """Return the mean of the distance by del Barrio, Giné and Matrán, in the same unit."""
        if not reference.std or _moved(reference, current) is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            up_to = np.cumsum(reference.weights)
            floor = wasserstein_floor(reference.means, up_to, current.values, reference.values)
            return _finite(floor / reference.std)


# Several metrics of one column ask for the same numbers, one after the other.
@lru_cache(maxsize=1)
def _interval(reference: Sample, current: Sample) -> tuple[float, float]:
    edges = current.edges
    one_point = np.concatenate([[False], is_one_point(edges), [False]]) if len(edges) else np.array([False])
    return distances.kolmogorov_smirnov(current.counts, reference.counts, one_point)


@lru_cache(maxsize=1)
def _moved(reference: Sample, current: Sample) -> float | None:
    if not (np.isfinite(current.means).all() and np.isfinite(reference.means).all()):
        return None
    return _distance(current.means, reference, current)


def _distance(means: NDArray[np.float64], reference: Sample, current: Sample) -> float | None:
    with np.errstate(over="ignore", invalid="ignore"):
        return _finite(distances.wasserstein(means, current.weights, reference.means, reference.weights))


def _clipped(means: NDArray[np.float64], reference: Sample) -> NDArray[np.float64]:
    low, high = float(reference.low or 0.0), float(reference.high or 0.0)
    clipped: NDArray[np.float64] = np.clip(means, low - (high - low), high + (high - low))
    return clipped


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
