"""The trees of an XGBoost file, read only to tell whether XGBoost can follow them.

XGBoost reads UBJSON's lengths without a check, so a few bytes can ask for all memory; and it follows whatever nodes,
outputs and parents a tree names (``RegTree::LoadModel``, ``GBTreeModel::LoadModel``).

Invariants: no length in the file is larger than what is left of it, no name is there twice, and every number that is a
place among others lies among them.
"""

from __future__ import annotations

import itertools
import json
import re
import struct
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.boosters.ubjson import Reader, once
from airflow_batch_inference.flavors.boosters.xgboost_lists import SHOWN, count, entry, numbers, whole_numbers
from airflow_batch_inference.flavors.boosters.xgboost_nodes import tree_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCORES = re.compile(r"[-+.\deE]+", re.ASCII)


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
    model = entry(document, "Model")
    _require_sound(model)
    config = entry(entry(document, "Config"), "learner")
    said = entry(entry(model, "learner"), "objective").get("name"), _booster_name(entry(model, "learner"))
    if (entry(config, "objective").get("name"), _booster_name(config)) != said:
        _refuse("its configuration is of another objective or booster than its model")
    try:
        fault = _classes_fault(config, _outputs(entry(model, "learner")))
    except ValueError as error:
        _refuse(str(error))
    if fault:
        _refuse(fault)


def _read(content: bytes, *, is_json: bool) -> Any:  # noqa: ANN401  # whatever the file holds
    try:
        if is_json:
            return json.loads(content, object_pairs_hook=once)
        return Reader(content).document()
    except (ValueError, RecursionError, struct.error, IndexError) as error:
        message = f"The XGBoost model is damaged: {error}. Save or copy it again."
        raise ModelLoadError(message) from error


def _refuse(fault: str) -> NoReturn:
    message = f"The XGBoost model is damaged: {fault}. Save or copy it again."
    raise ModelLoadError(message)


def _require_sound(document: object) -> None:
    learner = entry(document, "learner")
    try:
        outputs, width = _outputs(learner), count(entry(learner, "learner_model_param"), "num_feature")
        fault = _classes_fault(learner, outputs) or _best_fault(learner)
        booster = entry(learner, "gradient_booster")
        kind = _booster_name(learner)
        if fault is None and kind == "gblinear":
            fault = _linear_fault(entry(booster, "model"), outputs, width)
        elif fault is None and kind in ("gbtree", "dart"):
            fault = _forest_fault(booster, outputs, width)
        elif fault is None:
            fault = f"its booster is {str(kind)[:SHOWN]!r}, which is not known"
    except ValueError as error:
        _refuse(str(error))
    if fault:
        _refuse(fault)


def _best_fault(learner: Mapping[str, Any]) -> str | None:
    """Say whether the best iteration, up to which wrappers predict, lies before the first: XGBoost looks there."""
    best = entry(learner, "attributes").get("best_iteration", "0")
    if not isinstance(best, str) or not re.fullmatch(r"\d{1,9}", best, re.ASCII):
        return f"its best_iteration is {str(best)[:SHOWN]!r}, which is no count"
    return None


def _booster_name(learner: object) -> object:
    return entry(learner, "gradient_booster").get("name")


def _outputs(learner: Mapping[str, Any]) -> int:
    """Return how many numbers come out for a row.

    Raises
    ------
    ValueError
        A count is none, or there are both classes and targets.
    """
    parameters = entry(learner, "learner_model_param")
    classes, targets = count(parameters, "num_class"), count(parameters, "num_target", "1")
    if classes > 1 and targets > 1:
        message = f"it says that it has {classes} classes and {targets} targets"
        raise ValueError(message)
    return max(1, classes, targets)


def _classes_fault(learner: Mapping[str, Any], outputs: int) -> str | None:
    """Say whether the objective is of other classes than there are, or the base score of other outputs."""
    objective = entry(learner, "objective")
    kind = objective.get("name")
    of_classes = entry(objective, "softmax_multiclass_param")
    if isinstance(kind, str) and kind.startswith("multi:"):
        classes = count(of_classes, "num_class")
        if classes < 1 or classes != outputs:
            return f"its objective {kind[:SHOWN]} is of {classes} classes, but its model is of {outputs}"
    if "learner_model_param" not in learner:
        return None
    said = entry(learner, "learner_model_param").get("base_score")
    scores = said.strip("[]").split(",") if isinstance(said, str) else []
    if not all(_SCORES.fullmatch(score) for score in scores) or len(scores) not in (1, outputs):
        return f"its base_score is {str(said)[:SHOWN]!r}, which is not of its {outputs} outputs"
    return None


def _linear_fault(model: Mapping[str, Any], outputs: int, width: int) -> str | None:
    weights = numbers(model, "weights")
    wanted = (width + 1) * outputs
    return None if len(weights) == wanted else f"it has {len(weights)} weights, but should have {wanted}"


def _forest_fault(booster: Mapping[str, Any], outputs: int, width: int) -> str | None:
    is_dart = booster.get("name") == "dart"
    model = entry(entry(booster, "gbtree") if is_dart else booster, "model")
    trees = model.get("trees")
    if not isinstance(trees, list):
        return "it has no list of trees"
    disorder = _disorder(model, len(trees), outputs)
    if disorder is None and is_dart and len(numbers(booster, "weight_drop")) != len(trees):
        disorder = f"its weight_drop are not of its {len(trees)} trees"
    if disorder is None and "cats" in model:
        disorder = _lists_fault(entry(model, "cats"), width)
    if disorder:
        return disorder
    sizes: set[int] = set()
    for number, tree in enumerate(trees):
        try:
            fault = tree_fault(tree, number, outputs, width, sizes)
        except ValueError as error:
            fault = str(error)
        if fault:
            message = f"Tree {number} of the XGBoost model is damaged: {fault}. Save or copy the model again."
            raise ModelLoadError(message)
    return "its leaves are of different lengths" if len(sizes) > 1 else None


def _disorder(model: Mapping[str, Any], trees: int, outputs: int) -> str | None:
    """Say what is wrong with the order of the trees: XGBoost adds to whatever output a tree names.

    Raises
    ------
    ValueError
        A list of it is none.
    """
    parameters = entry(model, "gbtree_model_param")
    if (said := count(parameters, "num_trees")) != trees:
        return f"it says that it has {said} trees, but there are {trees}"
    if count(parameters, "num_parallel_tree", "1") < 1:
        return "its num_parallel_tree is 0"
    groups = whole_numbers(model, "tree_info", None)
    bounds = whole_numbers(model, "iteration_indptr", [0, trees])
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
        values = numbers(column if isinstance(column, dict) else {}, "values")
        if "offsets" not in column:
            sizes.append(len(values))
            continue
        offsets = whole_numbers(column, "offsets")
        ends = offsets if len(offsets) else np.zeros(1, dtype=np.int64)
        if ends[0] != 0 or (np.diff(ends) < 0).any() or ends[-1] > len(values):
            return "a list of categories leads beyond its letters"
        sizes.append(len(ends) - 1)
    bounds, order = whole_numbers(lists, "feature_segments"), whole_numbers(lists, "sorted_idx")
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
