"""One reader a format: what a file holds and where it can be cut, and its rows as Arrow tables, with bounded memory.

What must not be relaxed: a file's errors name the file; memory does not grow with the file; and a reader never
guesses a type from the first rows only, since a later row would then fail or change.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from airflow_batch_inference.datasets.csv_reader import BROKEN_COLUMN, csv_tables, inspect_csv
from airflow_batch_inference.datasets.formats import format_of
from airflow_batch_inference.datasets.streams import BLOCK_BYTES, open_stream
from airflow_batch_inference.datasets.units import FileInfo, Unit
from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.signature import large_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.storage import Storage

_BUFFER_BYTES = 256 << 10
_READ_ROWS = 32_768


@contextlib.contextmanager
def reading(uri: str) -> Iterator[None]:
    """Turn every parser's own error into a :class:`DataError` that names the file; real I/O errors pass through."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, EOFError, ValueError) as error:
        raise DataError(_damaged(uri, error)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise DataError(_damaged(uri, error)) from error


def _damaged(uri: str, error: Exception) -> str:
    return (
        f"{uri} cannot be read: {error}. The file is damaged or not what its name says: write it again, "
        "or leave it out."
    )


def inspect_file(uri: str, storage: Storage, *, tolerant: bool = False) -> FileInfo:
    """Return a file's columns and the units in which it can be read.

    For text formats every row is looked at, so that the types hold for all. With ``tolerant``, CSV lines of too few or
    too many values are counted as rows; without, they are an error.

    Raises
    ------
    DataError
        The file is damaged, or a column name stands twice.
    """
    kind, compression = format_of(uri)
    with reading(uri):
        found = _INSPECT[kind](uri, storage, compression)
    if BROKEN_COLUMN in found.schema.names:
        message = f"{uri} has a column named {BROKEN_COLUMN!r}, which this package uses itself: rename it."
        raise DataError(message)
    schema = pa.schema([pa.field(field.name, _plain(field.type)) for field in found.schema])
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        message = f"{uri} has more than one column named {', '.join(map(repr, repeated))}: give each its own name."
        raise DataError(message)
    if found.broken and not tolerant:
        raise DataError(_broken_lines(uri, storage, found))
    return FileInfo(schema, found.units, found.broken)


def _broken_lines(uri: str, storage: Storage, info: FileInfo) -> str:
    first_row = 0
    for table in read_tables(uri, storage, info, info.schema.names[:1]):
        if BROKEN_COLUMN in table.column_names:
            errors = table.column(BROKEN_COLUMN).to_pylist()
            row, error = next((row, error) for row, error in enumerate(errors) if error is not None)
            return (
                f"{uri} has {info.broken} line(s) that do not have a value for each column; the first is row "
                f"{first_row + row} (from 0): {error}. Correct the file; or, to set such rows aside and score the "
                "rest, give PredictOperator error_threshold or max_rejected_fraction."
            )
        first_row += table.num_rows
    return _damaged(uri, ValueError(f"{info.broken} line(s) do not have a value for each column"))


def read_tables(
    uri: str,
    storage: Storage,
    info: FileInfo,
    columns: Sequence[str] | None = None,
    *,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[pa.Table]:
    """Yield one file's rows in order, with dictionaries decoded.

    CSV lines of too few or too many values are rows of nulls, with what is wrong in a column of its own
    (:data:`BROKEN_COLUMN`), which only tables with such rows have.

    Parameters
    ----------
    uri, storage
        The file, and what reaches it.
    info
        The file's own columns and types, as :func:`inspect_file` gave them.
    columns
        Those to read; None: all.
    start, stop
        Borders of its units; None: its end.

    Raises
    ------
    DataError
        The file is damaged.
    """
    kind, compression = format_of(uri)
    wanted = list(info.schema.names if columns is None else columns)
    with reading(uri):
        for table in _TABLES[kind](uri, storage, compression, info, wanted, start, stop):
            yield _decoded(table)


def dictionary_columns(uri: str, storage: Storage) -> tuple[str, ...]:
    """Return the columns that a file keeps as dictionaries, as pandas writes its categories; () of text formats."""
    kind, _ = format_of(uri)
    if kind not in ("parquet", "arrow"):
        return ()
    with reading(uri):
        if kind == "parquet":
            with _parquet_file(uri, storage) as parquet:
                schema = parquet.schema_arrow
        else:
            with _arrow_file(uri, storage) as arrow:
                schema = arrow.schema
    return tuple(field.name for field in schema if pa.types.is_dictionary(field.type))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _decoded(table: pa.Table) -> pa.Table:
    for position, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(position, field.name, table.column(position).cast(field.type.value_type))
    return table


# -- Parquet --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _parquet_file(uri: str, storage: Storage) -> Iterator[pq.ParquetFile]:
    local = uri.removeprefix("file://") if uri.startswith("file://") else None
    source = local or open_stream(uri, storage, None)
    # pre_buffer, and a memory map's pages, would hold the whole file in memory; buffered reads do not. Page checksums
    # turn flipped bits into errors.
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True) as file:
        yield file


def _inspect_parquet(uri: str, storage: Storage, _: str | None) -> FileInfo:
    with _parquet_file(uri, storage) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        units = [
            Unit(number, number + 1, group.num_rows, group.total_byte_size, divisible=True)
            for number, group in enumerate(groups)
        ]
        return FileInfo(file.schema_arrow.remove_metadata(), tuple(units))


def _parquet_tables(
    uri: str, storage: Storage, _: str | None, __: FileInfo, columns: list[str], start: int, stop: int | None
) -> Iterator[pa.Table]:
    with _parquet_file(uri, storage) as file:
        groups = list(range(start, file.num_row_groups if stop is None else stop))
        for batch in file.iter_batches(batch_size=_READ_ROWS, row_groups=groups, columns=columns):
            yield pa.Table.from_batches([batch.replace_schema_metadata(None)])


# -- Arrow IPC (also Feather) ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _arrow_file(uri: str, storage: Storage) -> Iterator[pa.RecordBatchFileReader]:
    source = pa.OSFile(uri.removeprefix("file://")) if uri.startswith("file://") else open_stream(uri, storage, None)
    with source, pa.ipc.open_file(source) as reader:
        yield reader


def _inspect_arrow(uri: str, storage: Storage, _: str | None) -> FileInfo:
    units = []
    with _arrow_file(uri, storage) as reader:
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            units.append(Unit(number, number + 1, batch.num_rows, batch.nbytes, divisible=True))
        return FileInfo(reader.schema.remove_metadata(), tuple(units))


def _arrow_tables(
    uri: str, storage: Storage, _: str | None, __: FileInfo, columns: list[str], start: int, stop: int | None
) -> Iterator[pa.Table]:
    with _arrow_file(uri, storage) as reader:
        for position in range(start, reader.num_record_batches if stop is None else stop):
            table = pa.Table.from_batches([reader.get_batch(position)]).select(columns)
            yield table.replace_schema_metadata(None)


# -- JSON lines -----------------------------------------------------------------------------------------------


def _line_blocks(source: IO[bytes]) -> Iterator[bytes]:
    """Cut a text stream into blocks of whole lines."""
    rest = b""
    while chunk := source.read(BLOCK_BYTES):
        head, newline, tail = (rest + chunk).rpartition(b"\n")
        if newline:
            yield head + newline
        rest = tail
    if rest.strip():
        yield rest


def _inspect_jsonl(uri: str, storage: Storage, compression: str | None) -> FileInfo:
    schema = pa.schema([])
    units = []
    offset = 0
    with open_stream(uri, storage, compression) as source:
        for block in _line_blocks(source):
            if block.strip():
                table = pa_json.read_json(io.BytesIO(block))
                if large_numbers(table):
                    _refuse_rounded_integers(block)
                schema = _merge_json(schema, table.schema)
                units.append(Unit(offset, offset + len(block), table.num_rows, len(block), divisible=False))
            offset += len(block)
    if compression and units:
        units = [Unit(0, None, sum(unit.rows for unit in units), offset, divisible=False)]
    return FileInfo(schema, tuple(units))


def _refuse_rounded_integers(block: bytes) -> None:
    """Refuse integers that JSON holds and a double does not: identifiers would become others."""
    for line in block.splitlines():
        for name, value in (json.loads(line) if line.strip() else {}).items():
            if isinstance(value, int) and int(float(value)) != value:
                message = f"field {name!r} holds the integer {value}, which no number here holds; write it as text"
                raise ValueError(message)


def _merge_json(left: pa.Schema, right: pa.Schema) -> pa.Schema:
    """Unite two blocks' types; text that looks like a timestamp in one block only is text."""
    fields = {field.name: field.type for field in left}
    for field in right:
        known = fields.get(field.name, field.type)
        kinds = (known, field.type)
        if any(map(pa.types.is_string, kinds)) and any(map(pa.types.is_timestamp, kinds)):
            fields[field.name] = pa.string()
        else:
            fields[field.name] = merge_types(known, field.type)
    return pa.schema(list(fields.items()))


def _jsonl_tables(
    uri: str,
    storage: Storage,
    compression: str | None,
    info: FileInfo,
    columns: list[str],
    start: int,
    stop: int | None,
) -> Iterator[pa.Table]:
    options = pa_json.ParseOptions(explicit_schema=info.schema, unexpected_field_behavior="error")
    with open_stream(uri, storage, compression, start, stop) as source:
        for block in _line_blocks(source):
            if block.strip():
                yield pa_json.read_json(io.BytesIO(block), parse_options=options).select(columns)


def merge_types(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """Return the type that holds both without loss of kind (integer and number: number).

    Raises
    ------
    pyarrow.ArrowTypeError
        There is none, such as for a number and text.
    """
    if left == right:
        return left
    schemas = [pa.schema([pa.field("_", kind)]) for kind in (left, right)]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type


_INSPECT = {"parquet": _inspect_parquet, "arrow": _inspect_arrow, "csv": inspect_csv, "jsonl": _inspect_jsonl}
_TABLES = {"parquet": _parquet_tables, "arrow": _arrow_tables, "csv": csv_tables, "jsonl": _jsonl_tables}
