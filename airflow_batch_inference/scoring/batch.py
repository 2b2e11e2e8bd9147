"""One mini-batch: the model's inputs taken out by name, predicted, and put beside the input's columns.

What must not be relaxed: as many predictions as rows, in their order, or an error; and never a join by index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    ConfigurationError,
    PredictionError,
    SignatureMismatchError,
)
from airflow_batch_inference.signature import InputPlan, LossyCastError, cast_inputs, is_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.datasets.dataset import MiniBatch
    from airflow_batch_inference.flavors.base import LoadedModel

DEFAULT_LABEL = "predicted_label"
_PROBE_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A loaded model and how to call it on a mini-batch."""

    model: LoadedModel
    inputs: InputPlan
    method: str
    kwargs: Mapping[str, Any]

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Return the prediction columns of a mini-batch, one array a label.

        Raises
        ------
        SignatureMismatchError
            A value does not fit the model's input type: its file, column and row.
        PredictionError
            The model raised, or returned something that cannot be one row each.
        """
        try:
            table = cast_inputs(batch.table, self.inputs)
        except LossyCastError as error:
            uri, row = batch.locate(error.row)
            message = (
                f"Column {error.column!r} of {uri}, row {row} (from 0): the value {error.value!r} cannot become "
                f"{error.kind} without a change. Correct the value, or retrain the model on another type."
            )
            raise SignatureMismatchError(message) from error
        try:
            predicted = self.model.predict(table, method=self.method, kwargs=self.kwargs)
        except (BatchInferenceError, MemoryError):
            raise
        except Exception as error:
            message = (
                f"The model's {self.method} failed on {batch.describe()}: {type(error).__name__}: {error}. "
                f"{_text_for_number(error, table, self.inputs, batch) or 'Look at these rows, or score them alone.'}"
            )
            raise PredictionError(message) from error
        return _columns(predicted, batch, self.method)

    def probe(self, batch: MiniBatch) -> list[pa.DataType]:
        """Predict the first few rows to learn how many prediction columns there are, and their types."""
        few = type(batch)(batch.table.slice(0, _PROBE_ROWS), batch.origins)
        return [column.type for column in self.predict(few)]


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


def _columns(predicted: object, batch: MiniBatch, method: str) -> list[pa.Array]:
    rows = batch.table.num_rows
    values = np.asarray(predicted)
    if values.ndim not in (1, 2) or values.shape[0] != rows:
        message = (
            f"The model's {method} returned an array of shape {values.shape} for {rows} rows of {batch.describe()}; "
            f"it must be ({rows},) or ({rows}, k). Nothing was written."
        )
        raise PredictionError(message)
    columns = [values] if values.ndim == 1 else list(values.T)
    try:
        return [pa.array(np.ascontiguousarray(column)) for column in columns]
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        message = f"The model's {method} returned values of type {values.dtype} that no column can hold: {error}."
        raise PredictionError(message) from error


def label_names(given: Sequence[str] | None, known: Sequence[str] | None, number: int) -> tuple[str, ...]:
    """Return the names of the prediction columns.

    Parameters
    ----------
    given
        The user's; their number must be ``number``.
    known
        The model's own output names, used where they fit.
    number
        How many columns the model returns.

    Examples
    --------
    >>> label_names(None, None, 1), label_names(None, None, 2)
    (('predicted_label',), ('predicted_label_0', 'predicted_label_1'))
    """
    if given is not None:
        if len(given) != number:
            message = (
                f"label_columns names {len(given)} column(s) ({', '.join(given)}), but the model returns {number}: "
                f"give {number} name(s)."
            )
            raise ConfigurationError(message)
        return tuple(given)
    if known is not None and len(known) == number:
        return tuple(known)
    return (DEFAULT_LABEL,) if number == 1 else tuple(f"{DEFAULT_LABEL}_{position}" for position in range(number))


def require_new_names(labels: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse labels that stand twice or that the output has already as input columns.

    Raises
    ------
    ConfigurationError
        Names the column.
    """
    taken = [label for position, label in enumerate(labels) if label in columns or label in labels[:position]]
    if taken:
        message = (
            f"The prediction column(s) {', '.join(map(repr, taken))} would stand twice in the output. Choose other "
            "label_columns, or leave the input's column out with drop_columns."
        )
        raise ConfigurationError(message)


def assemble(
    batch: MiniBatch, passthrough: Sequence[str], predicted: Sequence[pa.Array], schema: pa.Schema
) -> pa.Table:
    """Put the passed-through columns and the predictions side by side, in the output's schema.

    Raises
    ------
    PredictionError
        A prediction does not fit the type that the first rows had.
    """
    try:
        labels = [
            values.cast(field.type) for values, field in zip(predicted, list(schema)[len(passthrough) :], strict=True)
        ]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        message = f"The predictions for {batch.describe()} differ from those of the first rows: {error}."
        raise PredictionError(message) from error
    return pa.Table.from_arrays([*(batch.table.column(name) for name in passthrough), *labels], schema=schema)
