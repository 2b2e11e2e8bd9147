"""A text stream as blocks of whole lines."""

from __future__ import annotations

import codecs
from typing import IO, TYPE_CHECKING

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.budget import longest_line
from airflow_batch_inference.formats.json.array import ArrayLines, open_json
from airflow_batch_inference.formats.streams import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.storage.store import Storage

MOST_LINE_BYTES = 1 << 30
"""A longer line is refused: Arrow holds no longer ones."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def line_blocks(source: IO[bytes], most: int) -> Iterator[bytes]:
    """Cut a text stream into blocks of whole lines, of some MiB, or of one line where that is longer.

    Parameters
    ----------
    source
        The stream.
    most
        So long may a line be.

    Raises
    ------
    ValueError
        A line is too long.
    """
    rest: list[bytes] = []
    while chunk := source.read(BLOCK_BYTES):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield b"".join([*rest, head, newline])
            rest = []
        rest.append(tail)
        if sum(map(len, rest)) > most:
            message = f"a line is longer than {most:,} bytes, the limit (at most an eighth of max_memory)"
            raise ValueError(message)
    last = b"".join(rest)
    if last.strip():
        yield last


def line_of(uri: str, storage: Storage, compression: str | None, row: int) -> int | None:
    """Return the number of the line, from 1, that holds a row; blank lines are none, and a JSON list has none."""
    with open_json(uri, storage, compression) as source:
        if isinstance(source, ArrayLines):
            return None
        number = 0
        for block in line_blocks(source, longest_line(storage, MOST_LINE_BYTES)):
            for line in block.splitlines():
                number += 1
                row -= bool(line.strip())
                if row < 0:
                    return number
    return number


def without_mark(uri: str, block: bytes) -> bytes:
    """Return a file's first block without the byte order mark of UTF-8.

    Raises
    ------
    DataError
        It is UTF-16.
    """
    if block.startswith(_UTF_16) or b"\0" in block[:4]:
        message = f"{uri} is UTF-16, and JSON lines are read as UTF-8. Write it as UTF-8."
        raise DataError(message)
    return block.removeprefix(codecs.BOM_UTF8)
