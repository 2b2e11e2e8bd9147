"""A mini-batch in the form that a framework takes: one contiguous matrix, or a data frame.

Invariants: columns keep their order and rows theirs, and a null is a NaN, never a zero. Memory order is part of the
result: BLAS sums a row in another order for another layout, so an array is row-major and a frame's block column-major,
as NumPy's and pandas' own are; then linear models give the same bits as they do outside. pandas is imported for the
first data frame only: most models are scored without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.schema.arrays import to_doubles
from airflow_batch_inference.schema.column_types import INTEGERS, as_doubles
from airflow_batch_inference.schema.columns import replace_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd


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
        batch = pa.table([single_column(column) for column in batch.columns], names=batch.schema.names)
    elif not is_all_double(batch):
        names = batch.schema.names
        batch = pa.table(list(map(as_doubles, batch.columns, names)), names=names)
    if not row_major and not single:
        return _block(batch)
    (rows,) = batch.combine_chunks().to_batches()
    values: np.ndarray = rows.to_tensor(null_to_nan=True, row_major=row_major).to_numpy()
    return values


def _block(batch: pa.Table) -> np.ndarray:
    """Return columns of float64 one after the other in NumPy's memory, which is kept for the next mini-batch.

    Arrow would join the pieces of a column first, and take pages from the system each time.
    """
    values = np.empty(batch.shape, dtype=np.float64, order="F")
    for place, column in enumerate(batch.columns):
        first = 0
        for chunk in column.chunks:
            values[first : first + len(chunk), place] = to_doubles(chunk)
            first += len(chunk)
    return values


def single_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of numbers as float32, rounded; too large ones are infinite."""
    # A direct cast would refuse integers that float32 rounds.
    wide = column if pa.types.is_floating(column.type) else as_doubles(column)
    return wide.cast(pa.float32())


def frame(batch: pa.Table) -> pd.DataFrame:
    """Return a batch as a data frame: float64 columns as one block, others in pandas' own types.

    Integers with nulls are float64 there; :func:`in_one_form` keeps them from models that could tell. A column of nulls
    without a type is text without a value, which encoders and imputers know as missing.

    Examples
    --------
    >>> frame(pa.table({"a": [1.0], "b": ["x"]})).to_dict("list")
    {'a': [1.0], 'b': ['x']}
    """
    import pandas as pd

    if is_all_double(batch):
        return pd.DataFrame(matrix(batch, row_major=False), columns=batch.schema.names, copy=False)
    untyped = [place for place, kind in enumerate(batch.schema.types) if pa.types.is_null(kind)]
    return _plain_frame(replace_columns(batch, {place: batch.column(place).cast(pa.string()) for place in untyped}))


def in_one_form(batch: pa.Table, score: Callable[[pa.Table], np.ndarray]) -> np.ndarray:
    """Score rows with nulls among integers or booleans apart from the others, so that each has the form it has alone.

    pandas makes 270.0 of 270 where another row of the column is null, and objects of booleans; a step that turns
    values into text then sees "270.0", which it was not fitted on. The same holds for whole doubles of a column that
    the model knows as integers (marked by :data:`~.column_types.INTEGERS`): a null made doubles of them before. No
    data type keeps scikit-learn from that: what its encoders take (pandas' nullable integers), its column
    transformers refuse to pass through.

    Parameters
    ----------
    batch
        Rows of n inputs.
    score
        Called once for each combination of columns that are null together; returns shape (rows,) or (rows, k).

    Returns
    -------
    numpy.ndarray
        What it returned, in the order of the batch.

    Examples
    --------
    >>> in_one_form(pa.table({"a": [1, None, 3]}), lambda rows: frame(rows)["a"].astype(str).to_numpy()).tolist()
    ['1', nan, '3']
    """
    gaps = [
        column.is_null().to_numpy()
        for column in batch.columns
        if column.null_count and (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type))
    ]
    doubles = [place for place, field in enumerate(batch.schema) if field.metadata == INTEGERS]
    gaps += [_is_whole(batch.column(place)) for place in doubles]
    if not gaps:
        return score(batch)
    _, group = np.unique(np.column_stack(gaps), axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    borders = np.flatnonzero(np.diff(group[order])) + 1
    parts = (batch.take(pa.array(rows)) for rows in np.split(order, borders))
    scored = np.concatenate([score(_with_integers(part, doubles)) for part in parts])
    return scored[np.argsort(order, kind="stable")]


def _is_whole(column: pa.ChunkedArray) -> np.ndarray:
    values = column.to_numpy()
    whole: np.ndarray = np.isfinite(values) & (np.floor(values) == values)
    return whole


def _with_integers(batch: pa.Table, doubles: list[int]) -> pa.Table:
    """Give whole numbers that came as doubles the form that the model knows them in."""
    whole = [place for place in doubles if batch.num_rows and _is_whole(batch.column(place)).all()]
    return replace_columns(batch, {place: batch.column(place).cast(pa.int64()) for place in whole})


def has_large_integers(batch: pa.Table) -> bool:
    """Say whether an integer beside a null has more digits than a double, which pandas would make of it, holds."""
    gapped = [column for column in batch.columns if column.null_count and pa.types.is_integer(column.type)]
    return any(
        each.as_py() is not None and abs(each.as_py()) > 2**53
        for column in gapped
        for each in pc.min_max(column).values()
    )


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
