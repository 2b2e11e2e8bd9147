"""A file's bytes as a stream: on any store, decompressed, or from one offset to another."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.exceptions import DataError

if TYPE_CHECKING:
    from airflow_batch_inference.storage.store import Storage

BLOCK_BYTES = 4 << 20
"""How much of a text file is parsed at once."""

MOST_RATIO = 1_000
"""So many times its size a compressed file may unpack to, from a GiB on; one line again and again gives as much."""
_ALWAYS_BYTES = 1 << 30


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


class _Unpacked(io.RawIOBase):
    """A compressed file's bytes, unpacked, as long as there are not absurdly many of them."""

    def __init__(self, uri: str, raw: IO[bytes], compression: str, most: int) -> None:
        super().__init__()
        self._uri, self._most, self._given = uri, most, 0
        self._source = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), compression)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(BLOCK_BYTES), b""))
        found = bytes(self._source.read(size))
        self._given += len(found)
        if self._given > self._most:
            message = (
                f"{self._uri} unpacks to more than {self._most:,} bytes, over {MOST_RATIO:,} times its size: that is "
                "no data. If it is right, give it uncompressed, or as Parquet."
            )
            raise DataError(message)
        return found

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


def open_stream(uri: str, storage: Storage, compression: str | None, start: int = 0, stop: int | None = None) -> Any:  # noqa: ANN401  # a stream
    """Open a file, or the bytes from one offset to another; decompress it whole where it is compressed."""
    fs, path = storage.filesystem(uri)
    raw = fs.open(path, "rb")
    if compression:
        # A stream that cannot be moved in does not tell its size.
        size = int(raw.seek(0, io.SEEK_END) if raw.seekable() else storage.stat(uri).size_bytes)
        if raw.seekable():
            raw.seek(0)
        most = max(_ALWAYS_BYTES, MOST_RATIO * size)
        return _Unpacked(uri, raw, compression, most)
    return _Window(raw, start, stop) if start or stop is not None else raw
