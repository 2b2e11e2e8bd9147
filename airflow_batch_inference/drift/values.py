"""Values of an Arrow column as what is compared: finite numbers, or categories.

Invariants: every Arrow type either has a meaning here or is refused by name, and the same moments or
categories compare alike however they are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAX_CATEGORY_CHARACTERS = 200
COLUMN_ERRORS = (pa.ArrowException, ValueError, TypeError, OverflowError)
"""What a column that cannot be counted raises."""

_FAMILIES = {
    "category": ("string", "large_string", "dictionary", "bool"),
    "moment": ("timestamp", "date"),
    "duration": ("duration",),
    "time of day": ("time32", "time64"),
    "number": ("int", "uint", "float", "double", "halffloat", "decimal", "null"),
}


class UnsupportedColumnError(TypeError):
    """A column of a type that has no distribution here, such as a list."""


def family(kind: str) -> str:
    """Say what the values of an Arrow type are, as far as comparing them goes.

    Examples
    --------
    >>> family("large_string"), family("date32[day]"), family("int8")
    ('category', 'moment', 'number')
    """
    return next((name for name, prefixes in _FAMILIES.items() if kind.startswith(prefixes)), kind)


def is_categorical(kind: pa.DataType) -> bool:
    """Say whether a column of this type is compared by its categories."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_dictionary(kind)
    )


def numbers(values: pa.ChunkedArray) -> Iterator[NDArray[np.float64]]:
    """Yield the values as float64 arrays of shape (n,), nulls left out, NaN and infinities in.

    Dates and times are seconds, so that a column written in ms equals the same one written in ns.

    Raises
    ------
    UnsupportedColumnError
        The column's type is no number, date or time.
    """
    doubles = as_doubles(values)
    for chunk in (doubles.drop_null() if doubles.null_count else doubles).chunks:
        if len(chunk):
            # from_dlpack, not to_numpy: that would import pandas.
            yield cast("NDArray[np.float64]", np.from_dlpack(chunk))


def as_doubles(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as doubles, dates and times as seconds; nulls stay.

    Raises
    ------
    UnsupportedColumnError
        The column's type is no number, date or time.
    """
    kind = values.type
    if pa.types.is_float64(kind):
        return values
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _seconds(values)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return values.cast(pa.float64(), safe=False)
    message = f"columns of type {kind} are not compared"
    raise UnsupportedColumnError(message)


def _seconds(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    ticks = values.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(pa.float64(), safe=False)
    if pa.types.is_date32(kind):
        return pc.multiply(ticks, 86_400.0)
    unit = "ms" if pa.types.is_date64(kind) else kind.unit
    return pc.divide(ticks, {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit])


def category_counts(values: pa.ChunkedArray) -> pa.Table:
    """Count each category of a column, nulls left out: columns ``name`` (text) and ``count``.

    Categories are told apart by their first 200 characters, so that free text cannot swell a record.

    Raises
    ------
    pyarrow.ArrowException
        The values cannot become text.
    """
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    # Arrow's value_counts makes an empty text of each null of a string_view.
    counted = pc.value_counts(values.cast(pa.large_string() if pa.types.is_string_view(kind) else kind))
    text = counted.field("values").cast(pa.large_string())
    names = pc.utf8_slice_codeunits(text, start=0, stop=MAX_CATEGORY_CHARACTERS)
    return summed(pa.table({"name": names, "count": counted.field("counts")}).drop_null())


def summed(counts: pa.Table) -> pa.Table:
    """Add up the counts of equal names."""
    return counts.group_by("name").aggregate([("count", "sum")]).rename_columns(["name", "count"])


def most_frequent(counts: pa.Table, number: int) -> tuple[tuple[str, int], ...]:
    """Return the most frequent categories with their counts, ties by name."""
    order = [("count", "descending"), ("name", "ascending")]
    top = counts.take(pc.select_k_unstable(counts, k=number, sort_keys=order))
    return tuple(zip(top["name"].to_pylist(), top["count"].to_pylist(), strict=True))


def number_counted(counts: pa.Table) -> int:
    """Return the sum of all counts."""
    return int(pc.sum(counts["count"]).as_py() or 0)
