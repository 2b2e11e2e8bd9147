"""A forest, packed for the kernel, which has two ways to a leaf.

Trees of few leaves are asked all of their splits, each of which strikes out leaves ("masks"); large ones are walked.

Invariants: what is packed leads from each root to a leaf, in the number of steps that is kept, and the kernel checks
nothing; ``kernel.c`` has the layouts of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.flavors.forests.forest import NotCoveredError
from airflow_batch_inference.trees.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.flavors.forests.forest import Forest
    from airflow_batch_inference.trees.columns import Columns

LANES = 16
"""The rows of a tile."""
MOST_MASKED_LEAVES = 192
"""Trees of more leaves are walked: asking all of their splits takes longer."""
_CHUNK = 32
_LEAF = -1
_RANK_BITS = 32
_LINK_BITS = 32
"""Of a node: those of its child and of its column."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Masks:
    """Small trees, all of whose splits are asked.

    Attributes
    ----------
    splits
        int32, shape (splits, 3): where the numbers of a column are in a tile, the rank, and the leaves (as bits) that
        are out where a number is more than it; or the place of a set, and those that are out where it is not in it.
    chunks
        uint64: where the splits of each 32 leaves of a tree begin, and those by a set; and where the last ones end.
    bounds
        uint64: the first chunk of each tree, and where the last ones end.
    """

    splits: np.ndarray
    chunks: np.ndarray
    bounds: np.ndarray

    @property
    def nbytes(self) -> int:
        """The memory that they take."""
        return self.splits.nbytes + self.chunks.nbytes + self.bounds.nbytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """Large trees, whose nodes lead from one to the next.

    Attributes
    ----------
    nodes
        uint64, one a node: from bit ``shift`` on the left child, counted from the tree's root, whose neighbour is the
        right one; from bit 32 on the column; then the rank, or the place of a set. A leaf leads to itself: its column
        is the first one, which is less than any rank, and its rank is the leaf's number in its tree.
    roots, steps
        uint64, of each tree: where its root is, and how many steps lead to its deepest leaf.
    shift
        See ``nodes``.
    first_set
        The columns from this one on hold categories.
    """

    nodes: np.ndarray
    roots: np.ndarray
    steps: np.ndarray
    shift: int
    first_set: int

    @property
    def nbytes(self) -> int:
        """The memory that they take."""
        return self.nodes.nbytes + self.roots.nbytes + self.steps.nbytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ensemble:
    """A forest, packed for the kernel.

    Attributes
    ----------
    inputs, columns, cuts
        See :class:`~.columns.Columns`; a tile has one column before them, which is less than any number.
    way
        How a row finds its leaves.
    sets
        uint32: for each set its number of words, its words, and a zero; None where no split is by a set.
    values
        float64: the number of each leaf, tree by tree from left to right, or a row of numbers for each.
    firsts
        uint64: where each tree's values begin.
    groups
        int64: the output that each tree adds to; -1: all of them, from rows of numbers.
    base
        What the sum of each output begins with; its type is the sum's.
    width, is_single
        See :class:`~.forest.Forest`.
    """

    inputs: np.ndarray
    columns: np.ndarray
    cuts: np.ndarray
    way: Masks | Walk
    sets: np.ndarray | None
    values: np.ndarray
    firsts: np.ndarray
    groups: np.ndarray
    base: np.ndarray
    width: int
    is_single: bool

    @property
    def outputs(self) -> int:
        """How many numbers a row gets."""
        return len(self.base)

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        held = (self.inputs, self.columns, self.cuts, self.values, self.firsts, self.groups, self.base)
        return sum(each.nbytes for each in held) + self.way.nbytes + (0 if self.sets is None else self.sets.nbytes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shape:
    """Where the nodes of a forest are.

    Attributes
    ----------
    nodes
        Tree by tree, each from its root downwards with brothers side by side.
    tree
        Of each of ``nodes``: its tree.
    steps
        Of each tree: how many lead to its deepest leaf.
    leaves, first
        Of each node of the forest: how many leaves are below it, and how many of its tree are to its left.
    """

    nodes: np.ndarray
    tree: np.ndarray
    steps: np.ndarray
    leaves: np.ndarray
    first: np.ndarray


def pack(forest: Forest) -> Ensemble:
    """Pack a forest for the kernel.

    Parameters
    ----------
    forest
        Each path of it ends in a leaf, and no split asks for an input beyond its width.

    Raises
    ------
    NotCoveredError
        It has more nodes and columns than fit into the kernel's, or a number that it cannot hold.

    Examples
    --------
    >>> from airflow_batch_inference.flavors.forests.forest import Forest
    >>> stump = Forest(left=np.array([1, -1, -1]), right=np.array([2, -1, -1]), feature=np.array([0, 0, 0]),
    ...     rule=np.zeros(3, int), threshold=np.array([0.5, 0, 0]), value=np.array([0.0, 1.0, 2.0]),
    ...     roots=np.array([0]), groups=np.array([0]), width=1, outputs=1)
    >>> packed = pack(stump)
    >>> packed.cuts.tolist(), packed.way.splits.tolist(), packed.values.tolist()
    ([0.5], [[16, 0, 1]], [1.0, 2.0])
    """
    shape = _shape(forest)
    _require_sound(forest, shape.nodes)
    splits = shape.nodes[forest.left[shape.nodes] != _LEAF]
    columns = columns_of(forest, splits)
    starts, words = _packed_sets(forest.sets)
    by_set = splits[columns.of_node[splits] >= columns.first_set]
    columns.rank[by_set] = starts[columns.rank[by_set]]
    is_small = shape.leaves[forest.roots].max() <= MOST_MASKED_LEAVES
    firsts, values = _values(forest, shape)
    base = np.zeros(forest.outputs) if forest.base is None else forest.base
    return Ensemble(
        inputs=columns.inputs,
        columns=columns.table,
        cuts=columns.cuts,
        way=_masks(forest, shape, columns) if is_small else _walk(forest, shape, columns),
        sets=words,
        values=values,
        firsts=firsts,
        groups=np.asarray(forest.groups if forest.rows is None else np.full(len(forest.roots), -1), dtype=np.int64),
        base=base.astype(np.float32 if forest.adds_single else np.float64),
        width=forest.width,
        is_single=forest.is_single,
    )


def _require_sound(forest: Forest, nodes: np.ndarray) -> None:
    """Refuse what would lead the kernel to memory that is not its own, or has no order."""
    is_leaf = forest.left[nodes] == _LEAF
    features, groups = forest.feature[nodes[~is_leaf]], forest.groups
    if np.isnan(np.where(is_leaf, forest.value[nodes], forest.threshold[nodes])).any():
        message = "a threshold or a leaf of it is NaN"
    elif ((features < 0) | (features >= forest.width)).any():
        message = f"a split asks for an input that is none of its {forest.width}"
    elif ((groups < 0) | (groups >= forest.outputs)).any():
        message = f"a tree adds to an output that is none of its {forest.outputs}"
    else:
        return
    raise NotCoveredError(message)


def _shape(forest: Forest) -> _Shape:
    """Go through all trees at the same time, level by level."""
    tree, level = np.arange(len(forest.roots), dtype=np.int32), forest.roots.astype(np.int64)
    levels, trees = [level], [tree]
    steps = np.zeros(len(forest.roots), dtype=np.uint64)
    while True:
        splits = forest.left[level] != _LEAF
        parents, tree = level[splits], tree[splits]
        if not len(parents):
            break
        steps[np.unique(tree)] += 1
        level = np.column_stack([forest.left[parents], forest.right[parents]]).astype(np.int64).reshape(-1)
        tree = np.repeat(tree, 2)
        levels.append(level)
        trees.append(tree)
    leaves = np.ones(len(forest.left), dtype=np.int64)
    for level in reversed(levels):
        parents = level[forest.left[level] != _LEAF]
        leaves[parents] = leaves[forest.left[parents]] + leaves[forest.right[parents]]
    first = np.zeros(len(forest.left), dtype=np.int64)
    for level in levels:
        parents = level[forest.left[level] != _LEAF]
        first[forest.left[parents]] = first[parents]
        first[forest.right[parents]] = first[parents] + leaves[forest.left[parents]]
    of_all = np.concatenate(trees)
    by_tree = np.argsort(of_all, kind="stable")
    return _Shape(nodes=np.concatenate(levels)[by_tree], tree=of_all[by_tree], steps=steps, leaves=leaves, first=first)


def _values(forest: Forest, shape: _Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return where the values of each tree begin, and the values of all leaves from left to right."""
    sizes = shape.leaves[forest.roots]
    starts = np.cumsum(sizes) - sizes
    is_leaf = forest.left[shape.nodes] == _LEAF
    ends, trees = shape.nodes[is_leaf], shape.tree[is_leaf]
    in_order = np.empty(len(ends), dtype=np.int64)
    in_order[starts[trees] + shape.first[ends]] = ends
    if forest.rows is None:
        return starts.astype(np.uint64), forest.value[in_order].astype(np.float64)
    rows = forest.rows[forest.value[in_order].astype(np.int64)]
    return (starts * forest.outputs).astype(np.uint64), rows.astype(np.float64).reshape(-1)


def _masks(forest: Forest, shape: _Shape, columns: Columns) -> Masks:
    """Let each split strike out the leaves to its left, 32 of them at a time."""
    is_split = forest.left[shape.nodes] != _LEAF
    nodes, trees = shape.nodes[is_split], shape.tree[is_split]
    begin = shape.first[nodes]
    end = begin + shape.leaves[forest.left[nodes]]
    first_chunk, last_chunk = begin // _CHUNK, (end - 1) // _CHUNK
    repeats = last_chunk - first_chunk + 1
    split = np.repeat(np.arange(len(nodes)), repeats)
    chunk = first_chunk[split] + np.arange(len(split)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    low = np.maximum(begin[split] - chunk * _CHUNK, 0)
    high = np.minimum(end[split] - chunk * _CHUNK, _CHUNK)
    mask = (np.left_shift(1, high) - np.left_shift(1, low)).astype(np.uint32).view(np.int32)
    place = (columns.of_node[nodes] + 1) * LANES
    splits = np.column_stack([place[split], columns.rank[nodes][split], mask]).astype(np.int32)
    chunks_of_tree = (shape.leaves[forest.roots] + _CHUNK - 1) // _CHUNK
    bounds = np.concatenate([[0], np.cumsum(chunks_of_tree)])
    of_all = 2 * (bounds[trees][split] + chunk) + (columns.of_node[nodes] >= columns.first_set)[split]
    in_order = np.argsort(of_all, kind="stable")
    chunks = np.searchsorted(of_all[in_order], np.arange(2 * bounds[-1] + 1))
    return Masks(splits=splits[in_order], chunks=chunks.astype(np.uint64), bounds=bounds.astype(np.uint64))


def _walk(forest: Forest, shape: _Shape, columns: Columns) -> Walk:
    """Let each node be one number.

    Raises
    ------
    NotCoveredError
        There are too many nodes and columns for it.
    """
    nodes = shape.nodes
    is_split = forest.left[nodes] != _LEAF
    roots = np.searchsorted(shape.tree, np.arange(len(forest.roots)))
    place = np.empty(len(forest.left), dtype=np.int64)
    place[nodes] = np.arange(len(nodes)) - roots[shape.tree]
    largest = int(place[nodes].max()) + 1
    column_bits, child_bits = len(columns.table).bit_length(), largest.bit_length()
    if column_bits + child_bits > _LINK_BITS:
        message = f"it has a tree of {largest:,} nodes and splits {len(columns.table):,} columns, too many to number"
        raise NotCoveredError(message)
    rank = np.where(is_split, columns.rank[nodes], shape.first[nodes])
    child = np.where(is_split, place[np.maximum(forest.left[nodes], 0)], place[nodes])
    column = np.where(is_split, columns.of_node[nodes] + 1, 0)
    shift = _RANK_BITS + column_bits
    packed = (child << shift) | (column << _RANK_BITS) | (rank & (2**_RANK_BITS - 1))
    return Walk(
        nodes=packed.view(np.uint64),
        roots=roots.astype(np.uint64),
        steps=shape.steps,
        shift=shift,
        first_set=columns.first_set + 1,
    )


def _packed_sets(sets: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """Return where each set begins, and all of them, each between the number of its words and a zero."""
    if not sets:
        return np.empty(0, dtype=np.int64), None
    sizes = np.array([len(each) + 2 for each in sets])
    words = np.concatenate([np.concatenate([[len(each)], each, [0]]) for each in sets]).astype(np.uint32)
    return np.cumsum(sizes) - sizes, words
