"""The quarantine: rejected rows with file, row number, stage and error, beside the columns that they had."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.formats.written_types import is_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.predictors.scored_rows import RejectedRow
    from airflow_batch_inference.sources.batches import MiniBatch

QUARANTINE_COLUMNS = ("_file", "_row", "_stage", "_error")


def quarantine_schema(columns: pa.Schema, redact: Sequence[str]) -> pa.Schema:
    """Return the quarantine's columns: where, why, and the dataset's own (redacted ones as text)."""
    own = [pa.field(field.name, pa.string() if field.name in redact else _kept_type(field.type)) for field in columns]
    kinds = (pa.string(), pa.int64(), pa.string(), pa.string())
    return pa.schema([*map(pa.field, QUARANTINE_COLUMNS, kinds), *own])


def quarantine_rows(batch: MiniBatch, rejected: Sequence[RejectedRow], redact: Sequence[str]) -> pa.Table:
    """Return the rejected rows of a mini-batch as a table.

    Parameters
    ----------
    batch
        The mini-batch.
    rejected
        Its rejected rows.
    redact
        Columns that hold what must not be seen: their values become SHA-256 digests, in the errors' text too.
    """
    rows = batch.table.take(pa.array([row.row for row in rejected], pa.int64()))
    places = [batch.locate(row.row) for row in rejected]
    errors = [_redacted(row, rows.slice(at, 1), redact) for at, row in enumerate(rejected)]
    columns = [
        pa.array([uri for uri, _ in places], pa.string()),
        pa.array([row for _, row in places], pa.int64()),
        pa.array([row.stage for row in rejected], pa.string()),
        pa.array(errors, pa.string()),
    ]
    for field in rows.schema:
        values = rows.column(field.name)
        if field.name in redact:
            values = pa.array(map(_digest, values.to_pylist()), pa.string())
        elif _kept_type(field.type) != field.type:
            values = pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
        columns.append(values)
    return pa.Table.from_arrays(columns, schema=quarantine_schema(rows.schema, redact))


def _kept_type(kind: pa.DataType) -> pa.DataType:
    """Return a column's own type, or text where Parquet, which the quarantine is, has none for it."""
    return kind if is_writable(kind, PART_FORMAT) else pa.string()


def _digest(value: object) -> str | None:
    return None if value is None else hashlib.sha256(str(value).encode()).hexdigest()


def _redacted(rejected: RejectedRow, row: pa.Table, redact: Sequence[str]) -> str:
    if redact and rejected.stage == "read":
        return rejected.error.partition(":")[0]  # after it comes the whole line
    error = rejected.error
    for name in redact:
        if name in row.column_names and (value := row.column(name)[0].as_py()) is not None:
            for shown in filter(None, (str(value), repr(str(value))[1:-1])):
                error = error.replace(shown, f"<sha256 {_digest(value)}>")
    return error
