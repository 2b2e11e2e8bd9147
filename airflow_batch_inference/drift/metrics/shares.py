"""Metrics of the shares that few bins have: of numbers and of categories."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from airflow_batch_inference.drift.metrics import distances
from airflow_batch_inference.drift.metrics.base import Metric
from airflow_batch_inference.drift.significance import js_squared_floor, psi_floor

if TYPE_CHECKING:
    from airflow_batch_inference.drift.metrics.base import Sample


class PopulationStabilityIndex(Metric):
    """The population stability index."""

    name: ClassVar[str] = "psi"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it, in nats."""
        return distances.population_stability_index(current.shares, reference.shares)

    def noise_floor(self, reference: Sample, current: Sample) -> float:
        """Return Yurdakul's mean."""
        return psi_floor(*_sizes(reference, current))


class JensenShannon(Metric):
    """The Jensen-Shannon distance."""

    name: ClassVar[str] = "js"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it, in base 2."""
        return _jensen_shannon(reference, current)

    def noise_floor(self, reference: Sample, current: Sample) -> float:
        """Return the root of the mean of its square."""
        return math.sqrt(js_squared_floor(*_sizes(reference, current)))


class CorrectedJensenShannon(Metric):
    """The Jensen-Shannon distance with what chance alone makes taken off."""

    name: ClassVar[str] = "js_corrected"
    heading: ClassVar[str] = "JS"
    hint: ClassVar[str] = "Jensen-Shannon distance, what chance makes taken off"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it, in base 2."""
        js = _jensen_shannon(reference, current)
        return math.sqrt(max(0.0, js * js - js_squared_floor(*_sizes(reference, current))))


class KullbackLeibler(Metric):
    """The Kullback-Leibler divergence of the current data from the reference."""

    name: ClassVar[str] = "kld"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it, in nats."""
        return distances.kl_divergence(current.shares, reference.shares)


class TotalVariation(Metric):
    """The total variation distance."""

    name: ClassVar[str] = "tvd"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it."""
        return distances.total_variation(current.shares, reference.shares)


class Hellinger(Metric):
    """The Hellinger distance."""

    name: ClassVar[str] = "hellinger"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it; equal shares are exactly 0, whatever rounding makes of their roots."""
        if np.array_equal(current.shares, reference.shares):
            return 0.0
        return distances.hellinger(current.shares, reference.shares)


class Chebyshev(Metric):
    """The largest difference of two shares."""

    name: ClassVar[str] = "linf"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it."""
        return distances.chebyshev(current.shares, reference.shares)


class ChiSquared(Metric):
    """Pearson's statistic of the counts."""

    name: ClassVar[str] = "chi2"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it."""
        return distances.chi_squared(current.bins, reference.bins)


@lru_cache(maxsize=1)  # two metrics of one column ask for it, one after the other
def _jensen_shannon(reference: Sample, current: Sample) -> float:
    return distances.jensen_shannon(current.shares, reference.shares)


def _sizes(reference: Sample, current: Sample) -> tuple[int, int, int]:
    """Return the number of bins, and the rows on both sides."""
    return len(current.bins), int(current.bins.sum()), int(reference.bins.sum())
