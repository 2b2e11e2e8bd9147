"""A model as a job gets it, and several of them behind one another: what is asked for, before anything is loaded.

Invariants: every model is loaded by its record, with all its checks, once a process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.models.process import ModelProcess
from airflow_batch_inference.predictors.call import StepModel
from airflow_batch_inference.predictors.graphs.loaded import LoadedChain
from airflow_batch_inference.records import UsedModel
from airflow_batch_inference.trees.fast_model import accelerated

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.pickled_function import PickledFunction
    from airflow_batch_inference.records import ChainRows, ModelRecord
    from airflow_batch_inference.records.challengers import Role
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.trees.fast_model import Accelerate


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model as a job gets it.

    Attributes
    ----------
    record, record_uri
        Its record, and where that lies, if anywhere.
    storage
        Reaches the record's model; None: only the loaded model will do.
    model
        Loaded; None: it is loaded where it is needed.
    function
        The function that is the model, for other processes; None: it has a file, or stays in this process.
    method
        How it is called where another step follows.
    """

    record: ModelRecord
    record_uri: str | None = None
    storage: Storage | None = None
    model: LoadedModel | None = None
    function: PickledFunction | None = None
    method: str = "predict"

    @property
    def is_serializable(self) -> bool:
        """Whether another process can load it."""
        return self.function is not None or self.storage is not None

    @property
    def is_from_file(self) -> bool:
        """Whether it is no function, and no object that only this process has."""
        return self.function is None and self.storage is not None

    @property
    def may_share_process(self) -> bool:
        """Whether several threads of one process may predict with it, and gain by that."""
        return self.is_from_file and self.record.releases_gil

    def load(self, storage: Storage, accelerate: Accelerate = "off") -> StepModel:
        """Return the model with its record; loads it where only that was given, and scores its golden set.

        Raises
        ------
        ModelError, ArtifactError
            As :func:`~airflow_batch_inference.predictors.golden.load_checked` says.
        """
        model = self.model
        if model is None and self.function is not None:
            model = self.function.load()
        if model is None:
            from airflow_batch_inference.predictors.golden import load_checked

            if self.storage is None:
                message = f"The model {self.record.name} is needed, or the storage that reaches its record's model."
                raise ConfigurationError(message)
            model = load_checked(self.record, model_storage=self.storage, storage=storage, accelerate=accelerate)
        return StepModel(model=accelerated(model, accelerate), record=self.record, method=self.method)

    def release(self) -> None:
        """End the process that holds the model, if one does."""
        if isinstance(self.model, ModelProcess):
            self.model.close()

    def for_transport(self) -> ModelSource:
        """Return it without what belongs to this process.

        Raises
        ------
        ConfigurationError
            Nothing reaches its model.
        """
        if not self.is_serializable:
            message = f"The model {self.record.name} was given in memory: no other process can load it."
            raise ConfigurationError(message)
        reached = None if self.storage is None else self.storage.resolved(self.record.model_uri)
        return replace(self, model=None, storage=reached)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChain:
    """One model, or several behind one another.

    Attributes
    ----------
    sources
        The models; none of a challenger that cannot be read.
    name
        Of a challenger, or of a model of a split.
    error
        Why there are no models.
    """

    sources: tuple[ModelSource, ...]
    name: str = ""
    error: str | None = None

    def load(self, storage: Storage, accelerate: Accelerate) -> LoadedChain:
        """Load all of its models.

        Raises
        ------
        ModelError, ArtifactError
            One cannot be loaded.
        """
        steps = tuple(source.load(storage, accelerate) for source in self.sources)
        return LoadedChain(name=self.name, steps=steps, error=self.error)

    def for_transport(self) -> ModelChain:
        """Return it without what belongs to this process.

        Raises
        ------
        ConfigurationError
            Nothing reaches a model.
        """
        return replace(self, sources=tuple(source.for_transport() for source in self.sources))

    def used_models(self, role: Role, counts: ChainRows, name: str | None = None) -> tuple[UsedModel, ...]:
        """Return its models with what they have done together.

        Parameters
        ----------
        counts
            What was counted of the chain.
        name
            What each is called; None: by its own name.
        """
        if not self.sources:
            return (
                UsedModel(
                    role=role,
                    name=self.name,
                    step=1,
                    model_uri=None,
                    model_sha256=None,
                    model_flavor=None,
                    model_record_uri=None,
                    rows=counts.rows,
                    rows_failed=counts.rows_failed,
                    error=counts.error or self.error,
                ),
            )
        return tuple(
            UsedModel(
                role=role,
                name=name or source.record.name,
                step=place,
                model_uri=source.record.model_uri,
                model_sha256=source.record.sha256,
                model_flavor=source.record.flavor,
                model_record_uri=source.record_uri,
                rows=counts.rows,
                rows_failed=counts.rows_failed,
                error=counts.error,
            )
            for place, source in enumerate(self.sources, 1)
        )
