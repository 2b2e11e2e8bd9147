"""MLRun's numbers of a column, on the 20 equal-width bins of its histogram.

Invariants: they are MLRun's to 1e-12; equal data are exactly 0, and data without any value are as far away as can be.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from airflow_batch_inference.drift.metrics.base import Metric
from airflow_batch_inference.drift.metrics.distances import hellinger, total_variation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from airflow_batch_inference.drift.metrics.base import Sample
    from airflow_batch_inference.records import BaselineRecord, ColumnDrift

_ZERO_SHARE = 1e-4


class MlrunTotalVariation(Metric):
    """MLRun's ``tvd``."""

    name: ClassVar[str] = "mlrun_tvd"
    needs_values: ClassVar[bool] = False

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it; 1 where nothing is in common, and no bin to measure it by."""
        if not current.values:
            return 1.0
        return total_variation(*_shares(reference, current))


class MlrunHellinger(Metric):
    """MLRun's ``hellinger``."""

    name: ClassVar[str] = "mlrun_hellinger"
    needs_values: ClassVar[bool] = False

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it; rounding in the square roots must not show where both sides are equal."""
        if not current.values:
            return 1.0
        p, q = _shares(reference, current)
        return 0.0 if np.array_equal(p, q) else hellinger(p, q)


class MlrunKullbackLeibler(Metric):
    """MLRun's ``kld``."""

    name: ClassVar[str] = "mlrun_kld"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it, in nats."""
        p, q = _shares(reference, current)
        return 0.0 if np.array_equal(p, q) else kl_divergence_symmetric(p, q)


class MlrunDrift(Metric):
    """MLRun's drift of a column, the mean of both distances."""

    name: ClassVar[str] = "mlrun_drift"
    heading: ClassVar[str] = "MLRun"
    hint: ClassVar[str] = "(total variation + Hellinger) / 2 on MLRun's bins"
    overall_heading: ClassVar[str] = "MLRun's metric"
    needs_values: ClassVar[bool] = False

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it, in [0, 1]."""
        return drift_score(
            MlrunTotalVariation().measure(reference, current), MlrunHellinger().measure(reference, current)
        )

    def overall(self, columns: Sequence[ColumnDrift], baseline: BaselineRecord) -> float | None:
        """Return MLRun's drift metric: (mean TVD + mean Hellinger) / 2 over the columns that have numbers.

        MLRun compares predictions with a column of the sample set: where there was none, it has nothing to compare.
        """
        left_out = baseline.predictions if baseline.scored else ()
        measured = [column.metrics for column in columns if self.name in column.metrics and column.name not in left_out]
        if not measured:
            return None
        names = (MlrunTotalVariation.name, MlrunHellinger.name)
        return drift_score(*(math.fsum(each[name] for each in measured) / len(measured) for name in names))


def _shares(reference: Sample, current: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the shares of all values in each bin: less than 1 in all where those outside are left out."""
    return current.histogram / current.values, reference.histogram / reference.values


def kl_divergence_symmetric(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return MLRun's symmetric Kullback-Leibler divergence, KL'(p, q) + KL'(q, p), in nats.

    KL'(a, b) is the sum over a > 0 of a ln(a / b), where a b of 0 stands as 1e-4. Source: MLRun's ``kld``. Shares that
    do not sum to 1 can make it negative.

    Examples
    --------
    >>> round(kl_divergence_symmetric(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 6)
    0.274653
    """
    return _one_sided(p, q) + _one_sided(q, p)


def _one_sided(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    present = a > 0
    floored = np.where(b[present] > 0, b[present], _ZERO_SHARE)
    return float(np.sum(a[present] * np.log(a[present] / floored)))


def drift_score(tvd: float, hellinger_distance: float) -> float:
    """Return MLRun's drift of a column, (TVD + Hellinger) / 2, in [0, 1].

    Examples
    --------
    >>> drift_score(0.5, 1.0)
    0.75
    """
    return (tvd + hellinger_distance) / 2
