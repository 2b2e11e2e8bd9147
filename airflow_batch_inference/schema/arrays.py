"""NumPy arrays as columns, and columns as arrays, without pandas: ``pyarrow.array`` imports it wherever it is there.

That takes a tenth of a second and 40 MB, which is much of a job whose model needs no pandas.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def from_numpy(values: np.ndarray) -> pa.Array:
    """Return an array of shape (rows,) as a column without nulls, which shares its memory; NaN stays NaN.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError
        No column can hold its values.

    Examples
    --------
    >>> from_numpy(np.array([1.5, 2.0])).to_pylist(), from_numpy(np.array([True, False, True])).to_pylist()
    ([1.5, 2.0], [True, False, True])
    """
    values = np.ascontiguousarray(values)
    kind = values.dtype.kind
    if kind not in "biuf" or not values.dtype.isnative or values.dtype.itemsize > 8 or values.ndim != 1:
        return pa.array(values)
    held = np.packbits(values, bitorder="little") if kind == "b" else values
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(held)])


_NAN = from_numpy(np.array([np.nan]))[0]  # pyarrow.scalar imports pandas, too


def to_doubles(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a column of float64 as one array of shape (rows,); a null is NaN. One chunk without nulls is not copied.

    Examples
    --------
    >>> to_doubles(pa.array([9.0, 1.5, None]).slice(1)).tolist()
    [1.5, nan]
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if column.null_count:
        column = pc.fill_null(column, _NAN)
    rows = column.offset + len(column)
    values: np.ndarray = np.frombuffer(column.buffers()[1] or b"", dtype=np.float64, count=rows)[column.offset :]
    return values
