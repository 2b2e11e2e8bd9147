"""An ONNX graph in memory, in a session of ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.network_outputs import NetworkOutputs
from airflow_batch_inference.flavors.networks import TensorModel
from airflow_batch_inference.schema.inputs import OnlyTensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.flavors.base import Prediction

CLASSIFIER = NetworkOutputs("probabilities")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxModel(TensorModel):
    """A session, fed with one array an input.

    ``predict`` gives what the graph returns: one array, or a dictionary of them by the outputs' names. A classifier in
    the way of scikit-learn (labels and probabilities) has ``predict_proba``; another network has it where the load
    option ``outputs`` says what its output is.
    """

    session: Any
    batch_size: int | None
    """The number of rows that the graph was made for; None where any will do."""
    meaning: NetworkOutputs
    """What the user says of the outputs; nothing of a classifier's."""
    probability_output: str | None
    outputs: tuple[str, ...]
    """The names of those that ``predict`` returns."""
    methods: tuple[str, ...]
    classes: tuple[str | int, ...] | None = None
    releases_gil: ClassVar[bool] = True  # InferenceSession.run may be called by several threads, and lets others go on

    @property
    def tensor(self) -> OnlyTensor | None:
        """The only input, where its columns have no names: whoever writes an ONNX file names its inputs."""
        return None if self.feature_names is not None else OnlyTensor(self.tensors.inputs[0].name, is_chosen=True)

    @property
    def only_output(self) -> str | None:
        """The name of what ``predict`` returns, where that is one array."""
        return self.outputs[0] if len(self.outputs) == 1 else None

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The outputs' names, where ``predict`` returns several."""
        return self.outputs if len(self.outputs) > 1 else None

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, Prediction]:
        """Return what several methods give, from one run of the graph."""
        if kwargs:
            message = f"An ONNX model's predict takes no arguments, but got {', '.join(kwargs)}. Leave them out."
            raise ConfigurationError(message)
        with_probabilities = "predict_proba" in methods and self.probability_output is not None
        only_those = with_probabilities and tuple(methods) == ("predict_proba",)
        wanted = [] if only_those else list(self.outputs)
        wanted += [str(self.probability_output)] if with_probabilities else []
        found = dict(zip(wanted, self._run(wanted, self.tensors.feeds(batch), batch.num_rows), strict=True))
        return {method: self._answer(method, found) for method in methods}

    def _answer(self, method: str, found: Mapping[str, np.ndarray]) -> Prediction:
        if method == "predict_proba":
            if self.probability_output is not None:
                return CLASSIFIER.probabilities(found[self.probability_output])
            return self.meaning.probabilities(found[self.outputs[0]])
        return found[self.outputs[0]] if len(self.outputs) == 1 else {name: found[name] for name in self.outputs}

    def _run(self, outputs: list[str], feeds: dict[str, np.ndarray], rows: int) -> list[np.ndarray]:
        """Run the graph; one that was made for a number of rows gets just that many, the last ones repeated."""
        size = self.batch_size
        if size is None or size == rows:
            return [np.asarray(values) for values in self.session.run(outputs, feeds)]
        parts = []
        for start in range(0, rows, size):
            taken = np.minimum(np.arange(start, start + size), rows - 1)
            parts.append(self.session.run(outputs, {name: values[taken] for name, values in feeds.items()}))
        return [np.concatenate(each)[:rows] for each in zip(*parts, strict=True)]
