"""The way from one interpreter to another: frames of bytes, and what a script returned as plain values.

Invariants: nothing has to be installed on the sending side; numbers keep their bits and their types, so that the output
has the bytes that it has with the job's own interpreter; and what is of no known type becomes its text, with the type's
name.
"""

from __future__ import annotations

import datetime as dt
import decimal
import io
import os
import pickle
import struct
import sys
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH = struct.Struct(">Q")
_PROTOCOL = 4
_AS_THEY_ARE = (
    dt.datetime, dt.date, dt.time, dt.timedelta, dt.timezone, decimal.Decimal,
    complex, bytearray, range,
)  # fmt: skip
_MASKED = tuple(f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64))
_NULLABLE = (*_MASKED, "Float32", "Float64", "boolean")


def write_frame(descriptor: int, data: bytes) -> None:
    """Write a length and as many bytes."""
    for part in (_LENGTH.pack(len(data)), data):
        left = memoryview(part)
        while left:
            left = left[os.write(descriptor, left) :]


def read_frame(descriptor: int) -> bytes:
    """Read what :func:`write_frame` wrote.

    Raises
    ------
    EOFError
        The other side is gone.
    """
    (length,) = _LENGTH.unpack(_read(descriptor, _LENGTH.size))
    return _read(descriptor, length)


def _read(descriptor: int, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = os.read(descriptor, min(length - len(data), 1 << 24))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def dumps(value: object) -> bytes:
    """Return a value as bytes that hold builtin types and the names of the functions below, and no others."""
    data = io.BytesIO()
    _Pickler(data, _PROTOCOL).dump(value)
    return data.getvalue()


def array(*_: object) -> None:
    """Stand for a NumPy array: dtype, shape, bytes."""


def array_of_objects(*_: object) -> None:
    """Stand for a NumPy array of Python objects: shape, values."""


def scalar(*_: object) -> None:
    """Stand for a NumPy scalar: dtype, bytes."""


def frame(*_: object) -> None:
    """Stand for a pandas DataFrame: column labels, columns, rows."""


def series(*_: object) -> None:
    """Stand for a pandas Series: name, values."""


def column(*_: object) -> None:
    """Stand for the values of a pandas extension type: its kind, and what it is made of."""


def timestamp(*_: object) -> None:
    """Stand for a pandas Timestamp: its text."""


def timedelta(*_: object) -> None:
    """Stand for a pandas Timedelta: nanoseconds."""


def missing(*_: object) -> None:
    """Stand for a pandas null: the name of its type."""


def unique(*_: object) -> None:
    """Stand for a UUID: its text."""


def foreign(*_: object) -> None:
    """Stand for what is of no known type: the type's name, and its text."""


def plain(*_: object) -> None:
    """Stand for a value of a builtin type that a class of a script's own was made of."""


STAND_INS: tuple[Callable[..., None], ...] = (
    array, array_of_objects, scalar, frame, series, column, timestamp, timedelta, missing, unique, foreign, plain
)  # fmt: skip
_BY_NAME = {id(each) for each in (*STAND_INS, *_AS_THEY_ARE)}


class _Marked:
    """A stand-in with its arguments."""

    def __init__(self, function: Callable[..., None], *arguments: object) -> None:
        self.reduced = function, arguments


class _Pickler(pickle.Pickler):
    """Asked for all but the builtin types themselves."""

    def reducer_override(self, value: Any) -> Any:  # noqa: ANN401  # as pickle has it
        if isinstance(value, _Marked):
            return value.reduced
        if id(value) in _BY_NAME:
            return NotImplemented
        for reduced in (_of_numpy, _of_pandas, _of_python):
            found = reduced(value)
            if found is not None:
                return found
        return foreign, (_name(type(value)), _text(value))


def _name(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # a class's own
        return object.__repr__(value)


def _of_numpy(value: Any) -> Any:  # noqa: ANN401  # any type
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.generic, numpy.ndarray)):
        return None
    is_array = isinstance(value, numpy.ndarray)
    if value.dtype.kind in "biufcmMSU":
        data = numpy.ascontiguousarray(value).tobytes()
        return (array, (value.dtype.str, value.shape, data)) if is_array else (scalar, (value.dtype.str, data))
    if is_array:  # objects, records, and types of other packages
        return array_of_objects, (value.shape, list(value.astype(object).ravel()))
    item = value.item()
    return None if isinstance(item, numpy.generic) else (plain, (item,))


def _of_pandas(value: Any) -> Any:  # noqa: ANN401  # any type
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "DataFrame"):  # it is no more than begun to be imported
        return None
    if isinstance(value, pandas.DataFrame):
        columns = [_values(value.iloc[:, at]) for at in range(value.shape[1])]
        return frame, (list(value.columns), columns, len(value))
    if isinstance(value, pandas.Series):
        return series, (value.name, _values(value))
    if type(value).__name__ in ("NaTType", "NAType"):
        return missing, (type(value).__name__,)
    if isinstance(value, pandas.Timestamp):
        return timestamp, (value.isoformat(),)
    return (timedelta, (value.value,)) if isinstance(value, pandas.Timedelta) else None


def _of_python(value: Any) -> Any:  # noqa: ANN401  # any type
    kind = type(value)
    if kind is dt.datetime and type(value.tzinfo) not in (type(None), dt.timezone):
        return plain, (value.replace(tzinfo=dt.timezone(value.utcoffset())),)  # which its text tells
    if kind is dt.datetime or kind in _AS_THEY_ARE:
        return NotImplemented
    if isinstance(value, uuid.UUID):
        return unique, (str(value),)
    for rows in (tuple, list):
        if isinstance(value, rows):
            return plain, (rows(value),)
    if isinstance(value, Mapping):
        return plain, (dict(value),)
    for base in (int, float, str):
        if isinstance(value, base) and str(base(value)) == _text(value):
            return plain, (base(value),)
    return None


def _values(values: Any) -> Any:  # noqa: ANN401  # a Series
    """Return a column's values as an array, or as the parts of an extension type."""
    numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
    dtype = values.dtype
    if isinstance(dtype, numpy.dtype):
        return values.to_numpy()
    if isinstance(dtype, pandas.CategoricalDtype):
        categories = _values(pandas.Series(dtype.categories))
        return _Marked(column, "category", values.cat.codes.to_numpy(), categories, bool(dtype.ordered))
    if isinstance(dtype, pandas.DatetimeTZDtype) and _is_zone(str(dtype.tz)):
        utc = values.dt.tz_convert("UTC").dt.tz_localize(None)
        return _Marked(column, "zone", utc.to_numpy(), str(dtype.tz))
    if str(dtype) in _NULLABLE:
        is_null = values.isna().to_numpy(dtype=bool)
        base = "bool" if str(dtype) == "boolean" else str(dtype).lower()
        filled = values.fillna(False if base == "bool" else 0)
        return _Marked(column, "nullable", str(dtype), filled.to_numpy(dtype=base), is_null)
    if isinstance(dtype, getattr(pandas, "StringDtype", ())):
        return _Marked(column, "text", [None if null else text for text, null in zip(values, values.isna())])  # noqa: B905  # since Python 3.10
    return _Marked(column, "objects", list(values.astype(object)))


def _is_zone(name: str) -> bool:
    try:
        sys.modules["pandas"].Timestamp("2000-01-01", tz="UTC").tz_convert(name)
    except Exception:  # noqa: BLE001  # zones have several
        return False
    return True
