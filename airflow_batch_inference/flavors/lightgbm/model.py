"""A LightGBM booster in memory."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from airflow_batch_inference.flavors.boosters.shapes import require_shape
from airflow_batch_inference.flavors.frames import matrix
from airflow_batch_inference.flavors.keywords import LIGHTGBM, require_keywords
from airflow_batch_inference.flavors.networks import OnePass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.flavors.categories import (
        PandasCategories,
    )
    from airflow_batch_inference.records import ColumnSpec

_explaining = threading.Lock()
OTHER_OUTPUTS = {"raw_score": "raw_score", "leaf_index": "pred_leaf", "contributions": "pred_contrib"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LightGBMModel(OnePass):
    """A booster, scored from one contiguous float64 matrix.

    ``feature_names`` are the names as LightGBM keeps them: it writes blanks as underscores. A model trained without
    names (LightGBM then invents ``Column_0``, ``Column_1``, …) takes its columns by position.
    """

    booster: Any
    objective: str
    categories: PandasCategories
    feature_names: tuple[str, ...] | None
    n_features: int
    inputs: tuple[ColumnSpec, ...] | None
    methods: tuple[str, ...]
    versions: Mapping[str, str]
    outputs: int = 1
    """How many numbers a row's prediction has."""
    classes: tuple[int, ...] | None = None
    takes_lists: ClassVar[bool] = False
    releases_gil: ClassVar[bool] = True
    """It is called by ctypes.cdll. A booster keeps what a call asks for (such as ``num_iteration``), so that threads
    that predict with it side by side must ask for the same: all calls of a job do."""
    output_names: tuple[str, ...] | None = None

    @property
    def importances(self) -> dict[str, float] | None:
        """The gain of each named input's splits."""
        names = self.feature_names
        gains = self.booster.feature_importance(importance_type="gain")
        return None if names is None else dict(zip(names, gains.tolist(), strict=True))

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return what several methods give; predictions and probabilities come from one pass through the trees.

        ``predict_proba`` gives (n, 2) for a binary and (n, k) for a multiclass objective. ``kwargs`` are those of
        ``Booster.predict`` (``raw_score``, ``num_iteration``, ``pred_leaf``, …).
        """
        data = matrix(self.categories.encode(batch), row_major=False)  # the same predictions, one transposition less
        given = dict(kwargs or {})
        require_keywords(given, LIGHTGBM, "LightGBM's Booster.predict")
        found: dict[str, np.ndarray] = {}
        passes: dict[str | None, np.ndarray] = {}
        for method in methods:
            other = OTHER_OUTPUTS.get(method)
            if other not in passes:
                arguments = given if other is None else {**given, other: True}
                # What explains rows works on the trees' depths, which the booster holds.
                with _explaining if arguments.get("pred_contrib") else contextlib.nullcontext():
                    passes[other] = self.booster.predict(data, **arguments)
                require_shape(passes[other], len(data), self.outputs if _is_score(arguments) else None)
            predicted = passes[other]
            is_probability = other is None and not any(given.get(name) for name in OTHER_OUTPUTS.values())
            if method == "predict_proba" and self.objective == "binary" and is_probability:
                predicted = np.column_stack([1.0 - predicted, predicted])
            found[method] = predicted
        return found


def _is_score(arguments: Mapping[str, Any]) -> bool:
    """Say whether a number for each class comes out, and not leaves or contributions."""
    return not (arguments.get("pred_leaf") or arguments.get("pred_contrib"))
