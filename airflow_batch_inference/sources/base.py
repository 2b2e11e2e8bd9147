"""What a source is: rows at one version, in splits that can be read apart from each other.

Invariants: a source that is open gives the same rows in the same order whoever asks, or says that it was changed; the
number of a row within its split is its identity, and depends on nothing but the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from airflow_batch_inference.formats.units import Unit
    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A piece of a source, whose rows are numbered from 0: a file, or rows in memory.

    Attributes
    ----------
    label
        What messages and rejected rows call it; a file's URI.
    units
        The pieces that it can be read in without reading what comes before.
    columns
        Names of the columns that it has itself.
    constants
        Columns that are one value in all of its rows, as text (None: null): the ``key=value`` folders of a file.
    version
        What it was when the source was opened; None: it cannot change.
    is_sequential
        Whether a reader that stopped within a unit goes on from there at no cost.
    """

    label: str
    units: tuple[Unit, ...]
    columns: tuple[str, ...]
    constants: tuple[tuple[str, str | None], ...] = ()
    version: DataFile | None = None
    is_sequential: bool = True


class Source(Protocol):
    """Rows at one version; picklable once it is :meth:`for_transport`."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """Its pieces, in the order of its rows."""

    @property
    def identity(self) -> tuple[DataFile, ...]:
        """What tells these rows from any others: a job with another identity is another job."""

    @property
    def is_inline(self) -> bool:
        """Whether the rows came with the request itself, so that nothing is left to read them from another time."""

    @property
    def storage(self) -> Storage | None:
        """What reaches the rows; None: nothing has to."""

    def tables(self, split: int, columns: Sequence[str], *, start: int, stop: int | None) -> Iterator[pa.Table]:
        """Yield rows of a split in their order.

        Parameters
        ----------
        split
            Its position.
        columns
            Some of the split's own, at least one if it has any.
        start, stop
            The first unit's start, and the last one's stop (None: to the end).
        """

    def require_unchanged(self, splits: Iterable[int]) -> None:
        """Refuse splits that are not what was opened: what was read of them may be of two versions.

        Raises
        ------
        InputChangedError
            Names the first such split.
        """

    def for_transport(self) -> Source:
        """Return it as another process can have it."""

    def describe(self) -> str:
        """Return in some words what it consists of: ``3 file(s)``."""
