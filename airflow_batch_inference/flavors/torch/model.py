"""A PyTorch module in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import PredictionError
from airflow_batch_inference.flavors.networks import NetworkModel

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.flavors.runtimes import FrameworkObject


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchModel(NetworkModel):
    """A module in evaluation mode, scored in inference mode on its device.

    ``dtype`` is what floating inputs are cast to; None: they stay what ``tensors`` says.
    """

    module: Any
    torch: Any
    device: str
    dtype: str | None

    def run(self, feeds: Mapping[str, np.ndarray], kwargs: Mapping[str, Any]) -> Prediction:
        """Call the module with one array an input; its outputs by name where there are several.

        Raises
        ------
        PredictionError
            It returned something else than tensors.
        """
        with self.torch.inference_mode():
            found = self.module(*(self._tensor(feeds[each.name]) for each in self.tensors.inputs), **kwargs)
        if isinstance(found, self.torch.Tensor):
            return self._array("", found)
        named = _named(found)
        name = self.outputs.name
        wanted = {name: named[name]} if name in named else named
        arrays = {each: self._array(each, value) for each, value in wanted.items() if value is not None}
        return next(iter(arrays.values())) if len(named) == 1 and name in (None, *named) else arrays

    def _tensor(self, values: np.ndarray) -> FrameworkObject:
        # PyTorch shares the array's memory and warns where that must not be written; most arrays are ours alone.
        tensor = self.torch.from_numpy(np.require(values, requirements=["C", "W"])).to(self.device)
        return tensor.to(getattr(self.torch, self.dtype)) if self.dtype and tensor.is_floating_point() else tensor

    def _array(self, name: str, value: FrameworkObject) -> np.ndarray:
        if not isinstance(value, self.torch.Tensor):
            message = (
                f"The model's output {name!r} is a {type(value).__name__}, not a tensor. Name the output that counts "
                'with load_options={"output": …}, or save a model that returns tensors.'
            )
            raise PredictionError(message)
        value = value.float() if value.dtype == self.torch.bfloat16 else value  # NumPy has no such type
        found: np.ndarray = value.detach().cpu().contiguous().numpy()
        return found


def _named(found: FrameworkObject) -> dict[str, Any]:
    """Return the several outputs that ``forward`` gave by name.

    Raises
    ------
    PredictionError
        It gave neither a dict nor a sequence of them, or none.
    """
    if isinstance(found, Mapping) and found:
        return {str(name): value for name, value in found.items()}
    if isinstance(found, (tuple, list)) and found:
        return {f"output_{position}": value for position, value in enumerate(found)}
    message = f"The model's forward returned a {type(found).__name__}; it must be a tensor, or a tuple or dict of them."
    raise PredictionError(message)
