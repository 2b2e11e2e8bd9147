"""Which loaded models are tree ensembles that have a reader.

What must not be relaxed: nothing is read here, and no framework is imported: a model that is loaded brings its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.flavors.lightgbm.flavor import LightGBMModel
from airflow_batch_inference.flavors.sklearn.flavor import SklearnModel
from airflow_batch_inference.flavors.xgboost.flavor import XGBoostModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.trees.scorer import TreeSource

_SUMS = ("predict", "predict_proba", "decision_function", "raw_score")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A tree ensemble.

    Attributes
    ----------
    trees
        How many trees it has.
    methods
        The model's methods that a sum over its trees answers.
    read
        Reads them; raises :class:`~.ensemble.NotCoveredError` where the kernel does not cover them.
    """

    trees: int
    methods: tuple[str, ...]
    read: Callable[[], TreeSource]


def readable_of(model: LoadedModel) -> Readable | None:
    """Return how a model's trees are read; None where it is no tree ensemble that is known."""
    methods = tuple(method for method in model.methods if method in _SUMS)
    if isinstance(model, LightGBMModel):
        from airflow_batch_inference.trees.lightgbm_source import lightgbm_source

        return Readable(trees=model.booster.num_trees(), methods=methods, read=lambda: lightgbm_source(model))
    if isinstance(model, XGBoostModel):
        from airflow_batch_inference.trees.xgboost_source import xgboost_source

        trees = 0 if model.is_linear else model.booster.num_boosted_rounds()
        return Readable(trees=trees, methods=methods, read=lambda: xgboost_source(model)) if trees else None
    if isinstance(model, SklearnModel):
        from airflow_batch_inference.trees.sklearn_source import number_of_trees, sklearn_source

        trees = number_of_trees(model.estimator)
        return None if trees is None else Readable(trees=trees, methods=methods, read=lambda: sklearn_source(model))
    return None
