"""Earlier runs: guards that need no training set, and drift that must persist before it counts.

What must not be relaxed: a run is compared with runs before its own date only, however late it is done; too short a
history judges nothing; and one odd run among the earlier ones does not hide an odd one now (medians, not means).
"""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_batch_inference.drift.packing import unpack_counts
from airflow_batch_inference.drift.rules import SEVERITY, status_at
from airflow_batch_inference.records import (
    CategoricalBaseline,
    CategoricalProfile,
    Check,
    ColumnSummary,
    DriftStatus,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.drift.analysis import Roles
    from airflow_batch_inference.records import (
        ColumnBaseline,
        ColumnDrift,
        ColumnProfile,
        DriftResult,
        HistoryEntry,
        Profile,
    )

LEAST_RUNS = 4
"""So many earlier runs are needed before a guard says anything."""

_KEPT_CATEGORIES = 50
_UNUSUAL = 4.0
_MAD_TO_SD = 1.4826
_LIMITS = {"volume": (1.0, 3.0), "missing": (0.02, 0.1), "mean": (0.1, 0.2), "mix": (0.1, 0.2), "unseen": (0.01, 0.05)}


def summarise(
    profile: Profile, columns: Iterable[ColumnBaseline], drifts: Sequence[ColumnDrift], roles: Roles
) -> tuple[ColumnSummary, ...]:
    """Return what later runs compare this one's columns with.

    Parameters
    ----------
    profile
        The data's.
    columns
        Those of the baseline that it was counted on.
    drifts
        The analysis's columns, for their effect and status; empty where there was no reference.
    roles
        What the model does with the columns.
    """
    baseline = {column.profile.name: column for column in columns}
    drift = {column.name: column for column in drifts}
    return tuple(
        ColumnSummary(
            name=column.name,
            role=roles.of(column.name),
            missing_fraction=column.missing / column.rows if column.rows else 0.0,
            effect=drift[column.name].effect if column.name in drift else None,
            status=drift[column.name].status if column.name in drift else DriftStatus.NOT_ANALYSED,
            **_shape(column, baseline[column.name]),
        )
        for column in profile.columns
    )


def _shape(column: ColumnProfile, baseline: ColumnBaseline) -> dict[str, Any]:
    if isinstance(column, CategoricalProfile) and isinstance(baseline, CategoricalBaseline):
        values = column.rows - column.missing
        pairs = [*zip(baseline.categories, unpack_counts(column.counts).tolist(), strict=True), *column.unseen]
        top = sorted((pair for pair in pairs if pair[1]), key=lambda pair: (-pair[1], pair[0]))[:_KEPT_CATEGORIES]
        return {"shares": tuple((name, count / values) for name, count in top)}
    if isinstance(column, CategoricalProfile):
        return {}
    values = int(unpack_counts(column.counts).sum())
    std = None if column.m2 is None or values < 2 else math.sqrt(column.m2 / (values - 1))
    return {"mean": column.mean, "std": std}


def guard(
    rows: int, columns: Sequence[ColumnSummary], previous: Sequence[HistoryEntry]
) -> tuple[tuple[Check, ...], dict[str, tuple[Check, ...]]]:
    """Compare a run with earlier ones: its volume, and each judged column's missing share, mean, mix, new categories.

    A check speaks where the change is large enough to matter and at least 4 robust standard deviations (1.4826 MAD)
    of the earlier runs.

    Returns
    -------
    tuple
        The checks of the whole batch, and those of columns by name. Both are empty with fewer than 4 earlier runs.
    """
    if len(previous) < LEAST_RUNS:
        return (), {}
    volumes = [math.log2(max(entry.rows, 1)) for entry in previous]
    volume = _check("volume", math.log2(max(rows, 1)), volumes)
    found = {}
    for column in columns:
        if column.role == "other":
            continue
        earlier = [each for entry in previous for each in entry.columns if each.name == column.name]
        if len(earlier) >= LEAST_RUNS:
            found[column.name] = tuple(_column_checks(column, earlier))
    return (volume,), found


def _column_checks(column: ColumnSummary, earlier: Sequence[ColumnSummary]) -> Iterable[Check]:
    yield _check("missing", column.missing_fraction, [each.missing_fraction for each in earlier])
    means = [each.mean for each in earlier if each.mean is not None]
    deviations = [each.std for each in earlier if each.std]
    if column.mean is not None and len(means) >= LEAST_RUNS and deviations:
        sd = statistics.median(deviations)
        yield _check("mean", column.mean / sd, [mean / sd for mean in means])
    mixes = [dict(each.shares) for each in earlier if each.shares]
    if column.shares and len(mixes) >= LEAST_RUNS:
        yield _mix(dict(column.shares), mixes)
        known = {name for mix in mixes for name in mix}
        truncated = any(len(mix) >= _KEPT_CATEGORIES for mix in mixes)
        new = 0.0 if truncated else sum(share for name, share in column.shares if name not in known)
        yield _as_check("unseen", new, is_unusual=True)


def _check(name: Literal["volume", "missing", "mean"], now: float, before: Sequence[float]) -> Check:
    """Compare a number with its earlier values."""
    middle = statistics.median(before)
    spread = _MAD_TO_SD * statistics.median(abs(value - middle) for value in before)
    difference = abs(now - middle)
    return _as_check(name, difference, is_unusual=difference > _UNUSUAL * spread)


def _mix(now: dict[str, float], before: Sequence[dict[str, float]]) -> Check:
    """Compare shares of categories with their medians, and the distance with those of the earlier runs themselves."""
    names = {name for mix in [*before, now] for name in mix}
    usual = {name: statistics.median(mix.get(name, 0.0) for mix in before) for name in names}

    def distance(mix: dict[str, float]) -> float:
        return sum(abs(mix.get(name, 0.0) - usual[name]) for name in names) / 2

    difference = distance(now)
    return _as_check("mix", difference, is_unusual=difference > 2 * max(map(distance, before)))


def _as_check(name: Literal["volume", "missing", "mean", "mix", "unseen"], value: float, *, is_unusual: bool) -> Check:
    possible, drift = _LIMITS[name]
    status = status_at(value, (possible, drift)) if is_unusual else DriftStatus.NO_DRIFT
    return Check(name=name, value=value, possible=possible, drift=drift, p=None, p_adjusted=None, status=status)


def with_history(
    result: DriftResult,
    batch: tuple[Check, ...],
    columns: dict[str, tuple[Check, ...]],
    sentences: Sequence[str],
    previous: int,
) -> DriftResult:
    """Return a result with what the guards found; they can make a verdict worse, never better."""
    found = [*batch, *(check for checks in columns.values() for check in checks)]
    worst = max((check.status for check in found), key=SEVERITY.__getitem__, default=DriftStatus.NOT_ANALYSED)
    status, reasons = result.status, (*result.reasons, *sentences)
    if status != DriftStatus.INSUFFICIENT and SEVERITY[worst] > SEVERITY[status]:
        status = worst
        reasons = (*(sentences or [f"Like the last {previous} runs."]), *result.reasons)
    return replace(result, status=status, run_status=status, reasons=reasons, history=batch, previous_runs=previous)


def persistent(result: DriftResult, previous: Sequence[HistoryEntry], needed: int, of: int) -> DriftResult:
    """Return a result whose drift counts only where it was found in ``needed`` of the last ``of`` runs.

    This run is one of them. Otherwise it is ``POSSIBLE_DRIFT``; ``run_status`` still says what this run alone found.
    """
    if needed <= 1 or result.run_status != DriftStatus.DRIFT_DETECTED:
        return result
    last = [entry.run_status for entry in previous[-(of - 1) :]] if of > 1 else []
    found = 1 + sum(status == DriftStatus.DRIFT_DETECTED for status in last)
    said = f"Drift in {found} of the last {len(last) + 1} runs, this one included; {needed} of {of} are needed."
    status = DriftStatus.DRIFT_DETECTED if found >= needed else DriftStatus.POSSIBLE_DRIFT
    return replace(result, status=status, reasons=(said, *result.reasons))
