"""What models have in common whose inputs are tensors, or whose methods come from one pass.

Invariants: a method that the model does not have is refused before anything is computed.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.flavors.base import LoadedModel, require_method
from airflow_batch_inference.schema.inputs import OnlyTensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.flavors.network_outputs import NetworkOutputs
    from airflow_batch_inference.flavors.tensors import TensorInputs
    from airflow_batch_inference.records import ColumnSpec

_NUMBERED = re.compile(r"(keras_tensor|input_layer|inputs?|args?|x)([_.]\d+)?")
"""Names that frameworks give inputs of which nobody said what they are called."""


class OnePass(LoadedModel):
    """A model that answers several methods from one pass, and so one of them as well."""

    __slots__ = ()
    is_one_pass: ClassVar[bool] = True

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch; see :meth:`~.base.LoadedModel.predict`."""
        require_method(method, self.methods)
        return self.predict_all(batch, methods=(method,), kwargs=kwargs)[method]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorModel(OnePass):
    """A model that takes tensors, which :class:`~.tensors.TensorInputs` makes of columns."""

    tensors: TensorInputs
    versions: Mapping[str, str]

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The columns that the inputs are made of; None where they are taken by position."""
        return self.tensors.feature_names

    @property
    def n_features(self) -> int | None:
        """How many columns are taken, where that is fixed."""
        return self.tensors.n_features

    @property
    def tensor(self) -> OnlyTensor | None:
        """The only input, where its columns have no names; None where they have, or where it has none itself."""
        if self.feature_names is not None:
            return None
        name = self.tensors.inputs[0].name
        return OnlyTensor(name, is_chosen=_NUMBERED.fullmatch(name) is None)

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """The columns with their types; None where they are taken by position."""
        return self.tensors.specs

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return zeros of the shape that each input has, or empty texts."""
        return self.tensors.example(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkModel(TensorModel):
    """A network, whose outputs mean what the load options say (:mod:`~.network_outputs`)."""

    outputs: NetworkOutputs
    output_names: tuple[str, ...] | None = None
    only_output: str | None = None
    """What the network calls its output, where there is one, or one is kept."""
    classes: tuple[int, ...] | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """``predict``, and ``predict_proba`` where the load options say what the outputs are."""
        return self.outputs.methods

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, Prediction]:
        """Return what several methods give, from one pass."""
        returned = self.run(self.tensors.feeds(batch), kwargs or {})
        return {method: self.outputs.answer(returned, method) for method in methods}

    @abstractmethod
    def run(self, feeds: Mapping[str, np.ndarray], kwargs: Mapping[str, Any]) -> Prediction:
        """Return what the network returns for one array an input: one array, or several by name.

        Raises
        ------
        ConfigurationError
            It takes none of the arguments.
        """
