"""Statuses of columns and checks: which outweighs which, and what a number is against its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.records import Check

SEVERITY = {
    DriftStatus.NOT_ANALYSED: 0,
    DriftStatus.INSUFFICIENT: 1,
    DriftStatus.NO_DRIFT: 2,
    DriftStatus.POSSIBLE_DRIFT: 3,
    DriftStatus.DRIFT_DETECTED: 4,
}
"""What outweighs what; for the order of columns, not for verdicts."""
BAD = (DriftStatus.DRIFT_DETECTED, DriftStatus.POSSIBLE_DRIFT)


def status_at(value: float, limits: tuple[float, float]) -> DriftStatus:
    """Judge one number by the possible-drift and the drift limit."""
    if value >= limits[1]:
        return DriftStatus.DRIFT_DETECTED
    return DriftStatus.POSSIBLE_DRIFT if value >= limits[0] else DriftStatus.NO_DRIFT


def worst(checks: Iterable[Check], default: DriftStatus = DriftStatus.NOT_ANALYSED) -> DriftStatus:
    """Return the worst status of some checks, ``default`` where there is none."""
    return max((check.status for check in checks), key=SEVERITY.__getitem__, default=default)
