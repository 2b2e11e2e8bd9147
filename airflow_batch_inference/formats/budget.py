"""How much memory one step of reading may take: a file of few bytes can unpack to any number of them.

Invariants: what is too large is refused, with the file, the column and what to do, before memory is asked for; nobody
learns of it from a process that was killed.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import DataError

if TYPE_CHECKING:
    from airflow_batch_inference.storage.store import Storage

MOST_COLUMNS = 100_000
"""Of a file: each takes some ten KB before the first value is read."""
_LEAST_BYTES = 256 << 20
_COPIES_OF_A_LINE = 8
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def reading_budget(storage: Storage) -> int:
    """Return how many bytes one step of reading may take: ``max_memory``, or half of what there is."""
    return max(_LEAST_BYTES, _half_of_memory() if storage.max_memory is None else storage.max_memory)


def longest_line(storage: Storage, most: int) -> int:
    """Return how long a line of a text file may be, at most so long: a parser holds it some times over."""
    return min(most, reading_budget(storage) // _COPIES_OF_A_LINE)


@functools.cache
def _half_of_memory() -> int:
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for place in map(Path, _CGROUP_LIMITS):
        try:
            found.append(int(place.read_text()))
        except (OSError, ValueError):  # there is none; or it says "max"
            continue
    return min(found) // 2


def require_columns(uri: str, columns: int) -> None:
    """Refuse a file of more columns than anything here is made for.

    Raises
    ------
    DataError
        It has more.
    """
    if columns > MOST_COLUMNS:
        message = (
            f"{uri} has about {columns:,} columns; the limit is {MOST_COLUMNS:,}. Where the columns' names are data, "
            "write them as values; or put the values into one column of lists."
        )
        raise DataError(message)


def too_large(where: str, column: str | None, needed: int, most: int, remedy: str) -> DataError:
    """Return the error that says what would not fit.

    Parameters
    ----------
    where
        The file, and the row group, batch or line of it.
    column
        The largest; None: there is none.
    needed, most
        Bytes.
    remedy
        How the file should be written.
    """
    whose = "" if column is None else f", most of it for column {column!r}"
    return DataError(
        f"{where} would take {_told(needed)} of memory at once{whose}; one step of reading may take {_told(most)} "
        f"(max_memory, or half of the machine's memory). {remedy}, or leave the column out; if the data are right, "
        "run it where there is more memory, with max_memory to match."
    )


def _told(size: int) -> str:
    unit, factor = next(((unit, factor) for unit, factor in _UNITS if size >= factor), ("bytes", 1))
    return f"{size / factor:,.1f} {unit}" if factor > 1 else f"{size} bytes"
