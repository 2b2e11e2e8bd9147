"""Rows made from a model itself, that ask each of its splits where a wrong comparison would show.

A row for a split takes the path that leads to it, and has there the threshold itself, or the next number to one side;
its other inputs are thresholds of their own, missing, zero, tiny, infinite, or categories that no split knows.

Invariants: the same model always gives the same rows; and where it has too many splits for all of them, each input's
least and largest thresholds are among the rows.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.flavors.forests.forest import CATEGORY_NAN_IN, CATEGORY_NAN_OUT, WHOLE_CATEGORY

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.forests.forest import Forest

_SEED = 20_240_229
_MOST_ROWS, _LEAST_ROWS = 4096, 256
_MOST_WALKS = 400_000
"""Rows times trees: what LightGBM's own predict takes some tens of milliseconds for."""
_MOST_NUMBERS = 8_000_000
"""Rows times inputs: 64 MB."""
_MOST_STEPS = 1_000_000
"""Along all paths: about a second."""
_LEAF = -1
_ODD_NUMBERS = (0.0, -0.0, 1e-36, -1e-36, float(np.float32(1e-35)), 1e300, -1e300)
_SINGLE_ODD_NUMBERS = (0.0, -0.0, 1e-36, -1e-36, 1e-45, 3e38, -3e38)
_INFINITE = (np.inf, -np.inf)
_ODD_SHARE = 0.2


def probe_rows(forest: Forest, *, infinite: bool, missing: bool) -> np.ndarray:
    """Return rows for the splits of a forest.

    Parameters
    ----------
    forest
        The trees.
    infinite, missing
        Whether inputs may be infinite, or missing.

    Returns
    -------
    numpy.ndarray
        Shape (rows, inputs), float64, column-major; from 256 to 4,096 rows, fewer for more trees, or for more inputs.
    """
    rng = np.random.default_rng(_SEED)
    fitting = min(_MOST_WALKS // len(forest.roots), _MOST_NUMBERS // forest.width)
    most = int(np.clip(fitting, _LEAST_ROWS, _MOST_ROWS))
    maker = _Maker(forest, infinite=infinite, missing=missing, rng=rng)
    splits = np.flatnonzero(forest.left != _LEAF)
    wanted = np.repeat(splits, 3)
    sides = np.tile([-1, 0, 1], len(splits))
    if len(wanted) > most:
        chosen = np.sort(rng.choice(len(wanted), size=most, replace=False))
        wanted, sides = wanted[chosen], sides[chosen]
    edges = maker.edges()
    rows = np.asfortranarray(np.vstack([edges, maker.others(max(_LEAST_ROWS, len(wanted)))]))
    steps = 0
    for place in rng.permutation(len(wanted)).tolist():
        steps += maker.lead_to(int(wanted[place]), int(sides[place]), rows[len(edges) + place])
        if steps > _MOST_STEPS:  # trees that are chains of splits; the other rows stay what they are by chance
            break
    if infinite:
        return rows
    largest = float(np.finfo(np.float32 if forest.is_single else np.float64).max)
    found: np.ndarray = np.clip(rows, -largest, largest)  # thresholds may be infinite themselves
    return found


class _Maker:
    """Knows the forest's thresholds by input, and each node's parent."""

    def __init__(self, forest: Forest, *, infinite: bool, missing: bool, rng: np.random.Generator) -> None:
        self._forest = forest
        self._rng = rng
        self._kind = np.float32 if forest.is_single else np.float64
        splits = np.flatnonzero(forest.left != _LEAF)
        self._parent = np.full(len(forest.left), _LEAF)
        self._parent[forest.left[splits]] = splits
        self._parent[forest.right[splits]] = splits
        self._is_set = forest.rule >= WHOLE_CATEGORY
        odd = _SINGLE_ODD_NUMBERS if forest.is_single else _ODD_NUMBERS
        self._odd = np.array([*odd, *(_INFINITE if infinite else ()), *((np.nan,) if missing else ())])
        self._numbers = self._by_input(splits)
        self._codes: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # of a set, and how many others are before each

    def _by_input(self, splits: np.ndarray) -> dict[int, np.ndarray]:
        """Return each split input's different thresholds in order; of one that is split by sets codes, and others."""
        forest = self._forest
        features = forest.feature[splits]
        order = np.argsort(features, kind="stable")
        inputs, starts = np.unique(features[order], return_index=True)
        found = {}
        for column, (first, last) in zip(inputs.tolist(), itertools.pairwise([*starts, len(splits)]), strict=True):
            nodes = splits[order[first:last]]
            sets = nodes[self._is_set[nodes]]
            if len(sets):
                found[column] = _around([forest.sets[int(place)] for place in forest.threshold[sets]])
            else:
                found[column] = np.unique(forest.threshold[nodes])
        return found

    def edges(self) -> np.ndarray:
        """Return rows with the least and the largest threshold of each input, and all odd values at once."""
        ends = [(place, side) for place in (0, -1) for side in (-1, 0, 1)]
        rows = np.zeros((len(ends) + len(self._odd), self._forest.width))
        for column, numbers in self._numbers.items():
            rows[: len(ends), column] = [self._beside(numbers[place], side) for place, side in ends]
        rows[len(ends) :] = self._odd[:, None]
        return self._allowed(rows)

    def others(self, rows: int) -> np.ndarray:
        """Return rows of thresholds at random, each as it is or the number beside it, and of odd values."""
        found = np.zeros((rows, self._forest.width))
        for column, numbers in self._numbers.items():
            taken = self._rng.choice(numbers, size=rows)
            sides = self._rng.integers(-1, 2, size=rows)
            beside = np.where(sides == 0, taken, self._beside(taken, sides))
            odd = self._rng.random(rows) < _ODD_SHARE
            found[:, column] = np.where(odd, self._rng.choice(self._odd, size=rows), beside)
        return self._allowed(found)

    def _allowed(self, rows: np.ndarray) -> np.ndarray:
        """Keep categories what their library takes: whole numbers from 0 on, or missing; LightGBM takes any number."""
        is_coded = np.isin(self._forest.rule, (CATEGORY_NAN_OUT, CATEGORY_NAN_IN))
        for column in np.unique(self._forest.feature[is_coded]):
            values = rows[:, column]
            is_code = (values >= 0) & (values < self._numbers[column][-1] + 1)
            rows[:, column] = np.where(is_code, np.floor(values), np.nan)
        return rows

    def _beside(self, values: np.ndarray, sides: np.ndarray | int) -> np.ndarray:
        """Return the next numbers to the left (-1) or to the right (1), in the type that is compared."""
        towards = np.where(np.asarray(sides) < 0, -np.inf, np.inf).astype(self._kind)
        with np.errstate(over="ignore", under="ignore"):
            moved = np.nextafter(np.asarray(values).astype(self._kind), towards).astype(np.float64)
        beside: np.ndarray = np.where(np.asarray(sides) == 0, values, moved)
        return beside

    def lead_to(self, split: int, side: int, row: np.ndarray) -> int:
        """Let a row take the path to a split and have its threshold there, or the number beside it; say its length."""
        left, feature, threshold, parents = (
            values.item for values in (self._forest.left, self._forest.feature, self._forest.threshold, self._parent)
        )
        bounds: dict[int, tuple[float, float]] = {}
        node, parent, steps = split, parents(split), 1
        while parent != _LEAF:
            column, goes_left = feature(parent), left(parent) == node
            if self._is_set[parent]:
                row[column] = self._code(parent, inside=goes_left)
            else:
                low, high = bounds.get(column, (-math.inf, math.inf))
                here = threshold(parent)
                bounds[column] = (low, min(high, here)) if goes_left else (max(low, here), high)
            node, parent, steps = parent, parents(parent), steps + 1
        for column, (low, high) in bounds.items():
            row[column] = high if high < math.inf else self._next(low, 1)
        row[feature(split)] = (
            self._code(split, inside=side < 0) if self._is_set[split] else self._next(threshold(split), side)
        )
        return steps

    def _next(self, value: float, side: int) -> float:
        """Return the next number to a side, in the type that is compared; the number itself for side 0."""
        if side == 0:
            return value
        if self._kind is np.float64:
            return math.nextafter(value, side * math.inf)
        with np.errstate(over="ignore", under="ignore"):
            return float(np.nextafter(np.float32(value), np.float32(side * math.inf)))

    def _code(self, split: int, *, inside: bool) -> float:
        """Return a category of a split's set, or one that is not; NaN where there is none."""
        place = int(self._forest.threshold[split])
        words = self._forest.sets[place]
        if place not in self._codes:
            found = _codes_of(words)
            self._codes[place] = found, found - np.arange(len(found))
        codes, before = self._codes[place]
        count = len(codes) if inside else 32 * len(words) - len(codes)
        if not count:
            return math.nan
        chosen = int(self._rng.integers(count))
        return float(codes[chosen] if inside else _outside(before, chosen))


def _codes_of(words: np.ndarray) -> np.ndarray:
    """Return the codes of a set in order; words that are zero, nearly all of a set of large ones, take no time.

    Examples
    --------
    >>> _codes_of(np.array([5, 0, 2], dtype=np.uint32)).tolist()
    [0, 2, 65]
    """
    places = np.flatnonzero(words)
    bits = np.unpackbits(words[places].astype("<u4").view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
    rows, bit = np.nonzero(bits)
    codes: np.ndarray = 32 * places[rows] + bit
    return codes


def _outside(before: np.ndarray, place: int) -> int:
    """Return one of the numbers that are not among some codes: the first one for place 0, and so on.

    Parameters
    ----------
    before
        Of each code, how many smaller numbers are not among them.
    place
        From 0.

    Examples
    --------
    >>> [_outside(np.array([0, 1, 1]), place) for place in range(3)]  # of the codes 0, 2 and 3
    [1, 4, 5]
    """
    return place + int(np.searchsorted(before, place, side="right"))


def _around(sets: list[np.ndarray]) -> np.ndarray:
    """Return in order: 0, the codes of any of some sets, the number behind each, and two that no set reaches.

    Examples
    --------
    >>> _around([np.array([8], dtype=np.uint32), np.array([1, 1], dtype=np.uint32)]).tolist()
    [0.0, 1.0, 3.0, 4.0, 32.0, 33.0, 64.0, 65.0]
    """
    together = np.zeros(max(map(len, sets)), dtype=np.uint32)
    for words in sets:
        together[: len(words)] |= words
    codes, last = _codes_of(together), 32 * len(together)
    return np.unique(np.concatenate([codes, codes + 1, [0, last, last + 1]])).astype(np.float64)
