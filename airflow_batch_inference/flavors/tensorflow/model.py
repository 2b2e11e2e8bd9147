"""A signature of a SavedModel in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.network_outputs import plain
from airflow_batch_inference.flavors.networks import NetworkModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from airflow_batch_inference.flavors.base import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFlowModel(NetworkModel):
    """One signature of a SavedModel, called with tensors by their names.

    ``saved`` is the whole model: the signature does not keep its variables alive.
    """

    saved: Any
    signature: Any
    tensorflow: Any

    def run(self, feeds: Mapping[str, np.ndarray], kwargs: Mapping[str, Any]) -> Prediction:
        """Call the signature; there are no ``kwargs``. See :meth:`~.networks.NetworkModel.run`."""
        if kwargs:
            message = f"A SavedModel's signature takes tensors only, but predict has {sorted(kwargs)}. Leave them out."
            raise ConfigurationError(message)
        given = {name: self.tensorflow.constant(values) for name, values in feeds.items()}
        found = {name: plain(tensor.numpy()) for name, tensor in sorted(self.signature(**given).items())}
        return next(iter(found.values())) if len(found) == 1 else found
