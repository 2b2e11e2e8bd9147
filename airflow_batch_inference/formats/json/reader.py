"""JSON lines: types that hold for every line, byte ranges that can be read alone, and lines that are no rows.

What must not be relaxed: text is text, whatever it looks like, unless somebody wants a time; and a line that cannot be
read like the others keeps its row number, and that of every row after it.
"""

from __future__ import annotations

import codecs
import io
import re
from bisect import bisect_left
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.json as pa_json

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.budget import longest_line
from airflow_batch_inference.formats.json.array import ArrayLines, open_json
from airflow_batch_inference.formats.json.limits import (
    MOST_CELLS,
    MOST_FIELDS,
    NO_OBJECT,
    TOO_DEEP,
    TOO_WIDE,
    deep_line,
    has_many_fields,
    lines_of,
    null_line,
    number_of_lines,
)
from airflow_batch_inference.formats.json.lines import MixedLines, described, refuse_rounded_integers
from airflow_batch_inference.formats.reading import is_time, read_time
from airflow_batch_inference.formats.streams import BLOCK_BYTES
from airflow_batch_inference.formats.units import BROKEN_COLUMN, FileInfo, Unit
from airflow_batch_inference.schema.signature import large_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.formats.reading import Reading
    from airflow_batch_inference.storage.store import Storage

MOST_LINE_BYTES = 1 << 30
"""A longer line is refused: Arrow holds no longer ones."""
_INFERRED_BYTES = 32 << 10
"""So much is parsed at once where fields may be new, of which nobody knows how many there are."""
_LINE_BYTES = 6
_SPARSE_CELLS = 1 << 26
_SPARSE_CELLS_A_BYTE = 64
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ERRORS = (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError)


def line_blocks(source: IO[bytes], most: int) -> Iterator[bytes]:
    """Cut a text stream into blocks of whole lines, of some MiB, or of one line where that is longer.

    Parameters
    ----------
    source
        The stream.
    most
        So long may a line be.

    Raises
    ------
    ValueError
        A line is too long.
    """
    rest: list[bytes] = []
    while chunk := source.read(BLOCK_BYTES):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield b"".join([*rest, head, newline])
            rest = []
        rest.append(tail)
        if sum(map(len, rest)) > most:
            message = f"a line is longer than {most:,} bytes, the limit (at most an eighth of max_memory)"
            raise ValueError(message)
    last = b"".join(rest)
    if last.strip():
        yield last


def line_of(uri: str, storage: Storage, compression: str | None, row: int) -> int | None:
    """Return the number of the line, from 1, that holds a row; blank lines are none, and a JSON list has none."""
    with open_json(uri, storage, compression) as source:
        if isinstance(source, ArrayLines):
            return None
        number = 0
        for block in line_blocks(source, longest_line(storage, MOST_LINE_BYTES)):
            for line in block.splitlines():
                number += 1
                row -= bool(line.strip())
                if row < 0:
                    return number
    return number


def inspect_jsonl(uri: str, storage: Storage, compression: str | None, reading: Reading) -> FileInfo:
    """Return the columns and units of a file; lines that cannot be read like the others count as rows."""
    found = _Schema(reading)
    try:
        units = _units(uri, storage, compression, found)
        broken = 0
    except _ERRORS as error:
        mixed = _mixed_lines(uri, storage, compression, reading)
        if not (mixed.broken and mixed.fields):
            raise ValueError(str(error)) from error
        found = _Schema(reading, mixed)
        units, broken = _units(uri, storage, compression, found), mixed.broken
    return FileInfo(found.schema(), tuple(units), broken)


def _units(uri: str, storage: Storage, compression: str | None, found: _Schema) -> list[Unit]:
    units = []
    offset = 0
    with open_json(uri, storage, compression) as source:
        found.is_list = isinstance(source, ArrayLines)
        for block in line_blocks(source, longest_line(storage, MOST_LINE_BYTES)):
            if block.strip():
                rows = found.add(_without_mark(uri, block) if offset == 0 else block)
                units.append(Unit(offset, offset + len(block), rows, len(block), divisible=False))
            offset += len(block)
        is_whole = compression is not None or found.is_list
    if is_whole and units:
        return [Unit(0, None, sum(unit.rows for unit in units), offset, divisible=False)]
    return units


def _mixed_lines(uri: str, storage: Storage, compression: str | None, reading: Reading) -> MixedLines:
    """Look at each line by itself."""
    mixed = MixedLines(reading)
    with open_json(uri, storage, compression) as source:
        for place, block in enumerate(line_blocks(source, longest_line(storage, MOST_LINE_BYTES))):
            mixed.count(_without_mark(uri, block) if place == 0 else block)
    with open_json(uri, storage, compression) as source:
        for place, block in enumerate(line_blocks(source, longest_line(storage, MOST_LINE_BYTES))):
            mixed.find_broken(_without_mark(uri, block) if place == 0 else block)
    return mixed


def _without_mark(uri: str, block: bytes) -> bytes:
    """Return a file's first block without the byte order mark of UTF-8.

    Raises
    ------
    DataError
        It is UTF-16.
    """
    if block.startswith(_UTF_16) or b"\0" in block[:4]:
        message = f"{uri} is UTF-16, and JSON lines are read as UTF-8. Write it as UTF-8."
        raise DataError(message)
    return block.removeprefix(codecs.BOM_UTF8)


class _Schema:
    """The types of a file's fields, block by block."""

    def __init__(self, reading: Reading, mixed: MixedLines | None = None) -> None:
        self._reading, self._mixed = reading, mixed
        self._types: dict[str, pa.DataType] = {}
        self._known = pa.schema([])
        self._fields = 0
        self._no_times: set[str] = set()
        self._line = self._bytes = 0
        self.is_list = False

    def add(self, block: bytes) -> int:
        """Look at a block's lines; return how many rows they are."""
        rows, broken = block, 0
        if self._mixed is not None:
            rows, broken = self._mixed.good(block)
        if not rows.strip():
            return broken
        rows.decode()  # Arrow takes any bytes for text
        if (deep := deep_line(rows)) is not None:
            message = f"{self._place(deep)}: {TOO_DEEP}"
            raise pa.ArrowInvalid(message)
        if (null := null_line(rows)) is not None:
            message = f"{self._place(null)}: {NO_OBJECT}"
            raise pa.ArrowInvalid(message)
        found = 0
        for piece, table in self._tables(rows):
            if large_numbers(table):
                refuse_rounded_integers(piece)
            if not table.schema.equals(self._known):
                self._merge_all(table.schema)
            self._check_times(piece, table.schema)
            self._line += number_of_lines(piece)
            self._bytes += len(piece)
            found += int(table.num_rows)
            self._refuse_sparse()
        return found + broken

    def _refuse_sparse(self) -> None:
        """Refuse lines with so many different fields that nearly all values of the table would be nulls.

        Raises
        ------
        ValueError
            They are.
        """
        cells = self._line * self._fields
        if cells > _SPARSE_CELLS and cells > _SPARSE_CELLS_A_BYTE * self._bytes:
            message = (
                f"{self._line:,} lines have {self._fields:,} different fields, of which each line has few: the table "
                f"would have {cells:,} values for {self._bytes:,} bytes. Where the fields' names are data, write them "
                "as values: one line for each, with a field for the name"
            )
            raise ValueError(message)

    def _tables(self, rows: bytes) -> Iterator[tuple[bytes, pa.Table]]:
        """Parse lines: many at once where all fields are known, few where some may be new."""
        if len(rows) <= _INFERRED_BYTES or (lines := number_of_lines(rows)) <= 1:
            yield rows, self._parsed(rows)
            return
        if self._fields and lines * self._fields <= MOST_CELLS:
            try:
                table = parsed(rows, self._known, others="error")
            except pa.ArrowInvalid:
                pass  # something is new
            else:
                yield rows, table
                return
        # The first lines tell most of the fields.
        middle = len(rows) // 2 if self._fields else min(len(rows) // 2, _INFERRED_BYTES)
        border = rows.find(b"\n", middle) + 1 or rows.rfind(b"\n", 0, middle) + 1
        if border in (0, len(rows)):
            border = rows.rfind(b"\n", 0, len(rows) - 1) + 1
        if not border:
            yield rows, self._parsed(rows)
            return
        yield from self._tables(rows[:border])
        yield from self._tables(rows[border:])

    def _parsed(self, rows: bytes) -> pa.Table:
        """Parse lines of which nothing is known; an error names the line."""
        if len(rows) > _INFERRED_BYTES and has_many_fields(rows):
            message = f"{self._place(0)}: {TOO_WIDE}"
            raise ValueError(message)
        try:
            return parsed(rows)
        except pa.ArrowInvalid as error:
            lines = rows.splitlines(keepends=True)
            first = bisect_left(range(len(lines)), 1, key=lambda place: not _parses(b"".join(lines[: place + 1])))
            what = re.sub(r" in row \d+$", "", str(error))
            message = f"{self._place(first)}: {what}"
            raise pa.ArrowInvalid(message) from error

    def _place(self, row: int) -> str:
        """Return where a row of the present block stands; a list's rows are no lines of the file."""
        return f"row {self._line + row} (from 0)" if self.is_list else f"line {self._line + row + 1}"

    def _merge_all(self, schema: pa.Schema) -> None:
        for field in schema:
            self._merge(field.name, without_times(field.type))
        self._known = pa.schema(list(self._types.items()))
        self._fields = sum(map(number_of_fields, self._types.values()))
        if self._fields > MOST_FIELDS:
            message = f"{self._place(0)}: {TOO_WIDE}"
            raise ValueError(message)

    def _merge(self, name: str, kind: pa.DataType) -> None:
        known = self._types.get(name, kind)
        try:
            self._types[name] = merge_types(known, kind)
        except pa.ArrowTypeError as error:
            message = f"field {name!r} holds {kind} from about {self._place(0)} on, and {known} before"
            raise pa.ArrowInvalid(message) from error

    def _check_times(self, block: bytes, schema: pa.Schema) -> None:
        """Find the wanted times of which a text is none: they stay text."""
        wanted = {name: kind for name in schema.names if (kind := self._time(name)) is not None}
        texts = [name for name in wanted if pa.types.is_string(self._types[name])]
        if not texts:
            return
        table = parsed(block, pa.schema([(name, pa.string()) for name in texts]), others="ignore")
        for name in texts:
            try:
                read_time(table.column(name), wanted[name])
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                self._no_times.add(name)

    def _time(self, name: str) -> pa.DataType | None:
        kind = self._reading.forced(name)
        return kind if kind is not None and is_time(kind) and name not in self._no_times else None

    def schema(self) -> pa.Schema:
        """Return the fields in the order in which they came."""
        return pa.schema(
            [
                (name, time if pa.types.is_string(kind) and (time := self._time(name)) is not None else kind)
                for name, kind in self._types.items()
            ]
        )


def parsed(block: bytes, schema: pa.Schema | None = None, *, others: str = "infer") -> pa.Table:
    """Parse whole lines; the parser's own blocks are small, and grow where a line is longer."""
    parse = None if schema is None else pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others)
    try:
        return pa_json.read_json(io.BytesIO(block), parse_options=parse)
    except pa.ArrowInvalid as error:
        if "straddling object" not in str(error):
            raise
    read = pa_json.ReadOptions(block_size=len(block) + 1)
    return pa_json.read_json(io.BytesIO(block), read_options=read, parse_options=parse)


def _parses(block: bytes) -> bool:
    try:
        parsed(block)
    except pa.ArrowInvalid:
        return False
    return True


def without_times(kind: pa.DataType) -> pa.DataType:
    """Return a type with text for the times that the parser sees in it: JSON has none.

    Examples
    --------
    >>> without_times(pa.list_(pa.timestamp("s")))
    ListType(list<item: string>)
    """
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(without_times(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(without_times(field.type)) for field in kind])
    return kind


def number_of_fields(kind: pa.DataType) -> int:
    """Count the fields of a type, with those within it.

    Examples
    --------
    >>> number_of_fields(pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])), number_of_fields(pa.int8())
    (3, 1)
    """
    if pa.types.is_struct(kind):
        return 1 + sum(number_of_fields(field.type) for field in kind)
    return number_of_fields(kind.value_type) if pa.types.is_list(kind) else 1


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


def jsonl_tables(
    uri: str,
    storage: Storage,
    compression: str | None,
    info: FileInfo,
    columns: list[str],
    start: int,
    stop: int | None,
) -> Iterator[pa.Table]:
    """Yield the rows between two byte offsets; tables with broken lines have :data:`BROKEN_COLUMN`."""
    texts = [pa.field(field.name, pa.string()) if is_time(field.type) else field for field in info.schema]
    rows = _Rows(info.schema, pa.schema(texts), columns)
    with open_json(uri, storage, compression, start, stop) as source:
        for place, block in enumerate(line_blocks(source, longest_line(storage, MOST_LINE_BYTES))):
            if block.strip():
                lines = _without_mark(uri, block) if start == place == 0 else block
                yield from [rows.mended(lines)] if info.broken else rows.tables(lines)


class _Rows:
    """Reads lines as rows of known types."""

    def __init__(self, schema: pa.Schema, texts: pa.Schema, columns: list[str]) -> None:
        self._schema, self._texts, self._columns = schema, texts, columns
        self._most_rows = max(1, MOST_CELLS // max(1, sum(map(number_of_fields, schema.types))))

    def tables(self, block: bytes) -> Iterator[pa.Table]:
        """Yield the rows of whole lines.

        Raises
        ------
        ValueError
            One is nested too deep, or is null.
        """
        if deep_line(block) is not None:
            raise ValueError(TOO_DEEP)
        if null_line(block) is not None:
            raise ValueError(NO_OBJECT)
        many = len(block) // _LINE_BYTES > self._most_rows and number_of_lines(block) > self._most_rows
        yield from map(self._table, lines_of(block, self._most_rows) if many else [block])

    def _table(self, block: bytes) -> pa.Table:
        table = parsed(block, self._texts, others="error").select(self._columns)
        for place, name in enumerate(self._columns):
            kind = self._schema.field(name).type
            if is_time(kind):
                table = table.set_column(place, name, read_time(table.column(place), kind))
        return table

    def mended(self, block: bytes) -> pa.Table:
        """Return the rows of whole lines, with nulls for those that cannot be read."""
        tables = list(self._tables([line for line in block.splitlines() if line.strip()]))
        return pa.concat_tables(tables, promote_options="default")

    def _tables(self, lines: list[bytes]) -> Iterator[pa.Table]:
        block = b"\n".join([*lines, b""])
        try:
            block.decode()  # Arrow takes any bytes for text
            yield from list(self.tables(block))
        except (*_ERRORS, ValueError) as error:
            if len(lines) > 1:
                half = len(lines) // 2
                yield from self._tables(lines[:half])
                yield from self._tables(lines[half:])
                return
            nulls = [pa.nulls(1, self._schema.field(name).type) for name in self._columns]
            what = described(lines[0], self._schema) or str(error)
            yield pa.Table.from_arrays([*nulls, pa.array([what])], names=[*self._columns, BROKEN_COLUMN])
