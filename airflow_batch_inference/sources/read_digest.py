"""A digest of the rows that a part of a job was made from: two tries whose digests differ have read two versions.

It is no cryptographic one: numbers are summed with random weights, a row's own for each row, at memory speed; only
text and rare types go through SHA-256. It depends on the mini-batches' borders, not on those of a reader's tables.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_batch_inference.sources.digest import feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from airflow_batch_inference.sources.batches import MiniBatch

_WIDTHS: dict[int, type[np.unsignedinteger[Any]]] = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}
_SEED = 17
_LEAST_WEIGHTS = 65_536


class ReadDigest:
    """Adds up mini-batches in their order."""

    def __init__(self) -> None:
        self._found = hashlib.sha256()
        self._weights = _weights(_LEAST_WEIGHTS)
        self._products = np.empty_like(self._weights)  # made once: large blocks of memory cost more than the sums
        self._schema = pa.schema([])
        self._widths: list[type[np.unsignedinteger[Any]] | None] = []

    def watching(self, batches: Iterable[MiniBatch]) -> Iterator[MiniBatch]:
        """Yield mini-batches, each added first."""
        for batch in batches:
            self.add(batch.table)
            yield batch

    def add(self, table: pa.Table) -> None:
        """Add some rows."""
        if table.num_rows > len(self._weights):
            self._weights = _weights(table.num_rows)
            self._products = np.empty_like(self._weights)
        self._found.update(table.num_rows.to_bytes(8, "little"))
        if not table.schema.equals(self._schema):
            # Asking a type what it is takes as long as adding up some thousand values of it.
            self._schema, self._widths = table.schema, list(map(_width, table.schema.types))
        for column, width in zip(table.columns, self._widths, strict=True):
            if width is None:
                self._add(column)
            else:
                self._found.update(self._sum(column, width).to_bytes(8, "little"))

    def hexdigest(self) -> str:
        """Return the digest of all that was added, 64 hex digits."""
        return self._found.hexdigest()

    def _add(self, column: pa.ChunkedArray) -> None:
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
            self._add_text(column)
        else:
            feed(column.combine_chunks() if column.num_chunks != 1 else column.chunk(0), self._found.update)

    def _sum(self, column: pa.ChunkedArray, width: type[np.unsignedinteger[Any]]) -> int:
        """Return the weighted sum of the values' bits; a null counts by its place alone."""
        total = row = 0
        for chunk in column.chunks:
            rows = len(chunk)
            if not rows:
                continue
            first = chunk.offset
            bits = np.frombuffer(chunk.buffers()[1], dtype=width, count=first + rows)[first:]
            weights, products = self._weights[row : row + rows], self._products[:rows]
            if chunk.null_count:
                held = chunk.is_valid().to_numpy(zero_copy_only=False)
                bits = np.where(held, bits, 0)
                total += int(np.add.reduce(weights[~held])) * 3
            np.multiply(bits, weights, out=products)
            total += int(np.add.reduce(products))
            row += rows
        return total % 2**64

    def _add_text(self, column: pa.ChunkedArray) -> None:
        texts, shape = hashlib.sha256(), hashlib.sha256()
        for chunk in column.chunks:
            if not len(chunk):
                continue
            held = chunk.fill_null("") if chunk.null_count and not pa.types.is_binary(chunk.type) else chunk
            held = chunk.fill_null(b"") if chunk.null_count and pa.types.is_binary(chunk.type) else held
            offsets = _offsets(held)
            data = held.buffers()[2]
            if data is not None:
                texts.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])
            lengths = np.diff(offsets).astype(np.int64)
            if chunk.null_count:
                lengths[~chunk.is_valid().to_numpy(zero_copy_only=False)] = -1
            shape.update(lengths.tobytes())
        self._found.update(texts.digest() + shape.digest())


def _width(kind: pa.DataType) -> type[np.unsignedinteger[Any]] | None:
    """Return how wide a value's bits are; None: it is of a type whose values are not added up."""
    if not pa.types.is_primitive(kind) or isinstance(kind, pa.BaseExtensionType):
        return None
    return _WIDTHS.get(kind.bit_width)


def _offsets(text: pa.Array) -> NDArray[np.integer]:
    width = np.int64 if pa.types.is_large_string(text.type) else np.int32
    stop = text.offset + len(text) + 1
    found: NDArray[np.integer] = np.frombuffer(text.buffers()[1], dtype=width, count=stop)
    return found[text.offset :]


@functools.lru_cache(maxsize=2)
def _weights(rows: int) -> NDArray[np.uint64]:
    """Return a random odd number for each row, always the same ones; made once a process, as each part needs them."""
    found: NDArray[np.uint64] = np.random.default_rng(_SEED).integers(2**63, size=rows, dtype=np.uint64) * 2 + 1
    found.flags.writeable = False
    return found
