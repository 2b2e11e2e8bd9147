"""How the input is cut into parts, and how large a mini-batch is: pure functions of the input alone.

Invariants: the plan does not depend on the number of workers, so that neither does the output.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.units import RowRange
from airflow_batch_inference.records import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from airflow_batch_inference.formats.units import Unit
    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.sources.dataset import Dataset

_PART_ROWS = 131_072
_PART_BYTES = 128 << 20
BATCH_BYTES = 8 << 20
_MIN_BATCH_ROWS = 1_024
_MAX_BATCH_ROWS = 65_536
_VARIABLE_WIDTH_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlan:
    """One part: the runs of rows that it scores, in input order.

    Attributes
    ----------
    index
        Its place in the output.
    ranges
        The rows, as runs of input files.
    rows, size_bytes
        How many they are, and about how much memory they take.
    """

    index: int
    ranges: tuple[RowRange, ...]
    rows: int
    size_bytes: int


def plan_parts(units: Sequence[Sequence[Unit]]) -> tuple[PartPlan, ...]:
    """Cut a dataset into parts of at most 131,072 rows and about 128 MiB.

    Small files are packed together and large ones are cut: between units wherever that does, within a unit only where
    it is larger than a part (and divisible). Without rows there is one part, so that an empty output has a file.

    Parameters
    ----------
    units
        The units of each file, in input order.

    Examples
    --------
    >>> from airflow_batch_inference.formats.units import Unit
    >>> small = [Unit(0, 1, 10, 800, divisible=True)]
    >>> [(part.rows, len(part.ranges)) for part in plan_parts([small, small])]
    [(20, 2)]
    """
    packer = _Packer()
    for file, pieces in enumerate(units):
        first_row = 0
        for unit in pieces:
            packer.add(file, unit, first_row)
            first_row += unit.rows
    packer.close()
    return tuple(packer.parts) or (PartPlan(index=0, ranges=(), rows=0, size_bytes=0),)


def versions_of(dataset: Dataset, plan: PartPlan) -> tuple[DataFile, ...]:
    """Return the versions of the splits that a part reads, each once; of rows that cannot change there are none."""
    splits = dict.fromkeys(wanted.split for wanted in plan.ranges)
    versions = (dataset.source.splits[split].version for split in splits)
    return tuple(version for version in versions if version is not None)


def versions_digest(dataset: Dataset, plan: PartPlan) -> str:
    """Return the SHA-256 of those versions, in 64 hex digits."""
    return fingerprint([[file.uri, file.size_bytes, file.version] for file in versions_of(dataset, plan)])


@dataclass(slots=True)
class _Packer:
    """Fills one part after the other."""

    parts: list[PartPlan] = field(default_factory=list)
    ranges: list[RowRange] = field(default_factory=list)
    rows: int = 0
    size: int = 0

    def add(self, file: int, unit: Unit, first_row: int) -> None:
        """Put a unit into the part at hand if it fits, else into the next ones."""
        if not self._fits(unit.rows, unit.size_bytes):
            self.close()
        width = max(1, unit.size_bytes // max(1, unit.rows))
        most = max(1, min(_PART_ROWS, _PART_BYTES // width)) if unit.divisible else max(1, unit.rows)
        for skip in range(0, unit.rows, most):
            taken = min(most, unit.rows - skip)
            size = unit.size_bytes * taken // unit.rows
            if not self._fits(taken, size):
                self.close()
            self._append(RowRange(file, unit.start, unit.stop, skip, first_row + skip, taken))
            self.rows += taken
            self.size += size

    def close(self) -> None:
        """End the part at hand, if it has rows."""
        if self.ranges:
            index = len(self.parts)
            self.parts.append(PartPlan(index=index, ranges=tuple(self.ranges), rows=self.rows, size_bytes=self.size))
        self.ranges, self.rows, self.size = [], 0, 0

    def _fits(self, rows: int, size: int) -> bool:
        return not self.ranges or (self.rows + rows <= _PART_ROWS and self.size + size <= _PART_BYTES)

    def _append(self, new: RowRange) -> None:
        """Append a run, joined with the last one where it follows it in the file."""
        last = self.ranges[-1] if self.ranges else None
        if last and last.split == new.split and last.first_row + last.rows == new.first_row:
            self.ranges[-1] = replace(last, stop=new.stop, rows=last.rows + new.rows)
        else:
            self.ranges.append(new)


def mini_batch_rows(wanted: int | str, schema: pa.Schema, most_bytes: int = BATCH_BYTES) -> int:
    """Return how many rows one predict call gets.

    Parameters
    ----------
    wanted
        A number of at least 1 (also as text, from a template), or ``"auto"``: the largest power of two from 1,024 to
        65,536 whose rows take ``most_bytes`` at most; such mini-batches are written without being joined and cut.
    schema
        The dataset's columns.
    most_bytes
        What a mini-batch may take in memory: 8 MiB, or less where memory is limited.

    Raises
    ------
    ConfigurationError
        Neither.

    Examples
    --------
    >>> import pyarrow as pa
    >>> mini_batch_rows("500", pa.schema([]))
    500
    """
    if wanted == "auto":
        width = sum(_width(field.type) for field in schema) or 1
        fitting = max(_MIN_BATCH_ROWS, min(_MAX_BATCH_ROWS, most_bytes // width))
        return int(1 << fitting.bit_length() - 1)
    if isinstance(wanted, str) and wanted.isdecimal():
        wanted = int(wanted)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        message = f'mini_batch_rows is {wanted!r}; it must be "auto" or a whole number of at least 1.'
        raise ConfigurationError(message)
    return wanted


def batch_bytes(max_memory: int | None) -> int:
    """Return about how much memory a mini-batch takes: 8 MiB, or less where all workers together have little.

    Examples
    --------
    >>> batch_bytes(None) >> 20, batch_bytes(128 << 20) >> 20
    (8, 2)
    """
    return BATCH_BYTES if max_memory is None else max(1 << 20, min(BATCH_BYTES, max_memory // 64))


def _width(kind: pa.DataType) -> int:
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return _VARIABLE_WIDTH_BYTES
