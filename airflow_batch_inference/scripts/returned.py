"""What ``run()`` returned: how many elements, and the table that they are.

What must not be relaxed: each element is one row, in order; nothing but a list, a tuple, an array, a Series or a
DataFrame is taken; and CSV has the bytes that pandas' own ``to_csv`` writes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.columns import repeated
from airflow_batch_inference.exceptions import ConfigurationError, ScriptError
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

_DIMENSIONS = 2
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
        kind = type(result)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        message = f"run() returned {'None' if result is None else f'a {name}'}; it must return {_ACCEPTED}."
        raise ScriptError(message)
    dimensions = getattr(result, "ndim", 1)
    if not 1 <= dimensions <= _DIMENSIONS:
        message = (
            f"run() returned an array of {dimensions} dimensions; it must have one or two, the first of them rows."
        )
        raise ScriptError(message)
    return len(result)  # type: ignore[arg-type]  # all of these have a length


def _is(result: object, module: str, *names: str) -> bool:
    """Say whether a value is of a type in a module, which is not imported for it."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(result, tuple(getattr(loaded, name) for name in names))


def _is_frame(result: object) -> bool:
    return _is(result, "pandas", "Series", "DataFrame")


def as_frame(result: Any, labels: Sequence[str] | None = None) -> pd.DataFrame:  # noqa: ANN401  # any of several types
    r"""Return the elements as rows.

    Parameters
    ----------
    result
        What :func:`count_elements` takes.
    labels
        Names of the columns of what has none; None: ``predicted_label``, or ``predicted_label_0``, … for several.

    Raises
    ------
    ScriptError
        Elements of several shapes, or another number of columns than names.

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
    if len(widths) > 1:
        message = "run() returned elements of several lengths; each must be one value, or all as many values."
        raise ScriptError(message)
    if widths in (set(), {None}):
        return _named(pd.DataFrame({0: pd.Series(rows, dtype=None if rows else object)}), labels)
    return _named(pd.DataFrame(rows), labels)


def _is_row(value: object) -> bool:
    return isinstance(value, (list, tuple)) or (_is(value, "numpy", "ndarray") and value.ndim == 1)  # type: ignore[attr-defined]  # an array


def _named(frame: pd.DataFrame, labels: Sequence[str] | None) -> pd.DataFrame:
    from airflow_batch_inference.scoring.batch import default_names

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
