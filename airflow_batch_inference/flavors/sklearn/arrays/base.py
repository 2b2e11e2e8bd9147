"""What the checks of all kinds of arrays share."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

Fault: TypeAlias = str | None


def width_of(part: Any) -> int:  # noqa: ANN401  # an estimator
    """Return how many inputs an estimator says that it takes; 0 where it does not say."""
    return int(getattr(part, "n_features_in_", 0))


def within(places: np.ndarray, most: int, name: str) -> Fault:
    """Say whether a place is none of as many as there are."""
    if places.dtype.kind not in "iu" or ((places < 0) | (places >= most)).any():
        return f"its {name} are not all from 0 to {most - 1}"
    return None


def is_whole(value: object, least: int, most: int) -> bool:
    """Say whether a value is a whole number within bounds, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most
