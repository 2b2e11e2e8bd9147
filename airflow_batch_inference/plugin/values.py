"""What somebody has pushed or written, taken for what a page expects: a number is a finite one, of a size that is used.

Invariants: a value of another type leaves the page whole; it is shown as text, and never computed with.
"""

from __future__ import annotations

import math

_LARGEST = 1 << 63


def number_in(value: object) -> int | float | None:
    """Return a value where it is a number to compute with; None for all else.

    Examples
    --------
    >>> number_in(3), number_in("3"), number_in(True), number_in(float("nan")), number_in(10**400)
    (3, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value if isinstance(value, float) else 0.0) and abs(value) <= _LARGEST else None


def as_text(value: object) -> str:
    """Return any value as text, also where Python cannot make it: nested too deep, or of too many digits."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except (RecursionError, ValueError, MemoryError):
        return f"({type(value).__name__})"
