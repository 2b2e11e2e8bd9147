"""How inputs become whole numbers that are in the order of their thresholds.

Such a number says how many of the column's thresholds are less than the input or, where the library compares in
float32, it is made of the input's own bits. What a library does with a missing value, a zero or a tiny number is done
when the number is made: a missing value that goes to the left becomes less than any number, one that goes to the right
more than any; so the splits know no special cases. An input has one column for each rule that splits have for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from airflow_batch_inference.flavors.forests.forest import (
    CATEGORY_NAN_IN,
    CATEGORY_NAN_OUT,
    NAN_LEFT,
    NAN_RIGHT,
    WHOLE_CATEGORY,
    ZERO_FOR_NAN,
    ZERO_MISSING_LEFT,
    ZERO_MISSING_RIGHT,
    ZERO_NAN_LEFT,
    ZERO_NAN_RIGHT,
)

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.forests.forest import Forest

RANKED, SINGLE, WHOLE, CODE = range(4)
"""The number of thresholds below; a float32's bits; LightGBM's whole part, which is a category; a category."""
COLUMN = np.dtype(
    [
        ("input", np.int64),
        ("kind", np.int64),
        ("first", np.int64),
        ("cuts", np.int64),
        ("tiny", np.float64),
        ("for_missing", np.int64),
        ("is_tiny_missing", np.int64),
    ]
)
"""The layout of ``column`` in ``kernel.c``, whose comments say what the fields are."""
LEAST, MOST = -(2**31), 2**31 - 1
"""Less than any number that an input or a threshold becomes, and more than any; of a category: in each set."""
_OUTSIDE = -1
_TINY = float(np.float32(1e-35))  # LightGBM's kZeroThreshold
_NONE_IS_TINY = -1.0


class _Rule(NamedTuple):
    for_missing: int | None
    """None: what zero becomes."""
    tiny: float = _NONE_IS_TINY
    is_tiny_missing: bool = False
    kind: int = RANKED


_RULES = {
    NAN_RIGHT: _Rule(MOST),
    NAN_LEFT: _Rule(LEAST),
    ZERO_NAN_RIGHT: _Rule(MOST, _TINY),
    ZERO_NAN_LEFT: _Rule(LEAST, _TINY),
    ZERO_FOR_NAN: _Rule(None, _TINY),
    ZERO_MISSING_RIGHT: _Rule(MOST, _TINY, is_tiny_missing=True),
    ZERO_MISSING_LEFT: _Rule(LEAST, _TINY, is_tiny_missing=True),
    WHOLE_CATEGORY: _Rule(_OUTSIDE, kind=WHOLE),
    CATEGORY_NAN_OUT: _Rule(_OUTSIDE, kind=CODE),
    CATEGORY_NAN_IN: _Rule(MOST, kind=CODE),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """The columns of a forest.

    Attributes
    ----------
    inputs
        The inputs that splits ask for, in order.
    table
        One :data:`COLUMN` each, whose ``input`` is a place in ``inputs``; those of categories are the last ones.
    cuts
        float64: the different thresholds of each column in order, where they are searched.
    of_node, rank
        Of each node: the column that it asks for, from 0; what its threshold becomes, or the number of its set. Of
        leaves they say nothing.
    """

    inputs: np.ndarray
    table: np.ndarray
    cuts: np.ndarray
    of_node: np.ndarray
    rank: np.ndarray

    @property
    def first_set(self) -> int:
        """The first one of categories."""
        return int(np.count_nonzero(self.table["kind"] < WHOLE))


def columns_of(forest: Forest, splits: np.ndarray) -> Columns:
    """Return the columns that the splits of a forest ask for.

    Parameters
    ----------
    forest
        The trees.
    splits
        The numbers of its nodes that are splits.

    Examples
    --------
    >>> from airflow_batch_inference.flavors.forests.forest import Forest
    >>> stump = Forest(left=np.array([1, -1, -1]), right=np.array([2, -1, -1]), feature=np.array([3, 0, 0]),
    ...     rule=np.zeros(3, int), threshold=np.array([0.5, 0, 0]), value=np.array([0.0, 1.0, 2.0]),
    ...     roots=np.array([0]), groups=np.array([0]), width=4, outputs=1)
    >>> found = columns_of(stump, np.array([0]))
    >>> found.inputs.tolist(), found.cuts.tolist(), found.rank.tolist()
    ([3], [0.5], [0, 0, 0])
    """
    rules, features = forest.rule[splits].astype(np.int64), forest.feature[splits].astype(np.int64)
    codes = ((rules >= WHOLE_CATEGORY) * forest.width + features) * len(_RULES) + rules  # those of sets come last
    different, of_split = np.unique(codes, return_inverse=True)
    inputs = np.unique(features)
    of_node = np.zeros(len(forest.left), dtype=np.int64)
    rank = np.zeros(len(forest.left), dtype=np.int64)
    of_node[splits] = of_split
    by_column = np.argsort(of_split, kind="stable")
    bounds = np.searchsorted(of_split[by_column], np.arange(len(different) + 1))
    table = np.zeros(len(different), dtype=COLUMN)
    cuts: list[np.ndarray] = []
    size = 0
    for number, code in enumerate(different.tolist()):
        nodes = splits[by_column[bounds[number] : bounds[number + 1]]]
        place, rule_number = divmod(code, len(_RULES))
        is_category, feature = divmod(place, forest.width)
        thresholds, rule = forest.threshold[nodes], _RULES[rule_number]
        here = np.empty(0)
        if is_category:
            kind, zero = rule.kind, _OUTSIDE
            rank[nodes] = thresholds.astype(np.int64)
        elif forest.is_single:
            kind, zero = SINGLE, 0
            rank[nodes] = _keys(_rounded_down(thresholds))
        else:
            here = np.unique(thresholds)
            kind, zero = RANKED, int(np.searchsorted(here, 0.0))
            rank[nodes] = np.searchsorted(here, thresholds)
        for_missing = zero if rule.for_missing is None else rule.for_missing
        table[number] = (
            np.searchsorted(inputs, feature),
            kind,
            size,
            len(here),
            rule.tiny,
            for_missing,
            rule.is_tiny_missing,
        )
        cuts.append(here)
        size += len(here)
    return Columns(inputs=inputs, table=table, cuts=np.concatenate([np.empty(0), *cuts]), of_node=of_node, rank=rank)


def _rounded_down(values: np.ndarray) -> np.ndarray:
    """Return the largest float32 numbers that are at most some float64 ones: what a float32 is at most is the same.

    Examples
    --------
    >>> _rounded_down(np.array([0.1, 0.5, 1e39])).tolist()
    [0.09999999403953552, 0.5, 3.4028234663852886e+38]
    """
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def _keys(values: np.ndarray) -> np.ndarray:
    """Return float32 numbers as whole ones in their order: their bits, turned over where they are below zero.

    Examples
    --------
    >>> _keys(np.array([-np.inf, -1.0, -0.0, 0.0, 1.0], dtype=np.float32)).tolist()
    [-2139095041, -1065353217, 0, 0, 1065353216]
    """
    bits = (values + np.float32(0.0)).view(np.int32)  # minus zero becomes zero
    keys: np.ndarray = bits ^ ((bits >> 31) & np.int32(MOST))
    return keys
