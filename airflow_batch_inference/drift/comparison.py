"""One column against its reference: the metrics, what they do not show, and how likely chance is.

Invariants: identical data is exactly 0; a comparison that makes no sense has a reason, never a number; nothing is
judged here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.drift.bin_merging import merge_category_bins, merge_number_bins
from airflow_batch_inference.drift.bins import closed, regrouped
from airflow_batch_inference.drift.evidence import (
    Evidence,
    range_evidence,
    shape_evidence,
    share_evidence,
    unseen_evidence,
)
from airflow_batch_inference.drift.metrics.base import Sample
from airflow_batch_inference.drift.packing import unpack_counts, unpack_numbers
from airflow_batch_inference.records import (
    CategoricalBaseline,
    CategoricalProfile,
    ColumnDrift,
    DriftStatus,
    Histogram,
    NumericBaseline,
    NumericProfile,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from numpy.typing import NDArray

    from airflow_batch_inference.drift.bin_merging import MergedBins
    from airflow_batch_inference.drift.metrics.base import Metric
    from airflow_batch_inference.records import ColumnBaseline, ColumnProfile

_DRAWN_BINS = 24
_DRAWN_TAIL = 0.005
_SHOWN_UNSEEN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A column with all its numbers, and the evidence that becomes its checks."""

    column: ColumnDrift
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """What the numbers depend on.

    Attributes
    ----------
    metrics
        To be measured.
    edges, inf_capping
        Of the histogram, and for infinite metrics; see :class:`~airflow_batch_inference.drift.rules.base.Rule`.
    missing_bin
        Whether missing and infinite values have a bin among the others, or are a matter of their own checks alone.
    """

    metrics: Sequence[Metric]
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
    profiles = (reference.profile, current)
    edges, counts = unpack_numbers(reference.edges), [unpack_counts(each.counts) for each in profiles]
    without = (profiles[0].rows - profiles[0].values, current.rows - current.values) if options.missing_bin else (0, 0)
    merged = merge_number_bins(counts[0], counts[1], edges, without)
    before, now = (
        Sample(
            rows=profile.rows,
            missing=profile.missing,
            counts=side,
            bins=bins,
            histogram=_histogram(side, edges, reference.histogram_edges, options),
            edges=edges,
            sums=unpack_numbers(profile.sums),
            low=profile.min,
            high=profile.max,
            mean=profile.mean,
            std=profile.std,
        )
        for profile, side, bins in zip(profiles, counts, (merged.reference, merged.current), strict=True)
    )
    measured, floors = _measured(before, now, "numeric", options)
    evidence = [
        *share_evidence("missing", (before.missing, before.rows), (now.missing, now.rows)),
        *share_evidence("infinite", (profiles[0].inf, before.rows), (current.inf, now.rows)),
    ]
    outside, histogram = None, None
    if before.values and now.values:
        beyond = range_evidence(before, now)
        outside, histogram = beyond.value, _drawn(counts[0], counts[1], edges)
        evidence += [*shape_evidence(before, now, measured), beyond]
    column = ColumnDrift(
        name=current.name,
        kind="numeric",
        status=DriftStatus.NOT_ANALYSED,
        reference_inf_fraction=_share(profiles[0].inf, before.rows),
        current_inf_fraction=_share(current.inf, now.rows),
        out_of_range_fraction=outside,
        edges=tuple(edges[merged.kept].tolist()),
        histogram=histogram,
        metrics=measured,
        noise_floor=floors,
        **_both(before, now, merged),
    )
    return Compared(column=column, evidence=tuple(evidence))


def _compare_categories(
    reference: CategoricalBaseline, current: CategoricalProfile, options: CompareOptions
) -> Compared:
    profiles = (reference.profile, current)
    # Categories that the reference does not name share one bin with those that it never saw.
    counts = [np.append(unpack_counts(each.counts), each.other) for each in profiles]
    without = (profiles[0].missing, current.missing) if options.missing_bin else (0, 0)
    merged = merge_category_bins(counts[0], counts[1], without)
    before, now = (
        Sample(rows=profile.rows, missing=profile.missing, counts=side, bins=bins, histogram=side)
        for profile, side, bins in zip(profiles, counts, (merged.reference, merged.current), strict=True)
    )
    names_all = reference.profile.other == 0
    measured, floors = _measured(before, now, "categorical", options)
    evidence = [*share_evidence("missing", (before.missing, before.rows), (now.missing, now.rows))]
    if before.values and now.values:
        evidence += shape_evidence(before, now, measured)
        if names_all:
            evidence.append(unseen_evidence(before, now))
    column = ColumnDrift(
        name=current.name,
        kind="categorical",
        status=DriftStatus.NOT_ANALYSED,
        unseen_fraction=_share(current.other, now.values) if names_all else None,
        unseen=_most_frequent(current.unseen) if names_all else (),
        categories=tuple(reference.categories[place] for place in merged.kept),
        metrics=measured,
        noise_floor=floors,
        **_both(before, now, merged),
    )
    return Compared(column=column, evidence=tuple(evidence))


def _measured(
    reference: Sample, current: Sample, kind: Literal["numeric", "categorical"], options: CompareOptions
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the metrics of a column's kind that have a value, and what they are where nothing has changed."""
    metrics: dict[str, float] = {}
    floors: dict[str, float] = {}
    for metric in options.metrics:
        has_values = bool(current.values) if metric.needs_values else bool(current.rows)
        if metric.kind not in (kind, "any") or not (reference.values and has_values):
            continue
        value, floor = metric.measure(reference, current), metric.noise_floor(reference, current)
        if value is not None and not math.isnan(value):
            metrics[metric.name] = options.inf_capping if math.isinf(value) else float(value)
        if floor is not None:
            floors[metric.name] = floor
    return metrics, floors


def _histogram(
    counts: NDArray[np.int64], edges: NDArray[np.float64], wanted: Sequence[float], options: CompareOptions
) -> NDArray[np.int64]:
    """Return counts on the equal-width histogram, with what lies outside at the ends or without it."""
    if wanted:
        counts = regrouped(counts, edges, closed(np.array(wanted)))
    return counts[1:-1] if options.edges == "open" else counts


def _both(reference: Sample, current: Sample, merged: MergedBins) -> dict[str, Any]:
    """Return what is known of columns of any kind."""
    has_histogram = reference.values and current.rows
    return {
        "reason": _reason(reference, current),
        "reference_values": reference.values,
        "current_values": current.values,
        "reference_missing_fraction": _share(reference.missing, reference.rows),
        "current_missing_fraction": _share(current.missing, current.rows),
        "reference_counts": tuple(merged.reference.tolist()),
        "current_counts": tuple(merged.current.tolist()),
        "has_missing_bin": merged.has_missing,
        "reference_histogram": tuple(reference.histogram.tolist()) if has_histogram else (),
        "current_histogram": tuple(current.histogram.tolist()) if has_histogram else (),
    }


def _reason(reference: Sample, current: Sample) -> str | None:
    if not reference.values:
        return "the reference has no values"
    if not current.rows:
        return "there are no current rows"
    return None if current.values else "no current value is left"


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
