"""What a format writes of each column type: as it is, as text of one defined form, or not at all.

CSV and JSON have no bytes, durations or extension types: those are written as text.

Invariants: a value is never written as Python happens to show it; and a column that a format cannot hold is known
before the first row.
"""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.schema.column_types import is_binary, is_nested
from airflow_batch_inference.schema.columns import replace_columns

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT_FORMATS = ("csv", "jsonl")
_PANDAS = ("pandas.period", "pandas.interval")


def written_type(kind: pa.DataType, output_format: str) -> pa.DataType:
    """Return the type that a column has in the written file.

    Examples
    --------
    >>> written_type(pa.uuid(), "csv"), written_type(pa.uuid(), "parquet"), written_type(pa.bool8(), "jsonl")
    (DataType(string), UuidType(extension<arrow.uuid>), DataType(bool))
    """
    if output_format not in TEXT_FORMATS:
        return kind
    if _as_text(kind) is not None:
        return pa.string()
    if isinstance(kind, pa.Bool8Type):
        return pa.bool_()
    if pa.types.is_string_view(kind):
        return pa.string()
    return written_type(kind.storage_type, output_format) if isinstance(kind, pa.BaseExtensionType) else kind


def as_written(table: pa.Table, output_format: str) -> pa.Table:
    """Return a table with its columns as they are written."""
    kinds = {place: written_type(kind, output_format) for place, kind in enumerate(table.schema.types)}
    others = {place: kind for place, kind in kinds.items() if kind != table.schema.types[place]}
    return replace_columns(table, {place: _written(table.column(place), kind) for place, kind in others.items()})


def require_writable(schema: pa.Schema, output_format: str) -> None:
    """Refuse columns that a format cannot hold.

    Raises
    ------
    ConfigurationError
        Names the first one, its type, and the formats that hold it.
    """
    held = {kind: is_writable(kind, output_format) for kind in set(schema.types)}
    for field in schema:
        if held[field.type]:
            continue
        others = [other for other in ("parquet", "arrow", "jsonl") if is_writable(field.type, other)]
        is_kept = PART_FORMAT in others  # else there is no prediction set that could be published
        remedy = f"Choose another output_format ({', '.join(others)})" if is_kept else "Write it as another type"
        what = "nested" if is_nested(field.type) else f"of {field.type}"
        what = "a list" if pa.types.is_list(field.type) else "fields" if pa.types.is_struct(field.type) else what
        name = {"csv": "CSV", "jsonl": "JSON", "parquet": "A prediction set (Parquet)", "arrow": "Arrow"}[output_format]
        message = (
            f"{name} cannot hold the column {field.name!r}, {what}. {remedy}, or leave it out (passthrough_columns, "
            "drop_columns)."
        )
        raise ConfigurationError(message)


@functools.lru_cache(maxsize=1024)
def is_writable(kind: pa.DataType, output_format: str) -> bool:
    """Say whether a format holds a column of this type."""
    kind = written_type(kind, output_format)
    try:
        if output_format == "csv":
            # With a row: of some types CSV holds the header.
            pa_csv.write_csv(pa.table({"x": pa.nulls(1, kind)}), pa.BufferOutputStream())
        elif output_format == "parquet":
            # Without chunks: pyarrow looks for pandas, and imports it, where an empty one is made.
            pq.write_table(pa.Table.from_batches([], pa.schema([pa.field("x", kind)])), pa.BufferOutputStream())
        elif output_format == "jsonl":
            return _leaves_are_json(kind)
    except pa.ArrowException:
        return False
    return True


def json_value(value: object) -> object:
    """Return what stands for a value within a nested one, as the column of its type would have it."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _leaves_are_json(kind: pa.DataType) -> bool:
    """Say whether a value is plain in Python: no interval of months, no nanoseconds that Python's times lose."""
    if isinstance(kind, pa.BaseExtensionType):
        return _extension_name(kind) not in _PANDAS and _leaves_are_json(kind.storage_type)
    if is_nested(kind):
        return all(
            _leaves_are_json(inner) and inner != pa.time64("ns") and not pa.types.is_duration(inner)
            for inner in (kind.field(at).type for at in range(kind.num_fields))
        )
    return not pa.types.is_interval(kind)


def _extension_name(kind: pa.DataType) -> str:
    return str(kind.extension_name) if isinstance(kind, pa.BaseExtensionType) else ""


def _as_text(kind: pa.DataType) -> Callable[[pa.ChunkedArray], list[str | None]] | None:
    """Return what writes a type as text where it has a form of its own; None where it has not."""
    if _extension_name(kind) in _PANDAS:
        return _as_pandas_writes
    if isinstance(kind, pa.UuidType):
        return _python_text
    if is_binary(kind):
        return _base64
    if pa.types.is_duration(kind):
        return _durations
    return _times if kind == pa.time64("ns") else None


def _written(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_string_view(column.type):
        return column.cast(kind)
    write = _as_text(column.type)
    if write is not None:
        return pa.chunked_array([pa.array(write(column), pa.string())])
    storage = pa.chunked_array([_storage(chunk) for chunk in column.chunks], column.type.storage_type)
    if isinstance(column.type, pa.Bool8Type):
        return storage.cast(pa.bool_())
    inner = _as_text(storage.type)
    return storage if inner is None else pa.chunked_array([pa.array(inner(storage), kind)])


def _storage(chunk: pa.ExtensionArray) -> pa.Array:
    return chunk.storage


def _base64(column: pa.ChunkedArray) -> list[str | None]:
    return [None if value is None else base64.b64encode(value).decode() for value in column.to_pylist()]


def _python_text(column: pa.ChunkedArray) -> list[str | None]:
    return [None if value is None else str(value) for value in column.to_pylist()]


def _times(column: pa.ChunkedArray) -> list[str | None]:
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    return texts


def _durations(column: pa.ChunkedArray) -> list[str | None]:
    """As pandas shows them, and reads them again: ``1 days 00:00:05``."""
    import pandas as pd

    return [None if value is None else str(pd.Timedelta(value)) for value in column.to_pylist()]


def _as_pandas_writes(column: pa.ChunkedArray) -> list[str | None]:
    """``2024-05`` of a period, ``(0, 1]`` of an interval."""
    present = column.is_valid().to_pylist()
    return [str(value) if is_there else None for value, is_there in zip(column.to_pandas(), present, strict=True)]
