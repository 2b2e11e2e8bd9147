"""One request, scored: its rows in mini-batches, its bad rows by themselves, and the columns of its answer.

Invariants: as many rows come back as were given, in their order; a bad row costs that row alone, where
rows may fail; and what is true of a request is so whether it is scored alone or among others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import (
    DataError,
    EmptyDatasetError,
    PredictionError,
    RowAlignmentError,
    TooManyRejectedRowsError,
)
from airflow_batch_inference.predictors.isolation import Isolator, only
from airflow_batch_inference.predictors.placeholder import placeholder_row
from airflow_batch_inference.schema.casting import fitted, unfit
from airflow_batch_inference.schema.column_types import is_number, is_text
from airflow_batch_inference.schema.columns import replace_columns
from airflow_batch_inference.sources.batches import MiniBatch, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.inference.models import RequestPredictor
    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.schema.inputs import InputPlan

OnError = Literal["raise", "null"]

BATCH_ROWS = 131_072
BATCH_BYTES = 16 << 20
"""Larger than the engine's: a call of a model with threads of its own costs some milliseconds."""
_SAMPLED_ROWS = 8


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model returned for all rows.

    Attributes
    ----------
    columns
        Name to values, one a row; null where a row failed.
    errors
        What is wrong with each row; null where nothing is.
    """

    columns: dict[str, pa.Array]
    errors: pa.Array


def rows_at_once(table: pa.Table) -> int:
    """Return how many rows one predict call gets: 131,072 at most, and 16 MiB.

    Examples
    --------
    >>> rows_at_once(pa.table({"a": np.zeros(10)}))
    131072
    """
    width: int = max(1, table.nbytes // max(1, table.num_rows))
    return max(1, min(BATCH_ROWS, BATCH_BYTES // width))


def score(
    model: RequestPredictor, table: pa.Table, origins: tuple[Origin, ...], *, on_error: OnError, bisects: bool
) -> Outputs:
    """Score a request, or several one behind the other.

    Parameters
    ----------
    model
        What predicts.
    table
        The rows.
    origins
        Which request each of them is from.
    on_error
        ``raise``: the first bad row is an error; ``null``: it has nulls and its error.
    bisects
        Whether mini-batches on which the model fails are cut until the rows are found; else its error is raised.

    Raises
    ------
    SignatureMismatchError, PredictionError
        A row is bad, and that is an error; or all rows are.
    """
    whole = MiniBatch(table, origins)
    if not table.num_rows:
        return _without_rows(model, table.schema)
    found: list[list[pa.Array]] = []
    errors: dict[int, str] = {}
    size = rows_at_once(table)
    for start in range(0, table.num_rows, size):
        batch = whole.slice(start, min(size, table.num_rows - start))
        predicted, wrong = _scored(model.predictor, batch, on_error=on_error, bisects=bisects)
        found.append(_filled(predicted, wrong, batch.table.num_rows))
        errors |= {start + row: error for row, error in wrong.items()}
    if len(errors) == table.num_rows:
        message = f"None of {table.num_rows} row(s) can be scored. The first: {errors[0]}"
        raise TooManyRejectedRowsError(message)
    columns = dict(zip(model.names, _joined(found), strict=True))
    return Outputs(columns, _errors(errors, table.num_rows))


def _scored(
    predictor: Predictor, batch: MiniBatch, *, on_error: OnError, bisects: bool
) -> tuple[list[pa.Array], dict[int, str]]:
    """Return the predictions for the good rows, and the errors of the others."""
    if on_error == "raise":
        return predictor.predict(batch), {}
    wrong = {} if predictor.validation is None else dict(predictor.validation.violations(batch, with_advice=False))
    keep = np.ones(batch.table.num_rows, dtype=bool)
    keep[list(wrong)] = False
    good = only(batch, keep) if wrong else batch
    if not good.table.num_rows:
        return [], wrong
    try:
        return predictor.predict(good), wrong
    except RowAlignmentError:
        raise
    except (DataError, PredictionError) as error:
        if not bisects:
            raise
        places = np.flatnonzero(keep).tolist()
        predicted, failed = _bisected(predictor, good, error)
        return predicted, dict(sorted((wrong | {places[row]: text for row, text in failed.items()}).items()))


def _bisected(predictor: Predictor, batch: MiniBatch, error: Exception) -> tuple[list[pa.Array], dict[int, str]]:
    rows = batch.table.num_rows
    if rows > _SAMPLED_ROWS * _SAMPLED_ROWS and not any(_passes(predictor, sample) for sample in _samples(batch)):
        # It is not the rows: nobody waits for thousands of calls that fail.
        text = f"All of {_SAMPLED_ROWS} rows tried one at a time fail. {error}"
        return [], dict.fromkeys(range(rows), text)
    isolator = Isolator(predictor=predictor, allowed=None, allow_nan=True, samples=False)
    found = isolator.score(batch, 0)
    return found.predicted, {row.row: row.error for row in found.rejected}


def _samples(batch: MiniBatch) -> Iterator[MiniBatch]:
    for row in np.linspace(0, batch.table.num_rows - 1, _SAMPLED_ROWS).astype(int).tolist():
        yield batch.slice(row, 1)


def _passes(predictor: Predictor, batch: MiniBatch) -> bool:
    try:
        predictor.predict(batch)
    except (DataError, PredictionError):
        return False
    return True


def _filled(predicted: Sequence[pa.Array], wrong: dict[int, str], rows: int) -> list[pa.Array]:
    """Return predictions with nulls in the places of rows that failed; nothing where all did."""
    if not wrong or not predicted:
        return list(predicted) or [pa.nulls(rows)]
    failed = np.zeros(rows, dtype=bool)
    failed[list(wrong)] = True
    places = pa.array(np.cumsum(~failed) - 1, mask=failed)
    return [column.take(places) for column in predicted]


def _joined(pieces: list[list[pa.Array]]) -> list[pa.Array]:
    """Put the predictions of mini-batches below each other, in a type that holds them all."""
    width = max(map(len, pieces))
    known = [piece if len(piece) == width else [pa.nulls(len(piece[0]))] * width for piece in pieces]
    if len(known) == 1:
        return known[0]
    tables = [pa.table(piece, names=[str(place) for place in range(width)]) for piece in known]
    joined = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    return [column.combine_chunks() for column in joined.columns]


def _errors(errors: dict[int, str], rows: int) -> pa.Array:
    if not errors:
        return pa.nulls(rows, pa.string())
    return pa.array([errors.get(row) for row in range(rows)], pa.string())


def _without_rows(model: RequestPredictor, schema: pa.Schema) -> Outputs:
    """Predict a placeholder row to learn the outputs' names and types.

    Raises
    ------
    EmptyDatasetError
        The model does not take such a row.
    """
    try:
        found = model.predictor.predict(placeholder_row(schema, "a placeholder row"))
    except Exception as error:  # a model may refuse such a row in its own way
        message = (
            f"The data have no rows, and the model does not take a placeholder row ({type(error).__name__}: {error}), "
            "so the types of its outputs are not known. Ask for rows only."
        )
        raise EmptyDatasetError(message) from error
    columns = {name: values.slice(0, 0) for name, values in zip(model.names, found, strict=True)}
    return Outputs(columns, pa.array([], pa.string()))


def require_some_good_row(found: Outputs, sizes: Sequence[int]) -> None:
    """Refuse an answer that has no good row for one of several requests: that one is an error by itself.

    Parameters
    ----------
    sizes
        How many rows each request has.

    Raises
    ------
    DataError
        There is such a one.
    """
    start = 0
    for rows in sizes:
        errors = found.errors.slice(start, rows)
        if rows and errors.null_count == 0:
            message = "None of a request's rows can be scored."
            raise DataError(message)
        start += rows


def readable(table: pa.Table, inputs: InputPlan) -> pa.Table:
    """Return a table with text that the model takes as numbers as those numbers, null where it stands for none."""
    numbers = {}
    for name, kind in zip(inputs.columns, inputs.types, strict=True):
        values = table.column(name)
        if kind is not None and is_number(kind) and is_text(values.type):
            numbers[table.schema.get_field_index(name)] = fitted(values, kind, unfit(values, kind))
    return replace_columns(table, numbers)


def now_ms() -> int:
    """Return the time of a request, in milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000
