"""The trees of an XGBoost file, read only to tell whether XGBoost can follow them.

XGBoost reads UBJSON's lengths without a check, so a few bytes can ask for all memory; and it follows whatever nodes,
outputs and parents a tree names (``RegTree::LoadModel``, ``GBTreeModel::LoadModel``). What must not be relaxed: no
length in the file is larger than what is left of it, no name is there twice, and every number that is a place among
others lies among them.
"""

from __future__ import annotations

import itertools
import json
import re
import struct
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.boosters.split_nodes import node_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE = -1
_NO_PARENT = (-1, (1 << 31) - 1)
"""What XGBoost writes as the root's parent: of leaves with several numbers, and of others."""
_MOST_LEVELS = 50
_MOST_CODES = 1 << 24
"""What XGBoost takes for categories (its ``OutOfRangeCat``)."""
_MOST_COUNT = (1 << 31) - 1
_SHOWN = 40
"""Characters of a value in a message."""
_SCORES = re.compile(r"[-+.\deE]+", re.ASCII)
_NODE_LISTS = ("left_children", "right_children", "parents", "split_indices", "default_left", "split_type")
_NUMBER_LISTS = ("split_conditions", "loss_changes", "sum_hessian")
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
    _require_sound(_read(content, is_json=is_json))


def require_state_followable(content: bytes) -> None:
    """Refuse what a booster was pickled as (``Booster.__getstate__``): its model, with its configuration beside it.

    Raises
    ------
    ModelLoadError
        Says where, or which tree, and why.
    """
    document = _read(content, is_json=content[1:2] == b'"')
    model = _entry(document, "Model")
    _require_sound(model)
    config = _entry(_entry(document, "Config"), "learner")
    said = _entry(_entry(model, "learner"), "objective").get("name"), _booster_name(_entry(model, "learner"))
    if (_entry(config, "objective").get("name"), _booster_name(config)) != said:
        _refuse("its configuration is of another objective or booster than its model")
    try:
        fault = _classes_fault(config, _outputs(_entry(model, "learner")))
    except ValueError as error:
        _refuse(str(error))
    if fault:
        _refuse(fault)


def _read(content: bytes, *, is_json: bool) -> Any:  # noqa: ANN401  # whatever the file holds
    try:
        if is_json:
            return json.loads(content, object_pairs_hook=_once)
        return _Reader(content).document()
    except (ValueError, RecursionError, struct.error, IndexError) as error:
        message = f"The XGBoost model is damaged: {error}. Save or copy it again."
        raise ModelLoadError(message) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a name that is there twice XGBoost takes the first value, or the last.

    Raises
    ------
    ValueError
        There is one.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"{twice[:_SHOWN]!r} is in it twice"
        raise ValueError(message)
    return found


def _refuse(fault: str) -> NoReturn:
    message = f"The XGBoost model is damaged: {fault}. Save or copy it again."
    raise ModelLoadError(message)


def _require_sound(document: object) -> None:
    learner = _entry(document, "learner")
    try:
        outputs, width = _outputs(learner), _count(_entry(learner, "learner_model_param"), "num_feature")
        fault = _classes_fault(learner, outputs) or _best_fault(learner)
        booster = _entry(learner, "gradient_booster")
        kind = _booster_name(learner)
        if fault is None and kind == "gblinear":
            fault = _linear_fault(_entry(booster, "model"), outputs, width)
        elif fault is None and kind in ("gbtree", "dart"):
            fault = _forest_fault(booster, outputs, width)
        elif fault is None:
            fault = f"its booster is {str(kind)[:_SHOWN]!r}, which is not known"
    except ValueError as error:
        _refuse(str(error))
    if fault:
        _refuse(fault)


def _best_fault(learner: Mapping[str, Any]) -> str | None:
    """Say whether the best iteration, up to which wrappers predict, lies before the first: XGBoost looks there."""
    best = _entry(learner, "attributes").get("best_iteration", "0")
    if not isinstance(best, str) or not re.fullmatch(r"\d{1,9}", best, re.ASCII):
        return f"its best_iteration is {str(best)[:_SHOWN]!r}, which is no count"
    return None


def _booster_name(learner: object) -> object:
    return _entry(learner, "gradient_booster").get("name")


def _entry(holder: object, name: str) -> Mapping[str, Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def _count(parameters: Mapping[str, Any], name: str, default: str | None = None) -> int:
    """Return a count, which XGBoost writes as a text.

    Raises
    ------
    ValueError
        It is none, or missing.
    """
    said = parameters.get(name, default)
    if not isinstance(said, str) or not re.fullmatch(r"\d{1,10}", said, re.ASCII) or int(said) > _MOST_COUNT:
        message = f"its {name} is {str(said)[:_SHOWN]!r}, which is no count"
        raise ValueError(message)
    return int(said)


def _outputs(learner: Mapping[str, Any]) -> int:
    """Return how many numbers come out for a row.

    Raises
    ------
    ValueError
        A count is none, or there are both classes and targets.
    """
    parameters = _entry(learner, "learner_model_param")
    classes, targets = _count(parameters, "num_class"), _count(parameters, "num_target", "1")
    if classes > 1 and targets > 1:
        message = f"it says that it has {classes} classes and {targets} targets"
        raise ValueError(message)
    return max(1, classes, targets)


def _classes_fault(learner: Mapping[str, Any], outputs: int) -> str | None:
    """Say whether the objective is of other classes than there are, or the base score of other outputs."""
    objective = _entry(learner, "objective")
    kind = objective.get("name")
    of_classes = _entry(objective, "softmax_multiclass_param")
    if isinstance(kind, str) and kind.startswith("multi:"):
        classes = _count(of_classes, "num_class")
        if classes < 1 or classes != outputs:
            return f"its objective {kind[:_SHOWN]} is of {classes} classes, but its model is of {outputs}"
    if "learner_model_param" not in learner:
        return None
    said = _entry(learner, "learner_model_param").get("base_score")
    scores = said.strip("[]").split(",") if isinstance(said, str) else []
    if not all(_SCORES.fullmatch(score) for score in scores) or len(scores) not in (1, outputs):
        return f"its base_score is {str(said)[:_SHOWN]!r}, which is not of its {outputs} outputs"
    return None


def _linear_fault(model: Mapping[str, Any], outputs: int, width: int) -> str | None:
    weights = _numbers(model, "weights")
    wanted = (width + 1) * outputs
    return None if len(weights) == wanted else f"it has {len(weights)} weights, but should have {wanted}"


def _forest_fault(booster: Mapping[str, Any], outputs: int, width: int) -> str | None:
    is_dart = booster.get("name") == "dart"
    model = _entry(_entry(booster, "gbtree") if is_dart else booster, "model")
    trees = model.get("trees")
    if not isinstance(trees, list):
        return "it has no list of trees"
    disorder = _disorder(model, len(trees), outputs)
    if disorder is None and is_dart and len(_numbers(booster, "weight_drop")) != len(trees):
        disorder = f"its weight_drop are not of its {len(trees)} trees"
    if disorder is None and "cats" in model:
        disorder = _lists_fault(_entry(model, "cats"), width)
    if disorder:
        return disorder
    sizes: set[int] = set()
    for number, tree in enumerate(trees):
        try:
            fault = _fault(tree, number, outputs, width, sizes)
        except ValueError as error:
            fault = str(error)
        if fault:
            message = f"Tree {number} of the XGBoost model is damaged: {fault}. Save or copy the model again."
            raise ModelLoadError(message)
    return "its leaves are of different lengths" if len(sizes) > 1 else None


def _whole(holder: Mapping[str, Any], name: str, default: object = ()) -> np.ndarray:
    """Return a list of whole numbers; ValueError: it is none."""
    return _of_kind(holder, name, default, "iub", "whole numbers").astype(np.int64)


def _numbers(holder: Mapping[str, Any], name: str) -> np.ndarray:
    """Return a list of numbers; ValueError: it is none."""
    return _of_kind(holder, name, None, "iuf", "numbers")


def _of_kind(holder: Mapping[str, Any], name: str, default: object, kinds: str, what: str) -> np.ndarray:
    found = _array(holder, name, default)
    if len(found) and found.dtype.kind not in kinds:
        message = f"{name} is no list of {what}"
        raise ValueError(message)
    return found


def _array(holder: Mapping[str, Any], name: str, default: object) -> np.ndarray:
    given = holder.get(name, default)
    if isinstance(given, (list, tuple, np.ndarray)):
        try:
            found = np.asarray(given)
        except (ValueError, TypeError, OverflowError):
            found = np.empty((0, 0))
        if found.ndim == 1:
            return found
    message = f"{name} is no list of numbers"
    raise ValueError(message)


def _disorder(model: Mapping[str, Any], trees: int, outputs: int) -> str | None:
    """Say what is wrong with the order of the trees: XGBoost adds to whatever output a tree names.

    Raises
    ------
    ValueError
        A list of it is none.
    """
    parameters = _entry(model, "gbtree_model_param")
    if (said := _count(parameters, "num_trees")) != trees:
        return f"it says that it has {said} trees, but there are {trees}"
    if _count(parameters, "num_parallel_tree", "1") < 1:
        return "its num_parallel_tree is 0"
    groups = _whole(model, "tree_info", None)
    bounds = _whole(model, "iteration_indptr", [0, trees])
    if len(groups) != trees:
        return f"tree_info is of {len(groups)} trees, but there are {trees}"
    wrong = groups[(groups < 0) | (groups >= outputs)]
    if len(wrong):
        return f"a tree adds to output {int(wrong[0])} of {outputs}"
    if not len(bounds) or bounds[0] != 0 or bounds[-1] != trees or (np.diff(bounds) < 0).any():
        return f"iteration_indptr does not lead from 0 to its {trees} trees"
    return None


def _lists_fault(lists: Mapping[str, Any], width: int) -> str | None:
    """Say what is wrong with the lists of categories of the inputs, which XGBoost gives back as they are.

    Raises
    ------
    ValueError
        One of them is none.
    """
    columns = lists.get("enc", [])
    if not isinstance(columns, list) or len(columns) not in (0, width):
        return f"its lists of categories are not of its {width} inputs"
    sizes = []
    for column in columns:
        values = _numbers(column if isinstance(column, dict) else {}, "values")
        if "offsets" not in column:
            sizes.append(len(values))
            continue
        offsets = _whole(column, "offsets")
        ends = offsets if len(offsets) else np.zeros(1, dtype=np.int64)
        if ends[0] != 0 or (np.diff(ends) < 0).any() or ends[-1] > len(values):
            return "a list of categories leads beyond its letters"
        sizes.append(len(ends) - 1)
    bounds, order = _whole(lists, "feature_segments"), _whole(lists, "sorted_idx")
    wanted = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    total = int(wanted[-1])
    if len(bounds) and not np.array_equal(bounds, wanted):
        return "its lists of categories are not where it says (feature_segments)"
    if total and not len(bounds):
        return "its lists of categories have no feature_segments"
    places = [order[start:stop] for start, stop in itertools.pairwise(wanted.tolist())]
    if len(order) != total or not all(np.array_equal(np.sort(each), np.arange(len(each))) for each in places):
        return f"the order of its {total} categories (sorted_idx) is none"
    return None


def _categories_fault(tree: Mapping[str, Any], nodes: int) -> str | None:
    names = ("categories", "categories_nodes", "categories_segments", "categories_sizes", "split_type")
    codes, owners, starts, sizes, kinds = (_whole(tree, name) for name in names)
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


def _fault(tree: object, number: int, outputs: int, width: int, sizes: set[int]) -> str | None:
    """Say what is wrong with a tree; ``sizes`` takes how many numbers its leaves have.

    Raises
    ------
    ValueError
        A list of it is none.
    """
    if not isinstance(tree, dict):
        return "it is no object"
    parameters = _entry(tree, "tree_param")
    nodes, size = _count(parameters, "num_nodes"), _count(parameters, "size_leaf_vector", "1")
    lists = {name: _whole(tree, name, None) for name in _NODE_LISTS if name != "split_type" or name in tree}
    others = {name: _numbers(tree, name) for name in _NUMBER_LISTS}
    if nodes < 1 or any(len(found) != nodes for found in (*lists.values(), *others.values())):
        return f"its arrays are of different lengths than its {nodes} nodes"
    if tree.get("id", number) != number:
        return f"its id is {str(tree['id'])[:_SHOWN]}"
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
    weights = _numbers(tree, "base_weights")
    if size <= 1:
        return None if len(weights) == nodes else f"its base_weights are {len(weights)}, but it has {nodes} nodes"
    if size != outputs:
        return f"its leaves are of {size} numbers, but the model is of {outputs}"
    leaves = _numbers(tree, "leaf_weights")
    if len(weights) % nodes or not len(weights) or len(leaves) != len(places) * size:
        return f"its {len(places)} leaves of {size} numbers have {len(leaves)}, and its nodes {len(weights)}"
    if not np.array_equal(np.sort(places), np.arange(len(places))):
        return "two leaves are at the same place, or one at none"
    return None


class _Reader:
    """Reads the part of UBJSON that XGBoost writes: strings and counts with lengths of 8 bytes, typed arrays."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def document(self) -> Any:  # noqa: ANN401  # whatever the file holds
        found = self.value(0)
        if self._content[self._at :].strip():
            message = f"something follows its end at byte {self._at}"
            raise ValueError(message)
        return found

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
        found = []
        while self._next() != "}":
            name = self._text()
            found.append((name, self.value(level + 1)))
        self._at += 1
        return _once(found)

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
