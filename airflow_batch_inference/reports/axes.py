"""A small chart's frame as inline SVG: two axes with readable ticks, a grid, and room for what is drawn in it.

Invariants: nothing but numbers and this module's own words gets into the markup; what stands for names is escaped by
whoever gives it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WIDTH, HEIGHT = 320, 272
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 10, 8, 40
_TICKS = 5
_LARGE, _SMALL = 1e5, 1e-3
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Two axes, from their low to their high ends.

    Attributes
    ----------
    x_label, y_label
        Plain words, escaped where they hold names.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return a point's place in the drawing, in pixels."""
        return self._place(x, self.x, _LEFT, WIDTH - _RIGHT), self._place(y, self.y, HEIGHT - _BOTTOM, _TOP)

    @staticmethod
    def _place(value: float, ends: tuple[float, float], first: float, last: float) -> float:
        share = (value - ends[0]) / (ends[1] - ends[0])
        return first + min(max(share, 0.0), 1.0) * (last - first)

    def line(self, x: tuple[float, ...], y: tuple[float, ...]) -> str:
        """Return a path's description through points."""
        places = (self.at(*point) for point in zip(x, y, strict=True))
        return "M" + "L".join(f"{left:.4g} {top:.4g}" for left, top in places)

    def drawing(self, shapes: str, title: str) -> str:
        """Return the whole SVG.

        Parameters
        ----------
        shapes
            The markup inside of the frame.
        title
            What a screen reader says; escaped.
        """
        x_ticks, y_ticks = ticks(*self.x), ticks(*self.y)
        left, bottom = self.at(self.x[0], self.y[0])
        right, top = self.at(self.x[1], self.y[1])
        across = "".join(f"M{left:g} {self.at(self.x[0], tick)[1]:.4g}H{right:g}" for tick in y_ticks)
        down = "".join(f"M{self.at(tick, self.y[0])[0]:.4g} {top:g}V{bottom:g}" for tick in x_ticks)
        under = "".join(
            f'<text x="{self.at(tick, self.y[0])[0]:.4g}" y="{bottom + 15:g}" text-anchor="middle">{label}</text>'
            for tick, label in zip(x_ticks, labelled(x_ticks), strict=True)
        )
        beside = "".join(
            f'<text x="{left - 6:g}" y="{self.at(self.x[0], tick)[1] + 4:.4g}" text-anchor="end">{label}</text>'
            for tick, label in zip(y_ticks, labelled(y_ticks), strict=True)
        )
        middle = (top + bottom) / 2
        names = (
            f'<text x="{(left + right) / 2:g}" y="{HEIGHT - 6}" text-anchor="middle">{self.x_label}</text>'
            f'<text transform="translate(11 {middle:g}) rotate(-90)" text-anchor="middle">{self.y_label}</text>'
        )
        return (
            f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"><title>{title}</title>'
            f'<path class="a" d="{across}{down}"/>{shapes}{under}{beside}{names}</svg>'
        )


def ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers from one end to the other.

    Examples
    --------
    >>> ticks(0, 1), ticks(-3, 42)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 10.0, 20.0, 30.0, 40.0])
    """
    rough = (high - low) / _TICKS
    size: float = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [round((first + i) * step, 12 - math.floor(math.log10(step))) + 0.0 for i in range(count)]


def labelled(values: list[float]) -> list[str]:
    """Return how to write ticks: as few digits as tell them apart, thousands as k.

    Examples
    --------
    >>> labelled([0.0, 0.25, 0.5]), labelled([0.0, 20000.0]), labelled([-5.0, 0.0])
    (['0', '0.25', '0.5'], ['0', '20k'], ['-5', '0'])
    """
    most = max((abs(value) for value in values), default=0.0)
    unit, sign = next(((unit, sign) for unit, sign in _UNITS if most >= 10 * unit), (1.0, ""))
    written = [f"{value / unit:.6g}" for value in values]
    if most >= _UNITS[0][0] * _LARGE or 0 < most < _SMALL:
        written, sign = [f"{value:.5g}" for value in values], ""
    return [text if text == "0" else f"{text}{sign}" for text in written]
