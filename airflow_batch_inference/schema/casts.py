"""A mini-batch cast to a model's inputs.

Invariants: a cast never loses a digit; and a value that does not fit is reported with its column and row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.schema.casting import EXACT_INTEGERS, converted, unfit
from airflow_batch_inference.schema.column_types import (
    INTEGERS,
    NAMED,
    is_list,
)

if TYPE_CHECKING:
    from airflow_batch_inference.schema.inputs import InputPlan


def cast_inputs(table: pa.Table, plan: InputPlan) -> pa.Table:
    """Return the model's inputs: the plan's columns under the model's names, cast without loss.

    Raises
    ------
    LossyCastError
        A value does not fit; it says which column and row of ``table``.
    """
    arrays = [cast(table.column(column), kind, column) for column, kind in zip(plan.columns, plan.types, strict=True)]
    fields = [
        pa.field(name, values.type, metadata=INTEGERS if name in plan.integers else None)
        for name, values in zip(plan.names, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=NAMED if plan.by_name else None))


class LossyCastError(ValueError):
    """A value that a cast would change; translated to a :class:`SignatureMismatchError` once its file is known."""

    def __init__(self, column: str, row: int, value: str, kind: pa.DataType) -> None:
        super().__init__(column, row, value, kind)
        self.column = column
        self.row = row
        self.value = value
        self.kind = kind


def cast(values: pa.ChunkedArray, kind: pa.DataType | None, column: str) -> pa.ChunkedArray:
    """Cast a column without loss; None leaves it as it is.

    Raises
    ------
    LossyCastError
        A value does not fit.
    """
    if kind is None or values.type == kind:
        return values
    try:
        return converted(values, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = int(unfit(values, kind).argmax())
        raise LossyCastError(column, row, str(values[row].as_py()), kind) from None


def large_numbers(batch: pa.RecordBatch | pa.Table) -> list[str]:
    """Name the columns with doubles, at any level, so large that an integer among them may have lost digits."""
    return [
        name
        for name, values in zip(batch.schema.names, batch.columns, strict=True)
        if any(pc.any(pc.greater_equal(pc.abs(each), EXACT_INTEGERS)).as_py() for each in _doubles(values))
    ]


def _doubles(values: pa.Array | pa.ChunkedArray) -> list[pa.Array | pa.ChunkedArray]:
    if is_list(values.type):
        return _doubles(pc.list_flatten(values))
    if pa.types.is_struct(values.type):
        return [found for each in values.flatten() for found in _doubles(each)]
    return [values] if pa.types.is_float64(values.type) else []
