"""A row that nobody gave, for a model to tell what it returns where a dataset has no rows.

Invariants: such a row is scored by the ways of all others and never written; what it holds comes from
the model where the model says what it takes, because a value that it refuses tells nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.schema.column_types import is_number, is_text
from airflow_batch_inference.sources.batches import MiniBatch, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.flavors.base import LoadedModel

_NO_COLUMN = "no column"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class PlaceholderRow(MiniBatch):
    """A mini-batch of one row that nobody gave."""


def placeholder_row(schema: pa.Schema, where: str) -> PlaceholderRow:
    """Return a row of zeros, and of nulls where a column holds no numbers.

    Examples
    --------
    >>> placeholder_row(pa.schema([("a", pa.int64()), ("b", pa.string())]), "nothing").table.to_pylist()
    [{'a': 0, 'b': None}]
    """
    row = {
        column.name: pa.nulls(1, column.type)
        if pa.types.is_null(column.type) or not is_number(column.type)
        else pa.array([0]).cast(column.type)
        for column in schema
    }
    return PlaceholderRow(pa.table(row or {_NO_COLUMN: pa.nulls(1)}), (Origin(where, 0, 1),))


def inputs_to_try(inputs: pa.Table, model: LoadedModel) -> Iterator[pa.Table]:
    """Yield a placeholder row's inputs with values that the model may take, the likeliest ones first.

    Parameters
    ----------
    inputs
        The model's inputs: one row, or none where the dataset has no columns.
    model
        Its ``example(inputs)`` gives a value for each column of which it knows what it takes.
    """
    if not inputs.num_columns:
        yield from _without_columns(model)
        return
    known = dict(model.example(inputs))
    for for_unknown in (0.0, ""):
        yield _filled(inputs, known, for_unknown)
    yield inputs


def _without_columns(model: LoadedModel) -> Iterator[pa.Table]:
    if model.tensor is not None:
        unknown = pa.table({model.tensor.name: pa.nulls(1)})
        yield _filled(unknown, dict(model.example(unknown)), 0.0)
    yield pa.table({str(place): [0.0] for place in range(model.n_features or 1)})
    yield pa.table({"0": [""]})


def _filled(inputs: pa.Table, known: dict[str, Any], for_unknown: float | str) -> pa.Table:
    for place, field in enumerate(inputs.schema):
        value = known.get(field.name, _value(field.type, for_unknown))
        if value is not None:
            column = None
            with contextlib.suppress(pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError):
                column = pa.array([value], None if pa.types.is_null(field.type) else field.type)
            if column is not None:
                inputs = inputs.set_column(place, field.with_type(column.type), pa.chunked_array([column]))
    return inputs


def _value(kind: pa.DataType, for_unknown: float | str) -> object:
    """Return a value of a type; None: it stays as it is."""
    if pa.types.is_null(kind):
        return for_unknown
    if is_text(kind):
        return ""
    if pa.types.is_timestamp(kind):
        return _EPOCH if kind.tz else _EPOCH.replace(tzinfo=None)
    if pa.types.is_date(kind):
        return _EPOCH.date()
    if pa.types.is_time(kind):
        return _EPOCH.time()
    if pa.types.is_duration(kind):
        return dt.timedelta()
    if pa.types.is_fixed_size_list(kind) and is_number(kind.value_type):
        return [0] * kind.list_size
    return None
