"""An evaluation's pictures as inline SVG: curves, reliability, predicted against actual, residuals.

Invariants: names are escaped, a picture has a title that says its point in words, and none of them grows with the rows.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from airflow_batch_inference.reports.axes import Axes
from airflow_batch_inference.reports.markup import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import CalibrationBin, Curve, OutputEvaluation, Residuals

_SHARES = (0.0, 1.0)
_SHADES = 8
_MOST_CHARACTERS = 60
_LARGEST, _SMALLEST = 7.0, 2.5
"""Radii of the marks of the fullest and the emptiest bin, in pixels."""


def name(value: str, most: int = _MOST_CHARACTERS) -> str:
    """Return a name for the page: escaped, and cut where it is very long."""
    return escape(value if len(value) <= most else f"{value[: most - 1]}…")


def figures(output: OutputEvaluation) -> list[str]:
    """Return the pictures of one output, those that there are numbers for."""
    found = [
        _curve(output, "roc", "ROC curve", "ROC AUC"),
        _curve(output, "precision_recall", "Precision-recall curve", "average precision"),
        _reliability(output),
    ]
    if output.residuals is not None:
        found += [_density(output.residuals), _histogram(output.residuals)]
    return [figure for figure in found if figure]


def _figure(caption: str, note: str, drawing: str, key: str = "") -> str:
    return f"<figure><figcaption>{caption}<small>{note}</small></figcaption>{drawing}{key}</figure>"


def _curve(output: OutputEvaluation, kind: str, caption: str, area: str) -> str:
    drawn = [curve for curve in output.curves if curve.kind == kind]
    if not drawn:
        return ""
    is_roc = kind == "roc"
    axes = Axes(
        x=_SHARES,
        y=_SHARES,
        x_label="false positive rate" if is_roc else "recall",
        y_label="true positive rate" if is_roc else "precision",
    )
    shapes = f'<path class="z" d="{axes.line(_SHARES, _SHARES)}"/>' if is_roc else ""
    shapes += "".join(f'<path class="p c{i}" d="{axes.line(curve.x, curve.y)}"/>' for i, curve in enumerate(drawn))
    said = ", ".join(f"{name(curve.name)} {_area(curve)}" for curve in drawn)
    title = f"{caption}; {area}: {said}"
    if len(drawn) == 1:
        return _figure(caption, f"{area} {_area(drawn[0])}, class {name(drawn[0].name)}", axes.drawing(shapes, title))
    key = "".join(
        f'<span class="c{i}"><i></i>{name(curve.name, 24)} {_area(curve)}</span>' for i, curve in enumerate(drawn)
    )
    note = f"each class against the rest, with {area}"
    return _figure(caption, note, axes.drawing(shapes, title), f'<div class="key">{key}</div>')


def _area(curve: Curve) -> str:
    return "\N{EN DASH}" if curve.area is None else f"{curve.area:.3f}"


def _reliability(output: OutputEvaluation) -> str:
    bins = output.calibration
    if not bins:
        return ""
    of = f"class {name(output.positive_class)}" if output.positive_class is not None else "the predicted class"
    axes = Axes(x=_SHARES, y=_SHARES, x_label="mean predicted probability", y_label="share that came true")
    most = max(each.rows for each in bins)
    marks = "".join(_mark(axes, each, most) for each in bins)
    x, y = tuple(each.predicted for each in bins), tuple(each.observed for each in bins)
    shapes = f'<path class="z" d="{axes.line(_SHARES, _SHARES)}"/><path class="p" d="{axes.line(x, y)}"/>{marks}'
    title = f"Reliability of the probability of {of}: {_said(bins)}"
    note = f"{of}; larger marks, more rows"
    return _figure("Reliability of the probabilities", note, axes.drawing(shapes, title))


def _mark(axes: Axes, each: CalibrationBin, most: int) -> str:
    x, y = axes.at(each.predicted, each.observed)
    radius = max(_SMALLEST, _LARGEST * math.sqrt(each.rows / most))
    said = f"{each.rows:,} rows: {each.predicted:.3f} predicted, {each.observed:.3f} came true"
    return f'<circle class="d" cx="{x:.4g}" cy="{y:.4g}" r="{radius:.2g}"><title>{said}</title></circle>'


def _said(bins: Sequence[CalibrationBin]) -> str:
    return ", ".join(f"{each.predicted:.2f} predicted and {each.observed:.2f} came true" for each in bins)


def _density(residuals: Residuals) -> str:
    """Draw how many rows lie in each cell of actual and predicted values."""
    ends = (residuals.density_low, residuals.density_high)
    axes = Axes(x=ends, y=ends, x_label="actual", y_label="predicted")
    cells = shaded_cells(axes, residuals.density, residuals.density_bins)
    shapes = f'{cells}<path class="z" d="{axes.line(ends, ends)}"/>'
    note = "stronger colour, more rows; dashed: equal"
    return _figure("Predicted against actual", note, axes.drawing(shapes, "Predicted against actual values"))


def shaded_cells(axes: Axes, density: Sequence[tuple[int, int, int]], bins: int) -> str:
    """Return the markup of counted cells, (across, up, rows), in eight shades of a root scale.

    Parameters
    ----------
    bins
        Of equal width, from one end to the other of each axis.
    """
    left, bottom = axes.at(axes.x[0], axes.y[0])
    right, top = axes.at(axes.x[1], axes.y[1])
    wide, high = (right - left) / bins, (bottom - top) / bins
    most = max(rows for _, _, rows in density)
    shaded = sorted((max(1, round(_SHADES * math.sqrt(rows / most))), j, i) for i, j, rows in density)
    cells = ""
    for shade, group in groupby(shaded, key=lambda cell: cell[0]):
        # A run of cells of one shade is one line as thick as a cell is high.
        path = "".join(
            f"M{left + first * wide:.4g} {bottom - (j + 0.5) * high:.4g}h{length * wide:.4g}"
            for j, first, length in _runs([(j, i) for _, j, i in group])
        )
        cells += f'<path class="s" stroke-width="{high:.4g}" opacity="{(shade + 1) / (_SHADES + 1):.2f}" d="{path}"/>'
    return cells


def _runs(cells: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return (row, first column, length) of the runs among sorted (row, column) cells."""
    found: list[tuple[int, int, int]] = []
    for row, column in cells:
        if found and found[-1][0] == row and sum(found[-1][1:]) == column:
            found[-1] = (row, found[-1][1], found[-1][2] + 1)
        else:
            found.append((row, column, 1))
    return found


def _histogram(residuals: Residuals) -> str:
    counts, low, high = residuals.counts, residuals.low, residuals.high
    axes = Axes(x=(low, high), y=(0.0, 1.05 * max(counts)), x_label="actual - predicted", y_label="rows")
    step = (high - low) / len(counts)
    bars = ""
    for place, count in enumerate(counts):
        left, top = axes.at(low + place * step, count)
        right, bottom = axes.at(low + (place + 1) * step, 0.0)
        bars += f"M{left:.4g} {bottom:.4g}V{top:.4g}H{right - 0.7:.4g}V{bottom:.4g}z" if count else ""
    zero = axes.line((0.0, 0.0), axes.y) if low < 0 < high else ""
    shapes = f'<path class="b" d="{bars}"/>' + (f'<path class="z" d="{zero}"/>' if zero else "")
    of = {key: f"{value:.4g}" for key, value in residuals.quantiles.items()}
    said = f"half: {of['25%']} to {of['75%']}; nine in ten: {of['5%']} to {of['95%']}"
    return _figure("Residuals", said, axes.drawing(shapes, f"Histogram of residuals: {said}"))
