"""The trees of an XGBoost file, read only to tell whether XGBoost can follow them.

XGBoost reads UBJSON's lengths without a check, so a few bytes can ask for all memory; and it follows whatever nodes a
tree names. What must not be relaxed: no length in the file is larger than what is left of it.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.split_nodes import node_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE = -1
_MOST_LEVELS = 50
_MOST_CODES = 1 << 24
"""What XGBoost takes for categories (its ``OutOfRangeCat``)."""
# Markers of numbers in UBJSON (ubjson.org, "Type Reference"), big-endian.
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_PLAIN = {"T": True, "F": False, "Z": None}


def require_followable(content: bytes, *, is_json: bool) -> None:
    """Refuse a model whose lengths lie, or whose trees point beyond themselves or back.

    Raises
    ------
    ModelLoadError
        Says where, or which tree, and why.
    """
    try:
        document = json.loads(content) if is_json else _Reader(content).value(0)
    except (ValueError, RecursionError, struct.error, IndexError) as error:
        message = f"The XGBoost model is damaged: {error}. Save or copy it again."
        raise ModelLoadError(message) from error
    learner = _entry(document, "learner")
    booster = _entry(learner, "gradient_booster")
    model = _entry(booster, "model") or _entry(_entry(booster, "gbtree"), "model")
    parameters = _entry(learner, "learner_model_param")
    width = _count(parameters, "num_feature")
    found = model.get("trees", ())
    trees = found if isinstance(found, list) else []
    outputs = max(1, _count(parameters, "num_class"), _count(parameters, "num_target"))
    disorder = _disorder(model, len(trees), outputs)
    if disorder:
        message = f"The XGBoost model is damaged: {disorder}. Save or copy it again."
        raise ModelLoadError(message)
    for number, tree in enumerate(trees):
        fault = _fault(tree, width)
        if fault:
            message = f"Tree {number} of the XGBoost model is damaged: {fault}. Save or copy the model again."
            raise ModelLoadError(message)


def _entry(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def _count(parameters: Mapping[str, Any], name: str) -> int:
    said = str(parameters.get(name, "0"))
    return int(said) if said.isdecimal() else 0


def _whole(holder: Mapping[str, Any], name: str, default: object = ()) -> np.ndarray:
    """Return a list of whole numbers.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        found = np.asarray(holder.get(name, default), dtype=np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        message = f"{name} is no list of numbers"
        raise ValueError(message) from error
    if found.ndim != 1:
        message = f"{name} is no list of numbers"
        raise ValueError(message)
    return found


def _disorder(model: Mapping[str, Any], trees: int, outputs: int) -> str | None:
    """Say what is wrong with the order of the trees: XGBoost adds to whatever output a tree names."""
    try:
        groups = _whole(model, "tree_info", [0] * trees)
        bounds = _whole(model, "iteration_indptr", [0, trees])
    except ValueError as error:
        return str(error)
    if len(groups) != trees:
        return f"tree_info is of {len(groups)} trees, but there are {trees}"
    wrong = groups[(groups < 0) | (groups >= outputs)]
    if len(wrong):
        return f"a tree adds to output {int(wrong[0])} of {outputs}"
    if len(bounds) and (bounds[0] != 0 or bounds[-1] != trees or (np.diff(bounds) < 0).any()):
        return f"iteration_indptr does not lead from 0 to its {trees} trees"
    return None


def _categories_fault(tree: Mapping[str, Any], nodes: int) -> str | None:
    names = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
    try:
        codes, owners, starts, sizes = (_whole(tree, name) for name in names)
    except ValueError as error:
        return str(error)
    if not len(owners) == len(starts) == len(sizes):
        return "its sets of categories are of different lengths"
    if len(owners) and ((owners < 0) | (owners >= nodes)).any():
        return f"a set of categories is of none of its {nodes} nodes"
    if len(owners) and ((starts < 0) | (sizes < 0) | (starts > len(codes) - sizes)).any():
        return f"a set of categories lies beyond its {len(codes)} categories"
    wrong = codes[(codes < 0) | (codes >= _MOST_CODES)]
    return f"category {int(wrong[0])} is none from 0 to {_MOST_CODES - 1:,}" if len(wrong) else None


def _fault(tree: object, width: int) -> str | None:
    if not isinstance(tree, dict):
        return "it is no object"
    try:
        names = ("left_children", "right_children", "split_indices")
        left, right, splits = (np.asarray(tree[name], dtype=np.int64) for name in names)
    except (KeyError, ValueError, TypeError, OverflowError):
        return "its nodes are no lists of numbers"
    if left.ndim != 1 or len(left) == 0 or len(left) != len(splits):
        return "its arrays are of different lengths"
    fault = _categories_fault(tree, len(left))
    if fault:
        return fault
    is_leaf = left == _NONE
    inner = {"left": ~is_leaf, "right": ~is_leaf}
    return node_fault({"left": left, "right": right}, inner, np.where(is_leaf, 0, splits), width=width)


class _Reader:
    """Reads the part of UBJSON that XGBoost writes: strings and counts with lengths of 8 bytes, typed arrays."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def value(self, level: int) -> Any:  # noqa: ANN401  # whatever the file holds
        if level > _MOST_LEVELS:
            message = f"it is nested more than {_MOST_LEVELS} levels deep"
            raise ValueError(message)
        marker = self._marker()
        if marker == "{":
            return self._object(level)
        if marker == "[":
            return self._array(level)
        if marker == "S":
            return self._text()
        if marker in _PLAIN:
            return _PLAIN[marker]
        return self._numbers(marker, 1)[0].item()

    def _object(self, level: int) -> dict[str, Any]:
        found = {}
        while self._next() != "}":
            name = self._text()
            found[name] = self.value(level + 1)
        self._at += 1
        return found

    def _array(self, level: int) -> Any:  # noqa: ANN401  # a list, or an array of numbers
        if self._next() == "$":
            self._at += 1
            kind = self._marker()
            self._expect("#")
            return self._numbers(kind, self._length())
        if self._next() == "#":
            self._at += 1
            return [self.value(level + 1) for _ in range(self._length())]
        found = []
        while self._next() != "]":
            found.append(self.value(level + 1))
        self._at += 1
        return found

    def _numbers(self, marker: str, count: int) -> np.ndarray:
        if marker not in _NUMBERS:
            message = f"byte {self._at} is no value ({marker!r})"
            raise ValueError(message)
        dtype = np.dtype(_NUMBERS[marker])
        return np.frombuffer(self._taken(count * dtype.itemsize), dtype)

    def _text(self) -> str:
        return self._taken(self._length()).decode(errors="replace")

    def _length(self) -> int:
        self._expect("L")
        (length,) = struct.unpack(">q", self._taken(8))
        if not 0 <= length <= len(self._content) - self._at:
            message = f"byte {self._at} starts something of length {length}, but {len(self._content)} bytes are there"
            raise ValueError(message)
        return int(length)

    def _taken(self, size: int) -> bytes:
        if size > len(self._content) - self._at:
            message = f"it ends within what starts at byte {self._at}"
            raise ValueError(message)
        self._at += size
        return self._content[self._at - size : self._at]

    def _marker(self) -> str:
        return self._taken(1).decode("latin-1")

    def _next(self) -> str:
        if self._at >= len(self._content):
            message = "its end is missing"
            raise ValueError(message)
        return chr(self._content[self._at])

    def _expect(self, marker: str) -> None:
        found = self._marker()
        if found != marker:
            message = f"byte {self._at - 1} is {found!r} where {marker!r} must be"
            raise ValueError(message)
