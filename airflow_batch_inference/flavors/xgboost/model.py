"""An XGBoost booster in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.flavors.boosters.shapes import require_shape
from airflow_batch_inference.flavors.frames import matrix, single_column
from airflow_batch_inference.flavors.keywords import require_range
from airflow_batch_inference.flavors.networks import OnePass
from airflow_batch_inference.processes.threads import native_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from airflow_batch_inference.flavors.boosters.xgboost_categories import Categories
    from airflow_batch_inference.records import ColumnSpec

OTHER_OUTPUTS = {"raw_score": "output_margin", "leaf_index": "pred_leaf", "contributions": "pred_contribs"}
BINARY = "binary:logistic"


@dataclass(frozen=True, slots=True, kw_only=True)
class XGBoostModel(OnePass):
    """A booster, scored in place from one contiguous float32 matrix, the type that XGBoost itself compares in.

    ``iteration_range`` is what ``predict`` uses unless it is told otherwise: all trees as ``Booster.predict`` does,
    or those up to the best iteration for a model that scikit-learn's wrapper stopped early, as the wrapper does.
    """

    booster: Any
    framework: ModuleType = field(repr=False)
    objective: str
    is_linear: bool
    iteration_range: tuple[int, int]
    categories: Categories
    types: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    n_features: int
    inputs: tuple[ColumnSpec, ...] | None
    methods: tuple[str, ...]
    versions: Mapping[str, str]
    takes_lists: ClassVar[bool] = False
    releases_gil: bool = False
    """Of trees only: XGBoost says that a linear booster may not predict in several threads."""
    outputs: int = 1
    """How many numbers a row's raw score has."""
    missing: float = math.nan
    """The number that stands for a missing value, beside NaN."""
    classes: tuple[int, ...] | None = None
    output_names: tuple[str, ...] | None = None

    @property
    def importances(self) -> dict[str, float] | None:
        """The mean gain of each named input's splits; None for linear boosters."""
        if self.feature_names is None or self.is_linear:
            return None
        gains = self.booster.get_score(importance_type="gain")
        return {name: float(gains.get(name, 0.0)) for name in self.feature_names}

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return a category of each column that has a list of them."""
        names = batch.schema.names
        return {names[place]: values[0].as_py() for place, values in self.categories.lists.columns.items()}

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return what several methods give; predictions and probabilities come from one pass through the trees.

        ``predict_proba`` gives (n, 2) for a binary and (n, k) for a multiclass objective. ``kwargs`` are those of
        ``Booster.predict`` (``iteration_range``, ``pred_leaf``, ``pred_interactions``, …).
        """
        return self.predict_matrix(matrix(self.encode(batch), single=True), methods, kwargs)

    def encode(self, batch: pa.Table) -> pa.Table:
        """Make numbers of a mini-batch: categories by their positions, missing values as nulls.

        XGBoost compares with its ``missing`` in float32, and takes NaN for missing whatever that is; of a category it
        compares the position.

        Raises
        ------
        ValueError
            A category that training never saw, or a code that is none.
        """
        encoded = self.categories.encode(batch)
        if math.isnan(self.missing):
            return encoded
        columns = [without(column, self.missing) for column in encoded.columns]
        return pa.Table.from_arrays(columns, names=encoded.schema.names)

    def predict_matrix(
        self, data: np.ndarray, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return what several methods give for encoded rows, float32 of shape (rows, inputs)."""
        require_range(kwargs or {})
        found: dict[str, np.ndarray] = {}
        passes: dict[str | None, np.ndarray] = {}
        for method in methods:
            with_margins = method == "predict_proba" and self.objective == "multi:softmax"
            other = OTHER_OUTPUTS.get("raw_score" if with_margins else method)
            if other not in passes:
                arguments = {"iteration_range": self.iteration_range, **dict(kwargs or {})}
                arguments = arguments if other is None else {**arguments, other: True}
                passes[other] = self._scored(data, arguments)
                require_shape(passes[other], len(data), self._numbers(arguments))
            predicted = passes[other]
            if with_margins:
                predicted = softmax(predicted)
            elif method == "predict_proba" and self.objective == BINARY:
                predicted = np.column_stack([1.0 - predicted, predicted])
            found[method] = predicted
        return found

    def _numbers(self, arguments: Mapping[str, Any]) -> int | None:
        """Return how many numbers come out for a row; None where that is not those of its outputs."""
        if any(value for name, value in arguments.items() if name not in ("iteration_range", "output_margin")):
            return None
        return 1 if self.objective == "multi:softmax" and not arguments.get("output_margin") else self.outputs

    def _scored(self, data: np.ndarray, arguments: dict[str, Any]) -> np.ndarray:
        """Predict in place where XGBoost can: it is faster, and gives the same bits as a DMatrix."""
        in_place = not self.is_linear and set(arguments) <= {"iteration_range", "output_margin"}
        if in_place:
            kind = "margin" if arguments.get("output_margin") else "value"
            found: np.ndarray = self.booster.inplace_predict(
                data, iteration_range=arguments["iteration_range"], predict_type=kind
            )
            return found
        wrapped = dmatrix(self.framework, data, self.feature_names, self.types)
        predicted: np.ndarray = self.booster.predict(wrapped, **arguments)
        return predicted


def without(column: pa.ChunkedArray, missing: float) -> pa.ChunkedArray:
    """Return a column of numbers as float32 with nulls where a number stands for a missing value.

    Examples
    --------
    >>> without(pa.chunked_array([[1, -999, None]]), -999.0).to_pylist()
    [1.0, None, None]
    """
    single = single_column(column)
    is_missing = pc.equal(single, pa.scalar(np.float32(missing), pa.float32()))
    return pc.if_else(is_missing, pa.scalar(None, pa.float32()), single)


def dmatrix(xgboost: ModuleType, data: np.ndarray, names: tuple[str, ...] | None, types: tuple[str, ...] | None) -> Any:  # noqa: ANN401  # untyped
    """Return rows as XGBoost holds them."""
    return xgboost.DMatrix(
        data,
        feature_names=None if names is None else list(names),
        feature_types=None if types is None else list(types),
        enable_categorical=True,
        nthread=native_threads(),
    )


def softmax(margins: np.ndarray) -> np.ndarray:
    """Return the probabilities of margins, for a model whose own predictions are classes."""
    from scipy import special

    probabilities: np.ndarray = special.softmax(margins, axis=1)
    return probabilities
