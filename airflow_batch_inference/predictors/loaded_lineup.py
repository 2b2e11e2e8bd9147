"""The models of a job in the memory of a process, and what they predict with, all together.

What must not be relaxed: every process composes them in the same way, from what the first rows have told once; and
what does not fit is an error of a step or of a model of a split, but never of a challenger.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.base import LoadedModel
from airflow_batch_inference.predictors.chain import (
    Call,
    StepModel,
    WiredPredictor,
    Wiring,
    chained,
    inner_call,
)
from airflow_batch_inference.predictors.shadow import Challenger, ChallengerOutputs, ShadowedPredictor
from airflow_batch_inference.predictors.split import SplitPredictor
from airflow_batch_inference.schema.inputs import InputPlan, plan_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.predictors.base import BatchPredictor
    from airflow_batch_inference.predictors.input_validation import Screen
    from airflow_batch_inference.predictors.lineup import Lineup
    from airflow_batch_inference.records import ColumnSpec, ModelRecord

    Wire = Callable[[pa.Schema, tuple[str, ...]], Wiring]

_BY_CLASS = ("predict_proba", "decision_function")


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
class LoadedLineup(LoadedModel):
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
        return self.main.takes_lists

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
                takes_lists=step.model.takes_lists,
                tensor=step.model.tensor,
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
