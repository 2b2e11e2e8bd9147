"""What ``run()`` returned: how many elements, and the table that they are.

Invariants: each element is one row, in order; nothing but a list, a tuple, an array, a Series or a DataFrame is taken;
and CSV has the bytes that pandas' own ``to_csv`` writes.
"""

from __future__ import annotations

import datetime as dt
import decimal
import numbers
import sys
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, ScriptError
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.columns import repeated
from airflow_batch_inference.scripts.received import Foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

_DIMENSIONS = 2
_SIMPLE = (
    str, bytes, numbers.Number, decimal.Decimal, dt.date, dt.time, dt.timedelta, uuid.UUID, type(None)
)  # fmt: skip
_ACCEPTED = "a list, a tuple, a NumPy array, a pandas Series or a DataFrame"


def count_elements(result: object) -> int:
    """Return how many elements there are, each of which is one success.

    Raises
    ------
    ScriptError
        It is nothing that a script may return; the type is named.

    Examples
    --------
    >>> count_elements([0.25, 0.5])
    2
    """
    if not (isinstance(result, (list, tuple)) or _is(result, "numpy", "ndarray") or _is_frame(result)):
        name = _type_name(result)
        message = f"run() returned {'None' if result is None else f'a {name}'}; it must return {_ACCEPTED}."
        raise ScriptError(message)
    dimensions = getattr(result, "ndim", 1)
    if not 1 <= dimensions <= _DIMENSIONS:
        message = (
            f"run() returned an array of {dimensions} dimensions; it must have one or two, the first of them rows."
        )
        raise ScriptError(message)
    return len(result)  # type: ignore[arg-type]  # all of these have a length


def _type_name(value: object) -> str:
    if isinstance(value, Foreign):
        return value.kind
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _is(result: object, module: str, *names: str) -> bool:
    """Say whether a value is of a type in a module, which is not imported for it."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(result, tuple(getattr(loaded, name) for name in names))


def _is_frame(result: object) -> bool:
    return _is(result, "pandas", "Series", "DataFrame")


def as_frame(
    result: Any,  # noqa: ANN401  # any of several types
    labels: Sequence[str] | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    r"""Return the elements as rows.

    Parameters
    ----------
    result
        What :func:`count_elements` takes.
    labels
        Names of the columns of what has none; None: ``predicted_label``, or ``predicted_label_0``, … for several.

    note
        Told what becomes text.

    Raises
    ------
    ScriptError
        Elements of several lengths, where several columns are named.
    ConfigurationError
        Another number of columns than names.

    Examples
    --------
    >>> as_frame([0.25, 0.5]).to_csv(header=False, index=False)
    '0.25\n0.5\n'
    """
    import pandas as pd

    if isinstance(result, pd.DataFrame):
        return result
    if isinstance(result, pd.Series):
        name = labels if result.name is None else [str(result.name)]
        return _named(result.to_frame().reset_index(drop=True), name)
    if getattr(result, "ndim", 1) == _DIMENSIONS:
        return _named(pd.DataFrame(result), labels)
    rows = list(result)
    if rows and all(isinstance(row, Mapping) for row in rows):
        return pd.DataFrame(rows)
    widths = {len(row) if _is_row(row) else None for row in rows}
    if len(widths) > 1:  # which is no table: each is its text
        _require_one_label(labels)
        note("run() returned elements of several lengths, which are written as their text, in one column")
        rows, widths = [_as_text(row) if _is_row(row) else row for row in rows], {None}
    if widths in (set(), {None}):
        return _named(pd.DataFrame({0: pd.Series(rows, dtype=None if rows else object)}), labels)
    return _named(pd.DataFrame(rows), labels)


def _is_row(value: object) -> bool:
    return isinstance(value, (list, tuple)) or (_is(value, "numpy", "ndarray") and value.ndim == 1)  # type: ignore[attr-defined]  # an array


def _require_one_label(labels: Sequence[str] | None) -> None:
    if labels is not None and len(labels) > 1:
        message = (
            f"run() returned elements of several lengths, and label_columns names {len(labels)} columns: each must be "
            "as many values."
        )
        raise ScriptError(message)


def _as_text(row: Any) -> str:  # noqa: ANN401  # a list, a tuple or an array
    """Return the text of a row's values, as Python shows them."""
    values = [value.item() if _is(value, "numpy", "generic") else value for value in row]
    return str(tuple(values) if isinstance(row, tuple) else values)


def complex_values(frame: pd.DataFrame) -> str | None:
    """Describe the first column whose values are no plain ones, and become their text in CSV; None where all are."""
    for at, name in enumerate(frame.columns):
        values = frame.iloc[:, at]
        if values.dtype.kind != "O":
            continue
        kinds = {type(value): value for value in values}
        found = next((value for kind, value in kinds.items() if not _is_simple(kind)), None)
        if found is not None:
            return (
                f"run() returned a {_type_name(found)} in the column {name}, which goes into CSV as its text, such as "
                f"{str(found)[:60]!r}. Return plain values, or let output_file_name end with .parquet, or write files "
                "(output_action='summary_only')"
            )
    return None


def _is_simple(kind: type) -> bool:
    is_of_theirs = kind.__module__.partition(".")[0] in ("numpy", "pandas")
    return issubclass(kind, _SIMPLE) or (is_of_theirs and not hasattr(kind, "__iter__"))


def _named(frame: pd.DataFrame, labels: Sequence[str] | None) -> pd.DataFrame:
    from airflow_batch_inference.predictors.output_table import default_names

    names = default_names(frame.shape[1]) if labels is None else list(labels)
    if len(names) != frame.shape[1]:
        message = (
            f"label_columns names {len(names)} column(s) ({', '.join(names)}), but run() returned {frame.shape[1]}: "
            f"give {frame.shape[1]} name(s)."
        )
        raise ConfigurationError(message)
    return frame.set_axis(names, axis=1)


def write_rows(frame: pd.DataFrame, path: Path, kind: str, *, has_header: bool) -> tuple[ColumnSpec, ...]:
    """Write a mini-batch's rows and return their columns; CSV gets no header, which the whole file has once.

    Raises
    ------
    ScriptError
        Two columns of one name, or values that the format cannot hold.
    """
    names = [str(name) for name in frame.columns]
    twice = repeated(names)
    if twice and has_header:
        message = f"run() returned two columns named {twice[0]!r}. Give each a name of its own."
        raise ScriptError(message)
    if kind == "csv":
        frame.to_csv(path, header=False, index=False, lineterminator="\n")
        return tuple(ColumnSpec(name=name, type=_csv_type(frame, at)) for at, name in enumerate(names))
    return _write_table(frame.set_axis(names, axis=1), path)


def _csv_type(frame: pd.DataFrame, at: int) -> str:
    """Return the Arrow type that a column's values have, for who reads the text again."""
    import pyarrow as pa

    try:
        return str(pa.Array.from_pandas(frame.iloc[:, at]).type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return "string"


def _write_table(frame: pd.DataFrame, path: Path) -> tuple[ColumnSpec, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, path)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        message = (
            f"What run() returned cannot be written as a table of typed columns: {error}. Return values of one type a "
            "column, or let output_file_name end with .csv."
        )
        raise ScriptError(message) from error
    return tuple(ColumnSpec(name=field.name, type=str(field.type)) for field in table.schema)
