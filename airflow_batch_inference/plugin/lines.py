"""Small multiples: one line of a value over runs, as inline SVG, with marks where the model changed.

Invariants: nothing but numbers and this module's own words gets into the markup; a run without a value is a gap, and
never a zero; a line of 100 runs stays under 10 KB.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 860, 84
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 58, 14, 12
_MOST_BAR = 14.0


def places(count: int) -> list[float]:
    """Return where runs stand from left to right, in pixels; the newest at the right end.

    Examples
    --------
    >>> places(1), len(places(100))
    ([802.0], 100)
    """
    width = WIDTH - _RIGHT - _LEFT
    step = width / max(count - 1, 1)
    return [round(WIDTH - _RIGHT - step * (count - 1 - place), 1) for place in range(count)]


def line(
    values: Sequence[float | None],
    title: str,
    *,
    changes: Sequence[int] = (),
    dots: Sequence[str | None] = (),
    unit: str = "",
) -> str:
    """Return a line through values, from 0 or the least of them up to the largest.

    Parameters
    ----------
    values
        One a run, oldest first; None: a gap.
    title
        What a screen reader says; escaped.
    changes
        Places of runs with another model than the one before.
    dots
        The class of the dot that marks a run (``good``, ``odd``, ``bad``); None: no dot. Empty: no dots.
    unit
        Stands behind the ends of the axis.
    """
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([*known, 0.0])
    high = high if high > low else low + 1.0
    x = places(len(values))
    y = [None if value is None else _y(value, low, high) for value in values]
    shapes = "".join(
        f'<path class="x" d="M{x[at]:g} {_TOP - 8}V{HEIGHT - _BOTTOM + 4}"/>' for at in changes if at < len(x)
    )
    shapes += f'<path class="l" d="{_path(x, y)}"/>' + _alone(x, y)
    shapes += "".join(
        f'<circle class="d {dot}" cx="{left:g}" cy="{top:g}" r="3.4"/>'
        for left, top, dot in zip(x, y, dots, strict=False)
        if dot is not None and top is not None
    )
    return _drawing(shapes, title, low, high, unit)


def bars(values: Sequence[float | None], title: str, *, changes: Sequence[int] = ()) -> str:
    """Return a bar for each value; arguments as for :func:`line`."""
    known = [value for value in values if value is not None]
    high = max([*known, 0.0]) or 1.0
    x = places(len(values))
    width = min(_MOST_BAR, max(1.0, (WIDTH - _LEFT - _RIGHT) / max(len(values), 1) - 1.5))
    ground = HEIGHT - _BOTTOM
    drawn = "".join(
        f"M{left - width / 2:.4g} {ground}V{_y(value, 0.0, high):g}h{width:.3g}V{ground}z"
        for left, value in zip(x, values, strict=True)
        if value
    )
    marks = "".join(f'<path class="x" d="M{x[at]:g} {_TOP - 8}V{ground + 4}"/>' for at in changes if at < len(x))
    return _drawing(f'<path class="b" d="{drawn}"/>{marks}', title, 0.0, high)


def short(value: float) -> str:
    """Return a number in at most three digits and a unit.

    Examples
    --------
    >>> short(1467197), short(0.0038831), short(250), short(0)
    ('1.47M', '0.0039', '250', '0')
    """
    size = abs(value)
    for unit, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:.3g}{sign}"
    return f"{value:.3g}" if size >= 1 or not size else f"{value:.2g}"


def _y(value: float, low: float, high: float) -> float:
    return round(HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _BOTTOM - _TOP), 1)


def _path(x: Sequence[float], y: Sequence[float | None]) -> str:
    """Return a path with gaps."""
    pairs = list(zip(x, y, strict=True))
    pieces = [list(piece) for has_value, piece in groupby(pairs, lambda pair: pair[1] is not None) if has_value]
    return "".join("M" + "L".join(f"{left:g} {top:g}" for left, top in piece) for piece in pieces)


def _alone(x: Sequence[float], y: Sequence[float | None]) -> str:
    """Return a dot for each value between gaps, of which a line would show nothing."""
    framed = [None, *y, None]
    return "".join(
        f'<circle class="l" cx="{x[at]:g}" cy="{framed[at + 1]:g}" r="1.6"/>'
        for at in range(len(x))
        if framed[at + 1] is not None and framed[at] is None and framed[at + 2] is None
    )


def _drawing(shapes: str, title: str, low: float, high: float, unit: str = "") -> str:
    right, ground = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}"><title>{title}</title>'
        f'<path class="g" d="M0 {_TOP}H{right + 6}M0 {ground}H{right + 6}"/>{shapes}'
        f'<text x="{right + 12}" y="{_TOP + 4}">{short(high)}{unit}</text>'
        f'<text x="{right + 12}" y="{ground + 4}">{short(low)}{unit}</text></svg>'
    )
