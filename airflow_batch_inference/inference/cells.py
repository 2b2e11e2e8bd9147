"""A column of Python values as Arrow has it: arrays in cells as tensors, and a clear error for what no column holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.sources.in_memory import stacked_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

_ERRORS = (pa.ArrowException, TypeError, ValueError, OverflowError)


def column_of(name: str, values: Sequence[Any] | pd.Series, *, tolerant: bool) -> pa.Array:
    """Return a column of values.

    Parameters
    ----------
    name
        For messages.
    values
        One a row: numbers, text, times, or lists and arrays of one shape (tensors).
    tolerant
        Whether values of several kinds become text, of which each row is judged by itself.

    Raises
    ------
    DataError
        They have no common type: names the row.

    Examples
    --------
    >>> column_of("t", [np.zeros((2, 2), np.float32)], tolerant=False).type
    FixedSizeListType(fixed_size_list<item: fixed_size_list<item: float>[2]>[2])
    >>> column_of("a", [1.5, "x"], tolerant=True).to_pylist()
    ['1.5', 'x']
    """
    try:
        return _one_chunk(pa.array(values, from_pandas=True))
    except _ERRORS as error:
        cells = list(values)
        stacked = stacked_tensors(cells)
        if stacked is not None:
            return stacked
        if tolerant:
            return pa.array([None if _is_missing(cell) else str(cell) for cell in cells], pa.string())
        raise DataError(_mixed(name, cells, error)) from error


def _one_chunk(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _is_missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and np.isnan(cell)) or cell is pd.NA or cell is pd.NaT


def _mixed(name: str, cells: list[Any], error: Exception) -> str:
    """Name the first value that does not go with those before it."""
    present = [(row, cell) for row, cell in enumerate(cells) if not _is_missing(cell)]
    first_row, first = present[0] if present else (0, None)
    alike = (int, float) if isinstance(first, (int, float)) and not isinstance(first, bool) else type(first)
    odd = next(((row, cell) for row, cell in present if not isinstance(cell, alike)), None)
    if odd is None:
        return f"Column {name!r} of the data holds values that no column can hold: {error}."
    return (
        f"Column {name!r} of the data mixes types: row {first_row} (from 0) holds a {type(first).__name__}, row "
        f"{odd[0]} holds {odd[1]!r}. Give values of one type; or set on_error='null', so that such rows fail alone."
    )
