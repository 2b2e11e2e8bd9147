"""NumPy arrays, data frames and Arrow tables that are given as a dataset, as one table.

Invariants: pandas and polars are never imported here, only recognised where the caller has; every column keeps its
type; and what no column can hold is refused by column and row.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.validity import require_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

ERRORS = (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError)
"""What Arrow raises for values that it has no type for."""
_ADVICE = {
    ("pandas", "Series"): "Make a frame of it: to_frame() of a column, to_frame().T of a row.",
    ("polars", "Series"): "Make a frame of it: to_frame().",
    ("polars", "LazyFrame"): "Read it: collect().",
}


def is_a(value: object, module: str, name: str) -> bool:
    """Say whether a value is of a class of a library, which is not imported for that.

    Examples
    --------
    >>> is_a(np.zeros(2), "numpy", "ndarray"), is_a([], "polars", "DataFrame")
    (True, False)
    """
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def is_in_memory(dataset: object) -> bool:
    """Say whether a dataset is an array, a data frame or an Arrow table."""
    if isinstance(dataset, (np.ndarray, pa.Table, pa.RecordBatch)):
        return True
    return is_a(dataset, "pandas", "DataFrame") or is_a(dataset, "polars", "DataFrame")


def advice_for(value: object) -> str | None:
    """Say how a value becomes a data frame, where it nearly is one."""
    return next((words for (module, name), words in _ADVICE.items() if is_a(value, module, name)), None)


def rows_of(dataset: Any) -> int:  # noqa: ANN401  # one of those above
    """Return how many rows an array, frame or table has; an array without dimensions has one."""
    if isinstance(dataset, (pa.Table, pa.RecordBatch)):
        return int(dataset.num_rows)
    return 1 if isinstance(dataset, np.ndarray) and dataset.ndim == 0 else len(dataset)


def in_memory_table(dataset: Any, named: Callable[[int], list[str]], *, renamed: bool) -> pa.Table:  # noqa: ANN401  # one of those above
    """Return an array, frame or table as a table without dictionaries, index or metadata.

    Parameters
    ----------
    dataset
        What :func:`is_in_memory` knows.
    named
        Returns names for so many columns that have none, and refuses a number that does not fit.
    renamed
        Whether these are also the names of a frame whose columns are numbered.

    Raises
    ------
    DataError
        Two columns have one name, or one holds what no column can; names it, and the row.
    """
    if isinstance(dataset, np.ndarray):
        columns = _of_array(dataset, named)
    elif is_a(dataset, "pandas", "DataFrame"):
        columns = _of_pandas(dataset, named if renamed else None)
    elif is_a(dataset, "polars", "DataFrame"):
        columns = list(zip(dataset.columns, of_polars(dataset).columns, strict=True))
    else:
        require_valid(dataset, "the Arrow table")
        columns = list(zip(dataset.schema.names, dataset.columns, strict=True))
    names = [name for name, _ in columns]
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        message = f"The inline dataset has two columns named {twice!r}. Rename one, or leave it out."
        raise DataError(message)
    return pa.table([_plain(values) for _, values in columns], names=names)


def of_polars(frame: Any) -> pa.Table:  # noqa: ANN401  # a polars.DataFrame
    """Return a polars frame as a table, in the types that every reader of Arrow knows.

    Raises
    ------
    DataError
        A column holds Python objects.
    """
    polars = sys.modules["polars"]
    objects = [name for name, kind in frame.schema.items() if "Object" in str(kind)]
    if objects:  # Arrow would get addresses in memory for values
        message = f"Column {objects[0]!r} of the polars frame holds Python objects. Give it a type (cast), or drop it."
        raise DataError(message)
    return frame.to_arrow(compat_level=polars.CompatLevel.oldest())


def _plain(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _of_array(array: np.ndarray, named: Callable[[int], list[str]]) -> list[tuple[str, pa.Array]]:
    """Return the columns of an array: its fields, its second dimension, or one column of tensors."""
    if not isinstance(array, np.ma.MaskedArray):
        array = np.asarray(array)  # a matrix has two dimensions even where one column is taken
    if array.dtype.names is not None:
        if array.ndim != 1:
            message = f"A structured array must have one dimension, of its rows; this one has {array.ndim}."
            raise DataError(message)
        return [(name, array_of(name, array[name])) for name in array.dtype.names]
    if array.ndim == 0:
        message = "The array has no dimension. Give one of shape (rows, columns)."
        raise DataError(message)
    if array.ndim == 2:  # rows and columns
        names = named(array.shape[1])
        return [(name, array_of(name, array[:, place])) for place, name in enumerate(names)]
    names = named(1)
    return [(names[0], array_of(names[0], array))]


def array_of(name: str, values: np.ndarray) -> pa.Array:
    """Return an array as a column: one value a row, or a list where it has further dimensions.

    Raises
    ------
    DataError
        Arrow has no type for it, or a column of objects mixes types.

    Examples
    --------
    >>> array_of("t", np.zeros((1, 2, 3))).type
    FixedSizeListType(fixed_size_list<item: fixed_size_list<item: double>[3]>[2])
    """
    if values.dtype == object:
        if values.ndim == 1:
            return object_column(name, values.tolist())
        message = f"Column {name!r} is a tensor of Python objects. Give it a type: array.astype(float)."
        raise DataError(message)
    if isinstance(values, np.ma.MaskedArray) and values.ndim > 1:
        message = f"Column {name!r} is a tensor with masked values, which no model takes. Fill them: array.filled(0)."
        raise DataError(message)
    try:
        flat = pa.array(np.ascontiguousarray(values).reshape(-1) if values.ndim > 1 else values)
        for size in reversed(values.shape[1:]):
            flat = pa.FixedSizeListArray.from_arrays(flat, size)
    except ERRORS as error:
        message = f"Column {name!r} of the array is {values.dtype}, which no column can hold ({error}). Convert it."
        raise DataError(message) from error
    return flat


def _of_pandas(frame: Any, named: Callable[[int], list[str]] | None) -> list[tuple[str, pa.Array]]:  # noqa: ANN401  # a pandas.DataFrame
    if frame.columns.nlevels > 1:
        message = (
            f"The columns of the data frame have {frame.columns.nlevels} levels. Give each one name: "
            'frame.columns = ["_".join(map(str, name)) for name in frame.columns].'
        )
        raise DataError(message)
    given = list(frame.columns)
    is_numbered = named is not None and given == list(range(len(given)))
    names = named(len(given)) if named is not None and is_numbered else [str(name) for name in given]
    _tell_of_index(frame.index)
    return [(name, _series(name, frame.iloc[:, place])) for place, name in enumerate(names)]


def _tell_of_index(index: Any) -> None:  # noqa: ANN401  # a pandas.Index
    held = [str(name) for name in index.names if name is not None]
    if held:
        log.warning("The index of the data frame (%s) is no column here: reset_index() makes it one", ", ".join(held))


def _series(name: str, series: Any) -> pa.Array:  # noqa: ANN401  # a pandas.Series
    """Return a column as pandas itself gives it to Arrow, where missing values are nulls."""
    try:
        values = pa.array(series, from_pandas=True)
    except ERRORS as error:
        if series.dtype != object:
            message = (
                f"Column {name!r} of the data frame is {series.dtype}, which no column can hold ({error}). Convert it."
            )
            raise DataError(message) from error
        missing = series.isna().to_numpy() if series.ndim == 1 else np.zeros(len(series), bool)
        cells = [None if gone else cell for cell, gone in zip(series.tolist(), missing, strict=True)]
        return object_column(name, cells)
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def object_column(name: str, cells: list[Any]) -> pa.Array:
    """Return Python values as a column: arrays of one shape as tensors, integers among numbers as numbers.

    Raises
    ------
    DataError
        They have no common type: names the first row that is odd.
    """
    stacked = stacked_tensors(cells)
    if stacked is not None:
        return stacked
    try:
        return pa.array(cells)
    except OverflowError as error:
        message = f"Column {name!r} of the inline dataset holds an integer of more than 64 bits. Give it as a float."
        raise DataError(message) from error
    except ERRORS as error:
        try:
            if all(cell is None or _is_number(cell) for cell in cells):
                return pa.array(cells, type=pa.float64())
            return pa.array(cells, from_pandas=True)  # NaN is what pandas has for missing text
        except ERRORS:
            raise DataError(_mixed(name, cells, error)) from error


def _is_number(cell: object) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def stacked_tensors(cells: Sequence[Any]) -> pa.Array | None:
    """Return arrays of one shape and several dimensions as nested lists; None where they are not."""
    arrays = [cell for cell in cells if isinstance(cell, np.ndarray)]
    if not arrays or len(arrays) < len(cells) or any(each.shape != arrays[0].shape for each in arrays):
        return None
    try:
        found = pa.array(np.ascontiguousarray(np.stack(arrays)).reshape(-1))
        for size in reversed(arrays[0].shape):
            found = pa.FixedSizeListArray.from_arrays(found, size)
    except ERRORS:
        return None
    return found


def _is_nan(cell: object) -> bool:
    return isinstance(cell, float) and cell != cell  # of all values, NaN alone is not itself


def _mixed(name: str, cells: list[Any], error: Exception) -> str:
    present = [(row, cell) for row, cell in enumerate(cells) if cell is not None and not _is_nan(cell)]
    first_row, first = present[0]
    kind = _is_number if _is_number(first) else lambda cell: type(cell) is type(first)
    odd = next(((row, cell) for row, cell in present if not kind(cell)), None)
    if odd is None:
        return (
            f"Column {name!r} of the inline dataset holds a {type(first).__name__}, row {first_row}, which no column "
            f"can hold ({error}). Convert it."
        )
    return (
        f"Column {name!r} of the inline dataset mixes types: row {first_row} holds a {type(first).__name__}, "
        f"row {odd[0]} holds {odd[1]!r}. Give values of one type."
    )
