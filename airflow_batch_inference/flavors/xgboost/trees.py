"""An XGBoost booster behind its flavor, read for the kernel.

What XGBoost does (its ``src/predictor`` and ``src/objective`` folders): float32 inputs, ``<`` against float32, sums in
float32 that begin with the base score, tree by tree; a split by categories sends those of its set to the right.

Invariants: the base score is asked of XGBoost itself, which turns it into a margin in its own way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.flavors.forests.forest import (
    CATEGORY_NAN_IN,
    CATEGORY_NAN_OUT,
    NAN_LEFT,
    NAN_RIGHT,
    Forest,
    NotCoveredError,
    require_few_words,
)
from airflow_batch_inference.flavors.forests.links import EXPONENTIAL, SINGLE_SIGMOID, SOFTMAX
from airflow_batch_inference.flavors.forests.source import SUMMED_METHODS, Trees, TreeSource
from airflow_batch_inference.flavors.xgboost.model import softmax

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.flavors.forests.source import ApplyLink
    from airflow_batch_inference.flavors.xgboost.model import XGBoostModel

_SOFTMAX_CLASS = "multi:softmax"
_LINKS = {
    "binary:logistic": SINGLE_SIGMOID,
    "reg:logistic": SINGLE_SIGMOID,
    "multi:softprob": SOFTMAX,
    _SOFTMAX_CLASS: SOFTMAX,
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"), EXPONENTIAL),
    **dict.fromkeys(
        (
            "binary:logitraw",
            "rank:map",
            "rank:ndcg",
            "rank:pairwise",
            "reg:absoluteerror",
            "reg:pseudohubererror",
            "reg:quantileerror",
            "reg:squarederror",
            "reg:squaredlogerror",
        )
    ),
}
_NOTHING = {
    "base_weights": [0.0],
    "categories": [],
    "categories_nodes": [],
    "categories_segments": [],
    "categories_sizes": [],
    "default_left": [0],
    "id": 0,
    "left_children": [-1],
    "loss_changes": [0.0],
    "parents": [2147483647],
    "right_children": [-1],
    "split_conditions": [0.0],
    "split_indices": [0],
    "split_type": [0],
    "sum_hessian": [1.0],
}
"""A tree of one leaf that adds nothing; its parameters are those of the model's own trees."""


def trees_of(model: XGBoostModel) -> Trees | None:
    """Return a booster's trees, to be read; None where it has none."""
    trees = 0 if model.is_linear else model.booster.num_boosted_rounds()
    methods = tuple(method for method in model.methods if method in SUMMED_METHODS)
    return Trees(number=trees, methods=methods, read=lambda link: xgboost_source(model, link)) if trees else None


def xgboost_source(model: XGBoostModel, apply_link: ApplyLink) -> TreeSource:
    """Read a booster's trees.

    Raises
    ------
    NotCoveredError
        It is linear, has leaves of several numbers, or an objective that is not known.
    """
    if model.objective not in _LINKS:
        message = f"its objective is {model.objective!r}"
        raise NotCoveredError(message)
    document = json.loads(bytes(model.booster.save_raw("json")))
    forest = _forest(model, document)
    link = _LINKS[model.objective]

    def answers(raw: np.ndarray, methods: Sequence[str]) -> dict[str, np.ndarray]:
        return {method: _answer(raw, method) for method in methods}

    def _answer(raw: np.ndarray, method: str) -> np.ndarray:
        if method == "raw_score":
            return _flat(raw)
        if model.objective == _SOFTMAX_CLASS:
            classes: np.ndarray = np.argmax(raw, axis=1).astype(np.float32)
            return classes if method == "predict" else softmax(raw)
        values = _flat(apply_link(raw, link))
        both = method == "predict_proba" and model.objective == "binary:logistic"
        return np.column_stack([1.0 - values, values]) if both else values

    def library(rows: np.ndarray, methods: Sequence[str]) -> Mapping[str, np.ndarray]:
        return model.predict_matrix(rows.astype(np.float32), methods)

    return TreeSource(forest=forest, encode=model.encode, answers=answers, library=library, reference=model)


def _flat(values: np.ndarray) -> np.ndarray:
    return values[:, 0] if values.shape[1] == 1 else values


def _forest(model: XGBoostModel, document: dict[str, Any]) -> Forest:
    booster = document["learner"]["gradient_booster"]
    weights = booster.get("weight_drop")
    trees_of = booster["gbtree"]["model"] if weights is not None else booster.get("model", {})
    trees, bounds = trees_of.get("trees"), trees_of.get("iteration_indptr")
    if booster["name"] not in ("gbtree", "dart") or not trees or not bounds:
        message = f"its booster is {booster['name']}, or has no trees"
        raise NotCoveredError(message)
    first, last = model.iteration_range
    used = slice(bounds[first], bounds[last] if last else len(trees))
    require_few_words(sum(_number_of_words(tree) for tree in trees[used]))
    sets: list[np.ndarray] = []
    parts = [_tree(tree, sets) for tree in trees[used]]
    base, groups = _base(model, document), np.array(trees_of["tree_info"][used])
    if weights is not None:  # in place, XGBoost takes the base score off each tree's own sum before it weighs it
        for part, weight, start in zip(parts, weights[used], base[groups], strict=True):
            alone = (start + part["value"].astype(np.float32)) - start
            part["value"] = (alone * np.float32(weight)).astype(np.float64)
    sizes = np.array([len(part["left"]) for part in parts])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shift = np.repeat(starts, sizes)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Forest(
        left=np.where(joined["left"] < 0, -1, joined["left"] + shift),
        right=np.where(joined["left"] < 0, -1, joined["right"] + shift),
        feature=joined["feature"],
        rule=joined["rule"],
        threshold=joined["threshold"],
        value=joined["value"],
        roots=starts,
        groups=groups,
        width=model.n_features,
        outputs=len(base),
        sets=sets,
        base=base,
        is_single=True,
        adds_single=True,
    )


def _tree(tree: dict[str, Any], sets: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return a tree's nodes; its sets of categories are added to those of the trees before it."""
    if int(tree["tree_param"].get("size_leaf_vector", "1")) > 1:
        message = "its leaves have several numbers"
        raise NotCoveredError(message)
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    goes_left = np.array(tree["default_left"]) != 0
    is_set = (np.array(tree["split_type"]) == 1) & (left >= 0)
    if np.isneginf(conditions[(left >= 0) & ~is_set]).any():
        message = "a split asks for what is less than minus infinity"
        raise NotCoveredError(message)
    # What is less than a number is at most the one before it.
    threshold = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
    for node, start, size in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        threshold[node] = len(sets)
        sets.append(_words(np.array(tree["categories"][start : start + size], dtype=np.int64)))
    rule = np.where(goes_left, NAN_LEFT, NAN_RIGHT)
    return {
        "left": np.where(is_set, right, left),
        "right": np.where(is_set, left, right),
        "feature": np.array(tree["split_indices"], dtype=np.int64),
        "rule": np.where(is_set, np.where(goes_left, CATEGORY_NAN_OUT, CATEGORY_NAN_IN), rule),
        "threshold": threshold,
        "value": conditions.astype(np.float64),
    }


def _number_of_words(tree: dict[str, Any]) -> int:
    """Return how many words the sets of a tree have, before they are made."""
    bounds = zip(tree["categories_segments"], tree["categories_sizes"], strict=True)
    return sum(max(tree["categories"][start : start + size], default=-1) // 32 + 1 for start, size in bounds)


def _words(codes: np.ndarray) -> np.ndarray:
    """Return a set of codes as 32-bit words.

    Examples
    --------
    >>> _words(np.array([0, 33])).tolist()
    [1, 2]
    """
    words = np.zeros(int(codes.max(initial=-1)) // 32 + 1, dtype=np.uint32)
    np.bitwise_or.at(words, codes // 32, np.uint32(1) << (codes % 32).astype(np.uint32))
    return words


def _base(model: XGBoostModel, document: dict[str, Any]) -> np.ndarray:
    """Return what the sums begin with: what XGBoost predicts with the same model and one tree that adds nothing."""
    learner = document["learner"]
    booster = learner["gradient_booster"]
    trees_of = dict(booster["gbtree"]["model"] if "gbtree" in booster else booster["model"])
    trees_of |= {
        "trees": [{**_NOTHING, "tree_param": {**trees_of["trees"][0]["tree_param"], "num_nodes": "1"}}],
        "tree_info": [0],
        "iteration_indptr": [0, 1],
    }
    trees_of["gbtree_model_param"] = {"num_parallel_tree": "1", "num_trees": "1"}
    bare = model.framework.Booster({"nthread": 1})
    empty = {**learner, "gradient_booster": {"model": trees_of, "name": "gbtree"}}
    bare.load_model(bytearray(json.dumps({**document, "learner": empty}).encode()))
    row = np.zeros((1, model.n_features), dtype=np.float32)
    found: np.ndarray = np.ravel(bare.inplace_predict(row, predict_type="margin"))
    return found
