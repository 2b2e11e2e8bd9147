"""What the pages of a Parquet file say of themselves: how many bytes each unpacks to, and how many values.

The footer says it too, but the reader believes the pages.

Invariants: no page is unpacked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow.parquet as pq

_HEAD_BYTES = 1 << 10
_MOST_HEAD_BYTES = 1 << 20
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_WITH_VALUES = (5, 7, 8)
"""The fields of a page's head that tell how many values it holds: of data, of a dictionary, of data in version 2."""
_MOST_LEVELS = 8


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says of itself."""

    packed_bytes: int
    bytes: int
    values: int


class _Head:
    """Thrift's compact form, as far as heads of pages have it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        found = shift = 0
        while True:
            byte = self.byte()
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return found

    def integer(self) -> int:
        found = self.varint()
        return (found >> 1) ^ -(found & 1)

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield number and kind of a struct's fields; whoever takes one reads it, or skips it."""
        number = 0
        while byte := self.byte():
            number = number + (byte >> 4) if byte >> 4 else self.integer()
            yield number, byte & 0x0F

    def skip(self, kind: int, level: int = 0) -> None:
        if level > _MOST_LEVELS:
            raise _damaged()
        if kind in (_BYTE, _DOUBLE):
            self.at += 1 if kind == _BYTE else 8
        elif kind in (_I16, _I32, _I64):
            self.varint()
        elif kind == _BINARY:
            length = self.varint()  # moves on itself
            self.at += length
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner, level + 1)
        elif kind not in (_TRUE, _FALSE):
            raise _damaged()

    def page(self) -> Page:
        sizes = {2: 0, 3: 0}
        values = 0
        for number, kind in self.fields():
            if number in sizes:
                sizes[number] = self.integer()
            elif number in _WITH_VALUES and kind == _STRUCT:
                for inner, inner_kind in self.fields():
                    if inner == 1:
                        values = self.integer()
                    else:
                        self.skip(inner_kind)
            else:
                self.skip(kind)
        if min(sizes[2], sizes[3], values) < 0:
            raise _damaged()
        return Page(sizes[3], sizes[2], values)


def _damaged() -> ValueError:
    return ValueError("the head of a page is damaged")


def require_chunks(file: pq.ParquetFile, group: int, leaves: Sequence[int]) -> None:
    """Refuse a row group whose footer contradicts itself, before anything asks for its column chunks.

    Of Arrow's ways to a column chunk the one by the metadata ends the whole process where the footer does not hold
    together; a reader that is asked for no rows says it in an error, and unpacks nothing.

    Parameters
    ----------
    file
        The open file.
    group, leaves
        What will be asked for.

    Raises
    ------
    OSError, pyarrow.ArrowException
        The footer is damaged.
    """
    for _ in file.reader.iter_batches(0, [group], list(leaves), use_threads=False):
        pass


def pages(source: Any, chunk: Any) -> Iterator[Page]:  # noqa: ANN401  # an open file; Parquet's metadata
    """Yield what the pages of a column chunk say, one seek each.

    Raises
    ------
    ValueError
        A head is damaged, or a page reaches beyond its chunk.
    """
    first = chunk.dictionary_page_offset
    place = chunk.data_page_offset if first is None or first <= 0 else min(first, chunk.data_page_offset)
    stop = place + chunk.total_compressed_size
    while place < stop:
        head, size = _head(source, place, stop)
        if not head.packed_bytes and not head.values:
            return
        yield head
        place += size + head.packed_bytes


def _head(source: Any, place: int, stop: int) -> tuple[Page, int]:  # noqa: ANN401  # an open file
    size = _HEAD_BYTES
    while True:
        source.seek(place)
        head = _Head(source.read(min(size, stop - place)))
        try:
            found = head.page()
        except IndexError:
            if size >= min(_MOST_HEAD_BYTES, stop - place):
                raise _damaged() from None
            size *= 32
            continue
        return found, head.at
