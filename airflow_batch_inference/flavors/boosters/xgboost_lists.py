"""What an XGBoost file holds under its names: objects, counts written as text, lists of numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 40
"""Characters of a value in a message."""
_MOST_COUNT = (1 << 31) - 1


def entry(holder: object, name: str) -> Mapping[str, Any]:
    """Return an object within another one; an empty one where there is none."""
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def count(parameters: Mapping[str, Any], name: str, default: str | None = None) -> int:
    """Return a count, which XGBoost writes as a text.

    Raises
    ------
    ValueError
        It is none, or missing.
    """
    said = parameters.get(name, default)
    if not isinstance(said, str) or not re.fullmatch(r"\d{1,10}", said, re.ASCII) or int(said) > _MOST_COUNT:
        message = f"its {name} is {str(said)[:SHOWN]!r}, which is no count"
        raise ValueError(message)
    return int(said)


def whole_numbers(holder: Mapping[str, Any], name: str, default: object = ()) -> np.ndarray:
    """Return a list of whole numbers; ValueError: it is none."""
    return _of_kind(holder, name, default, "iub", "whole numbers").astype(np.int64)


def numbers(holder: Mapping[str, Any], name: str) -> np.ndarray:
    """Return a list of numbers; ValueError: it is none."""
    return _of_kind(holder, name, None, "iuf", "numbers")


def _of_kind(holder: Mapping[str, Any], name: str, default: object, kinds: str, what: str) -> np.ndarray:
    found = _array(holder, name, default)
    if len(found) and found.dtype.kind not in kinds:
        message = f"{name} is no list of {what}"
        raise ValueError(message)
    return found


def _array(holder: Mapping[str, Any], name: str, default: object) -> np.ndarray:
    given = holder.get(name, default)
    if isinstance(given, (list, tuple, np.ndarray)):
        try:
            found = np.asarray(given)
        except (ValueError, TypeError, OverflowError):
            found = np.empty((0, 0))
        if found.ndim == 1:
            return found
    message = f"{name} is no list of numbers"
    raise ValueError(message)
