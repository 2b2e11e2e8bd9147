"""The models of a job in the memory of a process, and what they predict with, all together.

Invariants: every process composes them in the same way, from what the first rows have told once; and what does not fit
is an error of the job, but never where it is a challenger's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.predictors.call import Call, StepModel, inner_call
from airflow_batch_inference.predictors.chain import WiredPredictor, chain_behind
from airflow_batch_inference.predictors.challengers.names import challenger_column
from airflow_batch_inference.predictors.wiring import Wiring
from airflow_batch_inference.schema.inputs import InputPlan, plan_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.base import InferredOutputs, Predictor
    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.predictors.wiring import Wire
    from airflow_batch_inference.records import ModelRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSetup:
    """How the models of a job are called, and on what.

    Attributes
    ----------
    inputs
        How the dataset's columns become the first model's.
    call
        How the models that make predictions are called.
    validation
        What happens to values that do not fit the first model's inputs.
    is_tolerant
        Whether rows may be rejected.
    is_secret
        Whether challengers' errors may not show values.
    labels
        What the user calls predictions.
    inferred
        What the first rows have told; None: they are still to come.
    challenger_column
        Names a challenger's columns; see :func:`~airflow_batch_inference.predictors.shadow.challenger_column`.
    """

    inputs: InputPlan
    call: Call = field(default_factory=Call)
    validation: InputValidation | None = None
    is_tolerant: bool = False
    is_secret: bool = False
    labels: tuple[str, ...] | None = None
    inferred: InferredOutputs | None = None
    challenger_column: Callable[[str, str], str] = challenger_column


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedChain:
    """A model, or several behind one another, in memory; one that could not be loaded says why."""

    steps: tuple[StepModel, ...]
    name: str = ""
    error: str | None = None

    def main_predictor(self, setup: PredictorSetup, validation: InputValidation | None) -> Predictor:
        """Return what predicts with it from the columns that were matched with its first model's inputs.

        Raises
        ------
        ConfigurationError
            A model lacks the method that it is to be called by.
        """
        first, call = self.steps[0], setup.call
        if len(self.steps) == 1:
            return call.predictor(first, setup.inputs, validation)
        return chain_behind(inner_call(first).predictor(first, setup.inputs), self.steps, call, validation)

    def predictor_beside(self, setup: PredictorSetup, call: Call) -> Predictor:
        """Return what predicts with it beside the main chain, from whatever columns its first model names.

        Raises
        ------
        ConfigurationError
            A model lacks the method that it is to be called by.
        """
        how = call if len(self.steps) == 1 else inner_call(self.steps[0])
        wire = wire_dataset(self.steps[0], setup.inputs.columns, is_tolerant=setup.is_tolerant)
        first = WiredPredictor(predictor=how.predictor(self.steps[0]), wire=wire)
        return first if len(self.steps) == 1 else chain_behind(first, self.steps, call)

    def fingerprint(self, of_model: Callable[[ModelRecord, LoadedModel], dict[str, Any]]) -> dict[str, Any]:
        """Return all of its models that determines the output: plain JSON types.

        Parameters
        ----------
        of_model
            Returns what determines the output of one model.
        """

        def of_step(step: StepModel) -> dict[str, Any]:
            inputs = None if step.record.inputs is None else [asdict(spec) for spec in step.record.inputs]
            return {**of_model(step.record, step.model), "method": step.method, "inputs": inputs}

        steps = {str(place): of_step(step) for place, step in enumerate(self.steps, 1)}
        return {**steps, "takes part": self.error is None}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModels:
    """All models of a job in memory.

    Attributes
    ----------
    main
        Takes the dataset's columns that were matched with its inputs.
    beside
        Challengers, or the other models of a split.
    compose
        Makes one predictor of all: that of the graph.
    on_progress
        See :class:`~airflow_batch_inference.predictors.shadow.ShadowPredictor`.
    """

    main: LoadedChain
    beside: tuple[LoadedChain, ...]
    compose: Callable[[LoadedModels, PredictorSetup], Predictor]
    on_progress: Callable[[str], None] = lambda name: None  # noqa: ARG005

    @property
    def first(self) -> StepModel:
        """The model that takes the dataset's columns."""
        return self.main.steps[0]

    @property
    def last(self) -> StepModel:
        """The model whose outputs are the predictions."""
        return self.main.steps[-1]

    def steps(self) -> Iterator[StepModel]:
        """Yield all models, the main ones first."""
        for chain in (self.main, *self.beside):
            yield from chain.steps

    @property
    def versions(self) -> dict[str, str]:
        """Of all packages that determine any prediction."""
        found: dict[str, str] = {}
        for chain in (*self.beside, self.main):
            for step in chain.steps:
                found |= step.model.versions
        return found

    def predictor(self, setup: PredictorSetup) -> Predictor:
        """Return what all models together predict with.

        Raises
        ------
        ConfigurationError
            A model that makes predictions lacks the method that it is to be called by.
        """
        return self.compose(self, setup)


def wire_dataset(step: StepModel, columns: tuple[str, ...], *, is_tolerant: bool) -> Wire:
    """Return what wires a model to the dataset: by name, or to the main model's columns in their order."""

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
