"""What an Arrow message says of itself: how long its buffers are once they are decompressed.

Arrow's reader takes the length in front of each compressed buffer for memory to ask for.

Invariants: no number of a message is used before it is seen to lie within the file.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTINUED = 0xFFFFFFFF
_DICTIONARY, _RECORDS = 2, 3
_MOST_METADATA = 64 << 20
_WIDTH_OF_PREFIX = 8


@dataclass(frozen=True, slots=True)
class Block:
    """Where a message begins, how long its head is, and how long what follows that."""

    offset: int
    head_bytes: int
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message's kind and the sizes that its buffers have in memory."""

    kind: int
    stop: int
    """Where the next one begins."""
    rows: int = 0
    sizes: tuple[int, ...] = ()

    @property
    def is_dictionary(self) -> bool:
        """Whether it holds a column's dictionary."""
        return self.kind == _DICTIONARY

    @property
    def is_records(self) -> bool:
        """Whether it holds rows."""
        return self.kind == _RECORDS


class _Table:
    """A flatbuffer's table."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place
        self.fields = place - self.number("<i", place)

    def number(self, kind: str, place: int) -> int:
        if place < 0:
            raise _damaged()
        try:
            return int(struct.unpack_from(kind, self.data, place)[0])
        except struct.error:
            raise _damaged() from None

    def at(self, field: int) -> int | None:
        """Return where a field stands; None where it is not there."""
        entry = 4 + 2 * field
        if entry >= self.number("<H", self.fields):
            return None
        offset = self.number("<H", self.fields + entry)
        return self.place + offset if offset else None

    def integer(self, field: int, kind: str = "<q") -> int:
        place = self.at(field)
        return 0 if place is None else self.number(kind, place)

    def table(self, field: int) -> _Table | None:
        place = self.at(field)
        return None if place is None else _Table(self.data, place + self.number("<I", place))

    def structs(self, field: int, width: int) -> Iterator[int]:
        """Yield where each struct of a vector stands."""
        place = self.at(field)
        if place is None:
            return
        start = place + self.number("<I", place)
        count = self.number("<I", start)
        if count * width > len(self.data):
            raise _damaged()
        yield from range(start + 4, start + 4 + count * width, width)


def _damaged() -> ValueError:
    return ValueError("a message's description of itself is damaged")


def _root(data: bytes) -> _Table:
    first = _Table.__new__(_Table)
    first.data, first.place, first.fields = data, 0, 0
    return _Table(data, first.number("<I", 0))


def blocks_of(source: Any) -> tuple[list[Block], list[Block]]:  # noqa: ANN401  # an open file
    """Return where an Arrow file's dictionaries lie, and its record batches, as its footer says.

    Raises
    ------
    ValueError
        The footer is damaged.
    """
    size = source.seek(0, io.SEEK_END)
    source.seek(max(0, size - 10))
    tail = source.read(10)
    length = int.from_bytes(tail[:4], "little", signed=True) if len(tail) == 10 else -1
    if not 0 < length <= size - 10:
        raise _damaged()
    source.seek(size - 10 - length)
    footer = _root(bytes(source.read(length)))
    dictionaries, batches = ([_block(footer, at, size) for at in footer.structs(field, 24)] for field in (2, 3))
    return dictionaries, batches


def _block(footer: _Table, at: int, size: int) -> Block:
    found = Block(footer.number("<q", at), footer.number("<i", at + 8), footer.number("<q", at + 16))
    if min(found.offset, found.head_bytes, found.body_bytes) < 0:
        raise _damaged()
    if found.offset + found.head_bytes + found.body_bytes > size:
        message = f"a batch of it ends at byte {found.offset + found.head_bytes + found.body_bytes}, beyond its end"
        raise ValueError(message)
    return found


def message_at(source: Any, offset: int, size: int) -> Message | None:  # noqa: ANN401  # an open file
    """Read what the message at an offset says; None at a stream's end.

    Parameters
    ----------
    source
        The open file.
    offset
        Where the message begins.
    size
        Of the file.

    Raises
    ------
    ValueError
        It is damaged, or not whole.
    """
    source.seek(offset)
    head = source.read(8)
    if len(head) < 8:
        return None
    first, second = struct.unpack("<II", head)
    # Before version 0.15 there was no sign in front of the length.
    length, start = (second, offset + 8) if first == _CONTINUED else (first, offset + 4)
    if length == 0:
        return None
    if length > min(_MOST_METADATA, size - start):
        raise _damaged()
    source.seek(start)
    message = _root(bytes(source.read(length)))
    body, body_bytes = start + length, message.integer(3)
    if body_bytes < 0 or body + body_bytes > size:
        text = f"a message of it ends at byte {body + body_bytes:,}, beyond its end"
        raise ValueError(text)
    kind = message.integer(1, "<B")
    records = message.table(2)
    if kind == _DICTIONARY and records is not None:
        records = records.table(1)
    if kind not in (_DICTIONARY, _RECORDS) or records is None:
        return Message(kind, body + body_bytes)
    sizes = tuple(_sizes(source, records, body, body_bytes))
    return Message(kind, body + body_bytes, records.integer(0), sizes)


def _sizes(source: Any, records: _Table, body: int, body_bytes: int) -> Iterator[int]:  # noqa: ANN401  # as above
    is_compressed = records.table(3) is not None
    for at in records.structs(2, 16):
        offset, length = records.number("<q", at), records.number("<q", at + 8)
        if offset < 0 or length < 0 or offset + length > body_bytes:
            raise _damaged()
        if not is_compressed or length < _WIDTH_OF_PREFIX:
            yield length
            continue
        source.seek(body + offset)
        unpacked = int.from_bytes(source.read(_WIDTH_OF_PREFIX), "little", signed=True)
        yield length if unpacked == -1 else max(0, unpacked)  # -1: it is not compressed


def largest_column(schema: pa.Schema, sizes: tuple[int, ...]) -> str | None:
    """Return the column whose buffers are the largest; None where there is none."""
    taken = column_sizes(schema, sizes)
    return max(taken, key=lambda name: taken[name], default=None)


def column_sizes(schema: pa.Schema, sizes: tuple[int, ...]) -> dict[str, int]:
    """Return what the buffers of each column take.

    What is left, such as the data of views, of which only the batch tells how many there are, counts for each.
    """
    found: dict[str, int] = {}
    left = iter(sizes)
    for field in schema:
        own = sum(next(left, 0) for _ in range(_number_of_buffers(field.type)))
        found[field.name] = found.get(field.name, 0) + own
    rest = sum(left)
    return {name: size + rest for name, size in found.items()}


def _number_of_buffers(kind: pa.DataType) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _number_of_buffers(kind.storage_type)
    own = 0 if pa.types.is_null(kind) or pa.types.is_run_end_encoded(kind) else int(kind.num_buffers)
    if pa.types.is_union(kind):
        own -= 1
    if pa.types.is_dictionary(kind):
        return own
    return own + sum(_number_of_buffers(kind.field(at).type) for at in range(kind.num_fields))
