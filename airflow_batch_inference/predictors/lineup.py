"""Several models of one job as they are asked for, and how they are loaded in a process.

The main model is the one whose inputs are the dataset's columns: the champion, the first step, or the first model of a
split. What must not be relaxed: every model is loaded by its record, with all its checks, once a process; and a
challenger that cannot be loaded says so and stops nobody.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.chain import StepModel
from airflow_batch_inference.predictors.disagreements import FlipRule
from airflow_batch_inference.predictors.loaded_lineup import LoadedLine, LoadedLineup
from airflow_batch_inference.predictors.outputs import DEFAULT_LABEL
from airflow_batch_inference.schema.names import known_names
from airflow_batch_inference.trees.fast_model import accelerated
from airflow_batch_inference.wording.errors import told_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.shares import Split
    from airflow_batch_inference.records import ColumnSpec, ModelRecord
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
    method
        How it is called where another step follows.
    """

    record: ModelRecord
    record_uri: str | None = None
    storage: Storage | None = None
    model: LoadedModel | None = None
    method: str = "predict"

    def load(self, storage: Storage, accelerate: Accelerate = "off") -> StepModel:
        """Return the model with its record; loads it where only that was given, and scores its golden set.

        Raises
        ------
        ModelError, ArtifactError
            As :func:`~airflow_batch_inference.predictors.golden.load_checked` says.
        """
        model = self.model
        if model is None:
            from airflow_batch_inference.predictors.golden import load_checked

            if self.storage is None:
                message = f"The model {self.record.name} is needed, or the storage that reaches its record's model."
                raise ConfigurationError(message)
            model = load_checked(self.record, model_storage=self.storage, storage=storage, accelerate=accelerate)
        return StepModel(model=accelerated(model, accelerate), record=self.record, method=self.method)

    def portable(self) -> ModelSource:
        """Return it without what belongs to this process.

        Raises
        ------
        ConfigurationError
            Nothing reaches its model.
        """
        if self.storage is None:
            message = f"The model {self.record.name} was given in memory: no other process can load it."
            raise ConfigurationError(message)
        return replace(self, model=None, storage=self.storage.resolved(self.record.model_uri))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A challenger, or a model of a split: its name, and one model or several behind one another.

    Attributes
    ----------
    error
        Why there are no models: a challenger's only.
    """

    name: str
    sources: tuple[ModelSource, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """The models beside the main one.

    Attributes
    ----------
    name
        The main model's, as a model of a split.
    method
        How it is called where other steps follow.
    later
        The steps behind it.
    challengers
        Score all rows beside it.
    arms
        The other models of a split, in the order of its names; the main one is the first.
    split
        Which model scores a row.
    flips
        What a difference between champion and challenger is.
    """

    name: str = ""
    method: str = "predict"
    later: tuple[ModelSource, ...] = ()
    challengers: tuple[Line, ...] = ()
    arms: tuple[Line, ...] = ()
    split: Split | None = None
    flips: FlipRule = field(default_factory=FlipRule)

    def sources(self) -> Iterator[ModelSource]:
        """Yield all models but the main one."""
        yield from self.later
        for line in (*self.challengers, *self.arms):
            yield from line.sources

    def portable(self) -> Lineup:
        """Return it without what belongs to this process.

        Raises
        ------
        ConfigurationError
            A model was given in memory.
        """
        return replace(
            self,
            later=tuple(source.portable() for source in self.later),
            challengers=tuple(_portable(line) for line in self.challengers),
            arms=tuple(_portable(line) for line in self.arms),
        )

    def load(
        self,
        main: LoadedModel,
        record: ModelRecord,
        storage: Storage,
        tell: Callable[[str], None],
        accelerate: Accelerate = "off",
    ) -> LoadedLineup:
        """Load all models beside the main one; of challengers those that can be.

        Parameters
        ----------
        main, record
            The main model.
        storage
            Reaches the artifact store.
        tell
            See :class:`~.challengers.ShadowedPredictor`; it is told while they are loaded, too.
        accelerate
            See :func:`~airflow_batch_inference.trees.fast_model.accelerated`.

        Raises
        ------
        ModelError, ArtifactError
            A step or a model of the split cannot be loaded.
        """
        first = StepModel(model=main, record=record, method=self.method)
        challengers = []
        for line in self.challengers:
            tell(line.name)
            challengers.append(_loaded_challenger(line, storage, accelerate))
        tell("")
        return LoadedLineup(
            lineup=self,
            steps=(first, *(source.load(storage, accelerate) for source in self.later)),
            challengers=tuple(challengers),
            arms=tuple(
                LoadedLine(line.name, tuple(each.load(storage, accelerate) for each in line.sources))
                for line in self.arms
            ),
            tell=tell,
        )

    def without(self, challenger: str, error: str) -> Lineup:
        """Return it with a challenger that takes no part, and why."""
        gone = Line(name=challenger, sources=(), error=error)
        return replace(self, challengers=tuple(gone if line.name == challenger else line for line in self.challengers))

    def columns(self, there: Sequence[str], *, of_challengers: bool = True) -> tuple[str, ...]:
        """Return those of a dataset's columns that models beside the main one may take, by name."""
        lines = (*self.arms, *(self.challengers if of_challengers else ()))
        first = [source for line in lines for source in line.sources]
        return tuple(_named([*self.later, *first], there))

    def specs(self, main: ModelRecord) -> tuple[ColumnSpec, ...]:
        """Return the inputs of all models beside the main one, but those that the step before makes."""
        lines = [line.sources for line in (*self.challengers, *self.arms)]
        firsts = [spec for sources in lines if sources for spec in sources[0].record.inputs or ()]
        chains = [[main, *(source.record for source in self.later)]]
        chains += [[source.record for source in sources] for sources in lines]
        pairs = [pair for chain in chains for pair in itertools.pairwise(chain)]
        return (
            *firsts,
            *(spec for before, step in pairs for spec in step.inputs or () if not _makes(before, spec.name)),
        )


def _makes(before: ModelRecord, name: str) -> bool:
    """Say whether a column is an output of a model, as far as its record and the default names tell."""
    return name in (before.label_columns or before.output_names or ()) or name.startswith(DEFAULT_LABEL)


def _portable(line: Line) -> Line:
    return replace(line, sources=tuple(source.portable() for source in line.sources))


def _loaded_challenger(line: Line, storage: Storage, accelerate: Accelerate) -> LoadedLine:
    if line.error is not None:
        return LoadedLine(line.name, (), line.error)
    try:
        return LoadedLine(line.name, tuple(source.load(storage, accelerate) for source in line.sources))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a model's loading may fail in any way, and this one may
        return LoadedLine(line.name, (), f"It could not be loaded: {told_by(error)}")


def _named(sources: Sequence[ModelSource], there: Sequence[str]) -> Iterator[str]:
    as_known = known_names(there)
    known = set(there)
    for source in sources:
        yield from (name for spec in source.record.inputs or () if (name := as_known(spec.name)) in known)
