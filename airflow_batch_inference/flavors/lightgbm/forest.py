"""LightGBM's text model as a neutral forest, and its outputs of the sum.

What LightGBM does (its ``include/LightGBM/tree.h`` and ``objective`` folder): numbers up to 1e-35 are zeros; a split
knows whether NaN, zero or nothing is missing, and where that goes; a category is the whole part of a number.

Invariants: a key of the text that could change the sum and is not known here refuses the model.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.boosters import lightgbm_text
from airflow_batch_inference.flavors.forests.forest import (
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


def read_header(text: str) -> dict[str, str]:
    """Return what stands before the trees.

    Raises
    ------
    NotCoveredError
        There is a line that is not known, or one that says what cannot be.
    """
    try:
        return lightgbm_text.read_header(text)
    except ModelLoadError as error:
        raise NotCoveredError(str(error)) from error


def read_trees(text: str) -> Forest:
    """Read the trees of a text that LightGBM itself has loaded.

    Raises
    ------
    NotCoveredError
        A tree has linear leaves, the sets of categories are too large, or the text says what is not known.
    """
    try:
        read = lightgbm_text.read_text(text, with_statistics=False)
    except ModelLoadError as error:
        raise NotCoveredError(str(error)) from error
    trees = read.trees
    if not trees:
        message = "it has no trees"
        raise NotCoveredError(message)
    if any(len(tree["leaf_const"]) for tree in trees):
        message = "its leaves are linear"
        raise NotCoveredError(message)
    require_few_words(sum(len(tree["cat_threshold"]) for tree in trees))
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
    outputs = read.trees_an_iteration
    return Forest(
        left=joined["left"],
        right=joined["right"],
        feature=joined["feature"],
        rule=joined["rule"],
        threshold=joined["threshold"],
        value=joined["value"],
        roots=starts,
        groups=np.arange(len(trees)) % outputs,
        width=read.width,
        outputs=outputs,
        sets=[each for of_tree in sets for each in of_tree],
    )


def _tree(tree: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a tree's nodes: its splits, then its leaves, which LightGBM numbers -1, -2, … as children."""
    leaves = len(tree["leaf_value"])
    splits, nothing = leaves - 1, np.zeros(leaves, dtype=np.int64)
    kinds = tree["decision_type"] if len(tree["decision_type"]) else np.zeros(splits, dtype=np.int64)
    missing = kinds >> 2 & 3
    rules = np.where(kinds & _IS_SET, WHOLE_CATEGORY, _RULES[missing, (kinds & _DEFAULT_LEFT) // _DEFAULT_LEFT])

    def children(name: str) -> np.ndarray:
        found = tree[name]
        return np.concatenate([np.where(found < 0, splits + ~found, found), nothing - 1])

    return {
        "left": children("left_child"),
        "right": children("right_child"),
        "feature": np.concatenate([tree["split_feature"], nothing]),
        "rule": np.concatenate([rules, nothing]),
        "threshold": np.concatenate([tree["threshold"], nothing]),
        "value": np.concatenate([np.zeros(splits), tree["leaf_value"]]),
    }


def _sets(tree: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return the sets of categories of a tree's splits, as 32-bit words."""
    words = tree["cat_threshold"].astype(np.uint32)
    return [words[start:stop] for start, stop in itertools.pairwise(tree["cat_boundaries"].tolist())]


def sigmoid_of(objective: str) -> float:
    """Return the steepness of a sigmoid.

    Examples
    --------
    >>> sigmoid_of("binary sigmoid:0.7")
    0.7
    """
    found = re.search(r"\bsigmoid:(\S+)", objective)
    return float(found.group(1)) if found else 1.0
