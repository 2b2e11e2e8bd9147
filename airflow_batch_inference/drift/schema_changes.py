"""What needs no test: a column that is gone, a type that changed.

Invariants: schema changes stand among the checks like all others, so that whoever reads a result finds them there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.drift.comparison import incomparable
from airflow_batch_inference.records import Check, DriftStatus

if TYPE_CHECKING:
    from typing import Literal

    from airflow_batch_inference.records import ColumnDrift

_CERTAIN = 1.0


def schema_change(name: Literal["type", "gone"], status: DriftStatus = DriftStatus.DRIFT_DETECTED) -> Check:
    """Return a change of the schema as a check: it has no p-value."""
    return Check(name=name, value=_CERTAIN, possible=_CERTAIN, drift=_CERTAIN, p=None, p_adjusted=None, status=status)


def changed(name: str, before: str, now: str) -> ColumnDrift:
    """Return the entry of a column whose values are of another kind."""
    said = f"it was {before} in the reference and is {now} now"
    return replace(
        incomparable(name, said), checks=(schema_change("type"),), effect=1.0, status=DriftStatus.DRIFT_DETECTED
    )


def gone(name: str, *, is_certain: bool = True) -> ColumnDrift:
    """Return the entry of a column that is gone: drift, or possible drift where nobody knows who takes it."""
    status = DriftStatus.DRIFT_DETECTED if is_certain else DriftStatus.POSSIBLE_DRIFT
    entry = incomparable(name, "it is gone from the data")
    return replace(entry, checks=(schema_change("gone", status),), effect=1.0 if is_certain else 0.5, status=status)
