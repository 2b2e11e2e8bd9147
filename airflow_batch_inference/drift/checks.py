"""Evidence as checks: what a rule weighs, with limits and with p-values corrected for the number of them.

Invariants: the p-values of all judged columns are corrected together, since any false alarm among them counts.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.drift.corrections import adjusted
from airflow_batch_inference.drift.statuses import BAD, status_at
from airflow_batch_inference.records import Check, DriftStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.drift.comparison import Compared
    from airflow_batch_inference.drift.evidence import Evidence
    from airflow_batch_inference.drift.rules.base import Rule
    from airflow_batch_inference.records import BaselineRecord, ColumnDrift

_IMPORTANT_SHARE = 0.95
_MOST_EFFECT = 1e9


def checked(compared: Sequence[Compared], baseline: BaselineRecord, rule: Rule) -> list[ColumnDrift]:
    """Return the columns with their checks, and with what they weigh; a rule gives them their statuses.

    Parameters
    ----------
    compared
        The columns, with their roles.
    baseline
        Its model's importances.
    rule
        Its limits, and its columns.
    """
    corrected = _corrected(compared, rule)
    names = important(baseline.importances, rule)
    shares = baseline.importances or {}
    columns = []
    for each in compared:
        name = each.column.name
        checks = tuple(_check(found, name, corrected.get((name, found.name)), rule) for found in each.evidence)
        column = replace(
            each.column,
            importance=shares.get(name),
            is_important=names is None or name in names or each.column.role == "prediction",
            is_judged=rule.is_judged(each.column),
        )
        # A type that changed, a column gone: its one check is a schema change, and stands there already.
        columns.append(column if column.checks else replace(column, checks=checks, effect=effect(checks)))
    return columns


def _corrected(compared: Sequence[Compared], rule: Rule) -> dict[tuple[str, str], float]:
    judged = [each for each in compared if rule.is_judged(each.column)]
    all_p = {(each.column.name, found.name): found.p for each in judged for found in each.evidence}
    return dict(zip(all_p, adjusted(list(all_p.values()), rule.correction), strict=True))


def _check(found: Evidence, column: str, corrected: float | None, rule: Rule) -> Check:
    possible, drift = rule.limits_of(found.name, column)
    p = found.p if corrected is None else corrected
    return Check(
        name=found.name,
        value=found.value,
        possible=possible,
        drift=drift,
        p=found.p,
        p_adjusted=p,
        status=status_at(found.value, (possible, drift)) if p < rule.significance else DriftStatus.NO_DRIFT,
    )


def effect(checks: Sequence[Check]) -> float | None:
    """Return the largest of the checks that speak, in units of its drift limit; None without any check."""
    found = [check.value / check.drift if check.drift else math.inf for check in checks if check.status in BAD]
    return min(_MOST_EFFECT, max(found, default=0.0)) if checks else None


def important(importances: Mapping[str, float] | None, rule: Rule) -> set[str] | None:
    """Return the columns that make up 95 % of the model and those that are watched; None: all, since nobody knows."""
    if importances is None:
        return set(rule.watch) or None
    found, held = set(rule.watch), 0.0
    for name, share in sorted(importances.items(), key=lambda pair: (-pair[1], pair[0])):
        if held >= _IMPORTANT_SHARE or share <= 0:
            break
        found.add(name)
        held += share
    return found
