"""The first rows of a file, as text for a page.

Invariants: only the beginning of a file is read, some columns of it, and some characters of a value, however large a
file, a row or a value is; a file or a value that cannot be read leaves the page whole.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.formats.names import format_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_HEAD_BYTES = 1 << 18
"""Of a text file: enough for the rows of a page, whatever is in them."""
_MOST_BYTES = 64 << 20
"""Of what is read for the rows, uncompressed: Parquet and Arrow are read by pages and batches, not by rows."""
_MOST_FOOTER_BYTES = 16 << 20
_MOST_PAGES = 10_000
_MOST_DICTIONARIES = 1_000
_VALUE_BYTES = 8
_MOST_ITEMS = 6
_MOST_LEVELS = 20
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
    MemoryError,
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

    from airflow_batch_inference.formats.parquet.pages import require_chunks

    fs, path = storage.filesystem(uri)
    with fs.open(path, "rb") as opened:
        _require_footer(opened, 8)
        metadata = pq.read_metadata(opened)
        schema = metadata.schema.to_arrow_schema()
        groups = _first_groups(metadata, rows)
        with pq.ParquetFile(opened, metadata=metadata, pre_buffer=False, buffer_size=1 << 16) as file:
            for group in groups:
                require_chunks(file, group, range(len(metadata.schema)))
        wanted, left_out = _fitting(_wanted(columns, schema.names), metadata, groups, opened, rows)
        # One long text in every row stands once in the file, and so it does in memory.
        leaves = [metadata.schema.column(place) for place in range(len(metadata.schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and _owner(leaf.path, set(wanted))]
        with pq.ParquetFile(
            opened, metadata=metadata, buffer_size=1 << 16, pre_buffer=False, read_dictionary=texts
        ) as file:
            batches = file.iter_batches(batch_size=rows, row_groups=groups, columns=wanted, use_threads=False)
            batch = next(iter(batches), None) if wanted else None
        if batch is not None:
            batch.validate(full=True)
        read = {} if batch is None else _places(batch.schema.names)
        found = [] if batch is None else [_cells(batch.column(read[name]), rows) for name in wanted]
    return Preview(tuple(wanted), tuple(zip(*found, strict=True)), tuple(schema.names), tuple(left_out))


def _require_footer(opened: Any, tail: int) -> None:  # noqa: ANN401  # an open file
    """Refuse a file whose description of itself is too large to be read for a page."""
    size = opened.seek(0, io.SEEK_END)
    opened.seek(max(0, size - tail))
    length = int.from_bytes(opened.read(4), "little")
    opened.seek(0)
    if length > _MOST_FOOTER_BYTES:
        message = f"its footer has {length:,} bytes"
        raise ValueError(message)


def _first_groups(metadata: Any, rows: int) -> list[int]:  # noqa: ANN401  # Parquet's
    """Return the row groups that the first rows are in."""
    found, held = [], 0
    for group in range(metadata.num_row_groups):
        if held >= rows:
            break
        found.append(group)
        held += metadata.row_group(group).num_rows
    return found


def _fitting(
    wanted: Sequence[str],
    metadata: Any,  # noqa: ANN401  # Parquet's
    groups: Iterable[int],
    opened: Any,  # noqa: ANN401  # the open file
    rows: int,
) -> tuple[list[str], list[str]]:
    """Return the columns of which these row groups are small enough to be read, and the others."""
    sizes = dict.fromkeys(wanted, 0)
    names = set(wanted)
    schema = metadata.schema
    for group in map(metadata.row_group, groups):
        for place in range(group.num_columns):
            chunk = group.column(place)
            name = _owner(chunk.path_in_schema, names)
            if name is not None and sizes[name] <= _MOST_BYTES:
                sizes[name] += _chunk_bytes(opened, chunk, schema.column(place), rows)
    fits: list[str] = []
    left_out: list[str] = []
    total = 0
    for name, size in sizes.items():
        is_small = total + size <= _MOST_BYTES
        total += size * is_small
        (fits if is_small else left_out).append(name)
    return fits, left_out


def _owner(path: str, names: AbstractSet[str]) -> str | None:
    """Return the column that a leaf is of: its path may be longer, and a name may have points in it all the same."""
    parts = path.split(".")
    return next((name for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in names), None)


def _chunk_bytes(opened: Any, chunk: Any, leaf: Any, rows: int) -> int:  # noqa: ANN401  # a file and Parquet's metadata
    """Return about how much memory the first rows of a column chunk take, by what its pages say.

    A list may have all its values in one row, and zeros take no room in a file.
    """
    from airflow_batch_inference.formats.parquet.pages import pages

    is_nested = leaf.max_repetition_level > 0
    width = max(_VALUE_BYTES, leaf.length or 0) if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else _VALUE_BYTES
    said = max(chunk.total_uncompressed_size, width * chunk.num_values if is_nested else width * rows)
    found = seen = 0
    for number, page in enumerate(pages(opened, chunk)):
        found += page.bytes + (width * page.values if is_nested else 0)
        seen += page.values
        if found > _MOST_BYTES or number > _MOST_PAGES:
            return _MOST_BYTES + 1
        if not is_nested and seen > 2 * rows + page.values:
            break
    return int(max(found, said))


def _arrow(uri: str, columns: Sequence[str] | None, rows: int, storage: Storage) -> Preview:
    import pyarrow as pa

    from airflow_batch_inference.formats.arrow.messages import blocks_of, column_sizes, message_at

    fs, path = storage.filesystem(uri)
    with fs.open(path, "rb") as opened:
        _require_footer(opened, 10)
        with pa.ipc.open_file(opened) as file:
            schema = file.schema
        names = list(schema.names)
        wanted = _wanted(columns, names)
        dictionaries, batches = blocks_of(opened)
        if not batches or not wanted:
            return Preview(tuple(wanted), (), tuple(names))
        length = opened.seek(0, io.SEEK_END)
        held = [message_at(opened, block.offset, length) for block in dictionaries[:_MOST_DICTIONARIES]]
        first = message_at(opened, batches[0].offset, length)
        in_dictionaries = sum(sum(each.sizes) for each in held if each is not None)
        if first is None or len(dictionaries) > _MOST_DICTIONARIES or in_dictionaries > _MOST_BYTES:
            return Preview((), (), tuple(names), tuple(wanted))
        sizes = column_sizes(schema, first.sizes)
        fits: list[str] = []
        for name in wanted:
            taken = max(sizes.get(name, _MOST_BYTES + 1), first.rows // 8)
            if taken <= _MOST_BYTES:
                fits.append(name)
        places = _places(names)
        found = [_cells(_arrow_column(opened, places[name]), rows) for name in fits]
    left_out = tuple(name for name in wanted if name not in set(fits))
    return Preview(tuple(fits), tuple(zip(*found, strict=True)), tuple(names), left_out)


def _arrow_column(opened: Any, place: int) -> Any:  # noqa: ANN401  # a file and an array
    """Read one column of the first batch: no more than one is held at a time."""
    import pyarrow as pa

    opened.seek(0)
    options = pa.ipc.IpcReadOptions(included_fields=[place], use_threads=False)
    with pa.ipc.open_file(opened, options=options) as file:
        found = file.get_batch(0).column(0)
    found.validate(full=True)  # what follows believes the offsets
    return found


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


def _value(scalar: Any, level: int = 0) -> Any:  # noqa: ANN401  # an Arrow scalar
    """Return a value as Python has it, or as text where Python cannot hold it; of what is long only its beginning."""
    import pyarrow as pa

    if not scalar.is_valid:
        return None
    if level > _MOST_LEVELS:
        return Ellipsis
    if isinstance(scalar, (pa.DictionaryScalar, pa.RunEndEncodedScalar, pa.ExtensionScalar)):
        return _value(scalar.value, level + 1)
    if isinstance(scalar, pa.StructScalar):
        return {name: _value(scalar[at], level + 1) for at, name in enumerate(scalar.type.names[:_MOST_ITEMS])}
    items = getattr(scalar, "values", None)
    if items is not None and hasattr(items, "slice"):
        found = [_value(each, level + 1) for each in _cut(items.slice(0, _MOST_ITEMS))]
        return [*found, Ellipsis] if len(items) > _MOST_ITEMS else found
    if isinstance(scalar, pa.BinaryScalar):  # text, too
        held = scalar.as_buffer()
        if not isinstance(scalar, (pa.StringScalar, pa.LargeStringScalar, pa.StringViewScalar)):
            return f"({held.size:,} bytes)" if held.size > _MOST_CHARACTERS else held.to_pybytes()
        beginning = held.slice(0, min(held.size, 4 * _MOST_CHARACTERS)).to_pybytes()
        return beginning.decode(errors="ignore")[:_MOST_CHARACTERS]
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
