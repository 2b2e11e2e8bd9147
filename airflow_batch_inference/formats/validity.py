"""Whether Arrow's data are what they say: offsets within their buffers, text that is text, indices that are there.

Arrow's kernels trust all of it.

Invariants: nothing that came from outside is computed with before it was looked at whole; and nothing is unfolded
(dictionaries, runs, views) before it is known how much that gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.budget import too_large

if TYPE_CHECKING:
    from collections.abc import Callable

_REMEDY = "Write its values out"
_VIEW_BYTES = 16


def require_valid(data: pa.RecordBatch | pa.Table, where: str) -> None:
    """Refuse data that do not hold together.

    Parameters
    ----------
    data
        What came from a file, or from somebody.
    where
        What it is, for the message.

    Raises
    ------
    DataError
        Names the first such column.
    """
    try:
        data.validate(full=True)
    except pa.ArrowInvalid as error:
        column = next((name for name, each in zip(data.schema.names, data.columns, strict=True) if _is_bad(each)), None)
        whose = "" if column is None else f"column {column!r} of "
        message = (
            f"{whose}{where} is damaged: {error}. Its values cannot be told from what lies beside them: write it "
            "again, or leave it out."
        )
        raise DataError(message[0].upper() + message[1:] if column else message) from error


def _is_bad(column: pa.Array | pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return True
    return False


def require_unfolding(batch: pa.RecordBatch, where: str, most: int) -> None:
    """Refuse valid data that take far more memory once they are read as plain values.

    Parameters
    ----------
    batch
        Valid data.
    where
        What it is, for the message.
    most
        Bytes that it may take.

    Raises
    ------
    DataError
        Names the column that takes the most.
    """
    if not any(_unfolds(kind) for kind in set(batch.schema.types)):
        return
    sizes = {name: _plain_bytes(each) for name, each in zip(batch.schema.names, batch.columns, strict=True)}
    if sum(sizes.values()) > most:
        column = max(sizes, key=lambda name: sizes[name])
        raise too_large(where, column, sum(sizes.values()), most, _REMEDY)


def _unfolds(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _unfolds(kind.storage_type)
    tests: tuple[Callable[[Any], bool], ...] = (
        pa.types.is_dictionary,
        pa.types.is_run_end_encoded,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
        pa.types.is_string_view,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_list,
    )
    if any(test(kind) for test in tests):
        return True
    return pa.types.is_nested(kind) and any(_unfolds(kind.field(at).type) for at in range(kind.num_fields))


def longest_value(array: pa.Array) -> int:
    """Return how long the longest value of the dictionaries within an array is."""
    if pa.types.is_dictionary(array.type):
        return _longest(array.dictionary)
    if pa.types.is_struct(array.type):
        return max((longest_value(array.field(at)) for at in range(array.type.num_fields)), default=0)
    if pa.types.is_map(array.type):
        return max(longest_value(array.keys), longest_value(array.items))
    return longest_value(array.values) if pa.types.is_nested(array.type) else 0


def _plain_bytes(array: pa.Array) -> int:
    """Return how many bytes an array's values take where each is written out; of nested ones at most."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_bytes(array.storage)
    if pa.types.is_dictionary(kind):
        return len(array) * _longest(array.dictionary)
    if pa.types.is_run_end_encoded(kind):
        return len(array) * _longest(array.values)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        values = array.values
        return int(pc.sum(pc.list_value_length(array)).as_py() or 0) * max(1, _longest(values))
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return int(_view_lengths(array).sum())
    if pa.types.is_fixed_size_list(kind):
        return max(len(array) * int(kind.list_size) // 8, _plain_bytes(array.values))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _plain_bytes(array.values)
    if pa.types.is_map(kind):
        return _plain_bytes(array.keys) + _plain_bytes(array.items)
    if pa.types.is_struct(kind):
        return sum(_plain_bytes(array.field(at)) for at in range(kind.num_fields))
    return max(len(array) // 8, 0 if pa.types.is_null(kind) else int(array.nbytes))


def _longest(values: pa.Array) -> int:
    """Return how many bytes the longest of some values takes, or a bound of it."""
    kind = values.type
    if not len(values):
        return 1
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return int(_view_lengths(values).max())
    if pa.types.is_binary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return int(pc.max(pc.binary_length(values)).as_py() or 0)
    if pa.types.is_large_binary(kind):
        return int(pc.max(pc.binary_length(values)).as_py() or 0)
    if pa.types.is_primitive(kind) or pa.types.is_null(kind):
        return 8
    return _plain_bytes(values)


def _view_lengths(array: pa.Array) -> np.ndarray:
    """Return the lengths of views, of which Arrow has no kernel."""
    views = array.buffers()[1]
    if views is None:
        return np.zeros(1, dtype=np.int64)
    lengths = np.frombuffer(views, dtype=np.int32)[:: _VIEW_BYTES // 4]
    found = lengths[array.offset : array.offset + len(array)].astype(np.int64)
    if array.null_count:  # whatever stands in the place of a null
        found = np.where(array.is_valid().to_numpy(zero_copy_only=False), found, 0)
    return found
