"""A model from an MLflow folder in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from airflow_batch_inference.flavors.base import LoadedModel, require_method
from airflow_batch_inference.flavors.frames import frame
from airflow_batch_inference.flavors.keywords import require_keywords
from airflow_batch_inference.flavors.tensors import TensorInputs
from airflow_batch_inference.flavors.wrapped import WrappedModel
from airflow_batch_inference.schema.columns import replace_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.flavors.mlflow.signature import Signature
    from airflow_batch_inference.records import ColumnSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowModel(WrappedModel):
    """A model from an MLflow folder: that of another flavor, with the names and types that the signature adds."""

    inner: LoadedModel
    feature_names: tuple[str, ...] | None
    inputs: tuple[ColumnSpec, ...] | None
    output_names: tuple[str, ...] | None
    predict_by: str = "predict"
    """The method of the model within that ``predict`` calls: ``predict_fn`` in ``MLmodel``."""
    is_one_pass: ClassVar[bool] = True

    @property
    def n_features(self) -> int | None:
        """How many columns are taken."""
        return self.inner.n_features if self.feature_names is None else len(self.feature_names)

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch; see :meth:`~.base.LoadedModel.predict`."""
        return self.inner.predict(batch, method=self._called(method), kwargs=kwargs)

    def _called(self, method: str) -> str:
        return self.predict_by if method == "predict" else method

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> Mapping[str, Prediction]:
        """Return what several methods give, in one pass where the model within can."""
        called = tuple(dict.fromkeys(map(self._called, methods)))
        found = self.inner.predict_all(batch, methods=called, kwargs=kwargs)
        return {method: found[self._called(method)] for method in methods}


@dataclass(frozen=True, slots=True, kw_only=True)
class PyfuncModel(LoadedModel):
    """A ``python_function``: it gets a data frame, or arrays where its signature says tensors.

    ``kwargs`` of :meth:`predict` are the model's ``params``.
    """

    model: Any
    signature: Signature
    versions: Mapping[str, str]
    kept: object
    """The folder that it was loaded from, removed with it."""
    methods: tuple[str, ...] = ("predict",)

    @property
    def tensors(self) -> TensorInputs | None:
        """The tensors that it takes; None where it takes a data frame."""
        return TensorInputs(self.signature.tensors) if self.signature.tensors else None

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """The input columns with their types; None where the signature does not say."""
        return self.tensors.specs if self.tensors else self.signature.columns

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The input columns; None where the signature does not say, then it gets all."""
        return None if self.inputs is None else tuple(spec.name for spec in self.inputs)

    @property
    def n_features(self) -> int | None:
        """How many columns are taken, where the signature says."""
        if self.tensors:
            return self.tensors.n_features
        return None if self.inputs is None else len(self.inputs)

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """None: the signature's are added outside."""
        return None

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch; see :meth:`~.base.LoadedModel.predict`."""
        require_method(method, self.methods)
        if kwargs:
            schema = self.model.metadata.get_params_schema()
            known = [] if schema is None else [each.name for each in schema.params]
            require_keywords(kwargs, known, "MLflow, whose model's signature has no such parameter,")
        return _arrays(self.model.predict(self._data(batch), params=dict(kwargs) if kwargs else None))

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return zeros of the tensors' shapes."""
        return self.tensors.example(batch) if self.tensors else {}

    def _data(self, batch: pa.Table) -> Any:  # noqa: ANN401  # a frame, an array, or arrays by name
        if self.tensors is not None:
            feeds = self.tensors.feeds(batch)
            return feeds if self.signature.named_tensors else next(iter(feeds.values()))
        # MLflow refuses wider types, such as int64 for its integer.
        stated = {place: spec.type for place, spec in enumerate(self.signature.columns or ()) if spec.type != "any"}
        cast = {place: batch.column(place).cast(pa.type_for_alias(kind)) for place, kind in stated.items()}
        return frame(replace_columns(batch, cast))


def _arrays(predicted: object) -> Prediction:
    """Return what a ``python_function`` returned as arrays: a frame's columns, a dictionary's values."""
    if hasattr(predicted, "columns") and hasattr(predicted, "to_numpy"):
        columns = {str(name): predicted[name].to_numpy() for name in predicted.columns}  # type: ignore[index]  # a frame
        return columns if len(columns) > 1 else next(iter(columns.values()))
    if isinstance(predicted, dict):
        return {str(name): np.asarray(values) for name, values in predicted.items()}
    return np.asarray(predicted)
