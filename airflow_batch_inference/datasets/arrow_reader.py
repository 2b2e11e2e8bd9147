"""Arrow's two forms: the file (also Feather), which has an index of its record batches, and the stream, which has none.

A stream is read message by message. To begin in its middle, its schema and the dictionaries that were sent before are
read first. What must not be relaxed: at most one record batch is held in memory; and no byte of a stream is left
unread in silence.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.datasets.pandas_index import index_names
from airflow_batch_inference.datasets.streams import open_stream
from airflow_batch_inference.datasets.units import FileInfo, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.datasets.reading import Reading
    from airflow_batch_inference.storage import Storage

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
            return _inspect_stream(source)
        units = []
        with pa.ipc.open_file(source) as reader:
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                units.append(Unit(number, number + 1, batch.num_rows, batch.nbytes, divisible=True))
            return FileInfo(reader.schema.remove_metadata(), tuple(units), index=index_names(reader.schema))


def arrow_tables(
    uri: str, storage: Storage, _: str | None, __: FileInfo, columns: list[str], start: int, stop: int | None
) -> Iterator[pa.Table]:
    """Yield the record batches from one unit's border to another's."""
    with _opened(uri, storage) as source:
        batches = _stream_batches(source, start, stop) if _is_stream(source) else _file_batches(source, start, stop)
        for batch in batches:
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


def _file_batches(source: pa.NativeFile, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
    with pa.ipc.open_file(source) as reader:
        for position in range(start, reader.num_record_batches if stop is None else stop):
            yield reader.get_batch(position)


# -- streams --------------------------------------------------------------------------------------------------


def _inspect_stream(source: pa.NativeFile) -> FileInfo:
    units = []
    reader = pa.ipc.open_stream(source)
    start = source.tell()
    for batch in reader:
        units.append(Unit(start, source.tell(), batch.num_rows, batch.nbytes, divisible=True))
        start = source.tell()
    if source.read(64).strip(b"\0"):
        message = f"more follows at byte {source.tell()} after the end of its stream: write each stream to its own file"
        raise ValueError(message)
    return FileInfo(reader.schema.remove_metadata(), tuple(units), index=index_names(reader.schema))


def _stream_batches(source: pa.NativeFile, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
    head = _before(source, start)
    source.seek(start)
    joined = _Joined(head, source)
    reader = pa.ipc.open_stream(pa.PythonFile(joined, "r"))
    while stop is None or source.tell() < stop:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return


def _before(source: pa.NativeFile, start: int) -> bytes:
    """Return the messages that a reader must have seen to begin at an offset: the schema, and all dictionaries."""
    messages = pa.ipc.MessageReader.open_stream(source)
    first = messages.read_next_message()
    found = io.BytesIO()
    found.write(first.serialize())
    if _has_dictionaries(pa.ipc.read_schema(first)):
        while source.tell() < start:
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
