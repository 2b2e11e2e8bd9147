"""One column's reference and current data on one axis, as inline SVG.

What must not be relaxed: both sides are drawn as shares on the same scale, nothing but numbers gets into the markup,
and a drawing stays under about half a kilobyte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import ColumnDrift

WIDTH, HEIGHT = 184, 36
_TAIL, _GAP = 9, 3
MOST_CATEGORIES = 12
_TOP = 3
"""Pixels left free above the highest bar, for the line."""


def draw_column(column: ColumnDrift) -> str:
    """Return an SVG: the reference as a grey area, the current data as a line, the rest as bars at the ends.

    The rest is what lies outside the reference's range, or all further categories. The scale is that of the bins
    inside: a higher bar at an end is cut off at the top. The page's style gives the drawing its size. The result is
    empty where the column has no counts.
    """
    shapes = _categories(column) if column.kind == "categorical" else _numbers(column)
    drawn = "".join(f'<path class="{name}" d="{path}"/>' for name, path in shapes if path)
    return f"<svg>{drawn}</svg>" if drawn else ""


def _numbers(column: ColumnDrift) -> list[tuple[str, str]]:
    reference, current = _shares(column.reference_counts), _shares(column.current_counts)
    padded = len(reference) == len(column.edges) + 1
    inside = slice(1, -1) if padded else slice(None)
    tails = (current[0], current[-1]) if padded else ()
    reference, current = reference[inside], current[inside]
    top = max([*reference, *current], default=0.0) or max(tails, default=0.0)
    if not top:
        return []
    left, right = _TAIL + _GAP, WIDTH - _TAIL - _GAP
    area, line = (_stair([_y(share, top) for share in side], left, right) for side in (reference, current))
    ends = "".join(_bar(x, share, top) for x, share in zip((0, WIDTH - _TAIL), tails, strict=False))
    return [("r", f"{area}V{HEIGHT}H{left}z"), ("l", line), ("t", ends)]


def _categories(column: ColumnDrift) -> list[tuple[str, str]]:
    pairs = list(zip(_shares(column.reference_counts), _shares(column.current_counts), strict=True))
    named = pairs[:-1][:MOST_CATEGORIES]  # the most frequent of the reference, in its order
    before, now = (sum(side) for side in zip(*pairs[len(named) :], strict=True))
    top = max((share for pair in named for share in pair), default=0.0) or max(before, now)
    if not top:
        return []
    step = (WIDTH - _TAIL - _GAP) / max(len(named), 1)
    places = [(f"{i * step:.4g}", f"{step - 2:.4g}", *pair) for i, pair in enumerate(named)]
    area = "".join(f"M{x} {HEIGHT}V{_y(share, top)}h{width}V{HEIGHT}z" for x, width, share, _ in places)
    line = "".join(f"M{x} {_y(share, top)}h{width}" for x, width, _, share in places)
    end = WIDTH - _TAIL
    if before:
        return [("r", area + _bar(end, before, top)), ("l", f"{line}M{end} {_y(now, top)}h{_TAIL}")]
    return [("r", area), ("l", line), ("t", _bar(end, now, top))]


def _bar(x: float, share: float, top: float) -> str:
    return f"M{x} {HEIGHT}V{_y(share, top)}h{_TAIL}V{HEIGHT}z" if share else ""


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _y(share: float, top: float) -> str:
    """Return a height in half pixels: finer ones cannot be seen and make the page larger."""
    height = min(share / top, 1.0) * (HEIGHT - 1 - _TOP)
    return f"{HEIGHT - 1 - round(2 * height) / 2:g}"


def _stair(tops: Sequence[str], left: float, right: float) -> str:
    """Return a stair from left to right through the given heights."""
    width = (right - left) / len(tops)
    path, previous = f"M{left} {tops[0]}", tops[0]
    for position, top in enumerate(tops):
        if top != previous:
            path += f"H{left + position * width:g}V{top}"
        previous = top
    return f"{path}H{right}"
