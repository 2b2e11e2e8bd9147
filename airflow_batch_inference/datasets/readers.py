"""One reader a format: what a file holds and where it can be cut, and its rows as Arrow tables, with bounded memory.

What must not be relaxed: a file's errors name the file; memory does not grow with the file; and a reader never
guesses a type from the first rows only, since a later row would then fail or change.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
from collections import deque
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from airflow_batch_inference.datasets.csv_borders import csv_borders
from airflow_batch_inference.datasets.formats import format_of
from airflow_batch_inference.datasets.units import FileInfo, Unit
from airflow_batch_inference.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.storage import Storage

_BLOCK_BYTES = 4 << 20
_BUFFER_BYTES = 256 << 10
_EXACT_INTEGERS = 2.0**53
_READ_ROWS = 32_768
_TEXT_UNIT_ROWS = 65_536
_SHOWN_CHARACTERS = 200
BROKEN_COLUMN = "__broken_line__"
"""In tables with CSV lines of too few or too many values: what is wrong with a row; null where nothing is."""
_CSV_ERROR = re.compile(r"In CSV column #(\d+):.*?CSV conversion error to ([^:]+): invalid value '(.*)'", re.DOTALL)


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


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _decoded(table: pa.Table) -> pa.Table:
    for position, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(position, field.name, table.column(position).cast(field.type.value_type))
    return table


class _Window(io.RawIOBase):
    """The bytes of an open file from one offset to another (None: its end)."""

    def __init__(self, raw: IO[bytes], start: int, stop: int | None) -> None:
        super().__init__()
        self._raw = raw
        self._left = None if stop is None else stop - start
        raw.seek(start)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._left is not None:
            size = self._left if size < 0 else min(size, self._left)
        data = self._raw.read(size)
        if self._left is not None:
            self._left -= len(data)
        return data

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def _open(uri: str, storage: Storage, compression: str | None, start: int = 0, stop: int | None = None) -> Any:  # noqa: ANN401  # a stream
    fs, path = storage.filesystem(uri)
    raw = fs.open(path, "rb")
    if compression:
        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), compression)
    return _Window(raw, start, stop) if start or stop is not None else raw


# -- Parquet --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _parquet_file(uri: str, storage: Storage) -> Iterator[pq.ParquetFile]:
    local = uri.removeprefix("file://") if uri.startswith("file://") else None
    source = local or _open(uri, storage, None)
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
    source = pa.OSFile(uri.removeprefix("file://")) if uri.startswith("file://") else _open(uri, storage, None)
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


# -- CSV ------------------------------------------------------------------------------------------------------


def _csv_reader(
    source: object,
    types: dict[str, pa.DataType],
    columns: Sequence[str] = (),
    *,
    on_broken: Callable[[pa_csv.InvalidRow], None],
    without_header: bool = False,
    is_numbered: bool = False,
) -> Any:  # noqa: ANN401
    """Open a stream of record batches; lines of too few or too many values are told and passed over.

    Only one thread can tell their numbers (``is_numbered``).
    """

    def pass_over(row: pa_csv.InvalidRow) -> str:
        on_broken(row)
        return "skip"

    return pa_csv.open_csv(
        source,
        read_options=pa_csv.ReadOptions(
            block_size=_BLOCK_BYTES,
            column_names=list(types) if without_header else None,
            use_threads=not is_numbered,
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=pass_over),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, strings_can_be_null=True, include_columns=list(columns)
        ),
    )


class _Counter:
    """Counts broken lines, and keeps none."""

    count = 0

    def __call__(self, _: pa_csv.InvalidRow) -> None:
        self.count += 1


def _inspect_csv(uri: str, storage: Storage, compression: str | None) -> FileInfo:
    schema, rows, broken = _csv_schema(uri, storage, compression)
    borders = None
    if not compression:
        with _open(uri, storage, None) as source:
            borders = csv_borders(source, every_rows=_TEXT_UNIT_ROWS)
    # Where our count and the parser's differ, the file has a form that only the parser knows.
    if borders is None or borders[-1].records - 1 != rows:
        size = storage.stat(uri).size_bytes
        return FileInfo(schema, (Unit(0, None, rows, size, divisible=False),) if rows else (), broken)
    units = [
        Unit(left.offset, right.offset, right.records - left.records, right.offset - left.offset, divisible=False)
        for left, right in itertools.pairwise(borders)
    ]
    return FileInfo(schema, tuple(units), broken)


def _csv_schema(uri: str, storage: Storage, compression: str | None) -> tuple[pa.Schema, int, int]:
    """Read and count all rows and the broken ones among them.

    A column's type is widened (integer, number, text) whenever a value does not fit.
    """
    types: dict[str, pa.DataType] = {}
    names: list[str] = []
    rows = 0
    checked: set[str] = set()
    while True:
        with _open(uri, storage, compression) as source:
            broken = _Counter()
            try:
                reader = _csv_reader(source, types, on_broken=broken)
                names = reader.schema.names
                types = {field.name: field.type for field in reader.schema} | types
                rows, large = 0, set()
                for batch in reader:
                    rows += batch.num_rows
                    large |= set(_large_numbers(batch)) - checked
            except pa.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    return _header_alone(uri, storage, compression, error), 0, 0
                types |= _widened(error, names, types)
                continue
        if not large:
            break
        checked |= large
        types |= {name: pa.string() for name in _rounded_integers(uri, storage, compression, types, large)}
    for name, kind in types.items():
        if pa.types.is_binary(kind):
            message = f"column {name!r} is not valid UTF-8 text"
            raise ValueError(message)
    return pa.schema([pa.field(name, types[name]) for name in names]), rows + broken.count, broken.count


def _header_alone(uri: str, storage: Storage, compression: str | None, error: pa.ArrowInvalid) -> pa.Schema:
    """Return the columns of a file without rows; a header that no line end follows is none to the parser.

    Raises
    ------
    pyarrow.ArrowInvalid
        The given error, where there is more: a block of blank lines before the header.
    """
    with _open(uri, storage, compression) as source:
        text = source.read(_BLOCK_BYTES).strip()
        if source.read(1) or b"\n" in text:
            raise error
    if not text:
        return pa.schema([])
    schema: pa.Schema = pa_csv.read_csv(io.BytesIO(text + b"\n")).schema
    return schema


def _large_numbers(batch: pa.RecordBatch | pa.Table) -> list[str]:
    """Name the double columns with values so large that an integer among them may have lost digits."""
    return [
        field.name
        for field in batch.schema
        if pa.types.is_float64(field.type)
        and pc.any(pc.greater_equal(pc.abs(batch.column(field.name)), _EXACT_INTEGERS)).as_py()
    ]


def _rounded_integers(
    uri: str, storage: Storage, compression: str | None, types: dict[str, pa.DataType], columns: set[str]
) -> set[str]:
    """Find the columns in which a double would change an integer's digits: an identifier stays the text that it is."""
    found: set[str] = set()
    as_text = types | dict.fromkeys(columns, pa.string())
    with _open(uri, storage, compression) as source:
        for batch in _csv_reader(source, as_text, on_broken=lambda _: None):
            for name in columns - found:
                text = batch.column(name)
                long = text.filter(pc.fill_null(pc.match_substring_regex(text, r"^[+-]?\d{16,}$"), fill_value=False))
                if any(int(value) != int(float(value)) for value in long.to_pylist()):
                    found.add(name)
    return found


def _widened(error: pa.ArrowInvalid, names: list[str], types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    match = _CSV_ERROR.search(str(error))
    if match is None or not names:
        raise error
    name = names[int(match.group(1))]
    current = types[name]
    if pa.types.is_string(current):
        return {name: pa.binary()}
    if pa.types.is_null(current):
        return {name: _type_of_text(match.group(3))}
    return {name: pa.float64() if pa.types.is_integer(current) else pa.string()}


def _type_of_text(text: str) -> pa.DataType:
    """Guess the type of a column whose first value comes after a block of empty ones."""
    if set(text) & set(',"\n\r'):
        return pa.string()
    guessed: pa.DataType = pa_csv.read_csv(io.BytesIO(b"value\n" + text.encode() + b"\n")).schema.field(0).type
    return pa.string() if pa.types.is_null(guessed) else guessed


def _csv_tables(
    uri: str,
    storage: Storage,
    compression: str | None,
    info: FileInfo,
    columns: list[str],
    start: int,
    stop: int | None,
) -> Iterator[pa.Table]:
    types = {field.name: field.type for field in info.schema}
    broken: deque[tuple[int, str]] = deque()

    def note(line: pa_csv.InvalidRow) -> None:
        error = f"expected {line.expected_columns} values, found {line.actual_columns}: {line.text[:_SHOWN_CHARACTERS]}"
        # The parser counts from 1, and the header too.
        broken.append(((line.number or 0) - (2 if start == 0 else 1), error))

    row = 0
    with _open(uri, storage, compression, start, stop) as source:
        reader = _csv_reader(
            source, types, columns, on_broken=note, without_header=start > 0, is_numbered=info.broken > 0
        )
        for batch in reader:
            table = _with_broken_lines(pa.Table.from_batches([batch]), broken, row)
            row += table.num_rows
            yield table
        if broken:
            yield _with_broken_lines(reader.schema.empty_table(), broken, row)
        if broken:
            message = f"the parser's numbers of broken lines do not fit, from row {broken[0][0]} on"
            raise ValueError(message)


def _with_broken_lines(table: pa.Table, broken: deque[tuple[int, str]], first_row: int) -> pa.Table:
    """Put rows of nulls where broken lines stand before, among or right behind the table's rows.

    Lines (row number and error) that are put in are taken out of ``broken``.
    """
    if not broken:
        return table
    places: list[int | None] = []
    errors: list[str | None] = []
    good = 0
    while True:
        if broken and broken[0][0] == first_row + len(places):
            places.append(None)
            errors.append(broken.popleft()[1])
        elif good < table.num_rows:
            places.append(good)
            errors.append(None)
            good += 1
        else:
            break
    if len(places) == table.num_rows:
        return table
    woven = table.take(pa.array(places, pa.int64()))
    return woven.append_column(BROKEN_COLUMN, pa.array(errors, pa.string()))


# -- JSON lines -----------------------------------------------------------------------------------------------


def _line_blocks(source: IO[bytes]) -> Iterator[bytes]:
    """Cut a text stream into blocks of whole lines."""
    rest = b""
    while chunk := source.read(_BLOCK_BYTES):
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
    with _open(uri, storage, compression) as source:
        for block in _line_blocks(source):
            if block.strip():
                table = pa_json.read_json(io.BytesIO(block))
                if _large_numbers(table):
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
    with _open(uri, storage, compression, start, stop) as source:
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


_INSPECT = {"parquet": _inspect_parquet, "arrow": _inspect_arrow, "csv": _inspect_csv, "jsonl": _inspect_jsonl}
_TABLES = {"parquet": _parquet_tables, "arrow": _arrow_tables, "csv": _csv_tables, "jsonl": _jsonl_tables}
