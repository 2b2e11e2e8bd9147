"""Limits that rules may have: whose they are, and what can never be reached or is no number.

Invariants: nothing heavy is imported here, since the DAG processor asks while it parses; and a limit that nothing could
ever be over is an error, never silence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGES = ("padded", "open")
"""What lies outside of a histogram counts in two bins of its own; or is left out."""
EVERY = "*"
"""Stands for all columns that are not named in ``column_limits`` by themselves."""
SHAPE_LIMITS = (0.1, 0.2)
"""From where the distance and the divergence of a column matter: possible drift, drift."""
SHARE_LIMITS = {"missing": (0.02, 0.1), "infinite": (0.02, 0.1), "range": (0.01, 0.05), "unseen": (0.01, 0.05)}
THRESHOLDS = ("possible_drift_threshold", "drift_threshold")


def own_limits(limits: Mapping[str, Mapping[str, float]], column: str) -> dict[str, float]:
    """Return the limits that a column has of its own: those of its name, else those of ``"*"``.

    Examples
    --------
    >>> own_limits({"*": {"range": 0.5, "missing": 0.2}, "age": {"range": 0.1}}, "age")
    {'range': 0.1, 'missing': 0.2}
    """
    every, named = limits.get(EVERY, {}), limits.get(column, {})
    both = {**every, **named}
    possible, drift = THRESHOLDS
    if drift in named and possible in every and possible not in named:
        both[possible] = min(every[possible], named[drift])  # the name wins, whatever is usual
    return both


def thresholds_of(
    usual: tuple[float, float], drift: float | None, possible: float | None, own: Mapping[str, float]
) -> tuple[float, float]:
    """Return the possible-drift and the drift threshold; ``own`` are a column's limits, which win."""
    usual_possible, usual_drift = usual
    over = own.get("drift_threshold", usual_drift if drift is None else drift)
    maybe = own.get("possible_drift_threshold", possible)
    return (min(usual_possible, over) if maybe is None else maybe), over


def require_ordered(possible: float, drift: float, where: str) -> None:
    """Refuse thresholds of which the first lies over the second."""
    if not (math.isfinite(drift) and 0 <= possible <= drift):
        message = (
            f"possible_drift_threshold is {possible} and drift_threshold is {drift}{where}; they must be numbers from "
            "0 on, the first not over the second."
        )
        raise ConfigurationError(message)


def within(argument: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is not finite, or out of its range."""
    if not (math.isfinite(value) and low <= value <= high):
        message = f"{argument} is {value}; it must be a finite number from {low:g} to {high:g}."
        raise ConfigurationError(message)
