"""Arrow's two forms: the file (also Feather), which has an index of its record batches, and the stream, which has none.

A stream is read message by message. To begin in its middle, its schema and the dictionaries that were sent before are
read first.

Invariants: at most one record batch is held in memory; and no byte of a stream is left unread in silence.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.formats.arrow.messages import Message, blocks_of, largest_column, message_at
from airflow_batch_inference.formats.budget import reading_budget, too_large
from airflow_batch_inference.formats.parquet.pandas_index import index_names
from airflow_batch_inference.formats.streams import open_stream
from airflow_batch_inference.formats.units import FileInfo, Unit
from airflow_batch_inference.formats.validity import require_unfolding, require_valid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.formats.reading import Reading
    from airflow_batch_inference.storage.store import Storage

_ROWS_A_BYTE = 8
"""Even a column of nulls is given room for a bit a row, as soon as anything is done with it."""
_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"


def inspect_arrow(uri: str, storage: Storage, _: str | None, __: Reading) -> FileInfo:
    """Return an Arrow file's or stream's columns, and its record batches as units.

    Raises
    ------
    ValueError, pyarrow.ArrowException
        It is neither, is damaged, or is of Feather's first version.
    """
    with _opened(uri, storage) as source:
        if _is_stream(source):
            return _inspect_stream(source, _Watch(uri, storage))
        units = []
        for number, batch in _file_batches(source, 0, None, _Watch(uri, storage)):
            units.append(Unit(number, number + 1, batch.num_rows, batch.nbytes, divisible=True))
        source.seek(0)
        with pa.ipc.open_file(source) as reader:
            return FileInfo(reader.schema.remove_metadata(), tuple(units), index=index_names(reader.schema))


def arrow_tables(
    uri: str, storage: Storage, _: str | None, __: FileInfo, columns: list[str], start: int, stop: int | None
) -> Iterator[pa.Table]:
    """Yield the record batches from one unit's border to another's."""
    with _opened(uri, storage) as source:
        watch = _Watch(uri, storage)
        is_stream = _is_stream(source)
        batches = (
            _stream_batches(source, start, stop, watch) if is_stream else _file_batches(source, start, stop, watch)
        )
        for _place, batch in batches:
            yield pa.Table.from_batches([batch]).select(columns).replace_schema_metadata(None)


def arrow_schema(uri: str, storage: Storage) -> pa.Schema:
    """Return the columns of an Arrow file or stream, in the types that it keeps them in."""
    with _opened(uri, storage) as source:
        opened = pa.ipc.open_stream(source) if _is_stream(source) else pa.ipc.open_file(source)
        with opened as reader:
            return reader.schema


def register_pandas_types(schema: pa.Schema) -> bool:
    """Let Arrow know pandas' periods and intervals, where a column is one that it has read as another type.

    Else the types would hang on what else the process has done with pandas before.
    """
    names = [(field.metadata or {}).get(b"ARROW:extension:name", b"") for field in schema]
    if not any(name.startswith(b"pandas.") for name in names):
        return False
    import pandas as pd

    pa.array(pd.PeriodIndex([], freq="D"))  # as pandas does before it reads or writes Parquet
    return True


@contextlib.contextmanager
def _opened(uri: str, storage: Storage) -> Iterator[pa.NativeFile]:
    is_local = uri.startswith("file://")
    source = pa.OSFile(uri.removeprefix("file://")) if is_local else pa.PythonFile(open_stream(uri, storage, None), "r")
    with source:
        yield source


def _is_stream(source: pa.NativeFile) -> bool:
    magic = source.read(8)
    source.seek(0)
    if magic.startswith(_FEATHER_1):
        message = (
            "it is of the first version of Feather, which is no Arrow file. Write it again with "
            "pyarrow.feather.write_feather or pandas' to_feather"
        )
        raise ValueError(message)
    is_file = magic.startswith(_FILE)
    opened = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
    register_pandas_types(opened.schema)
    source.seek(0)
    return not is_file


class _Watch:
    """Looks at each batch before it is read, and after.

    Parameters
    ----------
    uri, storage
        The file, and what says how much memory there is.
    """

    def __init__(self, uri: str, storage: Storage) -> None:
        self._uri, self._most = uri, reading_budget(storage)

    def require_room(self, message: Message, schema: pa.Schema, which: str) -> None:
        """Refuse a batch or a dictionary that would take too much memory, or has more rows than anything holds.

        Raises
        ------
        DataError
            Names the file, the batch and the largest column.
        """
        needed = max(sum(message.sizes), message.rows // _ROWS_A_BYTE)
        if needed > self._most:
            column = None if message.is_dictionary else largest_column(schema, message.sizes)
            raise too_large(f"{which} of {self._uri}", column, needed, self._most, "Write it in smaller record batches")

    def checked(self, batch: pa.RecordBatch, which: str) -> pa.RecordBatch:
        """Return a batch whose values lie where it says, and are what its types say.

        Raises
        ------
        DataError
            Names the file, the batch and the column.
        """
        require_valid(batch, f"{which} of {self._uri}")
        require_unfolding(batch, f"{which} of {self._uri}", self._most)
        return batch


def _file_batches(
    source: pa.NativeFile, start: int, stop: int | None, watch: _Watch
) -> Iterator[tuple[int, pa.RecordBatch]]:
    size = source.size()
    dictionaries, blocks = blocks_of(source)
    source.seek(0)
    with pa.ipc.open_file(source) as reader:
        for block in dictionaries:
            if (found := message_at(source, block.offset, size)) is not None:
                watch.require_room(found, reader.schema, "a dictionary")
        for position in range(start, reader.num_record_batches if stop is None else stop):
            which = f"record batch {position} (from 0)"
            found = message_at(source, blocks[position].offset, size)
            if found is None or not found.is_records:
                message = f"{which} is none"
                raise ValueError(message)
            watch.require_room(found, reader.schema, which)
            yield position, watch.checked(reader.get_batch(position), which)


# -- streams --------------------------------------------------------------------------------------------------


def _inspect_stream(source: pa.NativeFile, watch: _Watch) -> FileInfo:
    units = []
    reader = pa.ipc.open_stream(source)
    start = source.tell()
    while True:
        _require_room(source, reader.schema, watch)
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            break
        watch.checked(batch, f"the record batch at byte {start}")
        units.append(Unit(start, source.tell(), batch.num_rows, batch.nbytes, divisible=True))
        start = source.tell()
    if source.read(64).strip(b"\0"):
        message = f"more follows at byte {source.tell()} after the end of its stream: write each stream to its own file"
        raise ValueError(message)
    return FileInfo(reader.schema.remove_metadata(), tuple(units), index=index_names(reader.schema))


def _require_room(source: pa.NativeFile, schema: pa.Schema, watch: _Watch) -> None:
    """Look at the messages up to the next record batch, and go back to where they begin."""
    start = place = source.tell()
    size = source.size()
    while (found := message_at(source, place, size)) is not None:
        watch.require_room(found, schema, f"the message at byte {place}")
        place = found.stop
        if found.is_records:
            break
    source.seek(start)


def _stream_batches(
    source: pa.NativeFile, start: int, stop: int | None, watch: _Watch
) -> Iterator[tuple[int, pa.RecordBatch]]:
    head = _before(source, start, watch)
    source.seek(start)
    joined = _Joined(head, source)
    reader = pa.ipc.open_stream(pa.PythonFile(joined, "r"))
    while stop is None or source.tell() < stop:
        place = source.tell()
        _require_room(source, reader.schema, watch)
        try:
            yield place, watch.checked(reader.read_next_batch(), f"the record batch at byte {place}")
        except StopIteration:
            return


def _before(source: pa.NativeFile, start: int, watch: _Watch) -> bytes:
    """Return the messages that a reader must have seen to begin at an offset: the schema, and all dictionaries."""
    messages = pa.ipc.MessageReader.open_stream(source)
    first = messages.read_next_message()
    found = io.BytesIO()
    found.write(first.serialize())
    schema = pa.ipc.read_schema(first)
    if _has_dictionaries(schema):
        while source.tell() < start:
            _require_room(source, schema, watch)
            message = messages.read_next_message()
            if message.type == "dictionary":
                found.write(message.serialize())
    return found.getvalue()


def _has_dictionaries(kind: Any) -> bool:  # noqa: ANN401  # a schema, or a type
    if isinstance(kind, pa.DataType) and pa.types.is_dictionary(kind):
        return True
    if isinstance(kind, pa.BaseExtensionType):
        return _has_dictionaries(kind.storage_type)
    inner = kind if isinstance(kind, pa.Schema) else [kind.field(at) for at in range(kind.num_fields)]
    return any(_has_dictionaries(field.type) for field in inner)


class _Joined(io.RawIOBase):
    """Some bytes, and then what follows in an open file."""

    def __init__(self, head: bytes, rest: pa.NativeFile) -> None:
        super().__init__()
        self._head = io.BytesIO(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._head.read(size)
        if size < 0:
            return found + bytes(self._rest.read())
        return found + bytes(self._rest.read(size - len(found))) if len(found) < size else found
