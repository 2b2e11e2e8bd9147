"""One tree of an XGBoost file: its nodes, sets of categories and leaves.

Invariants: every number that is a place among others lies among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.flavors.boosters.split_nodes import node_fault
from airflow_batch_inference.flavors.boosters.xgboost_lists import SHOWN, count, entry, numbers, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE = -1
_NO_PARENT = (-1, (1 << 31) - 1)
"""What XGBoost writes as the root's parent: of leaves with several numbers, and of others."""
_MOST_CODES = 1 << 24
"""What XGBoost takes for categories (its ``OutOfRangeCat``)."""
_NODE_LISTS = ("left_children", "right_children", "parents", "split_indices", "default_left", "split_type")
_NUMBER_LISTS = ("split_conditions", "loss_changes", "sum_hessian")


def _categories_fault(tree: Mapping[str, Any], nodes: int) -> str | None:
    names = ("categories", "categories_nodes", "categories_segments", "categories_sizes", "split_type")
    codes, owners, starts, sizes, kinds = (whole_numbers(tree, name) for name in names)
    if not len(owners) == len(starts) == len(sizes):
        return "its sets of categories are of different lengths"
    if len(owners) and ((owners < 0) | (owners >= nodes)).any():
        return f"a set of categories is of none of its {nodes} nodes"
    if len(owners) and ((starts < 0) | (sizes < 1) | (starts > len(codes) - sizes)).any():
        return f"a set of categories lies beyond its {len(codes)} categories"
    wrong = codes[(codes < 0) | (codes >= _MOST_CODES)]
    if len(wrong):
        return f"category {int(wrong[0])} is none from 0 to {_MOST_CODES - 1:,}"
    # XGBoost takes the sets in the order of the nodes, and of nodes without one what lies behind all of them.
    is_of_splits = (
        len(kinds) == nodes and np.array_equal(owners, np.flatnonzero(kinds)) and bool((kinds >> 1 == 0).all())
    )
    is_empty = "split_type" not in tree and not len(owners)
    return None if is_of_splits or is_empty else "its sets are not those of its splits by categories (split_type)"


def tree_fault(tree: object, number: int, outputs: int, width: int, sizes: set[int]) -> str | None:
    """Say what is wrong with a tree; ``sizes`` takes how many numbers its leaves have.

    Raises
    ------
    ValueError
        A list of it is none.
    """
    if not isinstance(tree, dict):
        return "it is no object"
    parameters = entry(tree, "tree_param")
    nodes, size = count(parameters, "num_nodes"), count(parameters, "size_leaf_vector", "1")
    lists = {name: whole_numbers(tree, name, None) for name in _NODE_LISTS if name != "split_type" or name in tree}
    others = {name: numbers(tree, name) for name in _NUMBER_LISTS}
    if nodes < 1 or any(len(found) != nodes for found in (*lists.values(), *others.values())):
        return f"its arrays are of different lengths than its {nodes} nodes"
    if tree.get("id", number) != number:
        return f"its id is {str(tree['id'])[:SHOWN]}"
    sizes.add(max(1, size))
    fault = _categories_fault(tree, nodes)
    if fault:
        return fault
    left, right, splits = (lists[name] for name in ("left_children", "right_children", "split_indices"))
    is_leaf = left == _NONE
    inner = {"left": ~is_leaf, "right": ~is_leaf}
    return (
        node_fault({"left": left, "right": right}, inner, np.where(is_leaf, 0, splits), width=width)
        or _parents_fault(lists["parents"], left, right)
        or _leaves_fault(tree, right[is_leaf], size, nodes, outputs)
    )


def _parents_fault(parents: np.ndarray, left: np.ndarray, right: np.ndarray) -> str | None:
    """Say whether a node names another parent than the node that leads to it: XGBoost asks that one for its children.

    A node that pruning has deleted is that of no other, and names any.
    """
    if parents[0] not in _NO_PARENT:
        return f"its root has the parent {int(parents[0])}"
    others = parents[1:]
    if ((others < 0) | (others >= len(parents))).any():
        return "a node's parent is none of its nodes"
    owners = np.flatnonzero(left != _NONE)
    if any((parents[side[owners]] != owners).any() for side in (left, right)):
        return "a node's parent is not the one that leads to it"
    return None


def _leaves_fault(tree: Mapping[str, Any], places: np.ndarray, size: int, nodes: int, outputs: int) -> str | None:
    """Say what is wrong with the numbers of the leaves; those of several are kept apart, by the leaf's place."""
    weights = numbers(tree, "base_weights")
    if size <= 1:
        return None if len(weights) == nodes else f"its base_weights are {len(weights)}, but it has {nodes} nodes"
    if size != outputs:
        return f"its leaves are of {size} numbers, but the model is of {outputs}"
    leaves = numbers(tree, "leaf_weights")
    if len(weights) % nodes or not len(weights) or len(leaves) != len(places) * size:
        return f"its {len(places)} leaves of {size} numbers have {len(leaves)}, and its nodes {len(weights)}"
    if not np.array_equal(np.sort(places), np.arange(len(places))):
        return "two leaves are at the same place, or one at none"
    return None
