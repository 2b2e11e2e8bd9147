"""Decision trees, and what is made of them: forests, gradient boosting, histogram boosting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.flavors.sklearn.arrays.base import Fault, width_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAF = -1
_WORDS_OF_A_SET = 8
"""32 bits each, one for each of 256 categories."""


def tree_fault(tree: Any) -> Fault:  # noqa: ANN401  # a compiled tree
    """Say whether a node of a compiled tree leads out of it."""
    if not 0 < tree.node_count <= tree.capacity:
        return f"its tree says that it has {tree.node_count} nodes, but keeps {tree.capacity}"
    inner = (tree.children_left != _LEAF) | (tree.children_right != _LEAF)
    return _nodes_fault(inner, tree.children_left, tree.children_right, tree.feature, tree.n_features)


def decision_tree_fault(part: Any) -> Fault:  # noqa: ANN401  # a decision tree
    """Say whether an estimator's tree is damaged, or takes other inputs."""
    fault = tree_fault(part.tree_)
    if fault:
        return fault
    if part.tree_.n_features != width_of(part):
        return f"it takes {width_of(part)} inputs, but its tree takes {part.tree_.n_features}"
    return None


def _trees(part: Any) -> list[Any]:  # noqa: ANN401  # an ensemble
    return list(np.ravel(np.asarray(part.estimators_, dtype=object)))


def forest_fault(part: Any) -> Fault:  # noqa: ANN401  # a forest, or boosting
    """Say whether a tree of an ensemble takes other inputs."""
    return _trees_fault(_trees(part), width_of(part))


def _trees_fault(trees: Iterable[Any], width: int) -> Fault:
    """Say whether an ensemble, which checks its inputs once for all of its trees, has one that takes others."""
    for each in trees:
        tree: Any = getattr(each, "tree_", None)
        if type(tree).__name__ != "Tree":
            return f"it is an ensemble of trees, but has a {type(each).__name__}"
        if tree.n_features != width:
            return f"it takes {width} inputs, but its trees take others"
    return None


def isolation_forest_fault(part: Any) -> Fault:  # noqa: ANN401  # an isolation forest
    """Say whether a tree takes other inputs than it is given."""
    width, drawn = width_of(part), int(part._max_features)  # noqa: SLF001  # where it is
    if drawn != width and any(len(columns) != drawn for columns in part.estimators_features_):
        return f"its trees say that they take {drawn} inputs each, but are given others"
    return _trees_fault(_trees(part), drawn)


def boosting_fault(part: Any) -> Fault:  # noqa: ANN401  # gradient boosting
    """Say whether the trees of a stage add to other outputs than there are, which the initial estimator makes."""
    stages = np.asarray(part.estimators_, dtype=object)
    if stages.ndim != 2 or not stages.size:  # stages and outputs
        return "its trees are of no stages"
    row = np.zeros((1, width_of(part)), dtype=np.float32)
    outputs = np.shape(part._raw_predict_init(row))  # noqa: SLF001  # what the sums begin with
    if outputs != (1, stages.shape[1]):
        return f"its sums begin with an array of shape {outputs}, but {stages.shape[1]} trees are added to it a stage"
    return None


def histogram_boosting_fault(part: Any) -> Fault:  # noqa: ANN401  # histogram boosting
    """Say whether a tree, or the bins before the trees, are of other inputs."""
    width = width_of(part)
    if getattr(part, "_in_fit", False):
        return "it says that it is being fitted"
    mapper = part._bin_mapper  # noqa: SLF001  # where they are
    categorical = np.asarray(mapper.is_categorical_)
    categorical = np.zeros(width, dtype=bool) if categorical.ndim == 0 else categorical
    if categorical.shape != (width,) or len(mapper.bin_thresholds_) != width:
        return f"it takes {width} inputs, but its bins are of others"
    fault = None if getattr(part, "_preprocessor", None) is None else _preprocessor_fault(part._preprocessor, width)  # noqa: SLF001
    if fault:
        return fault
    predictors = [each for iteration in part._predictors for each in iteration]  # noqa: SLF001  # where they are
    return next((fault for each in predictors if (fault := _predictor_fault(each, width, categorical))), None)


def _preprocessor_fault(step: Any, width: int) -> Fault:  # noqa: ANN401  # a column transformer
    """Say whether what comes out has other columns than go in: it is not looked at again."""
    taken = 0
    places = step._transformer_to_input_indices  # noqa: SLF001  # where they are
    for name, each, columns in step.transformers_:
        kind = type(each).__name__
        function: Any = getattr(each, "func", None)
        is_known = kind == "OrdinalEncoder" or (
            kind == "FunctionTransformer" and getattr(function, "func", function).__name__ == "check_array"
        )
        chosen = np.asarray(columns)
        number = int(chosen.sum()) if chosen.dtype == bool else len(chosen)
        if name == "remainder" and isinstance(each, str) and not number:
            continue
        if not (is_known or number == 0) or number != len(places[name]):
            return f"its preprocessor has a {kind}, which is none of its own"
        taken += number
    return None if taken == width else f"it takes {width} inputs, but its preprocessor gives it {taken}"


def _predictor_fault(predictor: Any, width: int, categorical: np.ndarray) -> Fault:  # noqa: ANN401  # a tree
    nodes, sets = predictor.nodes, np.asarray(predictor.raw_left_cat_bitsets)
    if len(nodes) == 0:
        return "a tree has no nodes"
    inner = nodes["is_leaf"] == 0
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    fault = _nodes_fault(inner, left, right, nodes["feature_idx"].astype(np.int64), width)
    if fault:
        return fault
    lists = inner & (nodes["is_categorical"] != 0)
    if not lists.any():
        return None
    if sets.ndim != 2 or sets.shape[1] != _WORDS_OF_A_SET or (nodes["bitset_idx"][lists] >= len(sets)).any():
        return "a split of categories has no list of them"
    if not categorical[nodes["feature_idx"][lists]].all():
        return "a split of categories asks for an input that has none"
    return None


def _nodes_fault(inner: np.ndarray, left: np.ndarray, right: np.ndarray, feature: np.ndarray, width: int) -> Fault:
    """Say what is wrong with a tree's nodes: each one's children come after it, so that every path ends."""
    places = np.arange(len(inner))[inner]
    for children in (left[inner], right[inner]):
        if ((children <= places) | (children >= len(inner))).any():
            return f"a node of its tree points to none of the {len(inner)} nodes after it"
    if ((feature[inner] < 0) | (feature[inner] >= width)).any():
        return f"a node of its tree asks for an input beyond the {width} that there are"
    return None
