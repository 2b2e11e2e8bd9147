"""The trees of a LightGBM text, read only to tell whether LightGBM can follow them.

What must not be relaxed: all trees are looked at, as LightGBM would read them, before LightGBM predicts with them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.split_nodes import node_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COUNTS = ("num_leaves", "num_cat")
_NODES = ("split_feature", "left_child", "right_child")
_LISTS = ("decision_type", "threshold", "cat_boundaries", "cat_threshold")
_READ = {*_COUNTS, *_NODES, *_LISTS}
_IS_CATEGORICAL = 1


def require_followable(text: str) -> None:
    """Refuse a text whose trees point beyond themselves, or back.

    Raises
    ------
    ModelLoadError
        Says which tree, and why.
    """
    inputs = re.search(r"^max_feature_idx=(\d+)$", text, re.MULTILINE)
    for number, block in enumerate(_blocks(text)):
        fault = _fault(block, width=int(inputs.group(1)) + 1 if inputs else 0)
        if fault:
            message = f"Tree {number} of the LightGBM text is damaged: {fault}. Save or copy the model again."
            raise ModelLoadError(message)


def _blocks(text: str) -> Iterator[str]:
    _, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    yield from blocks


def _fault(block: str, *, width: int) -> str | None:
    lines = [line.partition("=")[::2] for line in block.splitlines() if line.partition("=")[0] in _READ]
    values = dict(lines)
    if len(values) < len(lines):
        return "a line of it is there twice"
    try:
        leaves, lists = int(values.get("num_leaves", "0")), int(values.get("num_cat", "0"))
        arrays = {name: np.array(values.get(name, "").split(), dtype=np.int64) for name in _NODES}
        faulty_lists = not _has_lists(values, lists)
    except ValueError:
        return "a number of it is none"
    splits = arrays.pop("split_feature")
    if leaves < 1 or lists < 0 or len(splits) != leaves - 1:
        return f"it says that it has {leaves} leaves, but has {len(splits)} splits"
    if any((found < -leaves).any() for found in arrays.values()):
        return f"a node leads to none of its {leaves} leaves"
    if faulty_lists:
        return "a split of categories has no list of them"
    return node_fault(arrays, {name: found >= 0 for name, found in arrays.items()}, splits, width=width)


def _has_lists(values: Mapping[str, str], lists: int) -> bool:
    """Say whether each split of categories names one of the lists, and each list lies within the words that there are.

    Such a split keeps the number of its list as its threshold; list i is words ``cat_boundaries[i]`` to ``[i + 1]``.
    """
    kinds = np.array(values.get("decision_type", "").split(), dtype=np.int64)
    places = np.array(values.get("threshold", "").split(), dtype=np.float64)
    bounds = np.array(values.get("cat_boundaries", "0").split(), dtype=np.int64)
    if len(kinds) != len(places):
        return False
    places = places[kinds & _IS_CATEGORICAL == _IS_CATEGORICAL]
    words = len(values.get("cat_threshold", "").split())
    is_ordered = len(bounds) == lists + 1 and bounds[0] == 0 and not (np.diff(bounds) < 0).any() and bounds[-1] <= words
    return bool(is_ordered and ((places >= 0) & (places < lists)).all())
