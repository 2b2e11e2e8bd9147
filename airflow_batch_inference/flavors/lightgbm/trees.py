"""A LightGBM booster behind its flavor, read for the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.flavors.forests.forest import NotCoveredError
from airflow_batch_inference.flavors.forests.links import EXPONENTIAL, LOG_EXPONENTIAL, SIGMOID, SOFTMAX
from airflow_batch_inference.flavors.forests.source import SUMMED_METHODS, Trees, TreeSource
from airflow_batch_inference.flavors.lightgbm.forest import read_header, read_trees, sigmoid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.flavors.forests.source import ApplyLink
    from airflow_batch_inference.flavors.lightgbm.model import LightGBMModel

_LINKS = {
    "binary": SIGMOID,
    "cross_entropy": SIGMOID,
    "cross_entropy_lambda": LOG_EXPONENTIAL,
    "gamma": EXPONENTIAL,
    "multiclass": SOFTMAX,
    "multiclassova": SIGMOID,
    "poisson": EXPONENTIAL,
    "tweedie": EXPONENTIAL,
    **dict.fromkeys(
        ("fair", "huber", "lambdarank", "mape", "quantile", "rank_xendcg", "regression", "regression_l1", "custom", "")
    ),
}


def trees_of(model: LightGBMModel) -> Trees:
    """Return a booster's trees, to be read."""
    methods = tuple(method for method in model.methods if method in SUMMED_METHODS)
    return Trees(number=model.booster.num_trees(), methods=methods, read=lambda link: lightgbm_source(model, link))


def lightgbm_source(model: LightGBMModel, apply_link: ApplyLink) -> TreeSource:
    """Read a booster's trees.

    Raises
    ------
    NotCoveredError
        It has linear leaves, an objective that is not known, or a text that is not.
    """
    text = model.booster.model_to_string(num_iteration=-1)
    header = read_header(text)
    objective = header.get("objective", "")
    kind = objective.partition(" ")[0]
    if kind not in _LINKS:
        message = f"its objective is {kind!r}"
        raise NotCoveredError(message)
    link, steepness = _LINKS[kind], sigmoid_of(objective)
    is_squared = kind.startswith("regression") and "sqrt" in objective.split()
    forest = read_trees(text)
    iterations = len(forest.roots) // forest.outputs if "average_output" in header else 0

    def answers(raw: np.ndarray, methods: Sequence[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        linked = None
        for method in methods:
            if method == "raw_score":
                found[method] = _flat(raw)  # of a random forest too: the library does not average it
                continue
            if linked is None:
                mean = raw / iterations if iterations else raw
                squared = np.sign(mean) * mean * mean if is_squared else mean
                linked = _flat(apply_link(squared, link, steepness=steepness))
            both = method == "predict_proba" and model.objective == "binary"
            found[method] = np.column_stack([1.0 - linked, linked]) if both else linked
        return found

    def library(rows: np.ndarray, methods: Sequence[str]) -> dict[str, np.ndarray]:
        raw = model.booster.predict(rows, raw_score=True)
        plain = model.booster.predict(rows)
        both = np.column_stack([1.0 - plain, plain]) if model.objective == "binary" else plain
        known = {"raw_score": raw, "predict": plain, "predict_proba": both}
        return {method: known[method] for method in methods}

    return TreeSource(
        forest=forest,
        encode=model.categories.encode,
        answers=answers,
        library=library,
        reference=model,
    )


def _flat(values: np.ndarray) -> np.ndarray:
    return values[:, 0] if values.shape[1] == 1 else values
