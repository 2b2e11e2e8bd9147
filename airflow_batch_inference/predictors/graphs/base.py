"""The models of a job as they are asked for, and how they are loaded in a process.

A job has a graph of models whatever their number: one chain of models (most often of one), a champion with challengers
(:mod:`~.shadow`), or a split
(:mod:`~.split`). Whoever asks it anything does not ask for its kind.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.predictors.graphs.loaded import LoadedModels
from airflow_batch_inference.predictors.outputs import DEFAULT_LABEL
from airflow_batch_inference.records import ChainRows
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.predictors.graphs.loaded import LoadedChain, PredictorSetup
    from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
    from airflow_batch_inference.records import ChallengersRecord, ColumnSpec, ModelRecord, UsedModel
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.trees.fast_model import Accelerate


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGraph(ABC):
    """The models of a job.

    Attributes
    ----------
    main
        Its first model's inputs are the dataset's columns, and its last model's outputs the predictions' schema: the
        champion, or the first model of a split.
    """

    main: ModelChain

    @property
    def beside(self) -> tuple[ModelChain, ...]:
        """The other chains."""
        return ()

    @property
    def challenger_names(self) -> tuple[str, ...]:
        """Of those of the other chains whose outputs are no predictions."""
        return ()

    @property
    def routing_columns(self) -> tuple[str, ...]:
        """Those of the dataset's columns that say which model scores a row."""
        return ()

    @property
    def first(self) -> ModelSource:
        """The model that takes the dataset's columns."""
        return self.main.sources[0]

    @property
    def output_model(self) -> ModelSource:
        """The model whose outputs are the predictions."""
        return self.main.sources[-1]

    def sources(self) -> Iterator[ModelSource]:
        """Yield all models, the main ones first."""
        for chain in (self.main, *self.beside):
            yield from chain.sources

    def storages(self) -> Iterator[Storage | None]:
        """Yield what reaches the files of all models."""
        return (source.storage for source in self.sources())

    @property
    def is_serializable(self) -> bool:
        """Whether another process can load all models."""
        return all(source.is_serializable for source in self.sources())

    @property
    def is_from_files(self) -> bool:
        """Whether no model is a function, or was given in memory only."""
        return all(source.is_from_file for source in self.sources())

    @abstractmethod
    def for_transport(self) -> Self:
        """Return it without what belongs to this process.

        Raises
        ------
        ConfigurationError
            A model was given in memory.
        """

    def exclude(self, name: str, reason: str) -> ModelGraph:  # noqa: ARG002  # challengers alone may be left out
        """Return it with a challenger that takes no part, and why."""
        return self

    def release(self) -> None:
        """End the processes that hold its models, since other processes load them again."""
        for source in self.sources():
            source.release()

    # -- the columns that they take --------------------------------------------------------------------------

    def further_inputs(self) -> tuple[ColumnSpec, ...]:
        """Return the inputs of all models beside the first one, but those that the step before makes."""
        firsts = [spec for chain in self.beside for source in chain.sources[:1] for spec in source.record.inputs or ()]
        pairs = [pair for chain in (self.main, *self.beside) for pair in itertools.pairwise(chain.sources)]
        return (
            *firsts,
            *(
                spec
                for before, step in pairs
                for spec in step.record.inputs or ()
                if not _makes(before.record, spec.name)
            ),
        )

    def further_columns(self, there: Sequence[str]) -> tuple[str, ...]:
        """Return those of a dataset's columns that models beside the first one may take, by name."""
        return named_inputs([*self.main.sources[1:], *(s for chain in self.beside for s in chain.sources)], there)

    def feature_columns(self, there: Sequence[str]) -> tuple[str, ...]:
        """Return those of the further columns that the predictions may hang on."""
        return self.further_columns(there)

    def required_columns(self, there: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002  # those of a split
        """Return those of the further columns that each file must have."""
        return ()

    # -- what they predict with ------------------------------------------------------------------------------

    def load(
        self,
        storage: Storage,
        accelerate: Accelerate = "off",
        on_progress: Callable[[str], None] = lambda name: None,  # noqa: ARG005
    ) -> LoadedModels:
        """Load all models; of challengers those that can be.

        Parameters
        ----------
        storage
            Reaches the artifact store.
        accelerate
            See :func:`~airflow_batch_inference.trees.fast_model.accelerated`.
        on_progress
            See :class:`~airflow_batch_inference.predictors.shadow.ShadowPredictor`; it is called while they are loaded,
            too.

        Raises
        ------
        ModelError, ArtifactError
            A model that makes predictions cannot be loaded.
        """
        return LoadedModels(
            main=self.main.load(storage, accelerate),
            beside=self._load_beside(storage, accelerate, on_progress),
            compose=self.compose,
            on_progress=on_progress,
        )

    def _load_beside(
        self,
        storage: Storage,
        accelerate: Accelerate,
        on_progress: Callable[[str], None],  # noqa: ARG002  # challengers'
    ) -> tuple[LoadedChain, ...]:
        return tuple(chain.load(storage, accelerate) for chain in self.beside)

    @abstractmethod
    def compose(self, loaded: LoadedModels, setup: PredictorSetup) -> Predictor:
        """Return what all models together predict with; see :meth:`~.loaded.LoadedModels.predictor`."""

    @abstractmethod
    def fingerprint(
        self, loaded: LoadedModels, of_model: Callable[[ModelRecord, LoadedModel], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return all that determines the output besides the first model: plain JSON types.

        Parameters
        ----------
        of_model
            Returns what determines the output of one model.
        """

    # -- what they have done ---------------------------------------------------------------------------------

    @abstractmethod
    def used_models(self, counts: Mapping[str, ChainRows], whole: ChainRows) -> tuple[UsedModel, ...]:
        """Return all models of a job with what they have done; none where there is but one.

        Parameters
        ----------
        counts
            What was counted of challengers, or of the models of a split, by name.
        whole
            What the job has scored and rejected.
        """

    def compare(
        self,
        counts: Mapping[str, ChainRows],  # noqa: ARG002  # challengers'
        models: Sequence[UsedModel],  # noqa: ARG002
        **about: Any,  # noqa: ANN401, ARG002  # as the record takes them
    ) -> ChallengersRecord | None:
        """Return how challengers differ from the champion, and log it; None where there are none.

        Parameters
        ----------
        counts
            What was counted, by name.
        models
            All models of the job.
        about
            The record's fields that say which job it was.
        """
        return None


def no_rows(chain: ModelChain) -> ChainRows:
    """Return the counts of a chain that no part has counted."""
    return ChainRows(name=chain.name, rows=0, rows_failed=0, seconds=0.0, error=chain.error)


def named_inputs(sources: Iterable[ModelSource], there: Sequence[str]) -> tuple[str, ...]:
    """Return those of a dataset's columns that models take by name."""
    as_known, known = known_names(there), set(there)
    names = [as_known(spec.name) for source in sources for spec in source.record.inputs or ()]
    return tuple(name for name in names if name in known)


def _makes(before: ModelRecord, name: str) -> bool:
    """Say whether a column is an output of a model, as far as its record and the default names tell."""
    return name in (before.label_columns or before.output_names or ()) or name.startswith(DEFAULT_LABEL)
