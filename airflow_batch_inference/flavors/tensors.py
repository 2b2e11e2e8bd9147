"""A mini-batch as the tensors that a network takes, shared by the flavors whose models take tensors.

A network with one input of rank 2 (rows, k) takes k columns of numbers, in their order, or by name where
``feature_names`` says which; or one column of lists. One with several inputs takes a column for each, by the input's
name: numbers, text, or lists for inputs of a higher rank. What must not be relaxed: a value that the input's type
cannot hold is an error, never a wrapped or truncated number; and rows keep their order.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.frames import matrix
from airflow_batch_inference.records import ColumnSpec

_MATRIX = 2


@dataclass(frozen=True, slots=True)
class TensorInput:
    """One input of a network.

    Attributes
    ----------
    name
        As the network calls it.
    dtype
        NumPy's name of the type of its values; ``str`` for text.
    shape
        Without the axis of the rows; None where any size will do. ``()`` is one value a row, of shape (rows,).
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    @property
    def is_scalar(self) -> bool:
        """Whether a row has one value."""
        return self.shape in ((), (1,))

    @property
    def size(self) -> int | None:
        """How many values a row has; None where that is open."""
        return None if None in self.shape else math.prod(size for size in self.shape if size is not None)

    @property
    def column_type(self) -> str:
        """The Arrow type of a column that holds one value a row."""
        return "string" if self.dtype == "str" else str(pa.from_numpy_dtype(np.dtype(self.dtype)))


@dataclass(frozen=True, slots=True)
class TensorInputs:
    """All inputs of a network, and how columns become them.

    ``names`` are the columns of a single input of rank 2, where the user gave them.
    """

    inputs: tuple[TensorInput, ...]
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse names that do not fit.

        Raises
        ------
        ConfigurationError
            There are several inputs, or another number of columns.
        """
        if self.names is None:
            return
        if len(self.inputs) != 1 or self.inputs[0].size not in (None, len(self.names)):
            shapes = ", ".join(f"{each.name} {list(each.shape)}" for each in self.inputs)
            message = (
                f"load_options has {len(self.names)} feature_names, but the model's inputs are {shapes}. Name the "
                "columns of a single input, one name for each value of a row."
            )
            raise ConfigurationError(message)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The input columns; None where they are taken by position."""
        return tuple(each.name for each in self.inputs) if len(self.inputs) > 1 else self.names

    @property
    def n_features(self) -> int | None:
        """How many columns are taken, where that is fixed."""
        if len(self.inputs) > 1:
            return len(self.inputs)
        return self.inputs[0].size if len(self.inputs[0].shape) < _MATRIX else None

    @property
    def specs(self) -> tuple[ColumnSpec, ...] | None:
        """The input columns with their types; None where they are taken by position."""
        if len(self.inputs) > 1:
            return tuple(
                ColumnSpec(name=each.name, type=each.column_type if each.is_scalar else "any") for each in self.inputs
            )
        if self.names is None:
            return None
        return tuple(ColumnSpec(name=name, type=self.inputs[0].column_type) for name in self.names)

    def feeds(self, batch: pa.Table) -> dict[str, np.ndarray]:
        """Return one array an input, the first axis being the rows.

        Raises
        ------
        ValueError
            A value or a shape does not fit; the message names the column and the row within the batch.
        """
        if len(self.inputs) > 1:
            return {each.name: _tensor(batch.column(each.name), each) for each in self.inputs}
        (only,) = self.inputs
        if batch.num_columns == 1:
            return {only.name: _tensor(batch.column(0), only, batch.schema.names[0])}
        return {only.name: _shaped(_matrix(batch, only), only)}


def feature_names_option(options: dict[str, object]) -> tuple[str, ...] | None:
    """Return the load option ``feature_names``.

    Raises
    ------
    ConfigurationError
        It is no list of different names.
    """
    given = options.get("feature_names")
    if given is None:
        return None
    is_list = isinstance(given, (list, tuple)) and all(isinstance(name, str) for name in given)
    if not is_list or len(set(given)) != len(given):  # type: ignore[call-overload, arg-type]  # a list, by now
        message = f"load_options has feature_names {given!r}; it must be a list of different column names."
        raise ConfigurationError(message)
    return tuple(given)  # type: ignore[arg-type]  # a list of names, by now


def native_threads() -> int:
    """Return how many threads a framework may use: what the worker was given, else all usable cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _matrix(batch: pa.Table, wanted: TensorInput) -> np.ndarray:
    if wanted.dtype == "str":
        return np.column_stack([_text(batch.column(name), name) for name in batch.schema.names])
    if np.issubdtype(np.dtype(wanted.dtype), np.floating):
        return matrix(batch).astype(wanted.dtype, copy=False)
    return np.column_stack([_numbers(batch.column(name), wanted.dtype, name) for name in batch.schema.names])


def _shaped(values: np.ndarray, wanted: TensorInput) -> np.ndarray:
    rows, width = values.shape
    if wanted.size is not None and width != wanted.size:
        message = f"the model's input {wanted.name!r} takes {wanted.size} values a row, not {width}"
        raise ValueError(message)
    return values.reshape(rows, *(-1 if size is None else size for size in wanted.shape))


def _tensor(column: pa.ChunkedArray, wanted: TensorInput, name: str | None = None) -> np.ndarray:
    name = name or wanted.name
    if _is_list(column.type):
        return _of_lists(column, wanted, name)
    if not wanted.is_scalar and wanted.size not in (None, 1):
        message = f"column {name!r} holds {column.type}, but the model takes {list(wanted.shape)} values a row: lists"
        raise ValueError(message)
    values = _text(column, name) if wanted.dtype == "str" else _numbers(column, wanted.dtype, name)
    return values.reshape(len(column), *(1 for _ in wanted.shape))


def _of_lists(column: pa.ChunkedArray, wanted: TensorInput, name: str) -> np.ndarray:
    """Return lists, nested or flat, as an array of the input's shape.

    Every row must have as many values as the input takes, or as the first row where that is open.
    """
    rows = len(column)
    lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    depth_sizes: list[int] = []
    while _is_list(lists.type):
        _require_no_null(lists, name)
        lengths = pc.list_value_length(lists)
        width = lengths[0].as_py() if len(lengths) else 0
        uneven = pc.index(pc.equal(lengths, width), value=False).as_py()
        if uneven >= 0:
            row = uneven // max(1, math.prod(depth_sizes))
            message = f"column {name!r}, row {row} of the batch: its list has {lengths[uneven]} values, not {width}"
            raise ValueError(message)
        depth_sizes.append(width)
        lists = lists.flatten()
    values = _text(lists, name) if wanted.dtype == "str" else _numbers(lists, wanted.dtype, name)
    return _shaped(values.reshape(rows, -1), wanted)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _numbers(column: pa.ChunkedArray | pa.Array, dtype: str, name: str) -> np.ndarray:
    """Return numbers of a type; nulls are NaN for floating types, an error for others."""
    wanted = np.dtype(dtype)
    if np.issubdtype(wanted, np.floating):
        found = (
            column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            if isinstance(column, pa.Array)
            else (column.cast(pa.float64()).to_numpy())
        )
        return np.asarray(found, dtype=np.float64).astype(wanted, copy=False)
    _require_no_null(column, name)
    try:
        exact = column.cast(pa.from_numpy_dtype(wanted))
    except pa.ArrowInvalid as error:
        message = f"column {name!r}: {error}; the model takes {dtype}"
        raise ValueError(message) from error
    chunk = exact.combine_chunks() if isinstance(exact, pa.ChunkedArray) else exact
    return np.asarray(chunk.to_numpy(zero_copy_only=False), dtype=wanted)


def _text(column: pa.ChunkedArray | pa.Array, name: str) -> np.ndarray:
    _require_no_null(column, name)
    return np.array(column.cast(pa.string()).to_pylist(), dtype=object)


def _require_no_null(column: pa.ChunkedArray | pa.Array, name: str) -> None:
    row = pc.index(pc.is_null(column), value=True).as_py() if column.null_count else -1
    if row >= 0:
        message = f"column {name!r}, row {row} of the batch: it is null, which the model's input cannot hold"
        raise ValueError(message)
