"""Small data given in the DAG itself or by XCom (lists, dicts, arrays, data frames, Arrow tables) as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.schema.columns import repeated
from airflow_batch_inference.sources.in_memory import (
    advice_for,
    array_of,
    in_memory_table,
    is_in_memory,
    object_column,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_INLINE_ROWS = 10_000
MAX_INLINE_BYTES = 64 << 20

Values: TypeAlias = "list[Any] | np.ndarray"


def is_inline(dataset: object) -> bool:
    """Say whether a dataset is given as rows rather than as URIs.

    Raises
    ------
    ConfigurationError
        It is nearly a data frame, and not quite one.
    """
    if isinstance(dataset, dict) or is_in_memory(dataset):
        return True
    advice = advice_for(dataset)
    if advice is not None:
        raise ConfigurationError(_nearly("dataset", dataset, advice))
    return isinstance(dataset, (list, tuple)) and any(not isinstance(item, str) for item in dataset)


def for_a_dag(argument: str, given: object) -> object:
    """Return an array, frame or table as a DAG holds it; all else as it is.

    Airflow writes a record batch's address in memory into the DAG, which would be another one at each reading.

    Raises
    ------
    ConfigurationError
        It is too large, or nearly a frame and not quite one: no run could change that.
    """
    advice = advice_for(given)
    if advice is not None:
        raise ConfigurationError(_nearly(argument, given, advice))
    if is_in_memory(given):
        _check_size(rows_of(given))
    return pa.Table.from_batches([given]) if isinstance(given, pa.RecordBatch) else given


def _nearly(argument: str, given: object, advice: str) -> str:
    kind = type(given)
    library = kind.__module__.partition(".")[0]
    return f"{argument} is a {library} {kind.__name__}, which is no data frame. {advice}"


def inline_table(
    dataset: object,
    *,
    feature_columns: Sequence[str] | None = None,
    dropped: Sequence[int] = (),
    model_names: Sequence[str] | None = None,
    is_scored: bool = False,
) -> pa.Table:
    """Turn inline records into a table.

    Parameters
    ----------
    dataset
        List of lists (rows), list of dicts (rows), dict of columns; an array, a pandas or polars data frame, or an
        Arrow table.
    feature_columns
        Names for a list of lists, an array, or a frame whose columns are numbered: of all its columns, or of those
        that ``dropped`` leaves.
    dropped
        Positions that a caller will drop; only needed to match names to columns without any.
    model_names
        Names to fall back to: the model's.
    is_scored
        Whether it is the dataset of a task that has ``feature_columns`` and ``drop_columns``; for messages.

    Raises
    ------
    ConfigurationError
        Too many rows for a DAG file, or names that do not fit.
    DataError
        Ragged rows, or values of one column that have no common type.
    """
    if is_in_memory(dataset):
        return _in_memory(dataset, feature_columns, dropped, model_names)
    if isinstance(dataset, dict):
        columns = _by_name({name: _values(name, values) for name, values in dataset.items()})
    else:
        rows = list(dataset)  # type: ignore[call-overload]  # is_inline: a list or tuple
        _check_size(len(rows))
        if all(isinstance(row, dict) for row in rows):
            names = list(dict.fromkeys(name for row in rows for name in row))
            columns = _by_name({name: [row.get(name) for row in rows] for name in names})
        else:
            has_arguments = is_scored or feature_columns is not None or bool(dropped)
            columns = _columns_of_lists(rows, feature_columns, dropped, model_names, has_arguments=has_arguments)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        message = f"The columns of the inline dataset differ in length: {lengths}. Give each the same number of values."
        raise DataError(message)
    _check_size(max(lengths.values(), default=0))
    return pa.table({name: _array(name, values) for name, values in columns.items()})


def _in_memory(
    dataset: object, feature_columns: Sequence[str] | None, dropped: Sequence[int], model_names: Sequence[str] | None
) -> pa.Table:
    _check_size(rows_of(dataset))
    given = feature_columns if feature_columns is not None else model_names
    if isinstance(dataset, np.ndarray) and dataset.ndim == 1 and dataset.dtype.names is None and len(given or ()) != 1:
        message = (
            f"The array has one dimension, of {len(dataset)} values, which may be one row or one column. Give "
            "array.reshape(1, -1) for one row, or array.reshape(-1, 1) for one column."
        )
        raise DataError(message)

    def named(width: int) -> list[str]:
        kept = [position for position in range(width) if position not in set(dropped)]
        return _names(width, kept, feature_columns, model_names, has_arguments=True)

    table = in_memory_table(dataset, named, renamed=feature_columns is not None)
    if table.nbytes > MAX_INLINE_BYTES:
        message = (
            f"The inline dataset takes {table.nbytes:,} bytes; the limit is {MAX_INLINE_BYTES:,}, because it travels "
            "in the DAG. Write it to a Parquet file and give its URI."
        )
        raise ConfigurationError(message)
    return table


def _by_name(columns: Mapping[Any, Values]) -> dict[str, Values]:
    """Return columns by their names as text; refuse two that would have one."""
    named: dict[str, Values] = {}
    for name, values in columns.items():
        if str(name) in named:
            message = f"The inline dataset has two columns named {str(name)!r}. Rename one, or leave it out."
            raise DataError(message)
        named[str(name)] = values
    return named


def _values(name: object, values: object) -> Values:
    if isinstance(values, (str, bytes, Mapping, AbstractSet)) or not isinstance(values, Iterable):
        is_summary = isinstance(values, Mapping) and "count" in values
        hint = " If these are statistics of a sample set, give them as baseline=." if is_summary else ""
        message = (
            f"Column {name!r} of the inline dataset is a {type(values).__name__}; give a list of its values.{hint}"
        )
        raise DataError(message)
    return values if isinstance(values, np.ndarray) and values.ndim and values.dtype != object else list(values)


def _check_size(rows: int) -> None:
    if rows > MAX_INLINE_ROWS:
        message = (
            f"The inline dataset has {rows} rows; the limit is {MAX_INLINE_ROWS}, because it travels in the DAG. "
            "Write it to a Parquet file and give its URI."
        )
        raise ConfigurationError(message)


def _columns_of_lists(
    rows: list[Any],
    feature_columns: Sequence[str] | None,
    dropped: Sequence[int],
    model_names: Sequence[str] | None,
    *,
    has_arguments: bool,
) -> dict[str, Values]:
    for position, row in enumerate(rows):
        if not isinstance(row, (list, tuple)) and not (isinstance(row, np.ndarray) and row.ndim == 1):
            raise DataError(_no_row(position, row))
        if len(row) != len(rows[0]):
            message = f"Row {position} of the inline dataset has {len(row)} values; row 0 has {len(rows[0])}."
            raise DataError(message)
    width = len(rows[0]) if rows else 0
    kept = [position for position in range(width) if position not in set(dropped)]
    names = _names(width, kept, feature_columns, model_names, has_arguments=has_arguments)
    if isinstance(rows[0] if rows else None, np.ndarray) and all(row.dtype == rows[0].dtype for row in rows):
        stacked = np.stack(rows)  # keeps the type
        return {names[position]: stacked[:, position] for position in range(width)}
    return {names[position]: [row[position] for row in rows] for position in range(width)}


def _no_row(position: int, row: object) -> str:
    joined = " A list of frames or tables is no dataset: put them below each other, and give the one that results."
    found = f"Row {position} of the inline dataset is a {type(row).__name__}; all rows must be lists."
    return found + (joined if is_in_memory(row) else "")


def _names(
    width: int,
    kept: list[int],
    feature_columns: Sequence[str] | None,
    model_names: Sequence[str] | None,
    *,
    has_arguments: bool,
) -> list[str]:
    given = feature_columns if feature_columns is not None else model_names
    if given is None:
        return [str(position) for position in range(width)]
    if twice := repeated(given):
        message = f"The names of the inline columns hold {twice[0]!r} more than once: give each its own."
        raise ConfigurationError(message)
    if len(given) == width:
        return list(given)
    if len(given) == len(kept):
        named = dict(zip(kept, given, strict=True))
        names = [named.get(position, str(position)) for position in range(width)]
        if len(set(names)) == width:
            return names
        taken = next(name for name in names if names.count(name) > 1)
        message = f"The inline columns would have the name {taken!r} twice: name those that are dropped, too."
        raise ConfigurationError(message)
    source = "feature_columns" if feature_columns is not None else "the model"
    left = f" ({len(kept)} after drop_columns)" if has_arguments else ""
    advice = (
        "Give feature_columns of that length, or drop the surplus by position with drop_columns."
        if has_arguments
        else "Give the rows with the names of their values: as dicts, or as a dict of columns."
    )
    message = f"The inline rows have {width} values{left}, but {source} names {len(given)} columns. {advice}"
    raise ConfigurationError(message)


def _array(name: str, values: Values) -> pa.Array:
    return array_of(name, values) if isinstance(values, np.ndarray) else object_column(name, values)
