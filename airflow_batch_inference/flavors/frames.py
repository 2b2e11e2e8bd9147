"""A mini-batch in the form that a framework takes: one contiguous matrix, or a data frame.

What must not be relaxed: columns keep their order and rows theirs; a null is a NaN or pandas' NA, never a zero; and an
integer is one whatever stands around it: 270 beside a null is no 270.0. Memory order is part of the result: BLAS sums a
row in another order for another layout, so an array is row-major and a frame's block column-major, as NumPy's and
pandas' own are; then linear models give the same bits as they do outside.
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


def matrix(batch: pa.Table, *, row_major: bool = True) -> np.ndarray:
    """Return a batch of numbers as one contiguous float64 array of shape (rows, columns), nulls as NaN.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        A column does not hold numbers.

    Examples
    --------
    >>> matrix(pa.table({"a": [1, 2], "b": [0.5, None]})).tolist()
    [[1.0, 0.5], [2.0, nan]]
    """
    if not is_all_double(batch):
        batch = batch.cast(pa.schema([pa.field(name, pa.float64()) for name in batch.schema.names]))
    (rows,) = batch.combine_chunks().to_batches()
    values: np.ndarray = rows.to_tensor(null_to_nan=True, row_major=row_major).to_numpy()
    return values


_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
"""What keeps integers and booleans beside nulls what they are: scikit-learn takes these types for numbers where it
wants numbers, and encoders find 270, where plain pandas would make 270.0 of it, and objects of booleans."""


def frame(batch: pa.Table) -> pd.DataFrame:
    """Return a batch as a data frame: float64 columns as one block, others in pandas' own types.

    Integers and booleans with nulls are of pandas' nullable types; a column of nulls without a type is text without a
    value, which encoders and imputers know as missing.

    Examples
    --------
    >>> frame(pa.table({"a": [1.0], "b": ["x"]})).to_dict("list")
    {'a': [1.0], 'b': ['x']}
    """
    if is_all_double(batch):
        return pd.DataFrame(matrix(batch, row_major=False), columns=batch.schema.names, copy=False)
    data = _plain_frame(batch)
    for place, column in enumerate(batch.columns):
        if pa.types.is_null(column.type):
            data.isetitem(place, column.cast(pa.string()).to_pandas())
        elif column.null_count and column.type in _NULLABLE:
            data.isetitem(place, column.to_pandas(types_mapper=_NULLABLE.get))
    return data


def array(batch: pa.Table) -> np.ndarray:
    """Return a batch as one array, of the type that holds all columns; nulls among numbers are NaN.

    Examples
    --------
    >>> array(pa.table({"a": [1, None], "b": [3, 4]})).tolist()
    [[1.0, 3.0], [nan, 4.0]]
    """
    return matrix(batch) if is_all_double(batch) else _plain_frame(batch).to_numpy()


def _plain_frame(batch: pa.Table) -> pd.DataFrame:
    # pandas' metadata could make an index of a column that the model needs.
    data: pd.DataFrame = batch.replace_schema_metadata(None).to_pandas()
    return data
