"""Earlier runs: guards that need no training set, and drift that must persist before it counts.

Invariants: a run is compared with runs before its own date only, however late it is done; too short a
history judges nothing; and one odd run among the earlier ones does not hide an odd one now (medians, not means).
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from airflow_batch_inference.drift.bin_merging import merge_category_bins
from airflow_batch_inference.drift.checks import effect
from airflow_batch_inference.drift.corrections import adjusted
from airflow_batch_inference.drift.metrics.distances import g_statistic
from airflow_batch_inference.drift.packing import unpack_counts
from airflow_batch_inference.drift.schema_changes import gone, schema_change
from airflow_batch_inference.drift.significance import chi_squared_p, two_shares_p, unseen_p
from airflow_batch_inference.drift.statuses import BAD, SEVERITY, status_at, worst
from airflow_batch_inference.records import (
    CategoricalBaseline,
    Check,
    ColumnDrift,
    ColumnSummary,
    DriftStatus,
    NumericProfile,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_batch_inference.drift.analysis import Roles
    from airflow_batch_inference.drift.rules.base import Rule
    from airflow_batch_inference.records import (
        ColumnBaseline,
        ColumnProfile,
        DriftResult,
        HistoryEntry,
        Profile,
    )

LEAST_RUNS = 4
"""So many earlier runs are needed before a guard says anything."""

_Name = Literal["volume", "missing", "mean", "mix", "unseen"]
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
        The analysis's columns, for their status; empty where there was no reference.
    roles
        What the model does with the columns.
    """
    baseline = {column.profile.name: column for column in columns}
    drift = {column.name: column for column in drifts}
    return tuple(
        ColumnSummary(
            name=column.name,
            role=roles.of(column.name),
            kind=column.kind,
            missing_fraction=column.missing / column.rows if column.rows else 0.0,
            status=drift[column.name].status if column.name in drift else DriftStatus.NOT_ANALYSED,
            **_shape(column, baseline[column.name]),
        )
        for column in profile.columns
    )


def _shape(column: ColumnProfile, baseline: ColumnBaseline) -> dict[str, Any]:
    if isinstance(column, NumericProfile):
        return {"values": column.values, "mean": column.mean, "std": column.std}
    names = baseline.categories if isinstance(baseline, CategoricalBaseline) else ()
    pairs = [*zip(names, unpack_counts(column.counts).tolist(), strict=True), *column.unseen]
    top = sorted((pair for pair in pairs if pair[1]), key=lambda pair: (-pair[1], pair[0]))[:_KEPT_CATEGORIES]
    return {"values": column.values, "shares": tuple((name, count / column.values) for name, count in top)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What is unlike the earlier runs: of the whole batch, and of columns by name."""

    batch: tuple[Check, ...] = ()
    columns: dict[str, tuple[Check, ...]] = field(default_factory=dict)

    @property
    def worst(self) -> DriftStatus:
        """The worst status of all checks; ``NOT_ANALYSED`` where there is none."""
        return worst([*self.batch, *(check for checks in self.columns.values() for check in checks)])


def guard(
    rows: int,
    columns: Sequence[ColumnSummary],
    previous: Sequence[HistoryEntry],
    *,
    rule: Rule,
    has_reference: bool = False,
) -> Guards:
    """Compare a run with earlier ones: its volume, and each column's missing share, mean, mix, new categories.

    A check speaks where the change is large enough to matter, at least 4 robust standard deviations (1.4826 MAD) of
    the earlier runs, and too large for chance with so many rows, corrected for the number of checks.

    Parameters
    ----------
    rows, columns
        Of this run.
    previous
        Earlier runs, oldest first.
    rule
        Its significance and correction, its floor of rows, and the columns that it ignores.
    has_reference
        Whether columns are compared with a reference too: it knows better which are gone, changed or new.
    """
    if len(previous) < LEAST_RUNS:
        return Guards()
    volumes = [math.log2(max(entry.rows, 1)) for entry in previous]
    volume = _judged("volume", _Change.of(math.log2(max(rows, 1)), volumes, 0.0), 0.0, rule)
    if rows < rule.min_rows:
        return Guards(batch=(volume,))
    judged = [column for column in columns if column.role != "other" and column.name not in rule.ignore]
    of_schema = {} if has_reference else _schema_changes(judged, previous, rule)
    changes = {
        (column.name, name): change
        for column in judged
        if column.name not in of_schema
        for name, change in _changes(column, _earlier(column.name, previous), has_reference=has_reference)
    }
    corrected = adjusted([change.p for change in changes.values()], rule.correction)
    found: dict[str, tuple[Check, ...]] = dict(of_schema)
    for ((column_name, name), change), p in zip(changes.items(), corrected, strict=True):
        found[column_name] = (*found.get(column_name, ()), _judged(name, change, p, rule))
    return Guards(batch=(volume,), columns=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """How far a number is from its earlier values, whether that is unusual, and how likely chance makes it so."""

    value: float
    is_unusual: bool
    p: float

    @classmethod
    def of(cls, now: float, before: Sequence[float], p: float) -> _Change:
        middle = statistics.median(before)
        spread = _MAD_TO_SD * statistics.median(abs(value - middle) for value in before)
        difference = abs(now - middle)
        return cls(value=difference, is_unusual=difference > _UNUSUAL * spread, p=p)


def _earlier(name: str, previous: Sequence[HistoryEntry]) -> list[ColumnSummary]:
    return [each for entry in previous for each in entry.columns if each.name == name]


def _schema_changes(
    columns: Sequence[ColumnSummary], previous: Sequence[HistoryEntry], rule: Rule
) -> dict[str, tuple[Check, ...]]:
    """Return the columns that all earlier runs had and this one has not, and those whose values are of another kind."""
    now = {column.name: column for column in columns}
    found: dict[str, tuple[Check, ...]] = {}
    for column in previous[-1].columns:
        if column.role == "other" or column.name in rule.ignore or len(_earlier(column.name, previous)) < len(previous):
            continue
        if column.name not in now:
            found[column.name] = (schema_change("gone"),)
        elif now[column.name].kind != column.kind and now[column.name].values and column.values:
            found[column.name] = (schema_change("type"),)
    return found


def _changes(
    column: ColumnSummary, earlier: Sequence[ColumnSummary], *, has_reference: bool
) -> Iterator[tuple[_Name, _Change]]:
    if len(earlier) < LEAST_RUNS:
        return
    rows, missing = _counts(column)
    pooled = [sum(side) for side in zip(*map(_counts, earlier), strict=True)]
    if rows and pooled[0]:
        p = two_shares_p(missing, rows, pooled[1], pooled[0])
        yield "missing", _Change.of(column.missing_fraction, [each.missing_fraction for each in earlier], p)
    same = [each for each in earlier if each.values and each.kind == column.kind]
    if not column.values or len(same) < LEAST_RUNS:
        return
    if column.kind == "numeric":
        yield from _moved(column, same)
    else:
        yield "mix", _mixed(column, same)
        if not has_reference:
            yield "unseen", _new(column, same)


def _counts(column: ColumnSummary) -> tuple[int, int]:
    """Return a column's rows and how many of them are missing."""
    rows = round(column.values / max(1.0 - column.missing_fraction, 1e-12)) if column.values else 0
    return rows, rows - column.values


def _moved(column: ColumnSummary, earlier: Sequence[ColumnSummary]) -> Iterator[tuple[_Name, _Change]]:
    """Compare a mean, in standard deviations, with those of earlier runs (z-test)."""
    means = [each.mean for each in earlier if each.mean is not None]
    deviations = [each.std for each in earlier if each.std]
    if column.mean is None or len(means) < LEAST_RUNS or not deviations:
        return
    sd = statistics.median(deviations)
    values = sum(each.values for each in earlier)
    change = _Change.of(column.mean / sd, [mean / sd for mean in means], 1.0)
    error = math.sqrt(1 / column.values + 1 / values)
    yield "mean", replace(change, p=math.erfc(change.value / error / math.sqrt(2)))


def _mixed(column: ColumnSummary, earlier: Sequence[ColumnSummary]) -> _Change:
    """Compare shares of categories with their medians, and the distance with those of the earlier runs (G-test)."""
    now, before = dict(column.shares), [dict(each.shares) for each in earlier]
    names = sorted({name for mix in [*before, now] for name in mix})
    usual = {name: statistics.median(mix.get(name, 0.0) for mix in before) for name in names}

    def distance(mix: dict[str, float]) -> float:
        return sum(abs(mix.get(name, 0.0) - usual[name]) for name in names) / 2

    counts = np.array([round(now.get(name, 0.0) * column.values) for name in names] + [0])
    pooled = np.array(
        [
            sum(round(mix.get(name, 0.0) * each.values) for mix, each in zip(before, earlier, strict=True))
            for name in names
        ]
        + [0]
    )
    # What lies outside of the 50 categories that are kept is one more.
    counts[-1] = max(0, column.values - int(counts.sum()))
    pooled[-1] = max(0, sum(each.values for each in earlier) - int(pooled.sum()))
    bins = merge_category_bins(pooled, counts, (0, 0))
    p = chi_squared_p(g_statistic(bins.current, bins.reference), len(bins.current) - 1)
    difference = distance(now)
    return _Change(value=difference, is_unusual=difference > 2 * max(map(distance, before)), p=p)


def _new(column: ColumnSummary, earlier: Sequence[ColumnSummary]) -> _Change:
    """Return the share of categories that no earlier run had; nothing can be said where not all of them are kept."""
    known = {name for each in earlier for name, _ in each.shares}
    if any(len(each.shares) >= _KEPT_CATEGORIES for each in earlier):
        return _Change(value=0.0, is_unusual=False, p=1.0)
    new = sum(share for name, share in column.shares if name not in known)
    values = sum(each.values for each in earlier)
    totals: dict[str, int] = {}
    for each in earlier:
        for name, share in each.shares:
            totals[name] = totals.get(name, 0) + round(share * each.values)
    once = sum(total <= 1 for total in totals.values())
    return _Change(value=new, is_unusual=True, p=unseen_p(round(new * column.values), column.values, once, values))


def _judged(name: _Name, change: _Change, p: float, rule: Rule) -> Check:
    possible, drift = _LIMITS[name]
    speaks = change.is_unusual and p < rule.significance
    status = status_at(change.value, (possible, drift)) if speaks else DriftStatus.NO_DRIFT
    return Check(name=name, value=change.value, possible=possible, drift=drift, p=change.p, p_adjusted=p, status=status)


def as_columns(summaries: Sequence[ColumnSummary], found: Guards, rule: Rule) -> tuple[ColumnDrift, ...]:
    """Return the columns of a run without a reference: their statuses are those of the guards."""
    columns = []
    for summary in summaries:
        checks = found.columns.get(summary.name, ())
        is_judged = summary.role != "other" and summary.name not in rule.ignore
        columns.append(
            ColumnDrift(
                name=summary.name,
                kind=summary.kind,
                role=summary.role,
                status=worst(checks),
                is_judged=is_judged,
                effect=effect(checks),
                checks=checks,
                current_values=summary.values,
                current_missing_fraction=summary.missing_fraction,
            )
        )
    there = {summary.name for summary in summaries}
    return (*columns, *(gone(name) for name in found.columns if name not in there))


def with_history(result: DriftResult, found: Guards, sentences: Sequence[str], previous: int) -> DriftResult:
    """Return a result with what the guards found; they can make a verdict worse, never better.

    Where there is no reference, and at least one column was compared with earlier runs, the verdict is theirs.
    """
    status, reasons = result.status, (*result.reasons, *sentences)
    alone = result.reference_rows is None and bool(found.columns)
    alone_so_far = result.reference_rows is None and previous < LEAST_RUNS
    is_worse = found.worst in BAD and SEVERITY[found.worst] > SEVERITY[status]
    if status != DriftStatus.INSUFFICIENT and (is_worse or (alone and status == DriftStatus.NOT_ANALYSED)):
        status = found.worst
        reasons = (*(sentences or [f"Like the last {previous} runs."]), *result.reasons)
    elif alone_so_far:
        reasons = (*reasons, f"Earlier runs so far: {previous}; from {LEAST_RUNS} on they are compared with.")
    return replace(
        result,
        status=status,
        run_status=status,
        reasons=reasons,
        history=found.batch,
        history_columns={
            name: bad for name, checks in found.columns.items() if (bad := tuple(c for c in checks if c.status in BAD))
        },
        previous_runs=previous,
    )


def persistent(result: DriftResult, previous: Sequence[HistoryEntry], needed: int, of: int) -> DriftResult:
    """Return a result whose drift counts only where it was found in ``needed`` of the last ``of`` runs.

    This run is one of them. Otherwise it is ``POSSIBLE_DRIFT``; ``run_status`` still says what this run alone found.
    """
    if needed <= 1 or result.run_status != DriftStatus.DRIFT_DETECTED:
        return result
    last = [entry.run_status for entry in previous[-(of - 1) :]] if of > 1 else []
    found = 1 + sum(status == DriftStatus.DRIFT_DETECTED for status in last)
    runs = f"{found} of the last {len(last) + 1} runs, this one included" if last else "this run, the first"
    said = f"Drift in {runs}; {needed} of {of} are needed."
    status = DriftStatus.DRIFT_DETECTED if found >= needed else DriftStatus.POSSIBLE_DRIFT
    return replace(result, status=status, reasons=(said, *result.reasons))
