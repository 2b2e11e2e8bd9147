"""A tree ensemble in one neutral form: what a reader makes of any library's model, and what the kernel walks.

Each split asks ``value <= threshold`` of one column of a small row-major block. What a library does with a missing
value, a zero or a tiny number is done once, when the block is filled: a missing value that goes to the left becomes
minus infinity, one that goes to the right stays NaN, which is not at most anything. So the walk knows no special
cases. What must not be relaxed: a reader says nothing that it does not know for certain (it refuses with
:class:`NotCoveredError`), and the packed nodes lead from each root to a leaf in the number of steps that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

NAN_RIGHT, NAN_LEFT = 0, 1
"""A missing value goes to the right child, or to the left one."""
ZERO_NAN_RIGHT, ZERO_NAN_LEFT, ZERO_FOR_NAN, ZERO_MISSING_RIGHT, ZERO_MISSING_LEFT = 2, 3, 4, 5, 6
"""LightGBM's, whose tiny numbers are zeros: the same two; NaN is zero; zeros are missing and go right, or left."""
WHOLE_CATEGORY, CATEGORY_NAN_OUT, CATEGORY_NAN_IN = 7, 8, 9
"""Of splits by a set: LightGBM's whole part of a number; a missing value that is outside of each set, or inside."""

_ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold
_NEVER = -1.0
# What a missing value becomes; up to which size a number is tiny; what that becomes; whether its whole part counts.
_RULES = np.array(
    [
        (np.nan, _NEVER, 0.0, 0.0),
        (-np.inf, _NEVER, 0.0, 0.0),
        (np.nan, _ZERO, 0.0, 0.0),
        (-np.inf, _ZERO, 0.0, 0.0),
        (0.0, _ZERO, 0.0, 0.0),
        (np.nan, _ZERO, np.nan, 0.0),
        (-np.inf, _ZERO, -np.inf, 0.0),
        (-1.0, _NEVER, 0.0, 1.0),
        (-1.0, _NEVER, 0.0, 0.0),
        (np.inf, _NEVER, 0.0, 0.0),
    ]
)
SET_BIT = np.uint32(1 << 31)
_LEAF = -1
_MOST_WORDS = 1 << 20
"""Of all sets: 32 million categories, and 4 MiB that the walk reads all over."""


class NotCoveredError(Exception):
    """The ensemble is one that the kernel does not cover; the message names the reason."""


def require_few_words(words: int) -> None:
    """Refuse sets of categories that are too large: each reader asks before it makes them.

    Parameters
    ----------
    words
        How many 32-bit words all sets of the ensemble have: of each set one for 32 codes up to its largest.

    Raises
    ------
    NotCoveredError
        There are more than 1,048,576.

    Examples
    --------
    >>> require_few_words(1 << 20)
    """
    if words > _MOST_WORDS:
        message = (
            f"its sets of categories take {words:,} words of 32 bits, more than {_MOST_WORDS:,}; number the categories "
            "from 0 before training"
        )
        raise NotCoveredError(message)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Trees as a reader found them: one entry a node in each array, all trees behind one another.

    Attributes
    ----------
    left, right
        The numbers of the children; -1 for a leaf.
    feature
        The input that a split asks for, from 0.
    rule
        What is done with a missing value, and so on: one of this module's numbers.
    threshold
        Of a split; of one by a set, the number of the set.
    value
        Of a leaf; where ``rows`` is given, the number of its row there.
    roots
        The root of each tree, in the order in which the library adds them up.
    groups
        The output that each tree adds to.
    width
        How many inputs there are.
    outputs
        How many numbers a row gets.
    sets
        Of splits by a set: the codes that go to the left, as 32-bit words, the lowest bit first.
    rows
        Shape (leaves, outputs): where a leaf has a number for each output.
    base
        What the sum of each output begins with.
    is_single
        Whether inputs are rounded to float32 before they are compared.
    adds_single
        Whether the sum is float32.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    rule: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    roots: np.ndarray
    groups: np.ndarray
    width: int
    outputs: int
    sets: Sequence[np.ndarray] = ()
    rows: np.ndarray | None = None
    base: np.ndarray | None = None
    is_single: bool = False
    adds_single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ensemble:
    """A forest, packed for the kernel.

    Attributes
    ----------
    thresholds
        float64, one a node: a split's threshold, or the place of its set; a leaf's value, or the number of its row.
    links
        uint32, two a node: the block's column (with :data:`SET_BIT` for a split by a set), and the left child, whose
        neighbour is the right one. A leaf leads to itself: its column is 0, which is minus infinity in each row.
    roots, steps, groups
        Of each tree: its root, how many steps lead to its deepest leaf, the output that it adds to.
    inputs, rules
        Of each column of the block but the first: the input that it is made of, and how (a row of four numbers).
    sets
        uint32: for each set its number of words, then its words; None where no split is by a set.
    rows
        float64, flat: the numbers of leaves that have several; None where they have one.
    base
        What the sum of each output begins with; its type is the sum's.
    width, is_single
        See :class:`Forest`.
    """

    thresholds: np.ndarray
    links: np.ndarray
    roots: np.ndarray
    steps: np.ndarray
    groups: np.ndarray
    inputs: np.ndarray
    rules: np.ndarray
    sets: np.ndarray | None
    rows: np.ndarray | None
    base: np.ndarray
    width: int
    is_single: bool

    @property
    def outputs(self) -> int:
        """How many numbers a row gets."""
        return len(self.base)

    @property
    def trees(self) -> int:
        """How many trees there are."""
        return len(self.roots)

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        held = (self.thresholds, self.links, self.roots, self.steps, self.groups, self.inputs, self.rules, self.base)
        return sum(each.nbytes for each in (*held, self.sets, self.rows) if each is not None)


def pack(forest: Forest) -> Ensemble:
    """Pack a forest for the kernel.

    Parameters
    ----------
    forest
        Each path of it ends in a leaf, and no split asks for an input beyond its width.

    Raises
    ------
    NotCoveredError
        It has more nodes or columns than fit, or a number that the kernel cannot hold.

    Examples
    --------
    >>> stump = Forest(left=np.array([1, -1, -1]), right=np.array([2, -1, -1]), feature=np.array([0, 0, 0]),
    ...     rule=np.zeros(3, int), threshold=np.array([0.5, 0, 0]), value=np.array([0.0, 1.0, 2.0]),
    ...     roots=np.array([0]), groups=np.array([0]), width=1, outputs=1)
    >>> packed = pack(stump)
    >>> packed.links.reshape(-1, 2).tolist(), packed.thresholds.tolist(), packed.steps.tolist()
    ([[1, 1], [0, 1], [0, 2]], [0.5, 1.0, 2.0], [1])
    """
    inner = forest.left != _LEAF
    order, steps = _order(forest)
    place = np.empty(len(forest.left), dtype=np.int64)
    place[order] = np.arange(len(order))
    splits = inner[order]
    codes = forest.feature.astype(np.int64) * len(_RULES) + forest.rule
    used, column = np.unique(codes[order][splits], return_inverse=True)
    if len(order) >= SET_BIT or len(used) >= SET_BIT:
        message = f"it has {len(order)} nodes, more than the kernel can number"
        raise NotCoveredError(message)
    starts, words = _packed_sets(forest.sets)
    is_set = splits & (forest.rule[order] >= WHOLE_CATEGORY)
    thresholds = np.where(splits, forest.threshold[order], forest.value[order]).astype(np.float64)
    if np.isnan(thresholds).any():
        message = "a threshold or a leaf of it is NaN"
        raise NotCoveredError(message)
    if is_set.any():
        thresholds[is_set] = starts[thresholds[is_set].astype(np.int64)]
    links = np.zeros((len(order), 2), dtype=np.uint32)
    links[splits, 0] = column + 1
    links[is_set, 0] |= SET_BIT
    links[:, 1] = np.where(splits, place[np.maximum(forest.left[order], 0)], np.arange(len(order)))
    base = np.zeros(forest.outputs) if forest.base is None else forest.base
    return Ensemble(
        thresholds=thresholds,
        links=links.reshape(-1),
        roots=place[forest.roots].astype(np.uint32),
        steps=steps,
        groups=forest.groups.astype(np.int32),
        inputs=(used // len(_RULES)).astype(np.int32),
        rules=_RULES[used % len(_RULES)].reshape(-1),
        sets=words,
        rows=None if forest.rows is None else np.ascontiguousarray(forest.rows, dtype=np.float64).reshape(-1),
        base=base.astype(np.float32 if forest.adds_single else np.float64),
        width=forest.width,
        is_single=forest.is_single,
    )


def _order(forest: Forest) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes tree by tree, each from its root downwards with brothers side by side; and each tree's depth."""
    tree = np.arange(len(forest.roots), dtype=np.int32)
    level = forest.roots.astype(np.int64)
    nodes, trees = [level], [tree]
    steps = np.zeros(len(forest.roots), dtype=np.int32)
    while True:
        splits = forest.left[level] != _LEAF
        parents, tree = level[splits], tree[splits]
        if not len(parents):
            break
        steps[np.unique(tree)] += 1
        level = np.column_stack([forest.left[parents], forest.right[parents]]).astype(np.int64).reshape(-1)
        tree = np.repeat(tree, 2)
        nodes.append(level)
        trees.append(tree)
    by_tree = np.argsort(np.concatenate(trees), kind="stable")
    return np.concatenate(nodes)[by_tree], steps


def _packed_sets(sets: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """Return where each set begins, and all of them, each behind the number of its words."""
    if not sets:
        return np.empty(0), None
    sizes = np.array([len(each) + 1 for each in sets])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    words = np.concatenate([np.concatenate([[len(each)], each]) for each in sets]).astype(np.uint32)
    return starts.astype(np.float64), words
