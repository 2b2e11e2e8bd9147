"""Whether the nodes of a decision tree lead from its root to a leaf, checked before a native library follows them.

LightGBM and XGBoost follow the numbers of a file without a check: a node that points beyond the arrays reads other
memory, one that points back never ends.

Invariants: each node has one parent at most and the root none, so every path ends; and no split asks for an input that
there is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_LEVELS = 2000
"""Of a tree: libraries that explain predictions follow it by calls within calls, with memory for each pair of them."""


def node_fault(
    children: Mapping[str, np.ndarray], is_inner: Mapping[str, np.ndarray], splits: np.ndarray, *, width: int
) -> str | None:
    """Say what is wrong with a tree; None where nothing is.

    Parameters
    ----------
    children
        For each side, the node that each node leads to, all of the same length. Node 0 is the root.
    is_inner
        For each side, whether that number is one of a node (and not of a leaf, or none).
    splits
        The input that each node asks for.
    width
        How many inputs there are.

    Examples
    --------
    >>> left, right = np.array([1, -1, -1]), np.array([2, -1, -1])
    >>> sides = {"left": left, "right": right}
    >>> node_fault(sides, {name: found > 0 for name, found in sides.items()}, np.array([3, 0, 0]), width=4)
    >>> node_fault(sides, {name: found > 0 for name, found in sides.items()}, np.array([4, 0, 0]), width=4)
    'a split asks for input 4 of 4'
    """
    if len({len(splits), *map(len, children.values()), *map(len, is_inner.values())}) > 1:
        return "its arrays are of different lengths"
    led_to = np.concatenate([found[is_inner[name]] for name, found in children.items()])
    if ((led_to <= 0) | (led_to >= len(splits))).any():
        return f"a node leads to none of its {len(splits)} nodes"
    if len(np.unique(led_to)) < len(led_to):
        return "two nodes lead to the same one"
    wrong = splits[(splits < 0) | (splits >= width)]
    if len(wrong):
        return f"a split asks for input {int(wrong[0])} of {width}"
    if len(splits) > MOST_LEVELS and _is_deep(children, is_inner):
        return f"it has more than {MOST_LEVELS} levels, and explaining it takes memory by their square"
    return None


def _is_deep(children: Mapping[str, np.ndarray], is_inner: Mapping[str, np.ndarray]) -> bool:
    """Say whether a path from the root is longer than there may be levels."""
    level = np.zeros(1, dtype=np.int64)
    for _ in range(MOST_LEVELS):
        level = np.concatenate([found[level][is_inner[name][level]] for name, found in children.items()])
        if not len(level):
            return False
    return True
