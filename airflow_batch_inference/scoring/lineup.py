"""Several models of one job: what is asked for, how they are loaded in a process, and what they predict with.

The main model is the one whose inputs are the dataset's columns: the champion, the first step, or the first model of a
split. What must not be relaxed: every model is loaded by its record, with all its checks, once a process; and a
challenger that cannot be loaded says so and stops nobody.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.scoring.arms import SplitPredictor
from airflow_batch_inference.scoring.challengers import Challenger, ChallengerOutputs, ShadowedPredictor
from airflow_batch_inference.scoring.flips import FlipRule
from airflow_batch_inference.scoring.steps import (
    Call,
    StepModel,
    WiredPredictor,
    Wiring,
    chained,
    inner_call,
    takes_lists,
)
from airflow_batch_inference.signature import InputPlan, known_names, plan_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel, Prediction
    from airflow_batch_inference.records import ColumnSpec, ModelRecord
    from airflow_batch_inference.scoring.predicting import BatchPredictor
    from airflow_batch_inference.scoring.screen import Screen
    from airflow_batch_inference.scoring.split import Split
    from airflow_batch_inference.storage import Storage

    Wire = Callable[[pa.Schema, tuple[str, ...]], Wiring]

_BY_CLASS = ("predict_proba", "decision_function")


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

    def load(self, storage: Storage) -> StepModel:
        """Return the model with its record; loads it where only that was given, and scores its golden set.

        Raises
        ------
        ModelError, ArtifactError
            As :func:`~airflow_batch_inference.scoring.golden.load_checked` says.
        """
        model = self.model
        if model is None:
            from airflow_batch_inference.scoring.golden import load_checked

            if self.storage is None:
                message = f"The model {self.record.name} is needed, or the storage that reaches its record's model."
                raise ConfigurationError(message)
            model = load_checked(self.record, model_storage=self.storage, storage=storage)
        return StepModel(model=model, record=self.record, method=self.method)

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
        self, main: LoadedModel, record: ModelRecord, storage: Storage, tell: Callable[[str], None]
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

        Raises
        ------
        ModelError, ArtifactError
            A step or a model of the split cannot be loaded.
        """
        first = StepModel(model=main, record=record, method=self.method)
        challengers = []
        for line in self.challengers:
            tell(line.name)
            challengers.append(_loaded_challenger(line, storage))
        tell("")
        return LoadedLineup(
            lineup=self,
            steps=(first, *(source.load(storage) for source in self.later)),
            challengers=tuple(challengers),
            arms=tuple(LoadedLine(line.name, tuple(each.load(storage) for each in line.sources)) for line in self.arms),
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

    def specs(self) -> tuple[ColumnSpec, ...]:
        """Return the inputs of all models beside the main one."""
        return tuple(spec for source in self.sources() for spec in source.record.inputs or ())


def _portable(line: Line) -> Line:
    return replace(line, sources=tuple(source.portable() for source in line.sources))


def _loaded_challenger(line: Line, storage: Storage) -> LoadedLine:
    if line.error is not None:
        return LoadedLine(line.name, (), line.error)
    try:
        return LoadedLine(line.name, tuple(source.load(storage) for source in line.sources))
    except Exception as error:  # noqa: BLE001  # a model's loading may fail in any way, and this one may
        return LoadedLine(line.name, (), f"It could not be loaded: {type(error).__name__}: {error}")


def _named(sources: Sequence[ModelSource], there: Sequence[str]) -> Iterator[str]:
    as_known = known_names(there)
    known = set(there)
    for source in sources:
        yield from (name for spec in source.record.inputs or () if (name := as_known(spec.name)) in known)


@dataclass(frozen=True, slots=True)
class LoadedLine:
    """A challenger or a model of a split in memory; one that could not be loaded says why."""

    name: str
    steps: tuple[StepModel, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What the first rows have told of the models: all that a process needs to predict as all others do.

    Attributes
    ----------
    outputs
        The main model's predictions by their default names.
    kinds
        The types of a split's columns.
    challengers
        What each of them returns.
    """

    outputs: pa.Schema
    kinds: tuple[pa.DataType, ...] | None = None
    challengers: tuple[ChallengerOutputs, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedLineup:
    """All models of a job in memory; to whoever asks for one model, the main one.

    Attributes
    ----------
    lineup
        As it was asked for.
    steps
        The main model, and those behind it.
    challengers, arms
        The others.
    tell
        See :class:`~.challengers.ShadowedPredictor`.
    """

    lineup: Lineup
    steps: tuple[StepModel, ...]
    challengers: tuple[LoadedLine, ...]
    arms: tuple[LoadedLine, ...]
    tell: Callable[[str], None]

    @property
    def main(self) -> LoadedModel:
        """The main model."""
        return self.steps[0].model

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The main model's."""
        return self.main.feature_names

    @property
    def n_features(self) -> int | None:
        """The main model's."""
        return self.main.n_features

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """The main model's."""
        return self.main.inputs

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The main model's."""
        return self.main.output_names

    @property
    def methods(self) -> tuple[str, ...]:
        """The main model's."""
        return self.main.methods

    @property
    def takes_lists(self) -> bool:
        """The main model's."""
        return takes_lists(self.main)

    @property
    def versions(self) -> Mapping[str, str]:
        """Of all packages that determine any prediction."""
        others = [step for line in (*self.challengers, *self.arms) for step in line.steps]
        found: dict[str, str] = {}
        for step in (*others, *self.steps):
            found |= step.model.versions
        return found

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score with the main model; see :meth:`~airflow_batch_inference.flavors.base.LoadedModel.predict`."""
        return self.main.predict(batch, method=method, kwargs=kwargs)

    def key(self, of_model: Callable[[ModelRecord, LoadedModel], dict[str, Any]]) -> dict[str, Any]:
        """Return all that determines the output besides the main model: plain JSON types.

        Parameters
        ----------
        of_model
            Returns what determines the output of one model.
        """

        def of_line(line: LoadedLine) -> dict[str, Any]:
            return {"steps": [of_step(step) for step in line.steps], "takes part": line.error is None}

        def of_step(step: StepModel) -> dict[str, Any]:
            inputs = [asdict(spec) for spec in step.record.inputs or ()]
            return {**of_model(step.record, step.model), "method": step.method, "inputs": inputs}

        return {
            "name": self.lineup.name,
            "steps": [of_step(step) for step in self.steps],
            "challengers": {line.name: of_line(line) for line in self.challengers},
            "arms": {line.name: of_line(line) for line in self.arms},
            "split": None if self.lineup.split is None else asdict(self.lineup.split),
            "flips": asdict(self.lineup.flips) if self.challengers else None,
        }

    def predictor(
        self,
        inputs: InputPlan,
        *,
        call: Call,
        screen: Screen | None,
        is_tolerant: bool,
        is_secret: bool = False,
        labels: tuple[str, ...] | None = None,
        learned: Learned | None = None,
        as_wallaroo: bool = False,
    ) -> BatchPredictor:
        """Return what all models together predict with.

        Parameters
        ----------
        inputs
            How the dataset's columns become the main model's.
        call
            How the models that make predictions are called.
        screen
            What happens to values that do not fit the main model's inputs.
        is_tolerant
            Whether rows may be rejected.
        is_secret
            Whether challengers' errors may not show values.
        labels
            What the user calls predictions.
        learned
            What the first rows have told; None: they are still to come.
        as_wallaroo
            How challengers' columns are named; see :func:`~.challengers.challenger_column`.

        Raises
        ------
        ConfigurationError
            A step or a model of the split lacks the method that it is to be called by.
        """
        wire = _wire_dataset(inputs.columns, is_tolerant=is_tolerant)
        split = self.lineup.split
        main = _main(self.steps, inputs, call, None if split is not None else screen)
        if split is not None:
            for line in self.arms:
                _require_same_classes(self.steps[-1], line, call, split.arms[0])
            arms = (main, *(_line(line.steps, wire, call) for line in self.arms))
            return SplitPredictor(split=split, arms=arms, screen=screen, kinds=learned.kinds if learned else None)
        if not self.challengers:
            return main
        outputs = learned.challengers if learned else (None,) * len(self.challengers)
        beside = replace(call, explain=None)
        challengers = (
            replace(_challenger(line, wire, beside, each), is_secret=is_secret, labels=labels)
            for line, each in zip(self.challengers, outputs, strict=True)
        )
        return ShadowedPredictor(
            champion=main,
            record=self.steps[-1].record,
            challengers=tuple(challengers),
            as_wallaroo=as_wallaroo,
            tell=self.tell,
        )


def learned_by(predictor: BatchPredictor, outputs: pa.Schema) -> Learned:
    """Return what a predictor has learnt from the first rows, whose columns ``outputs`` are."""
    own = pa.schema([outputs.field(place) for place in range(len(outputs) - predictor.added)])
    if isinstance(predictor, SplitPredictor):
        return Learned(outputs=own, kinds=predictor.kinds)
    if isinstance(predictor, ShadowedPredictor):
        return Learned(outputs=own, challengers=tuple(each.outputs for each in predictor.challengers if each.outputs))
    return Learned(outputs=own)


def _main(steps: Sequence[StepModel], inputs: InputPlan, call: Call, screen: Screen | None) -> BatchPredictor:
    if len(steps) == 1:
        return call.predictor(steps[0], inputs, screen)
    return chained(inner_call(steps[0]).predictor(steps[0], inputs), steps, call, screen)


def _line(steps: Sequence[StepModel], wire: Callable[[StepModel], Wire], call: Call) -> BatchPredictor:
    how = call if len(steps) == 1 else inner_call(steps[0])
    first = WiredPredictor(predictor=how.predictor(steps[0]), wire=wire(steps[0]))
    return first if len(steps) == 1 else chained(first, steps, call)


def _challenger(
    line: LoadedLine,
    wire: Callable[[StepModel], Wire],
    call: Call,
    outputs: ChallengerOutputs | None,
) -> Challenger:
    error, predictor = line.error, None
    if error is None:
        try:
            predictor = _line(line.steps, wire, call)
        except ConfigurationError as refused:
            error = str(refused)
    return Challenger(
        name=line.name,
        predictor=predictor,
        record=line.steps[-1].record if line.steps else None,
        outputs=outputs,
        error=error,
        is_alone=len(call.methods) == 1,
    )


def _wire_dataset(columns: tuple[str, ...], *, is_tolerant: bool) -> Callable[[StepModel], Wire]:
    """Return what wires a model to the dataset: by name, or to the main model's columns in their order."""

    def of_model(step: StepModel) -> Wire:
        def wire(schema: pa.Schema, outputs: tuple[str, ...]) -> Wiring:  # noqa: ARG001  # there is no step before
            there = schema if step.record.inputs is not None else pa.schema([schema.field(name) for name in columns])
            plan = plan_inputs(
                there,
                inputs=step.record.inputs,
                n_features=step.record.n_features,
                where=f"the dataset, for the model {step.record.name},",
                parses_text=is_tolerant,
                takes_lists=takes_lists(step.model),
            )
            return Wiring(plan=plan)

        return wire

    return of_model


def _require_same_classes(first: StepModel, line: LoadedLine, call: Call, name: str) -> None:
    """Refuse models of a split whose columns stand for other classes.

    Raises
    ------
    ConfigurationError
        Names both models and their classes.
    """
    other = line.steps[-1]
    ours, theirs = (step.record.class_names or getattr(step.model, "classes", None) for step in (first, other))
    if ours is None or theirs is None or not {*_BY_CLASS} & {*call.methods} or tuple(ours) == tuple(theirs):
        return
    message = (
        f"The models of the split have other classes, or in another order: {name} {', '.join(map(str, ours))}, "
        f"{line.name} {', '.join(map(str, theirs))}. One column would hold what belongs to two."
    )
    raise ConfigurationError(message)
