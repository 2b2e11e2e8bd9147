"""A dataset: the rows of a source under one schema, read as mini-batches or column by column."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.units import BROKEN_COLUMN, RowRange, Unit
from airflow_batch_inference.schema.columns import append_columns
from airflow_batch_inference.sources.batches import MiniBatch, Origin, join_pieces, readable_rows
from airflow_batch_inference.sources.cursor import Cursor
from airflow_batch_inference.sources.partitions import partition_value

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from airflow_batch_inference.records import DataFile, ReadOptions
    from airflow_batch_inference.sources.base import Source, Split

_NO_COLUMNS = pa.schema([])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The rows of a source, whose schema is known and fixed before the first one is read.

    Attributes
    ----------
    name
        What to call the dataset in messages.
    source
        Its rows, at one version.
    schema
        The columns: those of the splits in the first one's order, then those that are one value a split.
    absent
        Columns that some split lacks (they are null there), with the label of the first such split.
    options
        How its files are to be read another time, so that they give the same rows; None: as they are.
    index
        Columns that are pandas' index, which are no columns until they are asked for (:meth:`with_index`).
    parents
        Columns that are fields of a split's column, by that one's name; see :mod:`.nested`.
    """

    name: str
    source: Source
    schema: pa.Schema
    absent: dict[str, str] = dataclasses.field(default_factory=dict)
    options: ReadOptions | None = None
    index: pa.Schema = _NO_COLUMNS
    parents: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def identity(self) -> tuple[DataFile, ...]:
        """What tells these rows from any others."""
        return self.source.identity

    def require_unchanged(self, splits: Iterable[int] | None = None) -> None:
        """Refuse splits (their positions; None: all) that are not what was opened; see :class:`.base.Source`."""
        self.source.require_unchanged(range(len(self.source.splits)) if splits is None else splits)

    def for_transport(self) -> Dataset:
        """Return the dataset as another process can have it."""
        return replace(self, source=self.source.for_transport())

    def select(self, names: Sequence[str]) -> Dataset:
        """Return the dataset with these columns only, in this order; the others are not read."""
        places = {name: self.schema.get_field_index(name) for name in names}
        fields = [self.schema.field(at) if at >= 0 else self.index.field(name) for name, at in places.items()]
        return replace(self, schema=pa.schema(fields))

    def with_index(self, names: Iterable[str]) -> Dataset:
        """Return the dataset with those columns of pandas' index that are asked for by name, after all others."""
        asked = set(names) - set(self.schema.names)
        return replace(self, schema=pa.schema([*self.schema, *(each for each in self.index if each.name in asked)]))

    @property
    def units(self) -> tuple[tuple[Unit, ...], ...]:
        """The units of each split."""
        return tuple(split.units for split in self.source.splits)

    def label_of(self, split: int) -> str:
        """Return what messages call a split, by its position."""
        return self.source.splits[split].label

    def mini_batches(
        self, rows: int, *, ranges: Sequence[RowRange] | None = None, cursor: Cursor | None = None
    ) -> Generator[MiniBatch, None, None]:
        """Yield the rows in input order, ``rows`` at a time (the last one may hold fewer, never 0).

        After the last of all rows, splits that were changed in the meantime are an error (:meth:`require_unchanged`).

        Parameters
        ----------
        rows
            Rows a mini-batch; borders depend on nothing else.
        ranges
            Runs of rows to read, in this order; None for all rows.
        cursor
            Remembers where the last range ended, so that the next one need not read up to there again.
        """
        pending: list[pa.Table] = []
        origins: list[Origin] = []
        held = 0
        for table, uri, first_row in self._tables(ranges, cursor):
            taken = 0
            while taken < table.num_rows:
                piece = table.slice(taken, min(rows - held, table.num_rows - taken))
                pending.append(piece)
                origins.append(Origin(uri, first_row + taken, piece.num_rows))
                taken += piece.num_rows
                held += piece.num_rows
                if held == rows:
                    yield join_pieces(pending, origins)
                    pending, origins, held = [], [], 0
        if held:
            yield join_pieces(pending, origins)

    def _tables(
        self, ranges: Sequence[RowRange] | None = None, cursor: Cursor | None = None
    ) -> Iterator[tuple[pa.Table, str, int]]:
        is_whole = ranges is None
        if ranges is None:
            ranges = [
                RowRange(at, split.units[0].start, None, 0, 0, sum(unit.rows for unit in split.units))
                for at, split in enumerate(self.source.splits)
                if split.units
            ]
        cursor = cursor or Cursor()
        for wanted in ranges:
            split, first_row = self.source.splits[wanted.split], wanted.first_row
            begin = partial(self.split_tables, wanted.split)
            for table in cursor.read(split, wanted, tuple(self.schema.names), begin):
                conform = _conform(_unnested(table, self.parents), split, self.schema)
                if BROKEN_COLUMN in table.column_names:
                    conform = conform.append_column(BROKEN_COLUMN, table.column(BROKEN_COLUMN))
                yield conform, split.label, first_row
                first_row += table.num_rows
        if is_whole:  # whoever asks for some rows only, asks for this himself, too
            self.require_unchanged()

    def split_tables(self, split: int, start: int, stop: int | None) -> Iterator[pa.Table]:
        """Yield one split's rows from a unit's border on, as the split has them."""
        wanted = {self.parents.get(name, name) for name in self.schema.names}
        columns = self.source.splits[split].columns
        # At least one column must be read, or nothing would tell how many rows there are.
        present = [name for name in columns if name in wanted] or columns[:1]
        return self.source.tables(split, present, start=start, stop=stop)

    def count_rows(self) -> int:
        """Return how many rows there are."""
        return self.select(self.schema.names[:1]).whole().num_rows if self.schema.names else 0

    def whole(self) -> pa.Table:
        """Return all rows that can be read at once: for datasets that are known to be small, and for single columns."""
        tables = [readable_rows(table) for table, _, _ in self._tables()]
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def first_unreadable_number(self, column: str) -> tuple[str, int, str] | None:
        """Find the first value of a text column that is no number: its file, row and text."""
        for batch in self.select([column]).mini_batches(65_536):
            text = pc.utf8_trim_whitespace(batch.table.column(column).combine_chunks())
            numeric = pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)$")
            found = pc.index(pc.fill_null(numeric, fill_value=True), value=False).as_py()
            if found >= 0:
                uri, row = batch.locate(found)
                return uri, row, text[found].as_py()
        return None


def _unnested(table: pa.Table, parents: dict[str, str]) -> pa.Table:
    if not parents:
        return table
    made: dict[str, pa.ChunkedArray] = {}
    for parent in set(parents.values()) & set(table.column_names):
        column = table.column(parent)
        made |= {f"{parent}.{part.name}": each for part, each in zip(column.type, column.flatten(), strict=True)}
    return append_columns(table, made)


def _conform(table: pa.Table, split: Split, schema: pa.Schema) -> pa.Table:
    """Give a split's table the columns, order and types of a schema."""
    if table.schema.equals(schema):
        return table
    partition, there = dict(split.constants), set(table.column_names)
    arrays = []
    for field in schema:
        try:
            if field.name in there:
                arrays.append(table.column(field.name).cast(field.type))
            else:
                value = partition_value(partition.get(field.name), field.type)
                arrays.append(pa.chunked_array([pa.repeat(value, table.num_rows)]))
        except pa.ArrowInvalid as error:
            message = (
                f"Column {field.name!r} of {split.label} cannot become {field.type}, its type in the other files, "
                f"without a change: {error}. Write all files with one type."
            )
            raise DataError(message) from error
    return pa.Table.from_arrays(arrays, schema=schema)
