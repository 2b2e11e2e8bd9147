"""Small multiples: one line of a value over runs, as inline SVG, with marks where the model changed.

What must not be relaxed: nothing but numbers and this module's own words gets into the markup; a run without a value is
a gap, and never a zero; a line of 100 runs stays under 10 KB.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from airflow_batch_inference.reports.axes import labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 860, 84
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 58, 14, 12
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
    limit: float | None = None,
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
    limit
        Is drawn across.
    """
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([*known, limit or 0.0, 0.0])
    high = high if high > low else low + 1.0
    x = places(len(values))
    y = [None if value is None else _y(value, low, high) for value in values]
    shapes = "".join(
        f'<path class="x" d="M{x[at]:g} {_TOP - 8}V{HEIGHT - _BOTTOM + 4}"/>' for at in changes if at < len(x)
    )
    if limit is not None:
        shapes += f'<path class="x" d="M{_LEFT} {_y(limit, low, high):g}H{WIDTH - _RIGHT}"/>'
    shapes += f'<path class="l" d="{_path(x, y)}"/>' + _alone(x, y)
    shapes += "".join(
        f'<circle class="d {dot}" cx="{left:g}" cy="{top:g}" r="3.4"/>'
        for left, top, dot in zip(x, y, dots, strict=False)
        if dot is not None and top is not None
    )
    return _drawing(shapes, title, low, high)


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
    return _drawing(f'{marks}<path class="b" d="{drawn}"/>', title, 0.0, high)


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


def _drawing(shapes: str, title: str, low: float, high: float) -> str:
    top, bottom = labelled([high, low])
    right, ground = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}"><title>{title}</title>'
        f'<path class="g" d="M0 {_TOP}H{right + 6}M0 {ground}H{right + 6}"/>{shapes}'
        f'<text x="{right + 12}" y="{_TOP + 4}">{top}</text>'
        f'<text x="{right + 12}" y="{ground + 4}">{bottom}</text></svg>'
    )
