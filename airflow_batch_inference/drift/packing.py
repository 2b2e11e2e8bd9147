"""Arrays of numbers as text in a JSON record: base64 of zlib of little-endian 8-byte values.

Invariants: a damaged text is an error that says so, never a shorter array.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import ArtifactIntegrityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BYTES = 64 << 20
"""Of one array: a baseline's bins are thousands, and a text of few bytes may unpack to any number."""


def pack(values: NDArray[np.int64] | NDArray[np.float64]) -> str:
    """Return an int64 or float64 array of shape (n,) as text.

    Examples
    --------
    >>> unpack_counts(pack(np.array([3, 0, 4])))
    array([3, 0, 4])
    """
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(zlib.compress(little.tobytes(), 1)).decode()


def unpack_counts(text: str) -> NDArray[np.int64]:
    """Return the int64 array that :func:`pack` made a text of; see :func:`unpack_numbers`."""
    return np.frombuffer(_bytes(text), dtype="<i8").astype(np.int64)


def unpack_numbers(text: str) -> NDArray[np.float64]:
    """Return the float64 array that :func:`pack` made a text of.

    Raises
    ------
    ArtifactIntegrityError
        The text is damaged.
    """
    return np.frombuffer(_bytes(text), dtype="<f8").astype(np.float64)


def _bytes(text: str) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
    except (binascii.Error, zlib.error) as error:
        message = f"A packed array of {len(text)} characters is damaged ({error}). Run the task that wrote it again."
        raise ArtifactIntegrityError(message) from error
    if not unpacking.eof:
        message = (
            f"A packed array of {len(text)} characters is damaged (its end is missing, or it holds more than "
            f"{_MOST_BYTES:,} bytes). Run the task that wrote it again."
        )
        raise ArtifactIntegrityError(message)
    if len(data) % 8:
        message = f"A packed array holds {len(data)} bytes, no multiple of 8. Run the task that wrote it again."
        raise ArtifactIntegrityError(message)
    return data
