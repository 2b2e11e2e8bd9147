"""Small records given in the DAG itself (list of lists, list of dicts, dict of columns) as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_INLINE_ROWS = 10_000


def is_inline(dataset: object) -> bool:
    """Say whether a dataset is given as records rather than as URIs."""
    if isinstance(dataset, dict):
        return True
    return isinstance(dataset, (list, tuple)) and any(not isinstance(item, str) for item in dataset)


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
        List of lists (rows), list of dicts (rows), or dict of columns.
    feature_columns
        Names for a list of lists: of all its columns, or of those that ``dropped`` leaves.
    dropped
        Positions that a caller will drop; only needed to match names to a list of lists.
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
    if isinstance(dataset, dict):
        columns = {str(name): _values(name, values) for name, values in dataset.items()}
    else:
        rows = list(dataset)  # type: ignore[call-overload]  # is_inline: a list or tuple
        _check_size(len(rows))
        if all(isinstance(row, dict) for row in rows):
            names = list(dict.fromkeys(name for row in rows for name in row))
            columns = {str(name): [row.get(name) for row in rows] for name in names}
        else:
            has_arguments = is_scored or feature_columns is not None or bool(dropped)
            columns = _columns_of_lists(rows, feature_columns, dropped, model_names, has_arguments)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        message = f"The columns of the inline dataset differ in length: {lengths}. Give each the same number of values."
        raise DataError(message)
    _check_size(max(lengths.values(), default=0))
    return pa.table({name: _array(name, values) for name, values in columns.items()})


def _values(name: object, values: object) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        is_summary = isinstance(values, Mapping) and "count" in values
        hint = " If these are MLRun's statistics of a sample set, give them as baseline=." if is_summary else ""
        message = (
            f"Column {name!r} of the inline dataset is a {type(values).__name__}; give a list of its values.{hint}"
        )
        raise DataError(message)
    return list(values)


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
    has_arguments: bool,
) -> dict[str, list[Any]]:
    for position, row in enumerate(rows):
        if not isinstance(row, (list, tuple)):
            message = f"Row {position} of the inline dataset is a {type(row).__name__}; all rows must be lists."
            raise DataError(message)
        if len(row) != len(rows[0]):
            message = f"Row {position} of the inline dataset has {len(row)} values; row 0 has {len(rows[0])}."
            raise DataError(message)
    width = len(rows[0]) if rows else 0
    kept = [position for position in range(width) if position not in set(dropped)]
    names = _names(width, kept, feature_columns, model_names, has_arguments)
    return {names[position]: [row[position] for row in rows] for position in range(width)}


def _names(
    width: int,
    kept: list[int],
    feature_columns: Sequence[str] | None,
    model_names: Sequence[str] | None,
    has_arguments: bool,
) -> list[str]:
    given = feature_columns if feature_columns is not None else model_names
    if given is None:
        return [f"column_{position}" for position in range(width)]
    if repeated := sorted({name for name in given if list(given).count(name) > 1}):
        message = f"The names of the inline columns hold {repeated[0]!r} more than once: give each its own."
        raise ConfigurationError(message)
    if len(given) == width:
        return list(given)
    if len(given) == len(kept):
        named = dict(zip(kept, given, strict=True))
        return [named.get(position, f"column_{position}") for position in range(width)]
    source = "feature_columns" if feature_columns is not None else "the model"
    left = f" ({len(kept)} after drop_columns)" if has_arguments else ""
    advice = (
        "Give feature_columns of that length, or drop the surplus by position with drop_columns."
        if has_arguments
        else "Give the rows with the names of their values: as dicts, or as a dict of columns."
    )
    message = f"The inline rows have {width} values{left}, but {source} names {len(given)} columns. {advice}"
    raise ConfigurationError(message)


def _array(name: str, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except OverflowError as error:
        message = f"Column {name!r} of the inline dataset holds an integer of more than 64 bits. Give it as a float."
        raise DataError(message) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values):
        return pa.array(values, type=pa.float64())
    present = [(row, value) for row, value in enumerate(values) if value is not None]
    first_row, first = present[0]
    row, odd = next(((row, value) for row, value in present if type(value) is not type(first)), present[0])
    message = (
        f"Column {name!r} of the inline dataset mixes types: row {first_row} holds a {type(first).__name__}, "
        f"row {row} holds {odd!r}. Give values of one type."
    )
    raise DataError(message)
