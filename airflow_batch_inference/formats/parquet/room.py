"""How much memory the rows of a Parquet file take once they are unpacked, by what the file says before it is read.

A list of zeros, or one long text in every row, takes no room in a file.

Invariants: what would not fit is refused by row group and column, before it is unpacked; and what fits is read as
before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.formats.budget import reading_budget, too_large
from airflow_batch_inference.formats.parquet.pages import require_chunks
from airflow_batch_inference.formats.validity import longest_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import pyarrow.parquet as pq

    from airflow_batch_inference.storage.store import Storage

    Again = Callable[[list[str]], AbstractContextManager[pq.ParquetFile]]

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 4}
_LEVEL_BYTES = 4
_TELLING_RATIO = 32
"""Values that take so many times their room in the file are said again and again, and may all be in one row."""
_FEWEST_ROWS = 64
_REMEDY = "Write it in smaller row groups"


def parquet_batch_rows(
    uri: str,
    storage: Storage,
    file: pq.ParquetFile,
    groups: Sequence[int],
    columns: Sequence[str],
    rows: int,
    again: Again,
) -> int:
    """Return how many rows of some row groups can be read at once: so many as wanted, or fewer.

    Parameters
    ----------
    uri, storage
        The file, and what says how much memory there is.
    file
        The open file.
    groups, columns
        What will be read of it.
    rows
        As many as are wanted.
    again
        Opens the file another time, with the dictionaries of some leaves kept.

    Raises
    ------
    DataError
        Not even few rows would fit: names the row group and the column.
    """
    most = reading_budget(storage)
    names = set(columns)
    schema = file.metadata.schema
    leaves = [
        (place, leaf, name)
        for place in range(len(schema))
        if (name := _owner((leaf := schema.column(place)).path, names)) is not None
    ]
    telling = [(place, leaf, name) for place, leaf, name in leaves if _may_unfold(leaf)]
    if not telling:
        return rows
    for group in groups:
        rows = min(rows, _fitting_rows(uri, file, group, telling, most, rows, again))
    return rows


def _may_unfold(leaf: Any) -> bool:  # noqa: ANN401  # Parquet's
    return leaf.max_repetition_level > 0 or leaf.physical_type in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")


def _owner(path: str, names: set[str]) -> str | None:
    """Return the column that a leaf is of: its path may be longer, and a name may have points in it all the same."""
    if path in names:
        return path
    parts = path.split(".")
    return next((name for end in range(len(parts) - 1, 0, -1) if (name := ".".join(parts[:end])) in names), None)


def _fitting_rows(
    uri: str,
    file: pq.ParquetFile,
    number: int,
    leaves: Sequence[tuple[int, Any, str]],
    most: int,
    wanted: int,
    again: Again,
) -> int:
    require_chunks(file, number, [place for place, _, _ in leaves])
    group = file.metadata.row_group(number)
    there = max(1, group.num_rows)
    at_once = min(wanted, there)
    needed: dict[str, int] = {}
    a_row = 0.0
    for place, leaf, name in leaves:
        chunk = group.column(place)
        width = _WIDTHS.get(leaf.physical_type, leaf.length or 8)
        values, packed = int(chunk.num_values), int(chunk.total_uncompressed_size)
        is_list = leaf.max_repetition_level > 0
        plain = values * (width + _LEVEL_BYTES * is_list)
        # Of values that are said again and again, all may be in one row; of others, each row has its share.
        whole = plain if is_list and plain > _TELLING_RATIO * packed else plain * at_once // there
        if leaf.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page and at_once * packed > most:
            longest = _longest(again, number, leaf.path, name)
            whole += longest * (values if is_list else at_once)
            a_row += longest * (values / there if is_list else 1)
        needed[name] = needed.get(name, 0) + whole
    total = sum(needed.values())
    if total <= most:
        return wanted
    fewer = int(most // a_row) if a_row else 0
    fixed = total - int(a_row * at_once)
    if fixed <= most and fewer >= _FEWEST_ROWS:
        return min(wanted, fewer)
    column = max(needed, key=lambda name: needed[name])
    raise too_large(f"row group {number} (from 0) of {uri}", column, total, most, _REMEDY)


def _longest(again: Again, group: int, path: str, name: str) -> int:
    """Return how long the longest text of a chunk's dictionary is, which is read for that alone."""
    with again([path]) as file:
        batch = next(file.iter_batches(batch_size=1, row_groups=[group], columns=[name], use_threads=False), None)
    return 0 if batch is None else longest_value(batch.column(0))
