"""What expressions calculate with: values in a few types, and operations that keep a null a null.

Invariants: NaN is null; a division by zero gives null; integers compare exactly with integers, and are
calculated with as doubles, so that they never wrap around; and types are chosen by types, never by values, so that a
row's result depends on that row alone.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.schema.column_types import is_list, is_text

Values: TypeAlias = "pa.Array | pa.Scalar"
"""One a row, or one for all rows."""

_ARITHMETIC = {"+": pc.add, "-": pc.subtract, "*": pc.multiply}


def known(values: Values) -> Values:
    """Return values in one of a few types: int64 (double for uint64), double, string, boolean, times, lists.

    Examples
    --------
    >>> known(pa.array([1.5, float("nan")], pa.float32())).to_pylist()
    [1.5, None]
    """
    kind = values.type
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(kind):
        return known(values.cast(kind.value_type))
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        return values.cast(pa.int64())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        doubles = values.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(doubles), pa.scalar(None, pa.float64()), doubles)
    if is_text(kind) and not pa.types.is_null(kind):
        return values.cast(pa.string())
    return values.cast(pa.list_(kind.value_type)) if is_list(kind) else values


def alike(left: Values, right: Values) -> tuple[Values, Values]:
    """Return two sides with one type, where that is meant: numbers as doubles, a date's text as a date."""
    kinds = (left.type, right.type)
    if {*map(str, kinds)} == {"int64", "double"}:
        return left.cast(pa.float64(), safe=False), right.cast(pa.float64(), safe=False)
    if pa.types.is_null(left.type):
        return left.cast(right.type), right
    if pa.types.is_null(right.type):
        return left, right.cast(left.type)
    if pa.types.is_temporal(left.type) and is_text(right.type):
        return left, _moment(right, left.type)
    if pa.types.is_temporal(right.type) and is_text(left.type):
        return _moment(left, right.type), right
    return left, right


def _moment(text: Values, kind: pa.DataType) -> Values:
    try:
        return text.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return text


def calculated(left: Values, sign: str, right: Values) -> Values:
    """Return the sum, difference, product or quotient of int64 or double values, as doubles.

    Examples
    --------
    >>> calculated(pa.array([1, 2]), "/", pa.array([0, 4])).to_pylist()
    [None, 0.5]
    """
    first, second = (each.cast(pa.float64(), safe=False) for each in (left, right))
    if sign == "/":
        second = pc.if_else(pc.equal(second, 0), pa.scalar(None, pa.float64()), second)
        return known(pc.divide(first, second))
    return known(_ARITHMETIC[sign](first, second))


def element(lists: Values, place: int) -> Values:
    """Return one value of each list; null where the list is shorter.

    Examples
    --------
    >>> element(pa.array([[1, 2], [3]]), 1).to_pylist()
    [2, None]
    """
    long_enough = pc.greater(pc.list_value_length(lists), place)
    return known(pc.list_element(pc.if_else(long_enough, lists, pa.scalar(None, lists.type)), place))


def extreme(lists: pa.Array, which: str) -> pa.Array:
    """Return the ``min`` or ``max`` of each list; null where it holds no value.

    Examples
    --------
    >>> extreme(pa.array([[1, 2], [], None, [3]]), "max").to_pylist()
    [2, None, None, 3]
    """
    table = pa.table({"row": pc.list_parent_indices(lists).cast(pa.int64()), "value": known(pc.list_flatten(lists))})
    found = table.group_by("row").aggregate([("value", which)])
    places = pc.index_in(pa.array(np.arange(len(lists))), value_set=found["row"].combine_chunks())
    return found[f"value_{which}"].combine_chunks().take(places)
