"""What a metric is, and the two sides of a column that it measures.

Invariants: no thresholds, no state, no NaN out of finite input: metrics measure, rules judge.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from airflow_batch_inference.records import BaselineRecord, ColumnDrift

Kind = Literal["numeric", "categorical", "any"]
_SMOOTHING = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)  # by identity, so that what two metrics share is found again
class Sample:
    """One side of a column, counted on the bins of its reference.

    Attributes
    ----------
    rows, missing
        All rows, and those without a value.
    counts
        Of values on the fine bins, shape (k + 1,): below the first of ``edges``, between them, from the last one on;
        for categories, those of the reference and all others.
    edges
        Of the fine bins, increasing, shape (k,); empty for categories.
    sums
        Of the values in each fine bin, shape (k + 1,); NaN where nobody knows; empty for categories.
    bins
        Counts on few bins with enough rows each, the same for both sides, shape (bins,); the last one may hold missing
        and infinite values.
    histogram
        Counts on the reference's equal-width histogram, shape (j,); for categories, ``counts``.
    low, high, mean, std
        Of the finite values; None for categories, and where it is not known.
    """

    rows: int
    missing: int
    counts: NDArray[np.int64]
    bins: NDArray[np.int64]
    histogram: NDArray[np.int64]
    edges: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    sums: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None

    @cached_property
    def values(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Shares of ``bins``, with half a row more in each, so that an empty one makes nothing infinite."""
        shares: NDArray[np.float64] = (self.bins + _SMOOTHING) / (self.bins.sum() + _SMOOTHING * len(self.bins))
        return shares

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """The mean of each fine bin that has values."""
        filled = self.counts > 0
        means: NDArray[np.float64] = self.sums[filled] / self.counts[filled]
        return means

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """The share of each fine bin that has values."""
        weights: NDArray[np.float64] = self.counts[self.counts > 0] / self.counts.sum()
        return weights


class Metric(ABC):
    """How far the current values of a column are from the reference's: a subclass has a name and :meth:`measure`.

    Attributes
    ----------
    name
        By which records hold it.
    kind
        Which columns it is for.
    heading, hint
        Over its values in reports, and what they mean; without a heading it stands in records alone.
    overall_heading
        Beside its value of the whole dataset in a report.
    needs_values
        Whether both sides must have values; else it is measured where the reference has some and there are current
        rows.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind] = "any"
    heading: ClassVar[str] = ""
    hint: ClassVar[str] = ""
    overall_heading: ClassVar[str] = ""
    needs_values: ClassVar[bool] = True

    @abstractmethod
    def measure(self, reference: Sample, current: Sample) -> float | None:
        """Return the value; None where there is none. For an infinite one the rule's ``inf_capping`` stands."""

    def noise_floor(self, reference: Sample, current: Sample) -> float | None:  # noqa: ARG002  # not every metric's
        """Return what it is on average where nothing has changed; None where nobody knows."""
        return None

    def overall(self, columns: Sequence[ColumnDrift], baseline: BaselineRecord) -> float | None:  # noqa: ARG002
        """Return its value of the whole dataset; None where it has none."""
        return None
