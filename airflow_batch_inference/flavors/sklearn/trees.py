"""scikit-learn's trees, forests and gradient boosting behind their flavor, read for the kernel.

Its trees compare float32 inputs with float64 thresholds, histogram gradient boosting float64 ones. What comes after the
sum is the estimator's own code, run on a copy of it whose sum is given.

Invariants: only these very classes are read, since a class derived from one may predict in another way; and a value
that the estimator would refuse goes to the estimator.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_batch_inference.flavors.forests.forest import NAN_LEFT, NAN_RIGHT, Forest, NotCoveredError
from airflow_batch_inference.flavors.forests.source import SUMMED_METHODS, Trees, TreeSource, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_batch_inference.flavors.sklearn.model import SklearnModel

    Answers = Callable[[np.ndarray, Sequence[str]], dict[str, np.ndarray]]

_TREES = ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor")
_FORESTS = ("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor")
_BOOSTING = ("GradientBoostingClassifier", "GradientBoostingRegressor")
_HISTOGRAMS = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
_MODULES = {
    **dict.fromkeys(_TREES, "sklearn.tree._classes"),
    **dict.fromkeys(_FORESTS, "sklearn.ensemble._forest"),
    **dict.fromkeys(_BOOSTING, "sklearn.ensemble._gb"),
    **dict.fromkeys(_HISTOGRAMS, "sklearn.ensemble._hist_gradient_boosting.gradient_boosting"),
}


def trees_of(model: SklearnModel) -> Trees | None:
    """Return an estimator's trees, to be read; None where it is no tree ensemble that is read here."""
    trees = number_of_trees(model.estimator)
    methods = tuple(method for method in model.methods if method in SUMMED_METHODS)
    return None if trees is None else Trees(number=trees, methods=methods, read=lambda _: sklearn_source(model))


def number_of_trees(estimator: Any) -> int | None:  # noqa: ANN401  # any estimator
    """Return how many trees an estimator has; None where it is no tree ensemble that is read here."""
    name = type(estimator).__name__
    if type(estimator).__module__ != _MODULES.get(name):
        return None
    if name in _HISTOGRAMS:
        return sum(len(iteration) for iteration in estimator._predictors)  # noqa: SLF001  # where they are
    return 1 if name in _TREES else int(np.size(np.asarray(estimator.estimators_, dtype=object)))


def sklearn_source(model: SklearnModel) -> TreeSource:
    """Read an estimator's trees.

    Raises
    ------
    NotCoveredError
        It has several outputs, categories, or an initial estimator of its own.
    """
    estimator = model.estimator
    name = type(estimator).__name__
    if getattr(estimator, "n_outputs_", 1) != 1:
        message = "it has several outputs"
        raise NotCoveredError(message)
    if name in _HISTOGRAMS:
        forest, answers = _histograms(estimator)
    elif name in _BOOSTING:
        forest, answers = _boosting(estimator)
    else:
        forest, answers = _averaged(estimator)
    # Of a forest that adds up in several threads, the order of the sum is chance; with one it is that of the trees.
    reference = model
    if getattr(estimator, "n_jobs", None) not in (None, 1):
        alone = copy.copy(estimator)
        alone.n_jobs = 1
        reference = replace(model, estimator=alone)

    def library(rows: np.ndarray, methods: Sequence[str]) -> dict[str, np.ndarray]:
        names = model.feature_names or [str(place) for place in range(rows.shape[1])]
        table = pa.table([np.ascontiguousarray(column) for column in rows.T], names=list(names))
        return {method: np.asarray(found) for method, found in reference.predict_all(table, methods=methods).items()}

    return TreeSource(
        forest=forest,
        encode=_numeric,
        answers=answers,
        library=library,
        reference=reference,
        takes_infinite=name in _HISTOGRAMS,
        takes_missing=name not in _BOOSTING,
    )


def _numeric(batch: pa.Table) -> pa.Table:
    """Return the batch, if all of its columns are numbers.

    Raises
    ------
    TypeError
        One is not: the estimator may read it in its own way.
    """
    for field in batch.schema:
        if not is_plain(field.type):
            message = f"{field.name} is {field.type}"
            raise TypeError(message)
    return batch


def _joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Put trees behind one another; their children are numbered within each tree, -1 for a leaf's."""
    sizes = np.array([len(part["left"]) for part in parts])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shift = np.repeat(starts, sizes)
    found: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    for side in ("left", "right"):
        found[side] = np.where(found[side] < 0, -1, found[side] + shift)
    return {**found, "roots": starts}


def _nodes(trees: Iterable[Any]) -> dict[str, Any]:
    """Return the nodes of scikit-learn's decision trees, without their values."""
    return _joined(
        [
            {
                "left": tree.children_left.astype(np.int64),
                "right": tree.children_right.astype(np.int64),
                "feature": np.maximum(tree.feature, 0),
                "threshold": tree.threshold,
                "rule": np.where(tree.missing_go_to_left != 0, NAN_LEFT, NAN_RIGHT),
            }
            for tree in trees
        ]
    )


def _averaged(estimator: Any) -> tuple[Forest, Answers]:  # noqa: ANN401  # an estimator
    """Read a tree, or a forest, which is the mean of its trees."""
    is_forest = type(estimator).__name__ in _FORESTS
    trees = [each.tree_ for each in estimator.estimators_] if is_forest else [estimator.tree_]
    is_classifier = hasattr(estimator, "classes_")
    outputs = int(estimator.n_classes_) if is_classifier else 1
    nodes = _nodes(trees)
    values = np.concatenate([tree.value[:, 0, :outputs] for tree in trees])
    leaves = nodes["left"] < 0
    forest = Forest(
        **nodes,
        value=np.where(leaves, np.cumsum(leaves) - 1, 0) if outputs > 1 else values[:, 0],
        rows=values[leaves] if outputs > 1 else None,
        groups=np.zeros(len(trees), dtype=np.int64),
        width=int(estimator.n_features_in_),
        outputs=outputs,
        base=np.full(outputs, 0.0 if is_forest else -0.0),  # -0.0 leaves each number as it is
        is_single=True,
    )

    def answers(raw: np.ndarray, methods: Sequence[str]) -> dict[str, np.ndarray]:
        mean = raw / len(trees) if is_forest else raw
        found: dict[str, np.ndarray] = {}
        for method in methods:
            if not is_classifier:
                found[method] = mean[:, 0]
            elif method == "predict":
                found[method] = estimator.classes_.take(np.argmax(mean, axis=1), axis=0)
            else:
                found[method] = mean
        return found

    return forest, answers


def _boosting(estimator: Any) -> tuple[Forest, Answers]:  # noqa: ANN401  # an estimator
    """Read gradient boosting: each tree's value is scaled before it is added to what the initial estimator says."""
    if not (
        isinstance(estimator.init_, str) or type(estimator.init_).__name__ in ("DummyClassifier", "DummyRegressor")
    ):
        message = f"it begins with an estimator of its own, {type(estimator.init_).__name__}"
        raise NotCoveredError(message)
    stages, outputs = estimator.estimators_.shape
    trees = [each.tree_ for each in estimator.estimators_.ravel()]
    width = int(estimator.n_features_in_)
    base = estimator._raw_predict_init(np.zeros((1, width), dtype=np.float32))[0]  # noqa: SLF001  # the same for all
    forest = Forest(
        **_nodes(trees),
        value=np.concatenate([estimator.learning_rate * tree.value[:, 0, 0] for tree in trees]),
        groups=np.tile(np.arange(outputs), stages),
        width=width,
        outputs=outputs,
        base=base,
        is_single=True,
    )
    stub = copy.copy(estimator)
    stub.decision_function = lambda raw: raw

    def answers(raw: np.ndarray, methods: Sequence[str]) -> dict[str, np.ndarray]:
        values = raw.ravel() if outputs == 1 else raw
        if not hasattr(estimator, "classes_"):
            return dict.fromkeys(methods, values)
        return {method: getattr(stub, method)(values) for method in methods}

    return forest, answers


def _histograms(estimator: Any) -> tuple[Forest, Answers]:  # noqa: ANN401  # an estimator
    """Read histogram gradient boosting."""
    if estimator.is_categorical_ is not None and np.any(estimator.is_categorical_):
        message = "histogram gradient boosting has categories"
        raise NotCoveredError(message)
    predictors = [each for iteration in estimator._predictors for each in iteration]  # noqa: SLF001  # where they are
    outputs = int(estimator.n_trees_per_iteration_)
    parts = []
    for predictor in predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"] != 0
        parts.append(
            {
                "left": np.where(leaf, -1, nodes["left"].astype(np.int64)),
                "right": np.where(leaf, -1, nodes["right"].astype(np.int64)),
                "feature": nodes["feature_idx"].astype(np.int64),
                "threshold": nodes["num_threshold"].astype(np.float64),
                "rule": np.where(nodes["missing_go_to_left"] != 0, NAN_LEFT, NAN_RIGHT),
                "value": nodes["value"].astype(np.float64),
            }
        )
    forest = Forest(
        **_joined(parts),
        groups=np.tile(np.arange(outputs), len(predictors) // outputs),
        width=int(estimator.n_features_in_),
        outputs=outputs,
        base=np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel(),  # noqa: SLF001  # where it is
    )
    stub = copy.copy(estimator)
    stub._raw_predict = lambda raw, n_threads=None: raw  # noqa: ARG005, SLF001  # its sum is given

    def answers(raw: np.ndarray, methods: Sequence[str]) -> dict[str, np.ndarray]:
        values = np.asfortranarray(raw)  # as the estimator itself holds it
        return {method: getattr(stub, method)(values) for method in methods}

    return forest, answers
