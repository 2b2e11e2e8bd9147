"""What a check is asked for: its name, its keys, its limit and its action.

Invariants: nothing heavy is imported here, since the DAG processor asks while it parses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

ACTIONS = ("fail", "alert", "quarantine")
_KEYS = ("when", "max_rate", "action")
_MOST = 127
_RESERVED = "count"


def require_mapping(given: object) -> Mapping[Any, Any]:
    """Return checks as what they must be: a dict, and not too large a one; an empty one for None.

    Raises
    ------
    ConfigurationError
        They are none.
    """
    if not isinstance(given, Mapping | None):
        message = f"checks is a {type(given).__name__}; give a dict of names to expressions, or to when and max_rate."
        raise ConfigurationError(message)
    if len(given or ()) > _MOST:
        message = f"There are {len(given or ())} checks; the limit is {_MOST}. Join some of them with 'or'."
        raise ConfigurationError(message)
    return given or {}


def asked_of(name: object, given: object) -> tuple[Any, float | None, str | None]:
    """Return a check's expression, its share of the rows, and its action.

    Raises
    ------
    ConfigurationError
        A name, key, number or action that can never work.

    Examples
    --------
    >>> asked_of("odd", {"when": "in.age < 0", "max_rate": "0.01"})
    ('in.age < 0', 0.01, 'alert')
    """
    if not isinstance(name, str) or not name or name == _RESERVED:
        message = f"A check is named {name!r}; give it a name of its own (not {_RESERVED!r}, which counts all checks)."
        raise ConfigurationError(message)
    parts: Mapping[Any, Any] = given if isinstance(given, Mapping) else {"when": given}
    unknown = [key for key in parts if key not in _KEYS]
    if unknown or "when" not in parts:
        what = f"{unknown[0]!r}{did_you_mean(str(unknown[0]), _KEYS)}" if unknown else "no 'when'"
        message = f"The check {name!r} has {what}. It takes: {', '.join(_KEYS)}."
        raise ConfigurationError(message)
    rate = _rate(name, parts.get("max_rate"))
    action = parts.get("action", None if rate is None else "alert")
    if action is not None and action not in ACTIONS:
        there = ", ".join(map(repr, ACTIONS))
        message = f"The check {name!r} has the action {action!r}{did_you_mean(str(action), ACTIONS)}; it takes {there}."
        raise ConfigurationError(message)
    return parts["when"], rate, action


def _rate(name: str, given: object) -> float | None:
    if given is None or given in ("", "None", "none", "null"):
        return None
    try:
        rate = math.nan if isinstance(given, bool) else float(given)  # type: ignore[arg-type]  # refused below
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 <= rate <= 1:
        share = f" For {given} % write {rate / 100:g}." if 1 < rate <= 100 else ""  # per cent
        message = f"The check {name!r} has max_rate {given!r}; it must be a share of the rows, from 0 to 1.{share}"
        raise ConfigurationError(message)
    return rate
