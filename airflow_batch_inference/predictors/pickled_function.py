"""A function by its value, on its way to another process of its task; light to import, for whoever sends jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.base import LoadedModel


@dataclass(frozen=True, slots=True)
class PickledFunction:
    """A function by its value, for a process that cannot import the file that it stands in."""

    data: bytes

    def load(self) -> LoadedModel:
        """Return the model; the bytes were made by this very task."""
        import cloudpickle  # type: ignore[import-untyped]  # it has no annotations

        loaded: LoadedModel = cloudpickle.loads(self.data)
        return loaded
