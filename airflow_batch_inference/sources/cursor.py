"""Reading runs of rows one after the other, each row once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from airflow_batch_inference.formats.units import RowRange
    from airflow_batch_inference.sources.base import Split


class Cursor:
    """Reads row ranges, and reads on where the last one ended if the next one follows it.

    A range may begin in the middle of a row group; whoever scores one range after the other reads each row once.
    """

    def __init__(self) -> None:
        self._place: tuple[int, tuple[str, ...]] | None = None
        self._tables: Iterator[pa.Table] = iter(())
        self._rest: pa.Table | None = None
        self._row = 0

    def read(
        self,
        split: Split,
        wanted: RowRange,
        columns: tuple[str, ...],
        begin: Callable[[int, int | None], Iterator[pa.Table]],
    ) -> Iterator[pa.Table]:
        """Yield the rows of one range.

        Parameters
        ----------
        split
            The split of the range.
        wanted
            The range.
        columns
            The columns that are read.
        begin
            Reads the split from one unit's start to another one's stop.

        Raises
        ------
        DataError
            The split has fewer rows there, or more, than when it was planned.
        """
        place = (wanted.split, columns)
        sequential = split.is_sequential
        start_row = wanted.first_row - wanted.skip
        if not sequential or self._place != place or not start_row <= self._row <= wanted.first_row:
            self._place = place
            stop = None if sequential else wanted.stop
            self._tables, self._rest, self._row = begin(wanted.start, stop), None, start_row
        try:
            yield from self._run(split, wanted)
            if not sequential:
                self._place = None
                self._require_end(split, wanted)
        except BaseException:
            self._place = None
            raise

    def _require_end(self, split: Split, wanted: RowRange) -> None:
        if any(table.num_rows for table in self._tables):
            raise _changed(split, wanted)

    def _run(self, split: Split, wanted: RowRange) -> Iterator[pa.Table]:
        end = wanted.first_row + wanted.rows
        while self._row < end:
            table = self._rest if self._rest is not None else next(self._tables, None)
            if table is None:
                raise _changed(split, wanted)
            before = min(max(0, wanted.first_row - self._row), table.num_rows)
            taken = min(table.num_rows - before, max(0, end - self._row - before))
            self._rest = table.slice(before + taken) if before + taken < table.num_rows else None
            self._row += before + taken
            if taken:
                yield table.slice(before, taken)


def _changed(split: Split, wanted: RowRange) -> DataError:
    last = wanted.first_row + wanted.rows - 1
    return DataError(
        f"{split.label} does not hold the rows {wanted.first_row} to {last} that it had when the "
        "run was planned: it was changed, or is not what its name says. Run the task again."
    )
