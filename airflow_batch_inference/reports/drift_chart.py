"""One column's reference and current data on one axis, as inline SVG.

Invariants: both sides are drawn as shares on the same scale, nothing but numbers gets into the markup,
and a drawing stays under about half a kilobyte.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import ColumnDrift

WIDTH, HEIGHT = 192, 36  # 24 bins of whole pixels between the ends: short numbers, small pages
_TAIL, _GAP = 9, 3
MOST_CATEGORIES = 12
_TOP = 3
"""Pixels left free above the highest bar, for the line."""


def draw_column(column: ColumnDrift) -> str:
    """Return an SVG: the reference as a grey area, the current data as a line, the rest as bars at the ends.

    The rest is what lies outside the middle 99 % of the reference, or all further categories. The scale is that of
    the bins inside: a higher bar at an end is cut off at the top. The page's style gives the drawing its size. The
    result is empty where the column has no counts.
    """
    shapes = _categories(column) if column.kind == "categorical" else _numbers(column)
    drawn = "".join(f'<path class="{name}" d="{path}"/>' for name, path in shapes if path)
    return f"<svg>{drawn}</svg>" if drawn else ""


def _numbers(column: ColumnDrift) -> list[tuple[str, str]]:
    if column.histogram is None:
        return []
    reference, current = column.histogram.reference, column.histogram.current
    top = max([*reference[1:-1], *current[1:-1]], default=0.0) or max(current[0], current[-1])
    if not top:
        return []
    left, right = _TAIL + _GAP, WIDTH - _TAIL - _GAP
    area, line = (_stair([_y(share, top) for share in side[1:-1]], left, right) for side in (reference, current))
    ends = "".join(_bar(x, current[place], top) for x, place in ((0, 0), (WIDTH - _TAIL, -1)))
    before = "".join(_bar(x, reference[place], top) for x, place in ((0, 0), (WIDTH - _TAIL, -1)))
    return [("r", f"{area}V{HEIGHT}H{left}z{before}"), ("t", ends), ("l", line)]


def _categories(column: ColumnDrift) -> list[tuple[str, str]]:
    stop = -1 if column.has_missing_bin else None
    sides = (_shares(column.reference_counts[:stop]), _shares(column.current_counts[:stop]))
    pairs = list(zip(*sides, strict=True))
    named = pairs[: len(column.categories)][:MOST_CATEGORIES]  # the most frequent of the reference, in its order
    rest = pairs[len(named) :] or [(0.0, 0.0)]
    before, now = (sum(side) for side in zip(*rest, strict=True))
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
    path = "".join(f"V{top}h{width * len(list(same)):g}" for top, same in groupby(tops))
    return f"M{left} {path[1:]}"
