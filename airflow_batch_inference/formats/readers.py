"""One reader a format: what a file holds and where it can be cut, and its rows as Arrow tables, with bounded memory.

Invariants: a file's errors name the file; memory does not grow with the file; and a reader never guesses a type from
the first rows only, since a later row would then fail or change.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.arrow.reader import (
    arrow_schema,
    arrow_tables,
    inspect_arrow,
    register_pandas_types,
)
from airflow_batch_inference.formats.budget import require_columns
from airflow_batch_inference.formats.csv.reader import csv_tables, inspect_csv
from airflow_batch_inference.formats.decoding import decoded, read_type
from airflow_batch_inference.formats.json.blocks import line_of
from airflow_batch_inference.formats.json.reader import jsonl_tables
from airflow_batch_inference.formats.json.schema import inspect_jsonl
from airflow_batch_inference.formats.names import format_of
from airflow_batch_inference.formats.parquet.int96 import Int96Unit, choose_int96_unit
from airflow_batch_inference.formats.parquet.pandas_index import index_names
from airflow_batch_inference.formats.parquet.room import parquet_batch_rows
from airflow_batch_inference.formats.reading import Reading
from airflow_batch_inference.formats.streams import open_stream
from airflow_batch_inference.formats.table_folders import iceberg_file
from airflow_batch_inference.formats.units import BROKEN_COLUMN, FileInfo, Unit
from airflow_batch_inference.formats.validity import require_valid
from airflow_batch_inference.schema.columns import repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.storage.store import Storage

_BUFFER_BYTES = 256 << 10
_READ_ROWS = 32_768


@contextlib.contextmanager
def reading(uri: str) -> Iterator[None]:
    """Turn every parser's own error into a :class:`DataError` that names the file; real I/O errors pass through."""
    try:
        yield
    except MemoryError as error:  # Arrow's own, too
        message = (
            f"{uri} cannot be read: it asks for more memory than there is ({error}). Write it with fewer values in a "
            "row group, batch or line, or run it where there is more memory."
        )
        raise DataError(message) from error
    except (pa.ArrowException, UnicodeDecodeError, EOFError, ValueError, RecursionError) as error:
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


def inspect_file(uri: str, storage: Storage, *, tolerant: bool = False, known: Reading | None = None) -> FileInfo:
    """Return a file's columns and the units in which it can be read.

    For text formats every row is looked at, so that the types hold for all; ``known`` says what somebody knows.
    With ``tolerant``, lines that cannot be read (CSV lines of too few or too many values, JSON of another type) are
    counted as rows; without, they are an error.

    Raises
    ------
    DataError
        The file is damaged, or a column name stands twice.
    """
    kind, compression = format_of(uri)
    with reading(uri):
        found = _INSPECT[kind](uri, storage, compression, known or Reading())
        require_columns(uri, len(found.schema))
    if BROKEN_COLUMN in found.schema.names:
        message = f"{uri} has a column named {BROKEN_COLUMN!r}, which this package uses itself: rename it."
        raise DataError(message)
    schema = pa.schema([pa.field(field.name, read_type(field.type)) for field in found.schema])
    if twice := repeated(schema.names):
        message = f"{uri} has more than one column named {', '.join(map(repr, twice))}: give each its own name."
        raise DataError(message)
    if found.broken and not tolerant:
        raise DataError(_broken_lines(uri, storage, found))
    return replace(found, schema=schema)


def _broken_lines(uri: str, storage: Storage, info: FileInfo) -> str:
    first_row = 0
    for table in read_tables(uri, storage, info, info.schema.names[:1]):
        if BROKEN_COLUMN in table.column_names:
            errors = table.column(BROKEN_COLUMN).to_pylist()
            row, error = next((row, error) for row, error in enumerate(errors) if error is not None)
            which, where = "do not have a value for each column", f"row {first_row + row} (from 0)"
            if info.csv is None:
                number = line_of(uri, storage, format_of(uri)[1], first_row + row)
                which, where = "cannot be read like the others", where if number is None else f"line {number}, {where}"
            return (
                f"{uri} has {info.broken} line(s) that {which}; the first is {where}: {error}. Correct the file; or, "
                "to set such rows aside and score the rest, give PredictOperator error_threshold or "
                "max_rejected_fraction."
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

    Lines that cannot be read are rows of nulls, with what is wrong in a column of its own (:data:`BROKEN_COLUMN`),
    which only tables with such rows have.

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
            yield decoded(table)


def dictionary_columns(uri: str, storage: Storage) -> tuple[str, ...]:
    """Return the columns that a file keeps as pandas' categories, or as dictionaries; () of text formats.

    Parquet gives dictionaries back for text alone; of categories that are numbers only pandas' own notes tell.
    """
    kind, _ = format_of(uri)
    if kind not in ("parquet", "arrow"):
        return ()
    with reading(uri):
        if kind == "parquet":
            with _parquet_file(uri, storage) as parquet:
                schema = parquet.schema_arrow
        else:
            schema = arrow_schema(uri, storage)
    noted = (schema.pandas_metadata or {}).get("columns", ())
    categories = {each.get("field_name") for each in noted if each.get("pandas_type") == "categorical"}
    return tuple(each.name for each in schema if pa.types.is_dictionary(each.type) or each.name in categories)


# -- Parquet --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _parquet_file(
    uri: str, storage: Storage, int96_unit: Int96Unit = "us", kept: Sequence[str] = ()
) -> Iterator[pq.ParquetFile]:
    local = uri.removeprefix("file://") if uri.startswith("file://") else None
    source = local or open_stream(uri, storage, None)
    with _open_parquet(source, int96_unit, kept) as file:
        if not register_pandas_types(file.schema_arrow):
            yield file
            return
    with _open_parquet(source, int96_unit, kept) as again:
        yield again


def _open_parquet(source: Any, int96_unit: Int96Unit, kept: Sequence[str]) -> pq.ParquetFile:  # noqa: ANN401  # a path or a stream
    # pre_buffer, and a memory map's pages, would hold the whole file in memory; buffered reads do not. Page checksums
    # turn flipped bits into errors.
    return pq.ParquetFile(
        source,
        pre_buffer=False,
        buffer_size=_BUFFER_BYTES,
        page_checksum_verification=True,
        read_dictionary=list(kept),
        arrow_extensions_enabled=True,
        coerce_int96_timestamp_unit=int96_unit,
    )


def _inspect_parquet(uri: str, storage: Storage, _: str | None, __: Reading) -> FileInfo:
    with _parquet_file(uri, storage) as file:
        if b"iceberg.schema" in (file.metadata.metadata or {}):
            raise DataError(iceberg_file(uri))
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        if (rows := sum(group.num_rows for group in groups)) != file.metadata.num_rows:
            message = f"its row groups have {rows:,} rows, and it says that it has {file.metadata.num_rows:,}"
            raise ValueError(message)
        units = [
            Unit(number, number + 1, group.num_rows, group.total_byte_size, divisible=True)
            for number, group in enumerate(groups)
        ]
        schema = file.schema_arrow
        int96_unit = choose_int96_unit(uri, file, lambda: _parquet_file(uri, storage, "ns"))
    if int96_unit == "ns":
        with _parquet_file(uri, storage, "ns") as file:
            schema = file.schema_arrow
    return FileInfo(schema.remove_metadata(), tuple(units), index=index_names(schema), int96_unit=int96_unit)


def _parquet_tables(
    uri: str, storage: Storage, _: str | None, info: FileInfo, columns: list[str], start: int, stop: int | None
) -> Iterator[pa.Table]:

    def again(kept: list[str]) -> contextlib.AbstractContextManager[pq.ParquetFile]:
        return _parquet_file(uri, storage, info.int96_unit, kept)

    with _parquet_file(uri, storage, info.int96_unit) as file:
        groups = list(range(start, file.num_row_groups if stop is None else stop))
        rows = parquet_batch_rows(uri, storage, file, groups, columns, _READ_ROWS, again)
        where = f"{uri}, from row group {start} on"
        for together in _read_together(file, groups):
            for batch in file.iter_batches(batch_size=rows, row_groups=together, columns=columns):
                # Parquet's reader takes any bytes for text.
                require_valid(batch, where)
                yield pa.Table.from_batches([batch.replace_schema_metadata(None)])


def _read_together(file: pq.ParquetFile, groups: Sequence[int]) -> Iterator[list[int]]:
    """Divide row groups into those that are read one by one, and runs of small ones.

    Parts begin where large row groups do. If a batch reached from one into the next, all mini-batches after it would
    be made of two pieces, to be joined and copied for the model and for the writer.
    """
    for is_large, run in itertools.groupby(groups, lambda group: file.metadata.row_group(group).num_rows >= _READ_ROWS):
        together = list(run)
        yield from ([group] for group in together) if is_large else [together]


_INSPECT = {"parquet": _inspect_parquet, "arrow": inspect_arrow, "csv": inspect_csv, "jsonl": inspect_jsonl}
_TABLES = {"parquet": _parquet_tables, "arrow": arrow_tables, "csv": csv_tables, "jsonl": jsonl_tables}
