"""One model on a mini-batch: the model's inputs taken out by name, predicted, and put beside the input's columns.

Invariants: as many predictions as rows, in their order, or an error; and never a join by index.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    ConfigurationError,
    PredictionError,
    SignatureMismatchError,
)
from airflow_batch_inference.predictors.base import LonePredictor
from airflow_batch_inference.predictors.explanations import EXPLANATION, explanations
from airflow_batch_inference.predictors.outputs import output_columns, whole_outputs
from airflow_batch_inference.predictors.placeholder import PlaceholderRow, inputs_to_try
from airflow_batch_inference.schema.casts import LossyCastError, cast_inputs
from airflow_batch_inference.schema.column_types import is_text
from airflow_batch_inference.trees.fast_model import for_call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel, Prediction
    from airflow_batch_inference.predictors.explanations import Explain
    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.schema.inputs import InputPlan
    from airflow_batch_inference.sources.batches import MiniBatch

T = TypeVar("T")

_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePredictor(LonePredictor):
    """A loaded model and how to call it on a mini-batch."""

    model: LoadedModel
    inputs: InputPlan
    methods: tuple[str, ...]
    kwargs: Mapping[str, Any]
    threshold: float | None = None
    """The positive class of two is predicted for probabilities at or over it; None: as the model itself decides."""
    class_names: tuple[str, ...] | None = None
    """What the output calls the model's classes, in its order."""
    validation: InputValidation | None = None
    """What happens to values that do not fit; None: they fail, or their row is rejected."""
    explain: Explain | None = None
    """Which rows are explained, in one more column; None: no row."""
    outputs: list[str] = field(default_factory=list, compare=False)
    """The prediction columns' default names: filled in by the first mini-batch, the same for all."""
    whole: bool = False
    """Whether each output is one column, of lists where a row has several values."""
    elapsed: list[int] = field(default_factory=list, compare=False)
    """Nanoseconds that the last mini-batch took."""

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions: the explanation."""
        return 0 if self.explain is None else 1

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Return the prediction columns of a mini-batch.

        Raises
        ------
        SignatureMismatchError
            A value does not fit the model's input type: its file, column and row.
        PredictionError
            The model raised, or returned values that no column can hold.
        RowAlignmentError
            It returned another number of rows than it was given.
        """
        began = time.perf_counter_ns()
        try:
            coerced = batch.table if self.validation is None else self.validation.coerce(batch.table)
            table = cast_inputs(coerced, self.inputs)
        except LossyCastError as error:
            uri, row = batch.locate(error.row)
            message = (
                f"Column {error.column!r} of {uri}, row {row} (from 0): the value {error.value!r} cannot become "
                f"{error.kind} without a change. Correct the value, or retrain the model on another type."
            )
            raise SignatureMismatchError(message) from error
        found = self._placeholder(table, batch) if isinstance(batch, PlaceholderRow) else self._outputs(table, batch)
        self.outputs[:] = [name for name, _ in found]
        self.elapsed[:] = [max(1, time.perf_counter_ns() - began)]
        return [values for _, values in found]

    def _placeholder(self, table: pa.Table, batch: MiniBatch) -> list[tuple[str, pa.Array]]:
        """Return the outputs for a row that nobody gave, with the first values that the model takes."""
        problem: Exception | None = None
        for inputs in inputs_to_try(table, self.model):
            try:
                return self._outputs(inputs, batch)
            except Exception as error:  # noqa: BLE001  # a model may refuse such a row in its own way
                problem = problem or error
        raise problem or AssertionError

    def _outputs(self, table: pa.Table, batch: MiniBatch) -> list[tuple[str, pa.Array]]:
        found: list[tuple[str, pa.Array]] = []
        known: dict[str, Prediction] = {}
        for method in self.methods:
            found += self._columns(method, self._predicted(method, table, batch, known), batch)
        if self.explain is not None:
            found.append((EXPLANATION, self._explained(self.explain, found, table, batch)))
        return found

    def _columns(self, method: str, predicted: Prediction, batch: MiniBatch) -> list[tuple[str, pa.Array]]:
        rows, where, is_alone = batch.table.num_rows, batch.describe(), len(self.methods) == 1
        if self.whole:
            name = only_output(self.model)
            return whole_outputs(predicted, method=method, rows=rows, where=where, is_alone=is_alone, name=name)
        return output_columns(
            predicted,
            method=method,
            rows=rows,
            where=where,
            is_alone=is_alone,
            endings=self._endings(method),
            keeps_name=self.model.names_outputs,
        )

    def _explained(
        self, explain: Explain, found: list[tuple[str, pa.Array]], table: pa.Table, batch: MiniBatch
    ) -> pa.Array:
        which = explain.rows(found)
        features = self.model.feature_names or self.inputs.names
        rows = int(which.sum())
        contributions = (
            np.asarray(self._contributions(table.filter(pa.array(which)), batch))
            if rows
            else np.empty((0, len(features) + 1))
        )
        return explanations(contributions, features, which, explain.top_k)

    def _contributions(self, table: pa.Table, batch: MiniBatch) -> Prediction:
        method = "contributions"
        model = for_call(self.model, (method,), self.kwargs)
        return self._called(lambda: model.predict(table, method=method, kwargs=self.kwargs), method, table, batch)

    def _predicted(self, method: str, table: pa.Table, batch: MiniBatch, known: dict[str, Prediction]) -> Prediction:
        """Call a method, once a mini-batch."""
        if not known and len(self.methods) > 1 and self.model.is_one_pass:
            known |= self._called(lambda: self._all(table), ", ".join(self.methods), table, batch)
        if method not in known:
            needed = "predict_proba" if method == "predict" and self.threshold is not None else method
            known[method] = self._named(
                method,
                self._call(method, table, batch)
                if needed == method
                else self._decided(self._predicted(needed, table, batch, known)),
            )
        return known[method]

    def _decided(self, probabilities: Prediction) -> np.ndarray:
        """Return the class of each row by the threshold."""
        classes = np.asarray(self.model.classes)  # require_threshold saw them
        if np.asarray(probabilities).shape[1:] != (_TWO,):
            message = (
                f"decision_threshold is {self.threshold:g}, but predict_proba returned the shape "
                f"{np.asarray(probabilities).shape} with predict_kwargs {sorted(self.kwargs)}: no probabilities of two "
                "classes. Leave one of them out."
            )
            raise ConfigurationError(message)
        decided: np.ndarray = classes[(np.asarray(probabilities)[:, 1] >= self.threshold).astype(int)]
        return decided

    def _named(self, method: str, predicted: Prediction) -> Prediction:
        """Replace predicted classes by their names."""
        classes = self.model.classes
        if method != "predict" or self.class_names is None or classes is None or isinstance(predicted, Mapping):
            return predicted
        values = np.asarray(predicted)
        if values.dtype.kind == "f" and not all(isinstance(label, float) for label in classes):
            return predicted  # probabilities, which may be 0 or 1
        names = dict(zip(classes, self.class_names, strict=True))
        unknown = values.ndim != 1 or not set(np.unique(values).tolist()) <= set(names)
        return predicted if unknown else np.array([names[value] for value in values.tolist()], dtype=object)

    def _endings(self, method: str) -> Sequence[str] | None:
        if method == "contributions" and self.model.feature_names is not None:
            return (*self.model.feature_names, "expected_value")
        return self.class_names if method in ("predict", "predict_proba") else None

    def _all(self, table: pa.Table) -> dict[str, Prediction]:
        """Call several methods in one pass of the model."""
        methods = dict.fromkeys(self.methods)
        if self.threshold is not None and "predict" in methods:
            methods = {"predict_proba": None} | {method: None for method in methods if method != "predict"}
        found = self.model.predict_all(table, methods=tuple(methods), kwargs=self.kwargs)
        return {method: self._named(method, values) for method, values in found.items()}

    def _call(self, method: str, table: pa.Table, batch: MiniBatch) -> Prediction:
        return self._called(lambda: self.model.predict(table, method=method, kwargs=self.kwargs), method, table, batch)

    def _called(self, call: Callable[[], T], method: str, table: pa.Table, batch: MiniBatch) -> T:
        """Call the model, and say which rows it failed on.

        Raises
        ------
        PredictionError
            It raised what is no error of this package, of memory or of the system.
        ConfigurationError
            It does not take one of ``predict_kwargs``: that says nothing of the rows.
        """
        try:
            return call()
        except (BatchInferenceError, MemoryError, OSError):
            raise  # what the system or the network did says nothing of the rows
        except Exception as error:
            if (keyword := _unknown_keyword(error, self.kwargs)) is not None:
                message = (
                    f"predict_kwargs has {keyword!r}, which the model's {method} does not take ({error}). Correct its "
                    "name, or leave it out."
                )
                raise ConfigurationError(message) from error
            who = self.model.describe_failure(error, method)
            message = (
                f"{who} failed on {batch.describe()}: {type(error).__name__}: {error}. "
                f"{_text_for_number(error, table, self.inputs, batch) or 'Look at these rows, or score them alone.'}"
            )
            raise PredictionError(message) from error


def _unknown_keyword(error: Exception, kwargs: Mapping[str, Any]) -> str | None:
    """Return which of a call's keyword arguments the called function refuses, if that is what an error says."""
    if not isinstance(error, TypeError) or not kwargs:
        return None
    if re.search(r"takes no keyword arguments", str(error)):
        return next(iter(kwargs))
    refused = r"(?:unexpected|invalid) keyword argument:? '?(\w+)|multiple values for .*argument '(\w+)"
    said = re.search(refused, str(error))
    named = said and (said.group(1) or said.group(2))
    return named if named in kwargs else None


def only_output(model: LoadedModel) -> str | None:
    """Return the name that a network has for its only output; None where it has none, or several outputs."""
    names = model.output_names
    if names is not None:
        return names[0] if len(names) == 1 else None
    return model.only_output


def require_threshold(model: LoadedModel, threshold: float | None) -> None:
    """Refuse a decision threshold for a model that it cannot decide for.

    Raises
    ------
    ConfigurationError
        The model has no probabilities of two classes.
    """
    classes = model.classes
    has_two = "predict_proba" in model.methods and classes is not None and len(classes) == _TWO
    if threshold is not None and not has_two:
        there = "no classes" if classes is None else f"{len(classes)} classes"
        message = (
            f"decision_threshold is {threshold:g}, but it decides between two classes by their probabilities, and the "
            f"model has {there} (methods: {', '.join(model.methods)}). Leave it out."
        )
        raise ConfigurationError(message)


def _text_for_number(error: Exception, table: pa.Table, inputs: InputPlan, batch: MiniBatch) -> str | None:
    """Find the value behind "could not convert string to float: 'x'", which names neither row nor column."""
    quoted = re.search(r"could not convert string to float: '(.*)'", str(error), re.DOTALL)
    if quoted is None:
        return None
    for column, name in zip(inputs.columns, inputs.names, strict=True):
        values = table.column(name)
        row = pc.index(values, quoted.group(1)).as_py() if is_text(values.type) else -1
        if row >= 0:
            uri, number = batch.locate(row)
            return f"Column {column!r} of {uri} holds text: row {number} (from 0) is {quoted.group(1)!r}."
    return None
