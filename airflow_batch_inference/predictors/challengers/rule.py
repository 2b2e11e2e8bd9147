"""What a disagreement of champion and challenger is, where they predict numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("threshold", "tolerance")
_MIDDLE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DisagreementRule:
    """What a disagreement is of numbers.

    Attributes
    ----------
    threshold
        A disagreement is that one number is at or over it and the other is not. None: 0.5, where all numbers of both
        lie between 0 and 1; for others see ``tolerance``.
    tolerance
        A disagreement is that they are farther apart than this share of the larger one.
    """

    threshold: float | None = None
    tolerance: float = 0.05

    @property
    def cut(self) -> float:
        """Where decisions are made."""
        return _MIDDLE if self.threshold is None else self.threshold


def parse_disagreements(given: Mapping[str, Any]) -> DisagreementRule:
    """Return what ``disagreements={"threshold": 0.5}`` or ``disagreements={"tolerance": 0.1}`` asks for.

    Raises
    ------
    ConfigurationError
        An unknown key, or what is no number.

    Examples
    --------
    >>> parse_disagreements({"tolerance": "0.1"})
    DisagreementRule(threshold=None, tolerance=0.1)
    """
    found = {}
    for key, value in given.items():
        if key not in _KEYS:
            message = f"disagreements has {key!r}{did_you_mean(str(key), _KEYS)}; it takes {', '.join(_KEYS)}."
            raise ConfigurationError(message)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or (key == "tolerance" and number < 0):
            message = (
                f"disagreements has {key}={value!r}; it must be a number{' from 0' if key == 'tolerance' else ''}."
            )
            raise ConfigurationError(message)
        found[key] = number
    return DisagreementRule(**found)
