"""Requests that are NumPy arrays: a plain one is answered by what the model returns, a structured one by all columns.

Invariants: the columns of a plain array are the model's inputs in their order, and a number of columns
that is not theirs is an error; and an array is answered by the values that the model's own ``predict`` returns.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.inference.forms import Form, cut
from airflow_batch_inference.schema.column_types import ANY, is_list
from airflow_batch_inference.sources.in_memory import array_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.inference.forms import Column
    from airflow_batch_inference.records import ColumnSpec

_TABLE = 2
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayInputs:
    """What becomes of the columns of an array.

    Attributes
    ----------
    names
        The model's inputs; None where it takes columns by position.
    width
        How many columns it takes, where it knows.
    tensor
        The column that an array of tensors goes to; None where the model takes none.
    is_network
        Whether the model takes one tensor and nothing else: an array of rows and columns is one too then.
    """

    names: tuple[str, ...] | None = None
    width: int | None = None
    tensor: str | None = None
    is_network: bool = False

    @classmethod
    def of(cls, model: LoadedModel, specs: Sequence[ColumnSpec] | None) -> ArrayInputs:
        """Return what a model takes, whose inputs are described by ``specs``."""
        takes_lists = model.takes_lists
        if specs is not None:
            names = tuple(spec.name for spec in specs)
            is_one = len(names) == 1 and takes_lists and ("list" in specs[0].type or specs[0].type == ANY)
            return cls(names=names, width=len(names), tensor=names[0] if is_one else None, is_network=is_one)
        tensors = model.tensors
        if tensors is not None and len(tensors.inputs) == 1:
            return cls(width=model.n_features, tensor=tensors.inputs[0].name, is_network=True)
        return cls(width=model.n_features, tensor="0" if takes_lists else None)


class ArrayForm(Form[np.ndarray]):
    """An array without names: rows and columns, or tensors one below the other."""

    is_bare = True

    def __init__(self, array: np.ndarray, inputs: ArrayInputs) -> None:
        if array.ndim == 0:
            message = "The array has no dimension. Give one of shape (rows, columns)."
            raise DataError(message)
        self.array = array if isinstance(array, np.ma.MaskedArray) else np.asarray(array)
        self.inputs = inputs
        self.rows = len(array)
        self._is_tensor = array.ndim > _TABLE or (inputs.is_network and array.ndim == _TABLE and array.shape[1] != 1)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The model's inputs; numbers where it has no names.

        Raises
        ------
        DataError
            They are not as many as the columns.
        """
        if self._is_tensor:
            return (self._tensor_name,)
        inputs, width = self.inputs, 1 if self.array.ndim == 1 else self.array.shape[1]
        if self.array.ndim == 1 and inputs.width != 1:
            message = (
                f"The array has one dimension, of {len(self.array)} values, which may be one row or one column. Give "
                "array.reshape(1, -1) for one row, or array.reshape(-1, 1) for one column."
            )
            raise DataError(message)
        if inputs.width not in (None, width):
            named = "" if inputs.names is None else f": {', '.join(inputs.names[:_SHOWN])}"
            message = (
                f"The array has {width} column(s), but the model takes {inputs.width}{named}. Give one column an "
                "input, in this order."
            )
            raise DataError(message)
        if inputs.names is None:
            return (inputs.tensor,) if inputs.is_network and inputs.tensor else tuple(map(str, range(width)))
        return inputs.names

    @property
    def _tensor_name(self) -> str:
        if self.inputs.tensor is None or (self.inputs.names is not None and len(self.inputs.names) > 1):
            number = "columns of numbers or text" if self.inputs.width is None else f"{self.inputs.width} columns"
            message = (
                f"The array has the shape {self.array.shape}, which is one tensor a row, but the model takes {number}. "
                "Give an array of shape (rows, columns), or a dict of columns."
            )
            raise DataError(message)
        return self.inputs.tensor

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`."""
        return int(self.array.nbytes)

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`."""
        if not isinstance(other, ArrayForm) or self.array.dtype == object:
            return False
        return (self.array.dtype, self.array.shape[1:]) == (other.array.dtype, other.array.shape[1:])

    def arrow(self, *, tolerant: bool) -> pa.Table:  # noqa: ARG002  # its columns have types
        """Return its columns, or its one column of tensors."""
        if self._is_tensor or self.array.ndim == 1:
            return pa.table([array_of(self.names[0], self.array)], names=list(self.names))
        columns = [array_of(name, self.array[:, place]) for place, name in enumerate(self.names)]
        return pa.table(columns, names=list(self.names))

    @classmethod
    def joined(cls, forms: Sequence[ArrayForm]) -> ArrayForm:
        """Put arrays below each other."""
        join = np.ma.concatenate if any(isinstance(form.array, np.ma.MaskedArray) for form in forms) else np.concatenate
        return forms[0] if len(forms) == 1 else cls(join([form.array for form in forms]), forms[0].inputs)

    @classmethod
    def answers(cls, forms: Sequence[ArrayForm], columns: Mapping[str, Column]) -> list[np.ndarray]:
        """Return what the model returned."""
        found = _one_array(
            {name: plain_array(values) for name, values in columns.items() if isinstance(values, pa.Array)}
        )
        ends = np.cumsum([form.rows for form in forms])[:-1]
        return list(np.split(found, ends))


class StructuredForm(Form[np.ndarray]):
    """A structured array: its fields have names and types."""

    def __init__(self, array: np.ndarray) -> None:
        if array.ndim != 1:
            message = f"A structured array must have one dimension, of its rows; this one has {array.ndim}."
            raise DataError(message)
        self.array = array
        self.rows = len(array)

    @property
    def names(self) -> tuple[str, ...]:
        """Its fields."""
        return tuple(self.array.dtype.names or ())

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`."""
        return int(self.array.nbytes)

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`."""
        if not isinstance(other, StructuredForm) or self.array.dtype.hasobject:
            return False
        return bool(self.array.dtype == other.array.dtype)

    def arrow(self, *, tolerant: bool) -> pa.Table:  # noqa: ARG002  # its fields have types
        """Return its fields."""
        return pa.table([array_of(name, self.array[name]) for name in self.names], names=list(self.names))

    @classmethod
    def joined(cls, forms: Sequence[StructuredForm]) -> StructuredForm:
        """Put arrays below each other."""
        return forms[0] if len(forms) == 1 else cls(np.concatenate([form.array for form in forms]))

    @classmethod
    def answers(cls, forms: Sequence[StructuredForm], columns: Mapping[str, Column]) -> list[np.ndarray]:
        """Return structured arrays; what is nested, or null beside text or integers, is an object."""
        found = []
        for form, part in zip(forms, cut(forms, columns), strict=True):
            arrays = {
                name: form.array[values] if isinstance(values, str) else plain_array(values)
                for name, values in part.items()
            }
            kinds = [(name, array.dtype, array.shape[1:]) for name, array in arrays.items()]
            answer = np.empty(form.rows, dtype=kinds)
            for name, array in arrays.items():
                answer[name] = array
            found.append(answer)
        return found


def plain_array(values: pa.Array) -> np.ndarray:
    """Return values as an array; lists of one length as further dimensions.

    Examples
    --------
    >>> plain_array(pa.array([[1, 2], [3, 4]])).shape, plain_array(pa.array([[1], [2, 3]])).dtype
    ((2, 2), dtype('O'))
    """
    if is_list(values.type) and not values.null_count:
        lengths = pc.unique(pc.list_value_length(values)).to_pylist()
        if len(lengths) == 1 or pa.types.is_fixed_size_list(values.type):
            length = lengths[0] if lengths else values.type.list_size
            inner = plain_array(values.flatten())
            if inner.dtype != object or not is_list(values.type.value_type):
                return inner.reshape(len(values), length, *inner.shape[1:])
    if pa.types.is_nested(values.type):
        found = np.empty(len(values), dtype=object)
        found[:] = values.to_pylist()
        return found
    array: np.ndarray = values.to_numpy(zero_copy_only=False)
    return array


def _one_array(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the only output, or several of one type beside each other.

    Raises
    ------
    ConfigurationError
        They make no one array.
    """
    arrays = list(outputs.values())
    if len(arrays) == 1:
        return arrays[0]
    if any(array.ndim != 1 or array.dtype != arrays[0].dtype for array in arrays):
        kinds = ", ".join(f"{name} ({array.dtype}, shape {array.shape})" for name, array in outputs.items())
        message = (
            f"The model returns {len(arrays)} outputs that make no one array: {kinds}. Ask for one of them "
            f"(dataset=['out.{next(iter(outputs))}']), or give a data frame or an Arrow table."
        )
        raise ConfigurationError(message)
    return np.column_stack(arrays)
