"""The first rows of a file, as text for a page.

What must not be relaxed: only the beginning of a file is read, some columns of it, and some characters of a value,
however large a file, a row or a value is; a file or a value that cannot be read leaves the page whole.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.datasets.formats import format_of
from airflow_batch_inference.exceptions import BatchInferenceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.storage import Storage

log = logging.getLogger(__name__)

_HEAD_BYTES = 1 << 18
"""Of a text file: enough for the rows of a page, whatever is in them."""
_MOST_BYTES = 64 << 20
"""Of what is read for the rows, uncompressed: Parquet and Arrow are read by pages and batches, not by rows."""
_MOST_ITEMS = 6
_MOST_CHARACTERS = 1_000
_UNREADABLE = (
    BatchInferenceError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    NotImplementedError,
    ArithmeticError,
    RecursionError,
    csv.Error,
)
"""What the readers raise of a damaged file; Arrow's own errors are among them."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Some rows of some columns, each value as JSON or Python has it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    names: tuple[str, ...] = field(default=(), compare=False)
    """Of all the file's columns."""
    left_out: tuple[str, ...] = ()
    """Columns that were asked for, and whose beginning is too large to be read for a page."""


def first_rows(uri: str, columns: Sequence[str] | None, rows: int, storage: Storage) -> Preview | None:
    """Return the first rows of a file.

    Parameters
    ----------
    uri
        A Parquet, Arrow, CSV or JSON lines file that may be read.
    columns
        Those that are wanted; the ones that the file has are given, in this order. None: the file's own first ones.
    rows
        At most so many.
    storage
        Reaches it.

    Returns
    -------
    None where the file cannot be read, or is of no such format.
    """
    if rows < 1:
        return None
    try:
        kind, compression = format_of(uri)
        if kind == "parquet":
            return _parquet(uri, columns, rows, storage)
        if kind == "arrow":
            return _arrow(uri, columns, rows, storage)
        return _text(uri, kind, compression, columns, rows, storage)
    except _UNREADABLE as error:
        log.warning("The first rows of %s are not shown: %s", uri, error)
        return None


def _parquet(uri: str, columns: Sequence[str] | None, rows: int, storage: Storage) -> Preview:
    import pyarrow.parquet as pq

    fs, path = storage.filesystem(uri)
    with fs.open(path, "rb") as opened:
        metadata = pq.read_metadata(opened)
        schema = metadata.schema.to_arrow_schema()
        groups = _first_groups(metadata, rows)
        wanted, left_out = _fitting(_wanted(columns, schema.names), metadata, groups)
        # One long text in every row stands once in the file, and so it does in memory.
        places = _places(schema.names)
        texts = [name for name in wanted if _is_text(schema.field(places[name]).type)]
        with pq.ParquetFile(
            opened, metadata=metadata, buffer_size=1 << 16, pre_buffer=False, read_dictionary=texts
        ) as file:
            batches = file.iter_batches(batch_size=rows, row_groups=groups, columns=wanted)
            batch = next(iter(batches), None) if wanted else None
        read = {} if batch is None else _places(batch.schema.names)
        found = [] if batch is None else [_cells(batch.column(read[name]), rows) for name in wanted]
    return Preview(tuple(wanted), tuple(zip(*found, strict=True)), tuple(schema.names), tuple(left_out))


def _first_groups(metadata: Any, rows: int) -> list[int]:  # noqa: ANN401  # Parquet's
    """Return the row groups that the first rows are in."""
    found, held = [], 0
    for group in range(metadata.num_row_groups):
        if held >= rows:
            break
        found.append(group)
        held += metadata.row_group(group).num_rows
    return found


def _fitting(wanted: Sequence[str], metadata: Any, groups: Iterable[int]) -> tuple[list[str], list[str]]:  # noqa: ANN401
    """Return the columns of which these row groups are small enough to be read, and the others."""
    sizes = dict.fromkeys(wanted, 0)
    for group in map(metadata.row_group, groups):
        for leaf in map(group.column, range(group.num_columns)):
            path = leaf.path_in_schema
            # A nested column's leaves have longer paths; a name may have a point in it all the same.
            name = path if path in sizes else next((each for each in wanted if path.startswith(f"{each}.")), None)
            if name is not None:
                sizes[name] += leaf.total_uncompressed_size
    fits: list[str] = []
    left_out: list[str] = []
    total = 0
    for name, size in sizes.items():
        is_small = total + size <= _MOST_BYTES
        total += size * is_small
        (fits if is_small else left_out).append(name)
    return fits, left_out


def _arrow(uri: str, columns: Sequence[str] | None, rows: int, storage: Storage) -> Preview:
    import pyarrow as pa

    fs, path = storage.filesystem(uri)
    with fs.open(path, "rb") as opened:
        with pa.ipc.open_file(opened) as file:
            names, batches = list(file.schema.names), file.num_record_batches
        wanted = _wanted(columns, names)
        if not batches or not wanted:
            return Preview(tuple(wanted), (), tuple(names))
        # What a batch takes is in no place that can be read without it; batches are written alike.
        length = opened.seek(0, io.SEEK_END)
        if length / batches / len(names) > _MOST_BYTES / len(wanted):
            return Preview((), (), tuple(names), tuple(wanted))
        places = _places(names)
        found = [_cells(_arrow_column(opened, places[name]), rows) for name in wanted]
    return Preview(tuple(wanted), tuple(zip(*found, strict=True)), tuple(names))


def _arrow_column(opened: Any, place: int) -> Any:  # noqa: ANN401  # a file and an array
    """Read one column of the first batch: no more than one is held at a time."""
    import pyarrow as pa

    opened.seek(0)
    options = pa.ipc.IpcReadOptions(included_fields=[place])
    with pa.ipc.open_file(opened, options=options) as file:
        return file.get_batch(0).column(0)


def _is_text(kind: Any) -> bool:  # noqa: ANN401  # Arrow's
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _cells(array: Any, rows: int) -> list[Any]:  # noqa: ANN401  # an Arrow array
    return [_value(each) for each in _cut(array.slice(0, rows))]


def _cut(array: Any) -> Any:  # noqa: ANN401  # as above
    """Return an array with the beginning of each text in the place of the whole, before Python makes any of it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type) and _is_text(array.type.value_type):
        return pa.DictionaryArray.from_arrays(array.indices, _cut(array.dictionary))
    if not _is_text(array.type):
        return array
    return pc.utf8_slice_codeunits(array, 0, _MOST_CHARACTERS)


def _value(scalar: Any) -> Any:  # noqa: ANN401  # an Arrow scalar
    """Return a value as Python has it, or as text where Python cannot hold it; of a list only its beginning is made."""
    items = getattr(scalar, "values", None)
    if items is not None and hasattr(items, "slice"):
        found = [_value(each) for each in _cut(items.slice(0, _MOST_ITEMS))]
        return [*found, Ellipsis] if len(items) > _MOST_ITEMS else found
    try:
        return scalar.as_py()
    except (ArithmeticError, ValueError, LookupError, RecursionError):
        # Such as a database's "infinity": a time of which Arrow has the number.
        number = getattr(scalar, "value", None)
        return f"{number} ({scalar.type})" if isinstance(number, int) else f"({scalar.type})"


def _text(
    uri: str, kind: str, compression: str | None, columns: Sequence[str] | None, rows: int, storage: Storage
) -> Preview:
    fs, path = storage.filesystem(uri)
    with fs.open(path, "rb", compression=compression) as opened:
        head = opened.read(_HEAD_BYTES)
    lines = io.StringIO(head.decode("utf-8-sig", errors="replace"), newline="")
    records: list[dict[str, Any]]
    if kind == "csv":
        records = [dict(row) for row in islice(csv.DictReader(lines), rows)]
    else:
        records = [_document(line) for line in islice(lines, rows)]
    names = list(dict.fromkeys(name for record in records for name in record))
    wanted = _wanted(columns, names)
    found = tuple(tuple(record.get(name) for name in wanted) for record in records)
    return Preview(tuple(wanted), found, tuple(names))


def _document(line: str) -> dict[str, Any]:
    found = json.loads(line)
    return {name: _flat(value) for name, value in (found if isinstance(found, dict) else {"": found}).items()}


def _flat(value: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    """Return a value with the text of what is nested in it in its place, however deep that is."""
    if isinstance(value, list):
        found = [str(each)[:_MOST_CHARACTERS] if isinstance(each, (list, dict)) else each for each in value]
        return found if len(found) <= _MOST_ITEMS else [*found[:_MOST_ITEMS], Ellipsis]
    return str(value)[:_MOST_CHARACTERS] if isinstance(value, dict) else value


def _wanted(columns: Sequence[str] | None, there: Sequence[str]) -> list[str]:
    known = [name for name in dict.fromkeys(there) if isinstance(name, str)]
    if columns is None:
        return known
    there_are = set(known)
    return [name for name in columns if name in there_are]


def _places(names: Sequence[str]) -> dict[str, int]:
    """Return where each name stands first."""
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        found.setdefault(name, place)
    return found
