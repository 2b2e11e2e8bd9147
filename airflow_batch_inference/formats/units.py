"""The pieces that a file can be read in without reading what comes before: row groups, record batches, byte ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_batch_inference.formats.csv.parser import CsvForm
    from airflow_batch_inference.formats.parquet.int96 import Int96Unit


BROKEN_COLUMN = "__broken_line__"
"""In tables with lines that cannot be read: what is wrong with a row; null where nothing is."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a file that can be read on its own.

    Attributes
    ----------
    start, stop
        Row group (Parquet), record batch (Arrow) or byte offset (text) at which it begins and ends; ``stop`` is
        exclusive, and None at the end of a file that can only be read as a whole.
    rows
        Its rows.
    size_bytes
        About how much memory they take.
    divisible
        Whether a part may begin in the middle of it, at the cost of reading past the rows before.
    """

    start: int
    stop: int | None
    rows: int
    size_bytes: int
    divisible: bool


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is known of a file before its rows are read."""

    schema: pa.Schema
    units: tuple[Unit, ...]
    broken: int = 0
    """How many of its rows are lines that cannot be read: CSV lines with too few or too many values, and the like."""
    csv: CsvForm | None = None
    """What a CSV file looks like."""
    codes: frozenset[str] = frozenset()
    """Text columns of a CSV file whose values are whole numbers in a form that a number would change."""
    int96_unit: Int96Unit = "us"
    """What Parquet's timestamps of 96 bits are read in."""
    index: tuple[str, ...] = ()
    """Columns that are pandas' index."""


@dataclass(frozen=True, slots=True)
class RowRange:
    """A run of rows of one split of a dataset, and how to get at them.

    Attributes
    ----------
    split
        The split's position in the dataset; a split is a file, or rows in memory.
    start, stop
        As in :class:`Unit`, from the first unit to the last.
    skip
        Rows to read past after ``start``.
    first_row, rows
        The run: its first row's number in the split, from 0, and how many rows there are.
    """

    split: int
    start: int
    stop: int | None
    skip: int
    first_row: int
    rows: int
