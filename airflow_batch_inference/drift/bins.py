"""The edges that a column is counted on: fine enough for a proven interval, few enough to be stored.

Invariants: no bin of more than one value holds more than 1/256 of the reference; a value that repeats has a bin of its
own, so that constants and atoms are seen; and the histogram's 21 edges are among them, so that numbers on it are exact.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HISTOGRAM_BINS = 20
QUANTILES = 256


def reference_edges(ordered: NDArray[np.float64], histogram_edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return increasing edges of shape (k,) for the sorted finite values of a reference.

    Bins are ``[edge, next edge)``. Going up, a bin takes further values as long as it holds at most 1/256 of the rows;
    one that ends with a single value v is ``[v, nextafter(v))``. So at most about 1,050 edges, about 280 for a large
    continuous column.

    Parameters
    ----------
    ordered
        Shape (n,), ascending, without NaN and infinities.
    histogram_edges
        Those of :func:`equal_width_edges`, shape (21,) or (0,).

    Examples
    --------
    >>> reference_edges(np.array([1.0, 1.0, 3.0]), np.empty(0)).round(3).tolist()
    [1.0, 1.0, 3.0, 3.0]
    """
    if not len(ordered):
        return np.empty(0)
    values, counts = _runs(ordered)
    up_to = np.cumsum(counts)
    most = len(ordered) / QUANTILES
    edges, start, before = [], 0, 0
    while start < len(values):
        stop = int(np.searchsorted(up_to, before + most, side="right"))
        edges.append(values[start])
        if stop <= start + 1:  # a value of its own
            stop = start + 1
            edges.append(math.nextafter(values[start], math.inf))
        start, before = stop, int(up_to[stop - 1])
    edges.append(math.nextafter(values[-1], math.inf))
    all_edges = np.unique(np.concatenate([edges, closed(histogram_edges)]))
    finite: NDArray[np.float64] = all_edges[np.isfinite(all_edges)]
    return finite


def _runs(ordered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct values and how often each stands there."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.diff(np.append(starts, len(ordered)))


def closed(histogram_edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges with the last one moved by a hair, so that ``[edge, next edge)`` takes the maximum in."""
    if not len(histogram_edges):
        return histogram_edges
    return np.append(histogram_edges[:-1], math.nextafter(histogram_edges[-1], math.inf))


def equal_width_edges(low: float, high: float) -> NDArray[np.float64]:
    """Return numpy's 21 edges of 20 equal-width bins, shape (21,); a constant c gives c - 0.5 … c + 0.5."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    if math.isfinite(high - low):
        # Where a width underflows, linspace's last but one edge can pass the last.
        return np.minimum(np.linspace(low, high, HISTOGRAM_BINS + 1), high)
    with np.errstate(over="ignore"):  # the range itself would overflow
        edges: NDArray[np.float64] = np.linspace(low / 2, high / 2, HISTOGRAM_BINS + 1) * 2
    return edges


def is_one_point(edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each bin between two edges, shape (k - 1,), whether a single float fits into it."""
    one_point: NDArray[np.bool_] = edges[1:] == np.nextafter(edges[:-1], math.inf)
    return one_point


def regrouped(counts: NDArray[np.int64], edges: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Add up counts on fine edges to those on coarser ones.

    Parameters
    ----------
    counts
        Shape (k + 1,): below the first of ``edges``, in each bin, from the last edge on.
    edges
        Shape (k,), increasing.
    wanted
        Shape (j,), ascending, each of them among ``edges``.

    Returns
    -------
    numpy.ndarray
        Shape (j + 1,).

    Examples
    --------
    >>> regrouped(np.array([1, 2, 3, 4]), np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0])).tolist()
    [1, 5, 4]
    """
    below = np.concatenate([[0], np.cumsum(counts)])
    places = below[np.searchsorted(edges, wanted, side="left") + 1]
    sums: NDArray[np.int64] = np.diff(np.concatenate([[0], places, [below[-1]]]))
    return sums
