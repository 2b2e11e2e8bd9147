"""Mini-batches: rows given to one predict call, and which row of which split each of them is."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.formats.units import BROKEN_COLUMN

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run of rows in a mini-batch comes from."""

    uri: str
    first_row: int
    """Number of the first of these rows within the file, from 0."""
    rows: int


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """Rows given to one predict call, and the files and rows they come from."""

    table: pa.Table
    origins: tuple[Origin, ...]
    broken: tuple[tuple[int, str], ...] = ()
    """Rows (their places here) that could not be read, and what is wrong with them; they are nulls in the table."""

    def locate(self, row: int) -> tuple[str, int]:
        """Return the file of a row of this mini-batch, and the row's number in the file (from 0)."""
        for origin in self.origins:
            if row < origin.rows:
                return origin.uri, origin.first_row + row
            row -= origin.rows
        message = f"row {row} lies beyond the mini-batch"
        raise IndexError(message)

    def readable(self) -> NDArray[np.bool_]:
        """Say of each row whether it could be read, shape (rows,)."""
        readable = np.ones(self.table.num_rows, dtype=bool)
        readable[[row for row, _ in self.broken]] = False
        return readable

    def slice(self, start: int, rows: int) -> MiniBatch:
        """Return a run of these rows, with their origins."""
        origins = []
        before = 0
        for origin in self.origins:
            first, last = max(start, before), min(start + rows, before + origin.rows)
            if first < last:
                origins.append(Origin(origin.uri, origin.first_row + first - before, last - first))
            before += origin.rows
        first, last = (bisect_left(self.broken, at, key=itemgetter(0)) for at in (start, start + rows))
        broken = tuple((row - start, error) for row, error in self.broken[first:last])
        return MiniBatch(self.table.slice(start, rows), tuple(origins), broken)

    def describe(self) -> str:
        """Return the files and row ranges, for messages."""
        if self.table.num_rows == 1:
            return "{}, row {} (from 0)".format(*self.locate(0))
        shown = [f"{o.uri} rows {o.first_row} to {o.first_row + o.rows - 1}" for o in self.origins[:3]]
        return ", ".join(shown) + (f" and {len(self.origins) - 3} more files" if len(self.origins) > 3 else "")


def join_pieces(tables: list[pa.Table], origins: list[Origin]) -> MiniBatch:
    """Join tables, and take out which rows could not be read."""
    table = pa.concat_tables(tables, promote_options="default")
    if BROKEN_COLUMN not in table.column_names:
        return MiniBatch(table, _joined(origins))
    errors = table.column(BROKEN_COLUMN).to_pylist()
    broken = tuple((row, error) for row, error in enumerate(errors) if error is not None)
    return MiniBatch(table.drop_columns(BROKEN_COLUMN), _joined(origins), broken)


def readable_rows(table: pa.Table) -> pa.Table:
    """Leave out the rows that could not be read, and what is wrong with them."""
    if BROKEN_COLUMN not in table.column_names:
        return table
    return table.filter(pc.is_null(table.column(BROKEN_COLUMN))).drop_columns(BROKEN_COLUMN)


def _joined(origins: list[Origin]) -> tuple[Origin, ...]:
    """Join runs of rows that follow each other in one file."""
    joined: list[Origin] = []
    for origin in origins:
        last = joined[-1] if joined else None
        if last and last.uri == origin.uri and last.first_row + last.rows == origin.first_row:
            joined[-1] = Origin(last.uri, last.first_row, last.rows + origin.rows)
        else:
            joined.append(origin)
    return tuple(joined)
