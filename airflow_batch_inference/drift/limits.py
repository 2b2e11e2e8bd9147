"""Which limits a drift rule may have: what can never be reached, or is no number, is refused before any data are read.

What must not be relaxed: nothing heavy is imported here, since the DAG processor asks while it parses; and a limit that
nothing could ever be over is an error, never silence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RULES = ("effect", "mlrun")
EVERY = "*"
"""Stands for all columns that are not named in ``column_limits`` by themselves."""
THRESHOLDS = {"effect": (0.1, 0.2), "mlrun": (0.5, 0.7)}
"""The possible-drift and the drift threshold of each rule."""
SHARE_LIMITS = {"missing": (0.02, 0.1), "infinite": (0.02, 0.1), "range": (0.01, 0.05), "unseen": (0.01, 0.05)}
LIMIT_NAMES = ("possible_drift_threshold", "drift_threshold", *SHARE_LIMITS)
_ENDS_AT = {
    "effect": (
        "the Jensen-Shannon distance of categories ends at 1, and nothing would ever be over it. A column of numbers "
        "may have a larger one by its name, in standard deviations: column_limits={'age': {'drift_threshold': 3}}"
    ),
    "mlrun": "(TVD + Hellinger) / 2 ends at 1, and nothing would ever be over it",
}


def require_limits(
    name: str, drift: float | None, possible: float | None, limits: Mapping[str, Mapping[str, float]]
) -> None:
    """Refuse thresholds and limits that can never work.

    Parameters
    ----------
    name
        The rule's.
    drift, possible
        The thresholds of all columns; None: the rule's own.
    limits
        Column, or ``"*"`` for all others, to limits of its own.

    Raises
    ------
    ConfigurationError
        Says which, its value, and what it may be.
    """
    one_of("rule", name, RULES)
    _require_reachable(name, "drift_threshold", drift)
    _require_reachable(name, "possible_drift_threshold", possible)
    require_ordered(*thresholds_of(name, drift, possible, {}), "")
    for column, own in limits.items():
        for limit, value in own.items():
            one_of(f"A limit of column {column!r}", limit, LIMIT_NAMES)
            within(f"{limit} of column {column!r}", value, 0, 1 if limit in SHARE_LIMITS else math.inf)
            if limit not in SHARE_LIMITS and (name == "mlrun" or column == EVERY):
                _require_reachable(name, f"{limit} of column {column!r}", value)
        require_ordered(*thresholds_of(name, drift, possible, own_limits(limits, column)), f" of column {column!r}")


def own_limits(limits: Mapping[str, Mapping[str, float]], column: str) -> dict[str, float]:
    """Return the limits that a column has of its own: those of its name, else those of ``"*"``.

    Examples
    --------
    >>> own_limits({"*": {"range": 0.5, "missing": 0.2}, "age": {"range": 0.1}}, "age")
    {'range': 0.1, 'missing': 0.2}
    """
    every, named = limits.get(EVERY, {}), limits.get(column, {})
    both = {**every, **named}
    possible, drift = LIMIT_NAMES[:2]
    if drift in named and possible in every and possible not in named:
        both[possible] = min(every[possible], named[drift])  # the name wins, whatever is usual
    return both


def thresholds_of(
    name: str, drift: float | None, possible: float | None, own: Mapping[str, float]
) -> tuple[float, float]:
    """Return the possible-drift and the drift threshold; ``own`` are a column's limits, which win."""
    usual_possible, usual_drift = THRESHOLDS[name]
    over = own.get("drift_threshold", usual_drift if drift is None else drift)
    maybe = own.get("possible_drift_threshold", possible)
    return (min(usual_possible, over) if maybe is None else maybe), over


def _require_reachable(name: str, argument: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        message = f"{argument} is {value:g} under rule {name!r}; it must lie in [0, 1]: {_ENDS_AT[name]}."
        raise ConfigurationError(message)


def require_ordered(possible: float, drift: float, where: str) -> None:
    """Refuse thresholds of which the first lies over the second."""
    if not (math.isfinite(drift) and 0 <= possible <= drift):
        message = (
            f"possible_drift_threshold is {possible} and drift_threshold is {drift}{where}; they must be numbers from "
            "0 on, the first not over the second."
        )
        raise ConfigurationError(message)


def one_of(argument: str, value: str, known: Iterable[str]) -> None:
    """Refuse a word that is not among the known ones."""
    if value not in (known := tuple(known)):
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        message = f"{argument} is {value!r}; it must be one of {', '.join(map(repr, known))}{hint}."
        raise ConfigurationError(message)


def within(argument: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is not finite, or out of its range."""
    if not (math.isfinite(value) and low <= value <= high):
        message = f"{argument} is {value}; it must be a finite number from {low:g} to {high:g}."
        raise ConfigurationError(message)
