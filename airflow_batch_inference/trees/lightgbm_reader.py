"""LightGBM's text model as a neutral forest, and its outputs of the sum.

What LightGBM does (its ``include/LightGBM/tree.h`` and ``objective`` folder): numbers up to 1e-35 are zeros; a split
knows whether NaN, zero or nothing is missing, and where that goes; a category is the whole part of a number. What must
not be relaxed: a key of the text that could change the sum and is not known here refuses the model.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.trees.forest import (
    WHOLE_CATEGORY,
    ZERO_FOR_NAN,
    ZERO_MISSING_LEFT,
    ZERO_MISSING_RIGHT,
    ZERO_NAN_LEFT,
    ZERO_NAN_RIGHT,
    Forest,
    NotCoveredError,
    require_few_words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_IS_SET, _DEFAULT_LEFT = 1, 2
# By the two bits of what is missing (none, zero, NaN), then by where that goes.
_RULES = np.array([[ZERO_FOR_NAN] * 2, [ZERO_MISSING_RIGHT, ZERO_MISSING_LEFT], [ZERO_NAN_RIGHT, ZERO_NAN_LEFT]])
_MISSING_KINDS = 3
_WORDS = re.compile(r"\ncat_boundaries=(?:[\d ]* )?(\d+)")  # the last one: how many words a tree's sets have
_KNOWN = {
    "tree", "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
    "average_output", "feature_names", "monotone_constraints", "feature_infos", "tree_sizes",
}  # fmt: skip


def read_header(text: str) -> dict[str, str]:
    r"""Return what stands before the trees.

    Raises
    ------
    NotCoveredError
        There is a line that is not known.

    Examples
    --------
    >>> read_header("tree\nnum_class=1\naverage_output\n\nTree=0\n")
    {'tree': '', 'num_class': '1', 'average_output': ''}
    """
    lines = text.partition("\nTree=")[0].splitlines()
    header = dict(line.partition("=")[::2] for line in lines if line.strip())
    unknown = sorted(set(header) - _KNOWN)
    if unknown:
        message = f"its text has the line {unknown[0]!r}"
        raise NotCoveredError(message)
    return header


def read_trees(text: str) -> Forest:
    """Read the trees of a text that LightGBM itself has loaded.

    Raises
    ------
    NotCoveredError
        A tree has linear leaves, the sets of categories are too large, or the header says what is not known.
    """
    header = read_header(text)
    require_few_words(sum(map(int, _WORDS.findall(text))))
    _, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    if not blocks:
        message = "it has no trees"
        raise NotCoveredError(message)
    trees = [dict(line.partition("=")[::2] for line in block.splitlines()[1:] if line) for block in blocks]
    if any(tree.get("is_linear", "0") != "0" for tree in trees):
        message = "its leaves are linear"
        raise NotCoveredError(message)
    found = [_tree(tree) for tree in trees]
    sizes = np.array([len(tree["left"]) for tree in found])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shift = np.repeat(starts, sizes)
    joined = {name: np.concatenate([tree[name] for tree in found]) for name in found[0]}
    joined["left"] = np.where(joined["left"] < 0, -1, joined["left"] + shift)
    joined["right"] = np.where(joined["right"] < 0, -1, joined["right"] + shift)
    sets = [_sets(tree) for tree in trees]
    firsts = np.concatenate([[0], np.cumsum([len(each) for each in sets])[:-1]])
    joined["threshold"] += np.where(joined["rule"] == WHOLE_CATEGORY, np.repeat(firsts, sizes), 0)
    outputs = int(header["num_tree_per_iteration"])
    return Forest(
        left=joined["left"],
        right=joined["right"],
        feature=joined["feature"],
        rule=joined["rule"],
        threshold=joined["threshold"],
        value=joined["value"],
        roots=starts,
        groups=np.arange(len(trees)) % outputs,
        width=int(header["max_feature_idx"]) + 1,
        outputs=outputs,
        sets=[each for of_tree in sets for each in of_tree],
    )


def _numbers(tree: Mapping[str, str], name: str, kind: type) -> np.ndarray:
    return np.array(tree.get(name, "").split(), dtype=kind)


def _tree(tree: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return a tree's nodes: its splits, then its leaves, which LightGBM numbers -1, -2, … as children."""
    splits, leaves = int(tree["num_leaves"]) - 1, int(tree["num_leaves"])
    nothing = np.zeros(leaves, dtype=np.int64)
    kinds = _numbers(tree, "decision_type", np.int64)
    missing = kinds >> 2 & 3
    if (missing >= _MISSING_KINDS).any():
        message = "a split says of missing values what is not known"
        raise NotCoveredError(message)
    rules = np.where(kinds & _IS_SET, WHOLE_CATEGORY, _RULES[missing, (kinds & _DEFAULT_LEFT) // _DEFAULT_LEFT])

    def children(name: str) -> np.ndarray:
        found = _numbers(tree, name, np.int64)
        return np.concatenate([np.where(found < 0, splits + ~found, found), nothing - 1])

    return {
        "left": children("left_child") if splits else nothing - 1,
        "right": children("right_child") if splits else nothing - 1,
        "feature": np.concatenate([_numbers(tree, "split_feature", np.int64), nothing]),
        "rule": np.concatenate([rules, nothing]),
        "threshold": np.concatenate([_numbers(tree, "threshold", np.float64), nothing]),
        "value": np.concatenate([np.zeros(splits), _numbers(tree, "leaf_value", np.float64)]),
    }


def _sets(tree: Mapping[str, str]) -> list[np.ndarray]:
    """Return the sets of categories of a tree's splits, as 32-bit words."""
    if tree.get("num_cat", "0") == "0":
        return []
    bounds, words = _numbers(tree, "cat_boundaries", np.int64), _numbers(tree, "cat_threshold", np.uint32)
    return [words[start:stop] for start, stop in itertools.pairwise(bounds.tolist())]


def sigmoid_of(objective: str) -> float:
    """Return the steepness of a sigmoid.

    Examples
    --------
    >>> sigmoid_of("binary sigmoid:0.7")
    0.7
    """
    found = re.search(r"\bsigmoid:(\S+)", objective)
    return float(found.group(1)) if found else 1.0
