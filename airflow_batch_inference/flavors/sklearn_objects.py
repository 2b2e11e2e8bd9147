"""What an estimator from a skops file holds, looked through before it predicts.

skops lets types through, not values, and two kinds of values do harm: text vectorizers that open the files that their
input names, and trees whose nodes point beyond their arrays, which scikit-learn follows without a check. What must not
be relaxed: everything that can be reached from the estimator is looked at, not only what its parameters name.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError, UntrustedModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TEXT = "sklearn.feature_extraction.text"
_TREE_ENSEMBLES = ("sklearn.ensemble._forest", "sklearn.ensemble._gb")
_LEAF = -1
_PLAIN = (str, bytes, bytearray, int, float, complex, bool, type(None), type, np.generic)


def require_harmless(estimator: object) -> None:
    """Refuse an estimator that would read files, or whose trees cannot be followed.

    Raises
    ------
    UntrustedModelError
        A text vectorizer takes file names.
    ModelLoadError
        A tree's nodes point beyond it.
    """
    for part in reachable(estimator):
        kind = type(part).__name__
        if type(part).__module__ == _TEXT and getattr(part, "input", "content") != "content":
            message = (
                f"The model's {kind} has input={part.input!r}, so it would open the files that its input "  # type: ignore[attr-defined]  # it has one here
                "names. Fit it on the texts themselves, or save the model with joblib and pin it."
            )
            raise UntrustedModelError(message)
        fault = _tree_fault(part)
        if fault:
            message = f"The model's {kind} is damaged: {fault}. Fit and save the model again."
            raise ModelLoadError(message)


def reachable(root: object) -> Iterator[object]:
    """Yield an object and all that it holds, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _PLAIN) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        waiting.extend(_held(part))


def _held(part: object) -> Iterable[object]:
    if isinstance(part, np.ndarray):
        held: Iterable[object] = part.ravel().tolist() if part.dtype == object else ()
    elif isinstance(part, dict):
        held = (*part.keys(), *part.values())
    elif isinstance(part, (list, tuple, set, frozenset)):
        held = part
    elif isinstance(part, functools.partial):
        held = (part.func, part.args, part.keywords)
    else:
        held = (getattr(part, "__self__", None),)
    return (*held, getattr(part, "__dict__", None))


def _tree_fault(part: Any) -> str | None:  # noqa: ANN401  # any object
    if type(part).__module__.startswith("sklearn.tree.") and hasattr(part, "tree_"):
        return _decision_tree_fault(part)
    if type(part).__module__ in _TREE_ENSEMBLES and hasattr(part, "estimators_"):
        width = _width(part)
        trees = [getattr(each, "tree_", None) for each in np.ravel(np.asarray(part.estimators_, dtype=object))]
        if any(tree is not None and tree.n_features != width for tree in trees):
            return f"it takes {width} inputs, but its trees take others"
    if hasattr(part, "_predictors"):
        predictors = [each for iteration in part._predictors for each in iteration]  # noqa: SLF001  # where they are
        return next((fault for each in predictors if (fault := _predictor_fault(each, _width(part)))), None)
    return None


def _width(part: Any) -> int:  # noqa: ANN401  # an estimator
    """Return how many inputs an estimator says that it takes; 0 where it does not say."""
    return int(getattr(part, "n_features_in_", 0))


def _decision_tree_fault(part: Any) -> str | None:  # noqa: ANN401  # a decision tree
    tree = part.tree_
    if not 0 < tree.node_count <= tree.capacity:
        return f"its tree says that it has {tree.node_count} nodes, but keeps {tree.capacity}"
    if tree.n_features != _width(part):
        return f"it takes {_width(part)} inputs, but its tree takes {tree.n_features}"
    inner = (tree.children_left != _LEAF) | (tree.children_right != _LEAF)
    return _nodes_fault(inner, tree.children_left, tree.children_right, tree.feature, tree.n_features)


def _predictor_fault(predictor: Any, width: int) -> str | None:  # noqa: ANN401  # of histogram gradient boosting
    nodes = predictor.nodes
    if len(nodes) == 0:
        return "a tree has no nodes"
    inner = nodes["is_leaf"] == 0
    lists = inner & (nodes["is_categorical"] != 0)
    if (nodes["bitset_idx"][lists] >= len(predictor.raw_left_cat_bitsets)).any():
        return "a split of categories has no list of them"
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    return _nodes_fault(inner, left, right, nodes["feature_idx"], width)


def _nodes_fault(inner: np.ndarray, left: np.ndarray, right: np.ndarray, feature: np.ndarray, width: int) -> str | None:
    """Say what is wrong with a tree's nodes: each one's children come after it, so that every path ends."""
    places = np.arange(len(inner))[inner]
    for children in (left[inner], right[inner]):
        if ((children <= places) | (children >= len(inner))).any():
            return f"a node of its tree points to none of the {len(inner)} nodes after it"
    if ((feature[inner] < 0) | (feature[inner] >= width)).any():
        return f"a node of its tree asks for an input beyond the {width} that there are"
    return None
