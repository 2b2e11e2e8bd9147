"""A digest of a table's values: the same for the same rows, however Arrow holds them in memory."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDTHS = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}


def digest_of(table: pa.Table) -> str:
    """Return the SHA-256 (64 hex digits) of a table's names, types and values; a null is not a NaN.

    Examples
    --------
    >>> whole, cut = pa.table({"a": [1, None]}), pa.table({"a": [7, 1, None]}).slice(1)
    >>> digest_of(whole) == digest_of(cut), digest_of(whole) == digest_of(pa.table({"a": [1, 0]}))
    (True, False)
    """
    found = hashlib.sha256(json.dumps([table.num_rows, str(table.schema.remove_metadata())]).encode())
    for column in table.columns:
        # A column that is cut out of a longer one still has that one's memory; taking its rows copies them.
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        feed(whole.take(pa.array(np.arange(len(whole)))), found.update)
    return found.hexdigest()


def feed(values: pa.Array, update: Callable[[bytes], None]) -> None:
    """Feed nulls, then lengths, then values, each of a fixed width."""
    kind = values.type
    if isinstance(values, pa.ExtensionArray):
        feed(values.storage, update)
        return
    update(np.packbits(values.is_valid().to_numpy(zero_copy_only=False)).tobytes())
    if pa.types.is_struct(kind):
        for part in values.flatten():
            feed(part, update)
    elif pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        update(pc.fill_null(pc.list_value_length(values), -1).cast(pa.int64()).to_numpy().tobytes())
        feed(values.flatten(), update)
    elif pa.types.is_boolean(kind):
        update(np.packbits(pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False)).tobytes())
    elif pa.types.is_primitive(kind) and kind.bit_width in _WIDTHS:
        bits = np.frombuffer(values.buffers()[1] or b"", dtype=_WIDTHS[kind.bit_width], count=len(values))
        held = values.is_valid().to_numpy(zero_copy_only=False)
        update(np.where(held, bits, 0).astype(bits.dtype).tobytes())
    else:
        # What is left is text or rare: each value by its own words, and its length.
        for value in values.to_pylist():
            words = b"" if value is None else value.encode() if isinstance(value, str) else repr(value).encode()
            update(len(words).to_bytes(8, "little"))
            update(words)
