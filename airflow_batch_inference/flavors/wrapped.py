"""Models that stand before another one, and answer as that one does but for what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.flavors.base import LoadedModel

if TYPE_CHECKING:
    from builtins import property as overridable
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.flavors.tensors import TensorInputs
    from airflow_batch_inference.records import ColumnSpec
    from airflow_batch_inference.schema.inputs import OnlyTensor
else:
    from airflow_batch_inference.flavors.overridable import overridable


class WrappedModel(LoadedModel):
    """A model that says and does what the one within does; see :class:`~.base.LoadedModel`."""

    __slots__ = ()

    @overridable
    def inner(self) -> LoadedModel:
        """The model within."""
        raise NotImplementedError

    @overridable
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """Those of the model within."""
        return self.inner.inputs

    @overridable
    def feature_names(self) -> tuple[str, ...] | None:
        """Those of the model within."""
        return self.inner.feature_names

    @overridable
    def n_features(self) -> int | None:
        """As many as the model within takes."""
        return self.inner.n_features

    @overridable
    def output_names(self) -> tuple[str, ...] | None:
        """Those of the model within."""
        return self.inner.output_names

    @overridable
    def methods(self) -> tuple[str, ...]:
        """Those of the model within."""
        return self.inner.methods

    @overridable
    def versions(self) -> Mapping[str, str]:
        """Those of the model within."""
        return self.inner.versions

    @overridable
    def classes(self) -> tuple[Any, ...] | None:
        """Those of the model within."""
        return self.inner.classes

    @overridable
    def importances(self) -> Mapping[str, float] | None:
        """Those of the model within."""
        return self.inner.importances

    @overridable
    def takes_lists(self) -> bool:
        """Whether the model within does."""
        return self.inner.takes_lists

    @overridable
    def tensor(self) -> OnlyTensor | None:
        """That of the model within."""
        return self.inner.tensor

    @overridable
    def tensors(self) -> TensorInputs | None:
        """Those of the model within."""
        return self.inner.tensors

    @overridable
    def only_output(self) -> str | None:
        """That of the model within."""
        return self.inner.only_output

    @overridable
    def names_outputs(self) -> bool:
        """Whether the model within does."""
        return self.inner.names_outputs

    @overridable
    def unnamed(self) -> str | None:
        """That of the model within."""
        return self.inner.unnamed

    @overridable
    def is_one_pass(self) -> bool:
        """Whether the model within is."""
        return self.inner.is_one_pass

    @overridable
    def releases_gil(self) -> bool:
        """Whether the model within does."""
        return self.inner.releases_gil

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Ask the model within."""
        return self.inner.predict(batch, method=method, kwargs=kwargs)

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> Mapping[str, Prediction]:
        """Ask the model within."""
        return self.inner.predict_all(batch, methods=methods, kwargs=kwargs)

    def example(self, inputs: pa.Table) -> Mapping[str, object]:
        """Ask the model within."""
        return self.inner.example(inputs)

    def describe_failure(self, error: Exception, method: str) -> str:
        """Ask the model within."""
        return self.inner.describe_failure(error, method)
