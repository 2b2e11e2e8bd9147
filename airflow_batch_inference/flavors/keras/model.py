"""A Keras network in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import (
    ConfigurationError,
)
from airflow_batch_inference.flavors.network_outputs import plain
from airflow_batch_inference.flavors.networks import NetworkModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.flavors.base import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasModel(NetworkModel):
    """A Keras model, scored by ``predict_on_batch``: the compiled function that ``Model.predict`` calls as well.

    It is traced for two sizes of a mini-batch and then for any size at once, so the last, smaller one costs nothing.
    ``structure`` holds the inputs as the network takes them: alone, in a list or in a dict.
    """

    network: Any
    keras: Any
    structure: Any
    all_output_names: tuple[str, ...]

    def run(self, feeds: Mapping[str, np.ndarray], kwargs: Mapping[str, Any]) -> Prediction:
        """Call the network; there are no ``kwargs``. See :meth:`~.networks.NetworkModel.run`."""
        if kwargs:
            message = f"Keras' predict_on_batch takes no arguments, but predict has {sorted(kwargs)}. Leave them out."
            raise ConfigurationError(message)
        given = self.keras.tree.map_structure(lambda tensor: feeds[tensor.name], self.structure)
        flat = [plain(np.asarray(values)) for values in self.keras.tree.flatten(self.network.predict_on_batch(given))]
        return flat[0] if len(flat) == 1 else dict(zip(self.all_output_names, flat, strict=True))
