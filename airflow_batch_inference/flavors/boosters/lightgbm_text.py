"""LightGBM's text read strictly: by the flavor before LightGBM sees it, and by the kernel for its trees.

LightGBM believes the counts of a text (``GBDT::LoadModelFromString``, ``Tree::Tree(const char*)``): with a class or a
leaf too many it reads and writes beyond its arrays, and may answer with what lies there.

Invariants: only lines that LightGBM writes are taken, each once; every count is compared with what it counts, and every
number that is a place among others lies among them; all trees are looked at, as LightGBM would read them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.boosters.split_nodes import node_fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_HEADER = {
    "tree", "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
    "average_output", "feature_names", "monotone_constraints", "feature_infos", "tree_sizes",
}  # fmt: skip
_NEEDED = ("num_class", "label_index", "max_feature_idx", "feature_names", "feature_infos")
_BARE = ("tree", "average_output")
_WITH_EQUALS = ("feature_names", "monotone_constraints")
"""Lines of which LightGBM takes all that comes after the first equals sign."""
_VERSIONS = ("v2", "v3", "v4")
_OBJECTIVES = {
    "regression", "regression_l1", "quantile", "huber", "fair", "poisson", "binary", "lambdarank", "rank_xendcg",
    "multiclass", "multiclassova", "cross_entropy", "cross_entropy_lambda", "mape", "gamma", "tweedie", "custom",
}  # fmt: skip
_OBJECTIVE_PART = re.compile(r"(sqrt)|(num_class):(\d{1,9})|(sigmoid):(\d[\d.e+-]*)", re.ASCII)

_LISTS_OF_SPLITS = {
    "split_feature": np.int64, "split_gain": np.float64, "threshold": np.float64, "decision_type": np.int64,
    "left_child": np.int64, "right_child": np.int64, "internal_value": np.float64, "internal_weight": np.float64,
    "internal_count": np.int64,
}  # fmt: skip
_LISTS_OF_LEAVES = {
    "leaf_value": np.float64, "leaf_weight": np.float64, "leaf_count": np.int64, "leaf_const": np.float64,
    "num_features": np.int64,
}  # fmt: skip
_OTHER_LISTS = {
    "cat_boundaries": np.int64, "cat_threshold": np.int64, "leaf_features": np.int64, "leaf_coeff": np.float64,
}  # fmt: skip
_LISTS = {**_LISTS_OF_SPLITS, **_LISTS_OF_LEAVES, **_OTHER_LISTS}
_COUNTS = ("num_leaves", "num_cat", "is_linear")
_OF_TREE = {*_COUNTS, *_LISTS, "shrinkage"}
_ALWAYS = ("split_feature", "threshold", "left_child", "right_child", "leaf_value")
_MAY_BE_MISSING = ("split_gain", "decision_type", "internal_value", "internal_weight", "internal_count",
                   "leaf_weight", "leaf_count")  # fmt: skip
_OF_LINEAR = ("leaf_const", "num_features", "leaf_features", "leaf_coeff")

_STATISTICS = frozenset(
    ("split_gain", "internal_value", "internal_weight", "internal_count", "leaf_weight", "leaf_count")
)
"""Lists of which no prediction depends."""

_WHOLE_SIGNS, _NUMBER_SIGNS = "-0123456789 ", "-+.0123456789eEinfatyINFATY "
_MOST_WHOLE, _MOST_WORD = (1 << 31) - 1, (1 << 32) - 1
_IS_CATEGORICAL = 1
_MOST_KIND = 11
"""Of a split: categorical or not, where missing values go, and whether none, zero or NaN is missing (3 bits and 8)."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that was read.

    Attributes
    ----------
    header
        Its lines before the trees.
    trees
        For each tree its lists by name, those that it does not have empty.
    """

    header: Mapping[str, str]
    trees: Sequence[Mapping[str, np.ndarray]]

    @property
    def trees_an_iteration(self) -> int:
        """How many trees are added in one iteration, which is how many numbers come out."""
        return trees_an_iteration(self.header)

    @property
    def width(self) -> int:
        """How many inputs there are."""
        return int(self.header["max_feature_idx"]) + 1


def read_header(text: str) -> dict[str, str]:
    r"""Return what stands before the trees, if LightGBM can have written it.

    Raises
    ------
    ModelLoadError
        A line is not known, is there twice, is missing, or says what cannot be.

    Examples
    --------
    >>> lines = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\n"
    >>> read_header(lines + "feature_names=a\nfeature_infos=[0:1]\ntree_sizes=\n\nend of trees\n")["feature_names"]
    'a'
    """
    if "\0" in text:
        _refuse("it holds a zero byte, where LightGBM would stop to read")
    lines = text[: _start_of_trees(text)].split("\n")
    header: dict[str, str] = {}
    for line in lines:
        if not line:
            continue
        name, sign, value = line.partition("=")
        if name not in _HEADER:
            _refuse(f"its header has the line {_shown(name)}, which LightGBM does not write")
        if name in header:
            _refuse(f"its header has the line {name!r} twice")
        if (name in _BARE) == bool(sign) or ("=" in value and name not in _WITH_EQUALS) or "\r" in value:
            _refuse(f"its line {name!r} is not as LightGBM writes it")
        header[name] = value
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        _refuse(f"its header has no line {missing[0]!r}")
    fault = _header_fault(header)
    if fault:
        _refuse(fault)
    return header


def trees_an_iteration(header: Mapping[str, str]) -> int:
    """Return how many trees are added in one iteration, which is how many numbers come out."""
    return int(header.get("num_tree_per_iteration", header["num_class"]))


def read_text(text: str, *, with_statistics: bool = True) -> Text:
    """Read a text whole.

    Parameters
    ----------
    text
        The model.
    with_statistics
        Whether lists are read of which no prediction depends; contributions and importances do.

    Raises
    ------
    ModelLoadError
        Says what is wrong, and in which tree.
    """
    header = read_header(text)
    width = int(header["max_feature_idx"]) + 1
    trees = []
    for number, block in enumerate(_blocks(text, header)):
        found = _tree(block, width, _LISTS if with_statistics else _LISTS.keys() - _STATISTICS)
        if isinstance(found, str):
            message = f"Tree {number} of the LightGBM text is damaged: {found}. Save or copy the model again."
            raise ModelLoadError(message)
        trees.append(found)
    outputs = trees_an_iteration(header)
    if len(trees) % outputs:
        _refuse(f"its {len(trees)} trees cannot be of iterations of {outputs} trees each (num_tree_per_iteration)")
    return Text(header, trees)


def require_followable(text: str) -> None:
    """Refuse a text that LightGBM cannot follow.

    Raises
    ------
    ModelLoadError
        Says what is wrong, and in which tree.
    """
    read_text(text)


def _refuse(fault: str) -> NoReturn:
    message = f"The LightGBM text is damaged: {fault}. Save or copy the model again."
    raise ModelLoadError(message)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:40]}…")


def _start_of_trees(text: str) -> int:
    """Return where the first tree, or the end of them, begins.

    Raises
    ------
    ModelLoadError
        There is none.
    """
    places = [place for mark in ("\nTree=", "\nend of trees\n") if (place := text.find(mark)) >= 0]
    if not places:
        _refuse("it has no end of trees")
    return min(places) + 1


def _header_fault(header: Mapping[str, str]) -> str | None:
    for name in ("num_class", "num_tree_per_iteration", "label_index", "max_feature_idx"):
        value = header.get(name, "0")
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
            return f"its {name} is {_shown(value)}, which is no count"
    classes, outputs, width = int(header["num_class"]), trees_an_iteration(header), int(header["max_feature_idx"]) + 1
    if classes < 1 or classes != outputs:
        return f"it says that it has {classes} classes (num_class) but {outputs} trees an iteration"
    if header.get("version", _VERSIONS[-1]) not in _VERSIONS:
        return f"its version is {_shown(header['version'])}, and {', '.join(_VERSIONS)} are known"
    for name in ("feature_names", "feature_infos", "monotone_constraints"):
        if name in header and (found := len(_words(header[name]))) != width:
            return f"it takes {width} inputs (max_feature_idx), but its {name} are of {found}"
    return _objective_fault(header["objective"], outputs) if "objective" in header else None


def _objective_fault(objective: str, outputs: int) -> str | None:
    """Say what is wrong with an objective, which turns as many sums as it says itself into predictions."""
    kind, *parts = objective.split(" ")
    found = [_OBJECTIVE_PART.fullmatch(part) for part in parts if part]
    if kind not in _OBJECTIVES or None in found:
        return f"its objective is {_shown(objective)}, which is not known"
    said = [part.group(3) for part in found if part is not None and part.group(2)]
    is_of_classes = kind.startswith("multiclass")
    if is_of_classes and said != [str(outputs)]:
        return f"its objective is {_shown(objective)}, but it has {outputs} classes"
    if not is_of_classes and (said or (outputs > 1 and kind != "custom")):
        return f"its objective {kind} is of one number, but it has {outputs} trees an iteration"
    return None


def _words(value: str) -> list[str]:
    return [word for word in value.split(" ") if word]


def _blocks(text: str, header: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of each tree, as long as the header says that they are.

    Raises
    ------
    ModelLoadError
        A tree begins or ends elsewhere.
    """
    start = _start_of_trees(text)
    end = text.find("\nend of trees\n", start - 1) + 1
    if not end:
        _refuse("it has no end of trees")
    body = text[start:end]
    if not body.isascii():
        _refuse("its trees have letters beyond ASCII")
    parts = re.split(r"^Tree=", body, flags=re.MULTILINE)
    if parts.pop(0):
        _refuse("there is something before its first tree")
    for number, part in enumerate(parts):
        place, _, block = part.partition("\n")
        if place != str(number):
            _refuse(f"tree {_shown(place)} stands where tree {number} belongs")
        if not block.endswith("\n\n") or "\n\n" in block.rstrip("\n") or "\r" in block:
            _refuse(f"tree {number} does not end where the next one begins")
        yield block
    # LightGBM cuts the trees by these, without looking for where they end.
    sizes = " ".join(str(len("Tree=") + len(part)) for part in parts)
    if header.get("tree_sizes", sizes) != sizes:
        _refuse(f"its {len(parts)} trees are not of the sizes that its header says (tree_sizes)")


def _tree(block: str, width: int, read: Collection[str]) -> Mapping[str, np.ndarray] | str:
    """Return a tree's lists, or say what is wrong with it."""
    values: dict[str, str] = {}
    seen: set[str] = set()
    for line in block.rstrip("\n").split("\n"):
        name, sign, value = line.partition("=")
        if name not in _OF_TREE or not sign:
            return f"it has the line {_shown(name)}, which LightGBM does not write"
        if name in seen:
            return f"its line {name!r} is there twice"
        seen.add(name)
        if name in read or name not in _LISTS:
            values[name] = value
    try:
        leaves, sets, linear = (_whole(values.get(name, "0" if name == "is_linear" else ""), name) for name in _COUNTS)
        lists = {name: _list(values.get(name, ""), name) for name in _LISTS}
    except ValueError as error:
        return str(error)
    if leaves < 1 or linear not in (0, 1) or sets < 0:
        return f"it says that it has {leaves} leaves, {sets} sets of categories and is_linear={linear}"
    return (
        _lengths_fault(lists, values, leaves, is_linear=bool(linear))
        or _splits_fault(lists, sets, leaves, width)
        or (_linear_fault(lists, width) if linear else None)
        or lists
    )


def _whole(value: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        message = f"its {name} is {_shown(value)}, which is no count"
        raise ValueError(message)
    return int(value)


def _list(value: str, name: str) -> np.ndarray:
    """Return a list of numbers.

    Raises
    ------
    ValueError
        One of it is none, or too large for LightGBM.
    """
    kind = _LISTS[name]
    message = f"a number of its {name} is none"
    if value.strip(_WHOLE_SIGNS if kind is np.int64 else _NUMBER_SIGNS):  # any other sign is left
        raise ValueError(message)
    try:
        found = np.array(value.split(), dtype=kind)
    except (ValueError, OverflowError) as error:
        raise ValueError(message) from error
    if kind is np.int64 and len(found):
        least, most = (0, _MOST_WORD) if name == "cat_threshold" else (-_MOST_WHOLE, _MOST_WHOLE)
        if found.min() < least or found.max() > most:
            message = f"a number of its {name} is too large"
            raise ValueError(message)
    return found


def _lengths_fault(
    lists: Mapping[str, np.ndarray], values: Mapping[str, str], leaves: int, *, is_linear: bool
) -> str | None:
    """Say which list is not as long as LightGBM takes it to be."""
    if (splits := len(lists["split_feature"])) != leaves - 1:
        return f"it says that it has {leaves} leaves, but has {splits} splits"
    for name, found in lists.items():
        wanted = leaves if name in _LISTS_OF_LEAVES else leaves - 1
        is_there = name in values and (leaves > 1 or len(found) > 0 or name == "leaf_value")
        is_optional = name in _MAY_BE_MISSING or (name in _OF_LINEAR and not is_linear)
        if name in _OTHER_LISTS or (not is_there and (is_optional or (leaves == 1 and name in _LISTS_OF_SPLITS))):
            continue
        if len(found) != wanted:
            return f"its {name} are {len(found)}, but should be {wanted} of its {leaves} leaves"
    missing = [name for name in (*_ALWAYS, *(_OF_LINEAR if is_linear else ())) if name not in values]
    return f"its {missing[0]} are missing" if missing else None


def _splits_fault(lists: Mapping[str, np.ndarray], sets: int, leaves: int, width: int) -> str | None:
    """Say what is wrong with a tree's splits.

    A split of categories keeps the number of its set as its threshold; set i is words ``cat_boundaries[i]`` to
    ``[i + 1]`` of ``cat_threshold``.
    """
    children = {name: lists[name] for name in ("left_child", "right_child")}
    if any((found < -leaves).any() for found in children.values()):
        return f"a node leads to none of its {leaves} leaves"
    kinds = lists["decision_type"] if len(lists["decision_type"]) else np.zeros(leaves - 1, dtype=np.int64)
    if ((kinds < 0) | (kinds > _MOST_KIND)).any():
        return "a split is of a kind (decision_type) that is not known"
    places, bounds = lists["threshold"][kinds & _IS_CATEGORICAL == _IS_CATEGORICAL], lists["cat_boundaries"]
    words = len(lists["cat_threshold"])
    if sets == 0:
        is_ordered = len(places) == len(bounds) == words == 0
    else:
        is_ordered = (
            len(bounds) == sets + 1 and bounds[0] == 0 and not (np.diff(bounds) < 0).any() and bounds[-1] == words
        )
    if not is_ordered or not ((places >= 0) & (places < sets) & (places == np.floor(places))).all():
        return "a split of categories has no list of them"
    return node_fault(
        children, {name: found >= 0 for name, found in children.items()}, lists["split_feature"], width=width
    ) or _leaves_fault(children, leaves)


def _leaves_fault(children: Mapping[str, np.ndarray], leaves: int) -> str | None:
    """Say whether a leaf is that of no node, or of two: then the tree is not the one that was trained."""
    led_to = np.concatenate([~found[found < 0] for found in children.values()])
    if leaves > 1 and not len(led_to) == len(np.unique(led_to)) == leaves:
        return f"its nodes do not lead to each of its {leaves} leaves once"
    return None


def _linear_fault(lists: Mapping[str, np.ndarray], width: int) -> str | None:
    counts, inputs, factors = lists["num_features"], lists["leaf_features"], lists["leaf_coeff"]
    if (counts < 0).any() or not int(counts.sum()) == len(inputs) == len(factors):
        return (
            f"its linear leaves say that they have {int(counts.sum())} inputs, but name {len(inputs)} with "
            f"{len(factors)} factors"
        )
    wrong = inputs[(inputs < 0) | (inputs >= width)]
    return f"a linear leaf asks for input {int(wrong[0])} of {width}" if len(wrong) else None
