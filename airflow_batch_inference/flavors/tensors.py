"""A mini-batch as the tensors that a network takes, shared by the flavors whose models take tensors.

A network with one input takes columns of numbers, as many as a row has values, in their order or by name where
``feature_names`` says which; or one column of lists, which a single name in ``feature_names`` declares. One with
several inputs takes a column for each, by the input's name: numbers, text, or lists for inputs with several values a
row.

Invariants: a value that the input's type cannot hold is an error, never a wrapped, truncated or infinite number; lists
are never arranged in another shape than they are nested in; and rows keep their order.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.frames import matrix
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.casts import LossyCastError, cast
from airflow_batch_inference.schema.column_types import is_text

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

    @property
    def zeros(self) -> object:
        """A row's value of zeros, or of empty texts; an axis of any size has one of them."""
        value: object = "" if self.dtype == "str" else False if self.dtype == "bool" else 0
        for size in reversed(() if self.is_scalar else self.shape):
            value = [value] * (1 if size is None else size)
        return value


@dataclass(frozen=True, slots=True)
class TensorInputs:
    """All inputs of a network, and how columns become them.

    ``names`` are the columns of a single input, where the user gave them: one for each value of a row, or just one for
    a column of lists.
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
        if len(self.inputs) != 1 or (len(self.names) != 1 and self.inputs[0].size not in (None, len(self.names))):
            shapes = ", ".join(f"{each.name} {list(each.shape)}" for each in self.inputs)
            message = (
                f"load_options has {len(self.names)} feature_names, but the model's inputs are {shapes}. Name the "
                "columns of a single input: one name for each value of a row, or one for a column of lists."
            )
            raise ConfigurationError(message)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The input columns; None where they are taken by position."""
        return tuple(each.name for each in self.inputs) if len(self.inputs) > 1 else self.names

    @property
    def n_features(self) -> int | None:
        """How many columns are taken, where that is fixed."""
        names = self.feature_names
        if names is not None:
            return len(names)
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
        (only,) = self.inputs
        holds_lists = len(self.names) == 1 and not only.is_scalar
        return tuple(ColumnSpec(name=name, type="any" if holds_lists else only.column_type) for name in self.names)

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return a value for each column that is an input of its own: zeros of its shape, or empty texts."""
        if len(self.inputs) > 1:
            return {each.name: each.zeros for each in self.inputs}
        return {batch.schema.names[0]: self.inputs[0].zeros} if batch.num_columns == 1 else {}

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


def _matrix(batch: pa.Table, wanted: TensorInput) -> np.ndarray:
    if wanted.dtype in ("float32", "float64"):
        with contextlib.suppress(pa.ArrowInvalid):
            values = matrix(batch, single=wanted.dtype == "float32")
            if wanted.dtype == "float64" or not np.isinf(values).any():
                return values
    # Column by column, to name the one whose values do not fit.
    take = _text if wanted.dtype == "str" else partial(_numbers, dtype=wanted.dtype)
    return np.column_stack([take(batch.column(name), name=name) for name in batch.schema.names])


def _shaped(values: np.ndarray, wanted: TensorInput) -> np.ndarray:
    """Give flat rows the input's shape.

    Raises
    ------
    ValueError
        They have another number of values, or the shape is open in several places.
    """
    rows, width = values.shape
    if wanted.shape.count(None) > 1:
        message = (
            f"the model's input {wanted.name!r} takes {_sizes(wanted)} values a row, so {width} values in one row "
            "could be arranged in several ways: give nested lists"
        )
        raise ValueError(message)
    known = math.prod(size for size in wanted.shape if size is not None)
    if width != wanted.size and (wanted.size is not None or width % max(1, known)):
        message = f"the model's input {wanted.name!r} takes {_sizes(wanted)} values a row, not {width}"
        raise ValueError(message)
    return values.reshape(rows, *(-1 if size is None else size for size in wanted.shape))


def _sizes(wanted: TensorInput) -> str:
    return " x ".join("any number of" if size is None else str(size) for size in wanted.shape) or "1"


def _tensor(column: pa.ChunkedArray, wanted: TensorInput, name: str | None = None) -> np.ndarray:
    name = name or wanted.name
    if _is_list(column.type):
        return _of_lists(column, wanted, name)
    if not wanted.is_scalar and wanted.size not in (None, 1):
        message = f"column {name!r} holds {column.type}, but the model takes {_sizes(wanted)} values a row: lists"
        raise ValueError(message)
    values = _text(column, name) if wanted.dtype == "str" else _numbers(column, name, dtype=wanted.dtype)
    return values.reshape(len(column), *(1 for _ in wanted.shape))


def _of_lists(column: pa.ChunkedArray, wanted: TensorInput, name: str) -> np.ndarray:
    """Return lists as an array of the input's shape: nested as deep as that, or flat.

    Every list must have as many values as the input takes there, or as the first one where that is open.
    """
    rows = len(column)
    lists = _one_chunk(column)
    sizes: list[int] = []
    while _is_list(lists.type):
        _require_no_null(lists, name, each=math.prod(sizes))
        lengths = pc.list_value_length(lists)
        width = lengths[0].as_py() if len(lengths) else 0
        uneven = pc.index(pc.equal(lengths, width), value=False).as_py()
        if uneven >= 0:
            row = uneven // max(1, math.prod(sizes))
            message = f"column {name!r}, row {row} of the batch: its list has {lengths[uneven]} values, not {width}"
            raise ValueError(message)
        sizes.append(width)
        lists = lists.flatten()
    each = math.prod(sizes)
    values = _text(lists, name, each) if wanted.dtype == "str" else _numbers(lists, name, each, dtype=wanted.dtype)
    if len(sizes) == 1:
        return _shaped(values.reshape(rows, -1), wanted)
    fits = len(sizes) == len(wanted.shape) and all(
        size in (None, found) for size, found in zip(wanted.shape, sizes, strict=True)
    )
    if not fits:
        found = " x ".join(map(str, sizes))
        message = f"column {name!r}: a row has {found} values, but the model takes {_sizes(wanted)}"
        raise ValueError(message)
    return values.reshape(rows, *sizes)


def _one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array; pyarrow would copy even a single chunk."""
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _numbers(column: pa.ChunkedArray | pa.Array, name: str, each: int = 1, *, dtype: str) -> np.ndarray:
    """Return numbers of a type; nulls are NaN for floating types, an error for others.

    Parameters
    ----------
    column, name
        The values, and what to call their column.
    each
        How many values a row of the batch has, to name the row of one that does not fit.
    dtype
        NumPy's name of the type.
    """
    wanted = np.dtype(dtype)
    floating = np.issubdtype(wanted, np.floating)
    if not floating:
        _require_no_null(column, name, each)
    is_truth = wanted == np.bool_ and not pa.types.is_boolean(column.type)
    kind = pa.float64() if floating else pa.int64() if is_truth else pa.from_numpy_dtype(wanted)
    if not (floating and column.type == pa.from_numpy_dtype(wanted)):
        column = _exactly(column, kind, name, each)
    values = np.asarray(_one_chunk(column).to_numpy(zero_copy_only=False))
    with np.errstate(over="ignore"):
        found = values.astype(wanted, copy=False)
    if is_truth:
        _require_all((values == 0) | (values == 1), values, name, each, dtype)
    elif found.dtype != values.dtype:
        _require_all(np.isfinite(found) | ~np.isfinite(values), values, name, each, dtype)
    return found


def _exactly(column: pa.ChunkedArray | pa.Array, kind: pa.DataType, name: str, each: int) -> pa.ChunkedArray | pa.Array:
    """Cast without loss, or say which row does not fit."""
    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    try:
        return cast(chunked, kind, name)
    except LossyCastError as error:
        message = (
            f"column {name!r}, row {error.row // max(1, each)} of the batch: the value {error.value!r} cannot become "
            f"{kind}, which the model takes, without a change"
        )
        raise ValueError(message) from error


def _require_all(fits: np.ndarray, values: np.ndarray, name: str, each: int, dtype: str) -> None:
    if not fits.all():
        at = int(np.flatnonzero(~fits)[0])
        message = (
            f"column {name!r}, row {at // max(1, each)} of the batch: the value {values[at].item()!r} is none that "
            f"{dtype}, which the model takes, can hold"
        )
        raise ValueError(message)


def _text(column: pa.ChunkedArray | pa.Array, name: str, each: int = 1) -> np.ndarray:
    _require_no_null(column, name, each)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not is_text(kind):
        message = f"column {name!r} holds {column.type}, but the model takes text"
        raise ValueError(message)
    return np.array(column.cast(pa.string()).to_pylist(), dtype=object)


def _require_no_null(column: pa.ChunkedArray | pa.Array, name: str, each: int = 1) -> None:
    row = pc.index(pc.is_null(column), value=True).as_py() if column.null_count else -1
    if row >= 0:
        row //= max(1, each)
        message = f"column {name!r}, row {row} of the batch: it is null, which the model's input cannot hold"
        raise ValueError(message)
