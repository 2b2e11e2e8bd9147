"""The types of a file's fields, which hold for every line, and the byte ranges that can be read alone.

Invariants: text is text, whatever it looks like, unless somebody wants a time.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.formats.budget import longest_line
from airflow_batch_inference.formats.json.array import ArrayLines, open_json
from airflow_batch_inference.formats.json.blocks import MOST_LINE_BYTES, line_blocks, without_mark
from airflow_batch_inference.formats.json.limits import (
    MOST_CELLS,
    MOST_FIELDS,
    NO_OBJECT,
    TOO_DEEP,
    TOO_WIDE,
    deep_line,
    has_many_fields,
    null_line,
    number_of_lines,
)
from airflow_batch_inference.formats.json.lines import MixedLines, refuse_rounded_integers
from airflow_batch_inference.formats.json.parsing import (
    ERRORS,
    merge_types,
    number_of_fields,
    parsed,
    parses,
    without_times,
)
from airflow_batch_inference.formats.reading import is_time, read_time
from airflow_batch_inference.formats.units import FileInfo, Unit
from airflow_batch_inference.schema.casts import large_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.formats.reading import Reading
    from airflow_batch_inference.storage.store import Storage

_INFERRED_BYTES = 32 << 10
"""So much is parsed at once where fields may be new, of which nobody knows how many there are."""
_SPARSE_CELLS = 1 << 26
_SPARSE_CELLS_A_BYTE = 64


def inspect_jsonl(uri: str, storage: Storage, compression: str | None, reading: Reading) -> FileInfo:
    """Return the columns and units of a file; lines that cannot be read like the others count as rows."""
    found = _Schema(reading)
    try:
        units = _units(uri, storage, compression, found)
        broken = 0
    except ERRORS as error:
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
                rows = found.add(without_mark(uri, block) if offset == 0 else block)
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
            mixed.count(without_mark(uri, block) if place == 0 else block)
    with open_json(uri, storage, compression) as source:
        for place, block in enumerate(line_blocks(source, longest_line(storage, MOST_LINE_BYTES))):
            mixed.find_broken(without_mark(uri, block) if place == 0 else block)
    return mixed


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
            first = bisect_left(range(len(lines)), 1, key=lambda place: not parses(b"".join(lines[: place + 1])))
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
