"""What a script returned in an interpreter of its own, made into the values that it was there.

Invariants: the bytes name nothing but the stand-ins of ``hosted/wire.py`` and a few types of the standard library; and
numbers have the bits and the types that they had.
"""

from __future__ import annotations

import builtins
import datetime as dt
import decimal
import io
import pickle
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.scripts.hosted import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd

_MODULES = {module.__name__: module for module in (dt, decimal, builtins)}
_TYPES = {
    "datetime": ("datetime", "date", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "builtins": ("complex", "bytearray", "range"),
}


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value of a type that is unknown here: a class of the script's own, or of a package that it has.

    Attributes
    ----------
    kind
        The type's name.
    text
        What ``str`` makes of the value.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        """Return what ``str`` made of it there."""
        return self.text


def loads(data: bytes) -> Any:  # noqa: ANN401  # whatever a script returned
    """Return the value that ``wire.dumps`` made the bytes of.

    Raises
    ------
    pickle.UnpicklingError
        They name something else.
    """
    return _Unpickler(io.BytesIO(data)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:  # noqa: ANN401  # as pickle has it
        made = _MADE_BY.get(global_name)
        if made is not None and module_name not in _TYPES:
            return made
        if global_name in _TYPES.get(module_name, ()):
            return getattr(_MODULES[module_name], global_name)
        message = f"{module_name}.{global_name} is no type that comes from another interpreter"
        raise pickle.UnpicklingError(message)


def _array(dtype: str, shape: tuple[int, ...], data: bytes) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.frombuffer(bytearray(data), dtype=np.dtype(dtype)).reshape(shape)


def _array_of_objects(shape: tuple[int, ...], values: Sequence[object]) -> np.ndarray[Any, Any]:
    import numpy as np

    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found.reshape(shape)


def _scalar(dtype: str, data: bytes) -> Any:  # noqa: ANN401  # a NumPy scalar
    import numpy as np

    return np.frombuffer(data, dtype=np.dtype(dtype))[0]


def _frame(labels: Sequence[object], columns: Sequence[Any], rows: int) -> pd.DataFrame:
    import pandas as pd

    found = pd.DataFrame({at: pd.Series(values) for at, values in enumerate(columns)}, index=range(rows))
    found.columns = pd.Index([str(label) if isinstance(label, tuple) else label for label in labels])
    return found


def _series(name: object, values: Any) -> pd.Series[Any]:  # noqa: ANN401  # an array of some kind
    import pandas as pd

    return pd.Series(values, name=name)


def _column(kind: str, *parts: Any) -> Any:  # noqa: ANN401  # an array of some kind
    import pandas as pd

    if kind == "category":
        codes, categories, is_ordered = parts
        return pd.Categorical.from_codes(codes, categories=categories, ordered=is_ordered)
    if kind == "zone":
        values, zone = parts
        return pd.Series(values).dt.tz_localize("UTC").dt.tz_convert(zone).array
    if kind == "nullable":
        dtype, values, is_null = parts
        found = pd.array(values, dtype=dtype)
        found[is_null] = pd.NA
        return found
    return pd.array(parts[0], dtype="str") if kind == "text" else _array_of_objects((len(parts[0]),), parts[0])


def _timestamp(text: str) -> Any:  # noqa: ANN401  # a pandas Timestamp
    import pandas as pd

    return pd.Timestamp(text)


def _timedelta(nanoseconds: int) -> Any:  # noqa: ANN401  # a pandas Timedelta
    import pandas as pd

    return pd.Timedelta(nanoseconds, unit="ns")


def _missing(kind: str) -> Any:  # noqa: ANN401  # one of pandas' nulls
    import pandas as pd

    return pd.NaT if kind == "NaTType" else pd.NA


def _plain(value: Any) -> Any:  # noqa: ANN401  # any type
    return value


_MADE_BY: dict[str, Callable[..., Any]] = {
    wire.array.__name__: _array,
    wire.array_of_objects.__name__: _array_of_objects,
    wire.scalar.__name__: _scalar,
    wire.frame.__name__: _frame,
    wire.series.__name__: _series,
    wire.column.__name__: _column,
    wire.timestamp.__name__: _timestamp,
    wire.timedelta.__name__: _timedelta,
    wire.missing.__name__: _missing,
    wire.unique.__name__: uuid.UUID,
    wire.foreign.__name__: lambda kind, text: Foreign(sys.intern(kind), text),
    wire.plain.__name__: _plain,
}
