"""What may speak for drift of a column, and how likely chance alone would make it as large.

Invariants: nothing is judged here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_batch_inference.drift import significance
from airflow_batch_inference.drift.metrics.distances import g_statistic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_batch_inference.drift.metrics.base import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A number that may speak for drift, and how likely chance alone would make it as large."""

    name: Literal["distance", "divergence", "missing", "infinite", "range", "unseen"]
    value: float
    p: float


def share_evidence(
    name: Literal["missing", "infinite"], reference: tuple[int, int], current: tuple[int, int]
) -> Iterator[Evidence]:
    """Yield how far a share has changed, unless a side has no rows.

    Parameters
    ----------
    name
        Of the check.
    reference, current
        Rows of that kind, and all rows.
    """
    (before, reference_rows), (now, rows) = reference, current
    if rows and reference_rows:
        difference = abs(now / rows - before / reference_rows)
        p = significance.two_shares_p(now, rows, before, reference_rows)
        yield Evidence(name=name, value=difference, p=p)


def shape_evidence(reference: Sample, current: Sample, measured: Mapping[str, float]) -> Iterator[Evidence]:
    """Yield how far the distribution has moved and changed, as it was measured."""
    if "w1_sd" in measured:
        p = significance.kolmogorov_smirnov_p(measured["ks_low"], current.values, reference.values)
        yield Evidence(name="distance", value=measured["w1_sd"], p=p)
    g = g_statistic(current.bins, reference.bins)
    p = significance.chi_squared_p(g, len(current.bins) - 1)
    yield Evidence(name="divergence", value=measured["js_corrected"], p=p)


def range_evidence(reference: Sample, current: Sample) -> Evidence:
    """Return the share outside the reference's min and max, and how likely chance makes it so large."""
    now, edges = current.counts, current.edges
    low, high = float(reference.low or 0.0), float(reference.high or 0.0)
    below = int(now[: np.searchsorted(edges, low) + 1].sum())
    above = int(now[np.searchsorted(edges, math.nextafter(high, math.inf)) + 1 :].sum())
    n, m = current.values, reference.values
    p = 2 * min(significance.exceedance_p(outside, n, m) for outside in (below, above))
    return Evidence(name="range", value=(below + above) / n, p=min(1.0, p))


def unseen_evidence(reference: Sample, current: Sample) -> Evidence:
    """Return the share of categories that are new, and how likely it is; the reference names all that it had."""
    once = int(np.count_nonzero(reference.counts[:-1] == 1))
    new, n = int(current.counts[-1]), current.values
    return Evidence(name="unseen", value=new / n, p=significance.unseen_p(new, n, once, reference.values))
