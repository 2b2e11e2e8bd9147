"""What a model returned, as named columns: the same names whatever the framework.

One method alone gives ``predicted_label``, or ``predicted_label_0``, ``predicted_label_1``, … for several values a
row; the outputs of a model that names them have their own names. With several methods in one pass each has a stem of
its own, such as ``predicted_probability_0``.

Invariants: as many values as rows, or an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import PredictionError, RowAlignmentError
from airflow_batch_inference.predictors.explanations import EXPLANATION_TYPE
from airflow_batch_inference.schema.arrays import from_numpy, to_doubles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.flavors.base import Prediction

DEFAULT_LABEL = "predicted_label"
MOST_COLUMNS = 100
"""Vectors of more values than this are one column of lists."""

_STEMS = {
    "predict": DEFAULT_LABEL,
    "predict_proba": "predicted_probability",
    "decision_function": "decision",
    "raw_score": "raw_score",
    "leaf_index": "leaf_index",
    "contributions": "contribution",
}
_ALONE = ("predict", "predict_proba", "decision_function")


def output_columns(
    predicted: Prediction,
    *,
    method: str,
    rows: int,
    where: str,
    is_alone: bool = True,
    endings: Sequence[str] | None = None,
    keeps_name: bool = False,
) -> list[tuple[str, pa.Array]]:
    """Return the columns of what a method returned, with the names that they get where the user gives none.

    Parameters
    ----------
    predicted
        One array, or several by name; the first axis is the rows.
    method
        The method that returned it.
    rows
        How many rows it was given.
    where
        The mini-batch, for messages.
    is_alone
        Whether no other method is called in the same pass.
    endings
        What the names of several values a row end with, in the place of 0, 1, …, where their number fits.
    keeps_name
        Whether one output by name keeps its name, as several do.

    Raises
    ------
    RowAlignmentError
        Another number of rows.
    PredictionError
        Values that no column can hold.
    """
    stem = DEFAULT_LABEL if is_alone and method in _ALONE else _STEMS.get(method, method)
    if not isinstance(predicted, Mapping):
        return list(_of_array(stem, predicted, method, rows, where, endings))
    several = keeps_name or len(predicted) > 1
    return [
        column
        for name, values in predicted.items()
        for column in _of_array(_name(stem, name, is_alone) if several else stem, values, method, rows, where, endings)
    ]


def whole_outputs(
    predicted: Prediction,
    *,
    method: str,
    rows: int,
    where: str,
    is_alone: bool = True,
    name: str | None = None,
) -> list[tuple[str, pa.Array]]:
    """Return one column for each output: values, or lists where a row has several (also where it has a list of one).

    Parameters
    ----------
    predicted, method, rows, where, is_alone
        As for :func:`output_columns`.
    name
        What the model calls its only output.

    Raises
    ------
    RowAlignmentError, PredictionError
        As :func:`output_columns` says.

    Examples
    --------
    >>> [(name, values.to_pylist()) for name, values in whole_outputs(
    ...     np.array([[0.2], [0.8]]), method="predict", rows=2, where="the data", name="dense_1")]
    [('dense_1', [[0.2], [0.8]])]
    """
    stem = _STEMS.get(method, method)
    if not isinstance(predicted, Mapping):
        predicted = {name if is_alone and name is not None and method == "predict" else stem: predicted}
    elif not is_alone:
        predicted = {f"{stem}_{output}": values for output, values in predicted.items()}
    return [(output, _whole(_per_row(values, method, rows, where), method)) for output, values in predicted.items()]


def _whole(values: np.ndarray | pa.Array, method: str) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    array = _array(values.reshape(-1), method)
    for axis in range(values.ndim - 1, 0, -1):
        size, lists = values.shape[axis], int(np.prod(values.shape[:axis]))
        array = pa.ListArray.from_arrays(pa.array(np.arange(lists + 1, dtype=np.int32) * size), array)
    return array


def _name(stem: str, output: str, is_alone: bool) -> str:  # private
    return output if is_alone else f"{stem}_{output}"


def _of_array(
    stem: str,
    predicted: object,
    method: str,
    rows: int,
    where: str,
    endings: Sequence[str] | None,
) -> Iterator[tuple[str, pa.Array]]:
    values = _per_row(predicted, method, rows, where)
    if isinstance(values, pa.Array):
        yield stem, values
        return
    if values.ndim == 1 or values.shape[1:] == (1,):
        yield stem, _array(values.reshape(rows), method)
    elif values.ndim == 2 and values.shape[1] <= MOST_COLUMNS:  # a matrix
        width = values.shape[1]
        ends = endings if endings is not None and len(endings) == width else range(width)
        for column, end in zip(values.T, ends, strict=True):
            yield f"{stem}_{end}", _array(column, method)
    else:
        yield stem, _lists(values, method)


def _per_row(predicted: object, method: str, rows: int, where: str) -> np.ndarray | pa.Array:
    """Return an array whose first axis is the rows, or raise; a column is one already."""
    values = predicted if isinstance(predicted, pa.Array) else np.asarray(predicted)
    shape = (len(values),) if isinstance(values, pa.Array) else values.shape
    if shape[:1] != (rows,):
        message = (
            f"The model's {method} returned an array of shape {shape} for {rows} rows of {where}; it must be "
            f"({rows},) or ({rows}, k). Nothing was written."
        )
        raise RowAlignmentError(message)
    return values


def _lists(values: np.ndarray, method: str) -> pa.Array:
    """Return a column of (nested) lists of fixed size."""
    array = _array(values.reshape(-1), method)
    for size in reversed(values.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _array(values: np.ndarray, method: str) -> pa.Array:
    try:
        return from_numpy(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        message = f"The model's {method} returned values of type {values.dtype} that no column can hold: {error}."
        raise PredictionError(message) from error


def has_missing(column: pa.Array) -> bool:
    """Say whether a row's prediction may be NaN or missing, at a look; False: none is."""
    kind = column.type
    if column.null_count:
        return True
    if pa.types.is_floating(kind):
        return bool(pc.any(pc.is_nan(column)).as_py())
    return not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind))


def missing_rows(column: pa.Array) -> np.ndarray:
    """Say of each row whether its prediction is NaN or missing; of a list, whether any value in it is."""
    found: np.ndarray = pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
    if pa.types.is_list(column.type):
        found = found.copy()
        found[pc.list_parent_indices(column).to_numpy()[missing_rows(pc.list_flatten(column))]] = True
        return found
    if not pa.types.is_fixed_size_list(column.type) or not len(column):
        return found
    inner = missing_rows(column.flatten())
    if len(inner) != len(column) * column.type.list_size:  # missing lists have no values
        return found
    return found | inner.reshape(len(column), -1).any(axis=1)


def equal_rows(expected: pa.Array, found: pa.Array, *, relative: float, absolute: float) -> np.ndarray:
    """Say for each row whether two columns of predictions are equal; numbers may differ a little, also within lists.

    Explanations are equal wherever both are there: which of two inputs of nearly the same contribution comes first
    may hang on the last digit.

    Parameters
    ----------
    expected, found
        As many rows each.
    relative, absolute
        How far numbers may be apart: ``|found - expected| <= absolute + relative |expected|``.
    """
    if pa.types.is_floating(expected.type) and pa.types.is_floating(found.type):
        left, right = (to_doubles(each.cast(pa.float64())) for each in (expected, found))
        close: np.ndarray = np.isclose(right, left, rtol=relative, atol=absolute, equal_nan=True)
        return close
    pairs = zip(expected.to_pylist(), found.to_pylist(), strict=True)
    if expected.type == EXPLANATION_TYPE:
        return np.array([(a is None) == (b is None) for a, b in pairs], dtype=bool)
    if pa.types.is_nested(expected.type):
        return np.array([_close_lists(a, b, relative, absolute) for a, b in pairs], dtype=bool)
    return np.array([a == b for a, b in pairs], dtype=bool)


def _close_lists(expected: object, found: object, relative: float, absolute: float) -> bool:
    left, right = np.ravel(np.asarray(expected)), np.ravel(np.asarray(found))
    if left.dtype.kind != "f" or right.dtype.kind != "f":
        return bool(np.array_equal(left, right))
    return left.shape == right.shape and np.allclose(right, left, rtol=relative, atol=absolute, equal_nan=True)
