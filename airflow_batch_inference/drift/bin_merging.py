"""Few bins with enough rows each, made of a column's fine ones: what the tests and the distances of shares need.

Invariants: a bin is chosen by the rows of both sides together, never by their difference; every row is
in exactly one bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.drift.bins import is_one_point

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXPECTED_ROWS = 20
_ATOM_SHARE = 0.025
_GRID = np.array([0.001, 0.01, *np.linspace(0.05, 0.95, 19), 0.99, 0.999])


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedBins:
    """Counts of both sides on a few bins.

    Attributes
    ----------
    kept
        For numbers, which of the fine edges are the borders; for categories, which of them have a bin of their own.
    reference, current
        Shape (bins,); where ``has_missing``, the last bin holds missing and infinite values.
    has_missing
        Whether there were enough of those for a bin.
    """

    kept: NDArray[np.int64]
    reference: NDArray[np.int64]
    current: NDArray[np.int64]
    has_missing: bool


def merge_number_bins(
    reference: NDArray[np.int64], current: NDArray[np.int64], edges: NDArray[np.float64], without: tuple[int, int]
) -> MergedBins:
    """Join a numeric column's bins.

    Borders are the reference's quantiles .001, .01, .05, .10 … .95, .99, .999, its range, and both sides of a value
    that makes up 2.5 % of it. From below, bins are joined until about 20 rows are expected in each, of the smaller
    side.

    Parameters
    ----------
    reference, current
        Counts on the fine bins, shape (k + 1,).
    edges
        Shape (k,).
    without
        Rows of the reference and of the current data that have no finite value.
    """
    expected = _expected(reference, current, without)
    borders = np.array([], dtype=np.int64)
    if len(edges):
        borders = _borders(reference, edges)
        of_bins = np.add.reduceat(expected, np.append(0, borders + 1))
        borders = borders[_enough(of_bins)]
    starts = np.append(0, borders + 1)
    return _with_missing(
        borders, np.add.reduceat(reference, starts), np.add.reduceat(current, starts), (reference, current), without
    )


def merge_category_bins(
    reference: NDArray[np.int64], current: NDArray[np.int64], without: tuple[int, int]
) -> MergedBins:
    """Join the categories in which fewer than about 20 rows are expected, and those that are not named, into one bin.

    Parameters
    ----------
    reference, current
        Counts, shape (k + 1,): the named categories and all others.
    without
        Rows of both that are missing.
    """
    expected = _expected(reference, current, without)
    large = expected >= EXPECTED_ROWS
    kept = np.flatnonzero(large[:-1])
    sides = [np.append(side[kept], side.sum() - side[kept].sum()) for side in (reference, current)]
    if sides[0][-1] + sides[1][-1] == 0:  # nothing is left over
        sides = [side[:-1] for side in sides]
    return _with_missing(kept, sides[0], sides[1], (reference, current), without)


def _expected(
    reference: NDArray[np.int64], current: NDArray[np.int64], without: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the rows of the smaller side that each bin would have if both were alike."""
    totals = reference.sum() + without[0], current.sum() + without[1]
    expected: NDArray[np.float64] = (reference + current) * (min(totals) / max(1, sum(totals)))
    return expected


def _borders(reference: NDArray[np.int64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which fine edges may be borders, ascending."""
    below = np.cumsum(reference)[:-1]  # rows below each edge
    total = int(reference.sum())
    if not total:
        return np.array([], dtype=np.int64)
    at = np.searchsorted(below, np.ceil(_GRID * total - 1e-9))
    lowest = int(np.searchsorted(below, 0, side="right")) - 1  # the last edge that nothing lies below
    highest = int(np.searchsorted(below, total))
    atoms = np.flatnonzero(is_one_point(edges) & (reference[1:-1] >= _ATOM_SHARE * total))
    found = np.concatenate([at, [lowest, highest], atoms, atoms + 1])
    borders: NDArray[np.int64] = np.unique(found[(found >= 0) & (found < len(edges))])
    return borders


def _enough(expected: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each border between bins whether it stays, going up, so that each bin has enough rows."""
    stays = np.zeros(len(expected) - 1, dtype=bool)
    held, last = 0.0, -1
    for border, rows in enumerate(expected[:-1]):
        held += rows
        if held >= EXPECTED_ROWS:
            stays[border], held, last = True, 0.0, border
    if last >= 0 and held + expected[-1] < EXPECTED_ROWS:
        stays[last] = False
    return stays


def _with_missing(
    kept: NDArray[np.int64],
    reference: NDArray[np.int64],
    current: NDArray[np.int64],
    whole: tuple[NDArray[np.int64], NDArray[np.int64]],
    without: tuple[int, int],
) -> MergedBins:
    totals = whole[0].sum() + without[0], whole[1].sum() + without[1]
    has_missing = sum(without) * min(totals) / max(1, sum(totals)) >= EXPECTED_ROWS
    if has_missing:
        reference, current = np.append(reference, without[0]), np.append(current, without[1])
    return MergedBins(
        kept=kept,
        reference=reference.astype(np.int64),
        current=current.astype(np.int64),
        has_missing=bool(has_missing),
    )
