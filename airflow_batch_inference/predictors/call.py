"""A model in memory with its record, and how it is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.flavors.base import require_method
from airflow_batch_inference.predictors.single import SinglePredictor, require_threshold
from airflow_batch_inference.schema.inputs import InputPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.explanations import Explain
    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.records import ModelRecord

_NOTHING = InputPlan(columns=(), names=(), types=(), ignored=())


@dataclass(frozen=True, slots=True, kw_only=True)
class StepModel:
    """A loaded model, its record, and how it is called where another step follows."""

    model: LoadedModel
    record: ModelRecord
    method: str = "predict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How the model is called whose outputs are the predictions; see :class:`~.single.SinglePredictor`."""

    methods: tuple[str, ...] = ("predict",)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    explain: Explain | None = None
    names_classes: bool = True
    """Whether predicted classes are called by the record's names."""
    whole: bool = False
    """Whether each output is one column, of lists where a row has several values."""

    def predictor(
        self, step: StepModel, inputs: InputPlan = _NOTHING, validation: InputValidation | None = None
    ) -> SinglePredictor:
        """Return what predicts by this call.

        Raises
        ------
        ConfigurationError
            The model lacks a method, or cannot decide by a threshold.
        """
        require_threshold(step.model, self.threshold)
        for method in (*self.methods, *(("contributions",) if self.explain is not None else ())):
            require_method(method, step.model.methods)
        return SinglePredictor(
            model=step.model,
            inputs=inputs,
            methods=self.methods,
            kwargs=self.kwargs,
            threshold=self.threshold,
            class_names=step.record.class_names if self.names_classes else None,
            validation=validation,
            explain=self.explain,
            whole=self.whole,
        )


def inner_call(step: StepModel) -> Call:
    """Return how a step is called that another one follows, which knows the classes as they are."""
    return Call(methods=(step.method,), names_classes=False)
