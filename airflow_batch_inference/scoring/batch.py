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
    OutOfStepError,
    PredictionError,
    SignatureMismatchError,
)
from airflow_batch_inference.signature import InputPlan, LossyCastError, cast, cast_inputs, is_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.datasets.dataset import MiniBatch
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.scoring.screen import Screen

DEFAULT_LABEL = "predicted_label"
_SHUFFLED_ROWS = 64
_RELATIVE_TOLERANCE = 1e-4
_ABSOLUTE_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A loaded model and how to call it on a mini-batch."""

    model: LoadedModel
    inputs: InputPlan
    method: str
    kwargs: Mapping[str, Any]
    screen: Screen | None = None
    """What happens to values that do not fit; None: they fail, or their row is rejected."""

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Return the prediction columns of a mini-batch, one array a label.

        Raises
        ------
        SignatureMismatchError
            A value does not fit the model's input type: its file, column and row.
        PredictionError
            The model raised, or returned values that no column can hold.
        OutOfStepError
            It returned another number of rows than it was given.
        """
        try:
            mended = batch.table if self.screen is None else self.screen.mended(batch.table)
            table = cast_inputs(mended, self.inputs)
        except LossyCastError as error:
            uri, row = batch.locate(error.row)
            message = (
                f"Column {error.column!r} of {uri}, row {row} (from 0): the value {error.value!r} cannot become "
                f"{error.kind} without a change. Correct the value, or retrain the model on another type."
            )
            raise SignatureMismatchError(message) from error
        try:
            predicted = self.model.predict(table, method=self.method, kwargs=self.kwargs)
        except (BatchInferenceError, MemoryError, OSError):
            raise  # what the system or the network did says nothing of the rows
        except Exception as error:
            message = (
                f"The model's {self.method} failed on {batch.describe()}: {type(error).__name__}: {error}. "
                f"{_text_for_number(error, table, self.inputs, batch) or 'Look at these rows, or score them alone.'}"
            )
            raise PredictionError(message) from error
        return _columns(predicted, batch, self.method)


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
        raise OutOfStepError(message)
    columns = [values] if values.ndim == 1 else list(values.T)
    try:
        return [pa.array(np.ascontiguousarray(column)) for column in columns]
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        message = f"The model's {method} returned values of type {values.dtype} that no column can hold: {error}."
        raise PredictionError(message) from error


def require_in_step(
    predictor: Predictor, batch: MiniBatch, predicted: Sequence[pa.Array], *, rows: int, seed: int
) -> None:
    """Score some rows again, one at a time and in another order, and compare: each prediction is of its own row.

    Numbers may differ by 1e-4 of their size, since libraries add up in another order in batches of another size.

    Parameters
    ----------
    predictor, batch, predicted
        The model, a mini-batch, and what the model returned for it.
    rows
        How many random rows are scored one at a time; up to 64 more in a shuffled sample.
    seed
        Of the choice.

    Raises
    ------
    OutOfStepError
        A prediction depends on the rows around its own, or belongs to another row.
    """
    rng = np.random.default_rng(seed)
    count = batch.table.num_rows
    for row in sorted(rng.choice(count, size=min(rows, count), replace=False).tolist()):
        alone = predictor.predict(batch.slice(row, 1))
        _require_same([column.slice(row, 1) for column in predicted], alone, batch, [row], "scored alone")
    order = rng.permutation(count)[:_SHUFFLED_ROWS]
    shuffled = predictor.predict(type(batch)(batch.table.take(pa.array(order)), batch.origins))
    expected = [column.take(pa.array(order)) for column in predicted]
    _require_same(expected, shuffled, batch, order.tolist(), "scored in another order")


def _require_same(
    expected: Sequence[pa.Array], found: Sequence[pa.Array], batch: MiniBatch, rows: Sequence[int], how: str
) -> None:
    for first, second in zip(expected, found, strict=True):
        if pa.types.is_floating(first.type):
            left, right = (
                np.asarray(each.cast(pa.float64()).to_numpy(zero_copy_only=False)) for each in (first, second)
            )
            same = np.isclose(left, right, rtol=_RELATIVE_TOLERANCE, atol=_ABSOLUTE_TOLERANCE, equal_nan=True)
        else:
            same = np.array([a == b for a, b in zip(first.to_pylist(), second.to_pylist(), strict=True)])
        if not same.all():
            at = int(np.flatnonzero(~same)[0])
            uri, row = batch.locate(rows[at])
            message = (
                f"The prediction for {uri}, row {row} (from 0) is {first[at].as_py()!r} in its mini-batch, but "
                f"{second[at].as_py()!r} when it is {how}: it depends on the rows around it, or belongs to another "
                "row. Mend the model; if it is meant to be so (a random one), set parity_rows=0."
            )
            raise OutOfStepError(message)


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

    Without a single row ``predicted`` may be empty.

    Raises
    ------
    PredictionError
        A prediction does not fit the type that the first rows had.
    """
    if batch.table.num_rows == 0:
        return schema.empty_table()
    try:
        labels = [
            values.cast(field.type) for values, field in zip(predicted, list(schema)[len(passthrough) :], strict=True)
        ]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        message = f"The predictions for {batch.describe()} differ from those of the first rows: {error}."
        raise PredictionError(message) from error
    passed = [cast(batch.table.column(name), schema.field(name).type, name) for name in passthrough]
    return pa.Table.from_arrays([*passed, *labels], schema=schema)
