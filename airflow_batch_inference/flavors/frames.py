"""A mini-batch in the form that a framework takes: one contiguous matrix, or a data frame.

What must not be relaxed: columns keep their order and rows theirs, and a null is a NaN, never a zero. Memory order is
part of the result: BLAS sums a row in another order for another layout, so an array is row-major and a frame's block
column-major, as NumPy's and pandas' own are; then linear models give the same bits as they do outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    import numpy as np


def is_all_double(batch: pa.Table) -> bool:
    """Say whether every column is float64."""
    return all(pa.types.is_float64(kind) for kind in batch.schema.types)


def matrix(batch: pa.Table, *, row_major: bool = True, single: bool = False) -> np.ndarray:
    """Return a batch of numbers as one contiguous array of shape (rows, columns), nulls as NaN.

    Parameters
    ----------
    batch
        Columns of numbers.
    row_major
        The array's memory order.
    single
        Whether the numbers are float32, rounded from what float64 holds; too large ones are infinite. Else float64.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        A column does not hold numbers.

    Examples
    --------
    >>> matrix(pa.table({"a": [1, 2], "b": [0.5, None]})).tolist()
    [[1.0, 0.5], [2.0, nan]]
    """
    if single:
        batch = pa.table([_single(column) for column in batch.columns], names=batch.schema.names)
    elif not is_all_double(batch):
        batch = batch.cast(pa.schema([pa.field(name, pa.float64()) for name in batch.schema.names]))
    (rows,) = batch.combine_chunks().to_batches()
    values: np.ndarray = rows.to_tensor(null_to_nan=True, row_major=row_major).to_numpy()
    return values


def _single(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # A direct cast would refuse integers that float32 rounds.
    wide = column if pa.types.is_floating(column.type) else column.cast(pa.float64())
    return wide.cast(pa.float32())


def frame(batch: pa.Table) -> pd.DataFrame:
    """Return a batch as a data frame: float64 columns as one block, others in pandas' own types.

    Examples
    --------
    >>> frame(pa.table({"a": [1.0], "b": ["x"]})).to_dict("list")
    {'a': [1.0], 'b': ['x']}
    """
    if is_all_double(batch):
        return pd.DataFrame(matrix(batch, row_major=False), columns=batch.schema.names, copy=False)
    # pandas' metadata could make an index of a column that the model needs.
    data: pd.DataFrame = batch.replace_schema_metadata(None).to_pandas()
    return data
