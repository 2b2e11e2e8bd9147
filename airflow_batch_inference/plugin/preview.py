"""The first rows of a file, as text for a page.

What must not be relaxed: only the beginning of a file is read, some columns of it, and some characters of a value,
however large a file, a row or a value is; a file that cannot be read leaves the page whole.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.datasets.formats import format_of
from airflow_batch_inference.exceptions import BatchInferenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.storage import Storage

log = logging.getLogger(__name__)

_HEAD_BYTES = 1 << 18
"""Of a text file: enough for the rows of a page, whatever is in them."""
_MOST_ITEMS = 6
_UNREADABLE = (
    BatchInferenceError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    NotImplementedError,
    csv.Error,
)
"""What the readers raise of a damaged file; Arrow's own errors are among them."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Some rows of some columns, each value as JSON or Python has it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


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
    with fs.open(path, "rb") as opened, pq.ParquetFile(opened, buffer_size=1 << 16, pre_buffer=False) as file:
        wanted = _wanted(columns, file.schema_arrow.names)
        batches = file.iter_batches(batch_size=rows, columns=wanted)
        return _preview(next(iter(batches), None), wanted, rows)


def _arrow(uri: str, columns: Sequence[str] | None, rows: int, storage: Storage) -> Preview:
    import pyarrow as pa

    fs, path = storage.filesystem(uri)
    with fs.open(path, "rb") as opened, pa.ipc.open_file(opened) as file:
        wanted = _wanted(columns, file.schema.names)
        return _preview(file.get_batch(0) if file.num_record_batches else None, wanted, rows)


def _preview(batch: Any, wanted: Sequence[str], rows: int) -> Preview:  # noqa: ANN401  # a record batch or None
    if batch is None:
        return Preview(tuple(wanted), ())
    names = list(batch.schema.names)
    columns = [[_value(each) for each in batch.column(names.index(name)).slice(0, rows)] for name in wanted]
    return Preview(tuple(wanted), tuple(zip(*columns, strict=True)))


def _value(scalar: Any) -> Any:  # noqa: ANN401  # an Arrow scalar
    """Return a value as Python has it; of a list only its beginning is made."""
    items = getattr(scalar, "values", None)
    if items is None or not hasattr(items, "slice"):
        return scalar.as_py()
    found = items.slice(0, _MOST_ITEMS).to_pylist()
    return [*found, Ellipsis] if len(items) > _MOST_ITEMS else found


def _text(
    uri: str, kind: str, compression: str | None, columns: Sequence[str] | None, rows: int, storage: Storage
) -> Preview:
    fs, path = storage.filesystem(uri)
    with fs.open(path, "rb", compression=compression) as opened:
        head = opened.read(_HEAD_BYTES)
    lines = io.StringIO(head.decode("utf-8", errors="replace"), newline="")
    records: list[dict[str, Any]]
    if kind == "csv":
        records = [dict(row) for row in islice(csv.DictReader(lines), rows)]
    else:
        records = [_document(line) for line in islice(lines, rows)]
    names = list(dict.fromkeys(name for record in records for name in record))
    wanted = _wanted(columns, names)
    return Preview(tuple(wanted), tuple(tuple(record.get(name) for name in wanted) for record in records))


def _document(line: str) -> dict[str, Any]:
    found = json.loads(line)
    return found if isinstance(found, dict) else {"": found}


def _wanted(columns: Sequence[str] | None, there: Sequence[str]) -> list[str]:
    known = [name for name in dict.fromkeys(there) if isinstance(name, str)]
    if columns is None:
        return known
    return [name for name in columns if name in set(known)]
