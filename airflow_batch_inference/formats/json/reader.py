"""JSON lines as rows of known types, and lines that are no rows.

Invariants: a line that cannot be read like the others keeps its row number, and that of every row after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.formats.budget import longest_line
from airflow_batch_inference.formats.json.array import open_json
from airflow_batch_inference.formats.json.blocks import MOST_LINE_BYTES, line_blocks, without_mark
from airflow_batch_inference.formats.json.limits import (
    MOST_CELLS,
    NO_OBJECT,
    TOO_DEEP,
    deep_line,
    lines_of,
    null_line,
    number_of_lines,
)
from airflow_batch_inference.formats.json.lines import described
from airflow_batch_inference.formats.json.parsing import ERRORS, number_of_fields, parsed
from airflow_batch_inference.formats.reading import is_time, read_time
from airflow_batch_inference.formats.units import BROKEN_COLUMN, FileInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.storage.store import Storage

_LINE_BYTES = 6


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
                lines = without_mark(uri, block) if start == place == 0 else block
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
        except (*ERRORS, ValueError) as error:
            if len(lines) > 1:
                half = len(lines) // 2
                yield from self._tables(lines[:half])
                yield from self._tables(lines[half:])
                return
            nulls = [pa.nulls(1, self._schema.field(name).type) for name in self._columns]
            what = described(lines[0], self._schema) or str(error)
            yield pa.Table.from_arrays([*nulls, pa.array([what])], names=[*self._columns, BROKEN_COLUMN])
