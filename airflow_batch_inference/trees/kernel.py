"""The compiled walk: a block of rows goes eight at a time through each tree, in a fixed number of steps.

Eight independent walks hide each other's memory latency, and a fixed number of steps leaves no branch to guess; leaves
lead to themselves. What must not be relaxed: no fast mathematics (the sum is made tree by tree, in the order and the
type of the library), no bounds that are checked per step (the packing has proven them), and the global interpreter
lock is released. This module imports Numba, so it is imported only by :mod:`~.compiled`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray, njit, types
from numba.extending import intrinsic

from airflow_batch_inference.trees.links import (
    EXPONENTIAL,
    LOG_EXPONENTIAL,
    SIGMOID,
    SINGLE_SIGMOID,
    SOFTMAX,
)

_compiled = njit(nogil=True, error_model="numpy")

LANES = 8
PLAIN, STRIDE = 16, 4
"""Trees up to so many steps are walked without a question; of deeper ones it is asked after so many steps whether all
rows are in leaves, since few go down the longest paths. A leaf leads to itself, so a step too many changes nothing."""
_SET_BIT = np.uint32(1 << 31)
_COLUMN = np.uint32((1 << 31) - 1)
_WORD = np.uint64(5)
_IN_WORD = np.uint64(31)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_MOST_WHOLE = 2147483648.0


@intrinsic
def _pointer(_, address):  # noqa: ARG001  # it is typed, not run
    """Make a pointer to float64 of an address."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float64)(types.uint64), generate


@_compiled
def _is_outside(value, sets, threshold):
    """Say whether a category is not in the set of a split; minus one is in none, infinity in each."""
    place = np.uint64(threshold)
    if value == math.inf:
        return False
    if not (value >= 0.0) or value >= 32.0 * sets[place]:
        return True
    code = np.uint64(value)
    word = np.uint64(sets[place + _ONE + (code >> _WORD)])
    return (word >> (code & _IN_WORD)) & _ONE == np.uint64(0)


@_compiled
def _next(block, row, thresholds, links, sets, node):
    """Return the child that a row goes to. Indices are unsigned: Numba then asks for no negative ones."""
    column = links[_TWO * node]
    if sets is None:
        goes_right = not (block[row + np.uint64(column)] <= thresholds[node])
    else:
        value = block[row + np.uint64(column & _COLUMN)]
        is_set = (column & _SET_BIT) != np.uint32(0)
        goes_right = _is_outside(value, sets, thresholds[node]) if is_set else not (value <= thresholds[node])
    return np.uint64(links[_TWO * node + _ONE]) + np.uint64(goes_right)


@_compiled
def _leaves(block, row0, width, thresholds, links, sets, root, steps):
    """Return the leaves that eight rows fall into."""
    row1 = row0 + width
    row2 = row1 + width
    row3 = row2 + width
    row4 = row3 + width
    row5 = row4 + width
    row6 = row5 + width
    row7 = row6 + width
    node0 = node1 = node2 = node3 = node4 = node5 = node6 = node7 = root
    for _ in range(steps):
        node0 = _next(block, row0, thresholds, links, sets, node0)
        node1 = _next(block, row1, thresholds, links, sets, node1)
        node2 = _next(block, row2, thresholds, links, sets, node2)
        node3 = _next(block, row3, thresholds, links, sets, node3)
        node4 = _next(block, row4, thresholds, links, sets, node4)
        node5 = _next(block, row5, thresholds, links, sets, node5)
        node6 = _next(block, row6, thresholds, links, sets, node6)
        node7 = _next(block, row7, thresholds, links, sets, node7)
    return node0, node1, node2, node3, node4, node5, node6, node7


@_compiled
def _deep_leaves(block, row0, width, thresholds, links, sets, root, steps):
    """Return the leaves that eight rows fall into; ask every few steps whether all of them are there."""
    row1 = row0 + width
    row2 = row1 + width
    row3 = row2 + width
    row4 = row3 + width
    row5 = row4 + width
    row6 = row5 + width
    row7 = row6 + width
    node0 = node1 = node2 = node3 = node4 = node5 = node6 = node7 = root
    for _ in range(0, steps, STRIDE):
        for _ in range(STRIDE):
            node0 = _next(block, row0, thresholds, links, sets, node0)
            node1 = _next(block, row1, thresholds, links, sets, node1)
            node2 = _next(block, row2, thresholds, links, sets, node2)
            node3 = _next(block, row3, thresholds, links, sets, node3)
            node4 = _next(block, row4, thresholds, links, sets, node4)
            node5 = _next(block, row5, thresholds, links, sets, node5)
            node6 = _next(block, row6, thresholds, links, sets, node6)
            node7 = _next(block, row7, thresholds, links, sets, node7)
        if (
            links[_TWO * node0]
            | links[_TWO * node1]
            | links[_TWO * node2]
            | links[_TWO * node3]
            | links[_TWO * node4]
            | links[_TWO * node5]
            | links[_TWO * node6]
            | links[_TWO * node7]
        ) == np.uint32(0):
            break
    return node0, node1, node2, node3, node4, node5, node6, node7


@_compiled
def _fill(addresses, inputs, rules, is_single, first, count, width, block):
    """Copy rows into the block, each value as the splits want it."""
    for column in range(len(inputs)):
        values = carray(_pointer(addresses[inputs[column]]), (first + count,))
        missing, limit, tiny, whole = (
            rules[4 * column],
            rules[4 * column + 1],
            rules[4 * column + 2],
            rules[4 * column + 3],
        )
        at = column + 1
        for row in range(first, first + count):
            value = values[row]
            if is_single:
                value = np.float64(np.float32(value))
            size = abs(value)
            if value != value:  # NaN
                value = missing
            elif size <= limit:
                value = tiny
            elif whole != 0.0:
                value = math.trunc(value) if size < _MOST_WHOLE else -1.0
            block[at] = value
            at += width


@_compiled
def _add_values(sums, at, wide, thresholds, found):
    """Add the values of eight leaves."""
    sums[at + 0 * wide] += thresholds[found[0]]
    sums[at + 1 * wide] += thresholds[found[1]]
    sums[at + 2 * wide] += thresholds[found[2]]
    sums[at + 3 * wide] += thresholds[found[3]]
    sums[at + 4 * wide] += thresholds[found[4]]
    sums[at + 5 * wide] += thresholds[found[5]]
    sums[at + 6 * wide] += thresholds[found[6]]
    sums[at + 7 * wide] += thresholds[found[7]]


@_compiled
def _add_rows(sums, at, wide, thresholds, rows, found):
    """Add the rows of numbers of eight leaves."""
    for lane in range(LANES):
        leaf = int(thresholds[found[lane]]) * wide
        for output in range(wide):
            sums[at + lane * wide + output] += rows[leaf + output]


@_compiled
def score(
    addresses,
    inputs,
    rules,
    is_single,
    thresholds,
    links,
    roots,
    steps,
    groups,
    sets,
    rows,
    base,
    start,
    stop,
    block,
    sums,
    out,
):
    """Add up the leaves of rows ``start`` to ``stop``.

    Parameters
    ----------
    addresses
        uint64, one an input: where its contiguous float64 values begin.
    inputs, rules, is_single, thresholds, links, roots, steps, groups, sets, rows, base
        Of an :class:`~.ensemble.Ensemble`.
    start, stop
        The rows.
    block, sums
        Scratch of this call alone, zeros: rows of a multiple of eight, by one column more than ``inputs``, and by the
        outputs.
    out
        Flat, (all rows, outputs): filled from ``start`` to ``stop``.
    """
    width = len(inputs) + 1
    wide = len(base)
    height = len(sums) // wide
    for at in range(0, len(block), width):
        block[at] = -math.inf
    for first in range(start, stop, height):
        count = min(height, stop - first)
        _fill(addresses, inputs, rules, is_single, first, count, width, block)
        for at in range(0, len(sums), wide):
            for output in range(wide):
                sums[at + output] = base[output]
        for tree in range(len(roots)):
            root = np.uint64(roots[tree])
            for lane in range(0, count, LANES):
                row = np.uint64(lane * width)
                if steps[tree] <= PLAIN:
                    found = _leaves(block, row, np.uint64(width), thresholds, links, sets, root, steps[tree])
                else:
                    found = _deep_leaves(block, row, np.uint64(width), thresholds, links, sets, root, steps[tree])
                if rows is None:
                    _add_values(sums, lane * wide + groups[tree], wide, thresholds, found)
                else:
                    _add_rows(sums, lane * wide, wide, thresholds, rows, found)
        for at in range(count * wide):
            out[first * wide + at] = sums[at]


@_compiled
def _softmax(values, wide, _):
    """Make probabilities of each row in place: the sum is float64, the rest in the values' own type."""
    for at in range(0, len(values), wide):
        most = values[at]
        for output in range(1, wide):
            most = max(most, values[at + output])
        total = 0.0
        for output in range(wide):
            values[at + output] = math.exp(values[at + output] - most)
            total += values[at + output]
        for output in range(wide):
            values[at + output] = values[at + output] / values.dtype.type(total)


@_compiled
def _sigmoid(values, _, steepness):
    """Do what LightGBM does."""
    for at in range(len(values)):
        values[at] = 1.0 / (1.0 + math.exp(-steepness * values[at]))


@_compiled
def _single_sigmoid(values, _, __):
    """Do what XGBoost does."""
    one, limit, least = np.float32(1.0), np.float32(88.7), np.float32(1e-16)
    for at in range(len(values)):
        power = min(-np.float32(values[at]), limit)
        values[at] = one / (math.exp(power) + one + least)


@_compiled
def _exponential(values, _, __):
    for at in range(len(values)):
        values[at] = math.exp(values[at])


@_compiled
def _log_exponential(values, _, __):
    for at in range(len(values)):
        values[at] = math.log1p(math.exp(values[at]))


LINKED = {
    SOFTMAX: _softmax,
    SIGMOID: _sigmoid,
    SINGLE_SIGMOID: _single_sigmoid,
    EXPONENTIAL: _exponential,
    LOG_EXPONENTIAL: _log_exponential,
}
"""By link, what applies it to flat sums in place, given the outputs a row and a steepness; operation by operation as
the libraries do. ``math.exp`` is the C library's, as theirs is; NumPy's own rounds otherwise. Each is a function of its
own, since a model needs one of them, and compiling them all takes as long as a quarter of the walk."""
