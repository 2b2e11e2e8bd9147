"""A file's bytes as a stream: on any store, decompressed, or from one offset to another."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from airflow_batch_inference.storage import Storage

BLOCK_BYTES = 4 << 20
"""How much of a text file is parsed at once."""


class _Window(io.RawIOBase):
    """The bytes of an open file from one offset to another (None: its end)."""

    def __init__(self, raw: IO[bytes], start: int, stop: int | None) -> None:
        super().__init__()
        self._raw = raw
        self._left = None if stop is None else stop - start
        raw.seek(start)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._left is not None:
            size = self._left if size < 0 else min(size, self._left)
        data = self._raw.read(size)
        if self._left is not None:
            self._left -= len(data)
        return data

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def open_stream(uri: str, storage: Storage, compression: str | None, start: int = 0, stop: int | None = None) -> Any:  # noqa: ANN401  # a stream
    """Open a file, or the bytes from one offset to another; decompress it whole where it is compressed."""
    fs, path = storage.filesystem(uri)
    raw = fs.open(path, "rb")
    if compression:
        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), compression)
    return _Window(raw, start, stop) if start or stop is not None else raw
