"""A metric of somebody else's: how far the median's bin has moved, in bins of the reference's histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from airflow_batch_inference.drift.metrics.base import Kind, Metric

if TYPE_CHECKING:
    from airflow_batch_inference.drift.metrics.base import Sample


class MedianShift(Metric):
    """The distance of the medians, in bins of the equal-width histogram."""

    name: ClassVar[str] = "median_shift"
    kind: ClassVar[Kind] = "numeric"
    heading: ClassVar[str] = "Median"
    hint: ClassVar[str] = "bins that the median has moved by"

    def measure(self, reference: Sample, current: Sample) -> float:
        """Return it."""
        return float(abs(_middle(current) - _middle(reference)))


def _middle(side: Sample) -> int:
    """Return the bin that half of the values are in or below."""
    return int(np.searchsorted(np.cumsum(side.histogram), side.values / 2))
