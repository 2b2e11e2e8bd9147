"""One column against its reference: the distances, what they do not show, and how likely chance is.

What must not be relaxed: identical data is exactly 0; a comparison that makes no sense has a reason, never a number;
nothing is judged here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.drift import metrics, significance
from airflow_batch_inference.drift.bins import closed, is_one_point, regrouped
from airflow_batch_inference.drift.coarse import CoarseBins, coarse_categories, coarse_numbers
from airflow_batch_inference.drift.packing import unpack_counts, unpack_numbers
from airflow_batch_inference.records import (
    CategoricalBaseline,
    CategoricalProfile,
    ColumnDrift,
    DriftStatus,
    Histogram,
    Metrics,
    MlrunDrift,
    NoiseFloor,
    NumericBaseline,
    NumericProfile,
)

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import NDArray

    from airflow_batch_inference.records import ColumnBaseline, ColumnProfile

_DRAWN_BINS = 24
_DRAWN_TAIL = 0.005
_SHOWN_UNSEEN = 10
_SMOOTHING = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A number that may speak for drift, and how likely chance alone would make it as large."""

    name: Literal["distance", "divergence", "missing", "infinite", "range", "unseen"]
    value: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A column with all its numbers, and the evidence that a rule judges."""

    column: ColumnDrift
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """What the numbers depend on.

    Attributes
    ----------
    edges, inf_capping
        Of MLRun's numbers; see :class:`~airflow_batch_inference.drift.rules.DriftRule`.
    missing_bin
        Whether missing and infinite values have a bin among the others, or are a matter of their own checks alone.
    """

    edges: Literal["padded", "open"] = "padded"
    inf_capping: float = 10.0
    missing_bin: bool = True


def compare_column(reference: ColumnBaseline, current: ColumnProfile, options: CompareOptions) -> Compared:
    """Compare a column's profile with its reference, on whose edges it was counted."""
    if isinstance(reference, NumericBaseline) and isinstance(current, NumericProfile):
        return _compare_numbers(reference, current, options)
    if isinstance(reference, CategoricalBaseline) and isinstance(current, CategoricalProfile):
        return _compare_categories(reference, current, options)
    return Compared(column=incomparable(current.name, "it was counted on another reference"))


def incomparable(name: str, reason: str) -> ColumnDrift:
    """Return the entry of a column that has no number, with the reason in words."""
    return ColumnDrift(name=name, kind="none", status=DriftStatus.NOT_ANALYSED, reason=reason)


def _compare_numbers(reference: NumericBaseline, current: NumericProfile, options: CompareOptions) -> Compared:
    before, now = unpack_counts(reference.profile.counts), unpack_counts(current.counts)
    edges, sizes = unpack_numbers(reference.edges), (reference.profile.values, current.values)
    odd = reference.profile.inf, current.inf
    without = (reference.profile.rows - sizes[0], current.rows - sizes[1]) if options.missing_bin else (0, 0)
    evidence = [
        _share_evidence("missing", current.missing, current.rows, reference.profile.missing, reference.profile.rows),
        _share_evidence("infinite", odd[1], current.rows, odd[0], reference.profile.rows),
    ]
    coarse = coarse_numbers(before, now, edges, without)
    measured, floor, distance = None, None, None
    outside, histogram = None, None
    if all(sizes):
        distance = _Distance.of(reference, current, edges, before, now)
        measured, floor, found = _measure(coarse, distance)
        outside, range_p = _outside(reference.profile, edges, now)
        histogram = _drawn(before, now, edges)
        evidence += [*found, Evidence(name="range", value=outside, p=range_p)]
    wanted = closed(np.array(reference.histogram_edges))
    mlrun_counts = (regrouped(before, edges, wanted), regrouped(now, edges, wanted)) if len(wanted) else (before, now)
    column = ColumnDrift(
        name=current.name,
        kind="numeric",
        status=DriftStatus.NOT_ANALYSED,
        reason=_reason(sizes, current.rows),
        metrics=measured,
        noise_floor=floor,
        mlrun=_mlrun(*mlrun_counts, current.rows, options, is_numeric=True),
        reference_values=sizes[0],
        current_values=sizes[1],
        reference_missing_fraction=_share(reference.profile.missing, reference.profile.rows),
        current_missing_fraction=_share(current.missing, current.rows),
        reference_inf_fraction=_share(odd[0], reference.profile.rows),
        current_inf_fraction=_share(odd[1], current.rows),
        out_of_range_fraction=outside,
        edges=tuple(edges[coarse.kept].tolist()),
        reference_counts=tuple(coarse.reference.tolist()),
        current_counts=tuple(coarse.current.tolist()),
        has_missing_bin=coarse.has_missing,
        histogram=histogram,
    )
    return Compared(column=column, evidence=tuple(each for each in evidence if each is not None))


def _compare_categories(
    reference: CategoricalBaseline, current: CategoricalProfile, options: CompareOptions
) -> Compared:
    before = np.append(unpack_counts(reference.profile.counts), reference.profile.other)
    now = np.append(unpack_counts(current.counts), current.other)
    sizes = reference.profile.values, current.values
    evidence = [
        _share_evidence("missing", current.missing, current.rows, reference.profile.missing, reference.profile.rows)
    ]
    without = (reference.profile.missing, current.missing) if options.missing_bin else (0, 0)
    coarse = coarse_categories(before, now, without)
    measured, floor = None, None
    names_all = reference.profile.other == 0
    if all(sizes):
        measured, floor, shapes = _measure(coarse, None)
        evidence += shapes
        if names_all:
            evidence.append(_unseen(before, current.other, sizes))
    column = ColumnDrift(
        name=current.name,
        kind="categorical",
        status=DriftStatus.NOT_ANALYSED,
        reason=_reason(sizes, current.rows),
        metrics=measured,
        noise_floor=floor,
        # Categories that the reference does not name share one bin with those that it never saw.
        mlrun=_mlrun(before, now, current.rows, options, is_numeric=False),
        reference_values=sizes[0],
        current_values=sizes[1],
        reference_missing_fraction=_share(reference.profile.missing, reference.profile.rows),
        current_missing_fraction=_share(current.missing, current.rows),
        unseen_fraction=_share(current.other, sizes[1]) if names_all else None,
        unseen=_most_frequent(current.unseen) if names_all else (),
        categories=tuple(reference.categories[place] for place in coarse.kept),
        reference_counts=tuple(coarse.reference.tolist()),
        current_counts=tuple(coarse.current.tolist()),
        has_missing_bin=coarse.has_missing,
    )
    return Compared(column=column, evidence=tuple(each for each in evidence if each is not None))


def _reason(sizes: tuple[int, int], rows: int) -> str | None:
    if not sizes[0]:
        return "the reference has no values"
    if not rows:
        return "there are no current rows"
    return None if sizes[1] else "no current value is left"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Distance:
    """What the order of a numeric column's values adds."""

    ks: tuple[float, float]
    w1: float | None
    w1_sd: float | None
    floor_sd: float | None
    p: float

    @classmethod
    def of(
        cls,
        reference: NumericBaseline,
        current: NumericProfile,
        edges: NDArray[np.float64],
        before: NDArray[np.int64],
        now: NDArray[np.int64],
    ) -> _Distance:
        n, m = int(now.sum()), int(before.sum())
        one_point = np.concatenate([[False], is_one_point(edges), [False]]) if len(edges) else np.array([False])
        ks = metrics.kolmogorov_smirnov(now, before, one_point)
        means, shares = _means(current, now)
        old_means, old_shares = _means(reference.profile, before)
        sd = reference.profile.std
        w1 = w1_sd = floor = None
        if np.isnan(old_means).any() and sd and reference.profile.mean is not None:
            # Only the reference's mean is known: how far the means are apart is the least that the distance can be.
            w1_sd = _finite(abs(float(_clipped(means, reference.profile) @ shares) - reference.profile.mean) / sd)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.all(np.isfinite(means)) and np.all(np.isfinite(old_means)):
                w1 = _finite(metrics.wasserstein(means, shares, old_means, old_shares))
            if w1 is not None and sd:
                near = _clipped(means, reference.profile)
                w1_sd = _finite(metrics.wasserstein(near, shares, old_means, old_shares) / sd)
                floor = _finite(significance.wasserstein_floor(old_means, np.cumsum(old_shares), n, m) / sd)
        return cls(ks=ks, w1=w1, w1_sd=w1_sd, floor_sd=floor, p=significance.kolmogorov_smirnov_p(ks[0], n, m))


def _means(profile: NumericProfile, counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of each bin that has values, and its share."""
    filled = counts > 0
    means: NDArray[np.float64] = unpack_numbers(profile.sums)[filled] / counts[filled]
    return means, counts[filled] / counts.sum()


def _clipped(means: NDArray[np.float64], reference: NumericProfile) -> NDArray[np.float64]:
    """Count what lies more than a range outside the reference's range as there: one outlier is no shift."""
    low, high = float(reference.min or 0.0), float(reference.max or 0.0)
    clipped: NDArray[np.float64] = np.clip(means, low - (high - low), high + (high - low))
    return clipped


def _measure(coarse: CoarseBins, distance: _Distance | None) -> tuple[Metrics, NoiseFloor, list[Evidence]]:
    """Return the distances on coarse bins, with those of the values' order for numbers."""
    n, m, bins = int(coarse.current.sum()), int(coarse.reference.sum()), len(coarse.current)
    p, q = (_smoothed(side) for side in (coarse.current, coarse.reference))
    js = metrics.jensen_shannon(p, q)
    js_floor = significance.js_squared_floor(bins, n, m)
    corrected = math.sqrt(max(0.0, js * js - js_floor))
    measured = Metrics(
        psi=metrics.population_stability_index(p, q),
        js=js,
        kld=metrics.kl_divergence(p, q),
        tvd=metrics.total_variation(p, q),
        hellinger=metrics.hellinger(p, q) if not np.array_equal(p, q) else 0.0,
        linf=metrics.chebyshev(p, q),
        chi2=metrics.chi_squared(coarse.current, coarse.reference),
        ks=None if distance is None else distance.ks,
        w1=None if distance is None else distance.w1,
        w1_sd=None if distance is None else distance.w1_sd,
        js_corrected=corrected,
    )
    floor = NoiseFloor(
        psi=significance.psi_floor(bins, n, m),
        js=math.sqrt(js_floor),
        w1_sd=None if distance is None else distance.floor_sd,
    )
    g = metrics.g_statistic(coarse.current, coarse.reference)
    evidence = [Evidence(name="divergence", value=corrected, p=significance.chi_squared_p(g, bins - 1))]
    if distance is not None and distance.w1_sd is not None:
        evidence.insert(0, Evidence(name="distance", value=distance.w1_sd, p=distance.p))
    return measured, floor, evidence


def _smoothed(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return shares with half a row more in each bin, so that an empty one makes nothing infinite."""
    shares: NDArray[np.float64] = (counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * len(counts))
    return shares


def _share_evidence(
    name: Literal["missing", "infinite"], now: int, rows: int, before: int, reference_rows: int
) -> Evidence | None:
    if not rows or not reference_rows:
        return None
    difference = abs(now / rows - before / reference_rows)
    return Evidence(name=name, value=difference, p=significance.two_shares_p(now, rows, before, reference_rows))


def _outside(reference: NumericProfile, edges: NDArray[np.float64], now: NDArray[np.int64]) -> tuple[float, float]:
    """Return the share outside the reference's min and max, and how likely chance makes it so large."""
    n = int(now.sum())
    low, high = float(reference.min or 0.0), float(reference.max or 0.0)
    below = int(now[: np.searchsorted(edges, low) + 1].sum())
    above = int(now[np.searchsorted(edges, math.nextafter(high, math.inf)) + 1 :].sum())
    p = 2 * min(significance.exceedance_p(outside, n, reference.values) for outside in (below, above))
    return (below + above) / n, min(1.0, p)


def _unseen(before: NDArray[np.int64], other: int, sizes: tuple[int, int]) -> Evidence:
    """Return the share of categories that are new, and how likely it is."""
    once = int(np.count_nonzero(before[:-1] == 1))
    return Evidence(name="unseen", value=other / sizes[1], p=significance.unseen_p(other, sizes[1], once, sizes[0]))


def _mlrun(
    before: NDArray[np.int64], now: NDArray[np.int64], rows: int, options: CompareOptions, *, is_numeric: bool
) -> MlrunDrift | None:
    """Return MLRun's numbers; None where a side has no rows or the reference no values."""
    n_before, n_now = int(before.sum()), int(now.sum())
    if not n_before or not rows:
        return None
    if is_numeric and options.edges == "open":
        before, now = before[1:-1], now[1:-1]
    if n_now:
        tvd, hellinger, kld = _mlrun_measures(now / n_now, before / n_before, options.inf_capping)
    else:  # nothing in common, and no bin to measure it by
        tvd, hellinger, kld = 1.0, 1.0, None
    return MlrunDrift(
        drift=metrics.drift_score(tvd, hellinger),
        tvd=tvd,
        hellinger=hellinger,
        kld=kld,
        reference_counts=tuple(before.tolist()),
        current_counts=tuple(now.tolist()),
    )


def _mlrun_measures(
    p: NDArray[np.float64], q: NDArray[np.float64], inf_capping: float
) -> tuple[float, float, float | None]:
    if np.array_equal(p, q):
        return 0.0, 0.0, 0.0  # rounding in the square roots must not show
    measures = (metrics.total_variation(p, q), metrics.hellinger(p, q), metrics.kl_divergence_symmetric(p, q))
    tvd, distance, kld = (value if math.isfinite(value) else inf_capping for value in measures)
    return tvd, distance, kld


def _drawn(before: NDArray[np.int64], now: NDArray[np.int64], edges: NDArray[np.float64]) -> Histogram | None:
    """Return both sides on 24 equal-width bins over the middle 99 % of the reference; inside a fine bin, evenly."""
    below = [np.cumsum(side)[:-1] / side.sum() for side in (before, now)]
    first = max(0, int(np.searchsorted(below[0], _DRAWN_TAIL, side="right")) - 1)
    last = min(len(edges) - 1, int(np.searchsorted(below[0], 1 - _DRAWN_TAIL)))
    low, high = float(edges[first]), float(edges[last])
    if not low < high or not math.isfinite(high - low):
        return None
    with np.errstate(over="ignore"):
        grid = np.linspace(low, high, _DRAWN_BINS + 1)
    grid[-1] = high
    shares = [np.diff(np.concatenate([[0], np.interp(grid, edges, side), [1]])) for side in below]
    reference, current = (tuple(np.abs(side).round(5).tolist()) for side in shares)
    return Histogram(low=low, high=high, reference=reference, current=current)


def _most_frequent(unseen: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(unseen, key=lambda pair: (-pair[1], pair[0]))[:_SHOWN_UNSEEN])


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
