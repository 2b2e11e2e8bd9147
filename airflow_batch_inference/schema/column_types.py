"""Column types: their names, their families, and which type a column is cast to for a model's input.

Invariants: no cast is chosen that changes what a value means: text is no number, a moment without a zone is no instant,
a list is no single value.
"""

from __future__ import annotations

import re

import pyarrow as pa

ANY = "any"
INTEGERS = {b"batch_inference.integers": b"1"}
"""Metadata of a column of doubles that are integers for the model: pandas makes doubles of integers with a null."""
NAMED = {b"batch_inference.named": b"1"}
"""Metadata of a batch whose columns are those that a model takes by name, as it says itself or somebody for it."""
_WITH_ZONE = re.compile(r"timestamp\[(s|ms|us|ns), tz=(\S+)\]")
_DECIMAL = re.compile(r"decimal(?:128|256)?\((\d+), *(-?\d+)\)")
_FIXED_BINARY = re.compile(r"fixed_size_binary\[(\d+)\]")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=\w+, ordered=[01]>")
_LIST = re.compile(r"(list|large_list)<(?:\w+: *)?(.+?)(?: not null)?>")
_FIXED_LIST = re.compile(r"fixed_size_list<(?:\w+: *)?(.+?)(?: not null)?>\[(\d+)\]")


def arrow_type(name: str) -> pa.DataType | None:
    """Return the type that an Arrow type's name stands for; None where it is not known here.

    A dictionary is its values' type.

    Examples
    --------
    >>> arrow_type("timestamp[us, tz=Europe/Berlin]").tz, arrow_type("list<item: float>").value_type
    ('Europe/Berlin', DataType(float))
    >>> arrow_type("number") is None
    True
    """
    try:
        return pa.type_for_alias(name)
    except ValueError:
        pass
    if zoned := _WITH_ZONE.fullmatch(name):
        return pa.timestamp(zoned.group(1), zoned.group(2))
    if decimal := _DECIMAL.fullmatch(name):
        return _decimal(int(decimal.group(1)), int(decimal.group(2)))
    if binary := _FIXED_BINARY.fullmatch(name):
        return pa.binary(int(binary.group(1)))
    if dictionary := _DICTIONARY.fullmatch(name):
        return arrow_type(dictionary.group(1))
    return _list_type(name)


def _decimal(precision: int, scale: int) -> pa.DataType | None:
    try:
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    except ValueError:
        return None


def _list_type(name: str) -> pa.DataType | None:
    fixed, variable = _FIXED_LIST.fullmatch(name), _LIST.fullmatch(name)
    if fixed:
        inner = arrow_type(fixed.group(1))
        return None if inner is None else pa.list_(inner, int(fixed.group(2)))
    if variable:
        inner = arrow_type(variable.group(2))
        make = pa.list_ if variable.group(1) == "list" else pa.large_list
        return None if inner is None else make(inner)
    return None


def is_named(batch: pa.Table) -> bool:
    """Say whether a batch's columns were chosen by name; see :data:`NAMED`."""
    return (batch.schema.metadata or {}).items() >= NAMED.items()


def is_number(kind: pa.DataType) -> bool:
    """Say whether a column of this Arrow type holds numbers (booleans count as 0 and 1)."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def as_doubles(column: pa.ChunkedArray, name: str = "") -> pa.ChunkedArray:
    """Return a column as float64; a period's or another extension's number is none of its own.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        It does not hold numbers.
    """
    if isinstance(column.type, pa.BaseExtensionType):
        message = f"column {name!r} holds {column.type}, which is no number"
        raise pa.ArrowNotImplementedError(message)
    return column if pa.types.is_float64(column.type) else column.cast(pa.float64())


def is_text(kind: pa.DataType) -> bool:
    """Say whether a column of this Arrow type holds strings."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def is_binary(kind: pa.DataType) -> bool:
    """Say whether a column of this Arrow type holds bytes."""
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    ) and not pa.types.is_decimal(kind)


def is_list(kind: pa.DataType) -> bool:
    """Say whether a column of this Arrow type holds lists, of one length or of several."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_nested(kind: pa.DataType) -> bool:
    """Say whether a row of this Arrow type holds more than one value: a list, a struct or a map."""
    return bool(pa.types.is_nested(kind)) and not pa.types.is_dictionary(kind)


def plain_type(kind: pa.DataType) -> pa.DataType | None:
    """Return what a column is cast to where the model's type is not known; None: it is left as it is.

    Dictionaries become their values, decimals the nearest doubles.

    Examples
    --------
    >>> plain_type(pa.decimal128(10, 2)), plain_type(pa.int8()) is None
    (DataType(double), True)
    """
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type) or kind.value_type
    return pa.float64() if pa.types.is_decimal(kind) else None


def target_type(there: pa.DataType, wanted: pa.DataType, *, parses_text: bool = False) -> pa.DataType | None:
    """Return what a column of one type is cast to for an input of another; None where no cast is safe.

    Parameters
    ----------
    there, wanted
        The dataset's type, and the model's.
    parses_text
        Whether text is taken for the number that it stands for.

    Examples
    --------
    >>> target_type(pa.int8(), pa.float64()), target_type(pa.int64(), pa.string()) is None
    (DataType(double), True)
    """
    if pa.types.is_dictionary(there):
        there = there.value_type
    if is_number(there) and is_number(wanted):
        return _number_type(there, wanted)
    if is_text(there) and is_text(wanted):
        return pa.string()
    if parses_text and is_text(there) and is_number(wanted):
        exact = pa.types.is_boolean(wanted) or pa.types.is_floating(wanted)
        return wanted if exact else pa.int64()
    if pa.types.is_null(there) or (is_binary(there) and is_binary(wanted)):
        return wanted
    if is_list(there) and is_list(wanted):
        inner = target_type(there.value_type, wanted.value_type)
        return None if inner is None else wanted
    return wanted if there == wanted or _is_same_time(there, wanted) else None


def _number_type(there: pa.DataType, wanted: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(wanted) and pa.types.is_integer(there):
        return pa.int64()
    return wanted if pa.types.is_floating(wanted) else pa.float64()


def _is_same_time(there: pa.DataType, wanted: pa.DataType) -> bool:
    """Say whether moments keep their meaning: units and zones may differ, but not whether there is a zone."""
    if pa.types.is_timestamp(wanted):
        if pa.types.is_timestamp(there):
            return (there.tz is None) == (wanted.tz is None)
        return pa.types.is_date(there) and wanted.tz is None
    return any(test(there) and test(wanted) for test in (pa.types.is_date, pa.types.is_time, pa.types.is_duration))
