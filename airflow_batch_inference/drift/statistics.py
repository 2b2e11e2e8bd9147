"""Statistics of a dataset, column by column: what a baseline holds, and what a batch is compared by.

What must not be relaxed: no value stops the analysis (NaN and infinities are counted apart, odd types are named and
left out, one bad column never stops the others), and one column is held in memory at a time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.records import CategoricalStatistics, NumericStatistics, StatisticsRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from airflow_batch_inference.records import ColumnStatistics, DataFile

BINS = 20
MAX_CATEGORIES = 1000
MAX_CATEGORY_CHARACTERS = 200
COLUMN_ERRORS = (pa.ArrowException, ValueError, TypeError, OverflowError)


class UnsupportedColumnError(TypeError):
    """A column of a type that has no distribution here, such as a list."""


def dataset_statistics(
    columns: Iterable[tuple[str, pa.ChunkedArray]], *, rows: int, source: tuple[DataFile, ...]
) -> StatisticsRecord:
    """Summarise a dataset.

    Parameters
    ----------
    columns
        (name, values) pairs, read one after the other.
    rows
        Rows of the dataset.
    source
        The files, for provenance.
    """
    summaries: list[ColumnStatistics] = []
    skipped: dict[str, str] = {}
    for name, values in columns:
        try:
            summaries.append(column_statistics(name, values))
        except COLUMN_ERRORS as error:
            skipped[name] = str(error)
    return StatisticsRecord(rows=rows, source=source, columns=tuple(summaries), skipped=skipped)


def column_statistics(name: str, values: pa.ChunkedArray) -> ColumnStatistics:
    """Summarise one column: numbers, dates and times (in seconds); strings, booleans and categories by counts.

    Raises
    ------
    UnsupportedColumnError
        Its type has no distribution here.
    """
    if is_categorical(values.type):
        return categorical_statistics(name, values)
    return numeric_statistics(name, values.type, len(values), *finite_values(values))


def is_categorical(kind: pa.DataType) -> bool:
    """Say whether a column of this type is compared by its categories."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_dictionary(kind)
    )


def finite_values(values: pa.ChunkedArray) -> tuple[NDArray[np.float64], int, int]:
    """Return the finite values, sorted, as float64 of shape (n,), and how many are missing and infinite.

    Raises
    ------
    UnsupportedColumnError
        The column's type is no number, date or time.
    """
    numbers = _as_double(values).drop_null()
    # from_dlpack, not to_numpy: that would import pandas.
    chunks = [np.from_dlpack(chunk) for chunk in numbers.chunks if len(chunk)]
    array = np.concatenate(chunks) if chunks else np.empty(0)
    array.sort()  # NaN goes last
    valid = array[: len(array) - int(np.count_nonzero(np.isnan(array)))]
    first = int(np.searchsorted(valid, -math.inf, side="right"))
    last = int(np.searchsorted(valid, math.inf, side="left"))
    return valid[first:last], len(values) - len(valid), first + len(valid) - last


def _as_double(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _seconds(values)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return values.cast(pa.float64(), safe=False)
    message = f"columns of type {kind} are not compared"
    raise UnsupportedColumnError(message)


def _seconds(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates and times in seconds, so that a column written in ms equals the same one written in ns."""
    kind = values.type
    ticks = values.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(pa.float64(), safe=False)
    if pa.types.is_date32(kind):
        return pc.multiply(ticks, 86_400.0)
    unit = "ms" if pa.types.is_date64(kind) else kind.unit
    return pc.divide(ticks, {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit])


def numeric_statistics(
    name: str, kind: pa.DataType, rows: int, finite: NDArray[np.float64], missing: int, infinite: int
) -> NumericStatistics:
    """Summarise a numeric column from its sorted finite values (see :func:`finite_values`)."""
    edges = equal_width_edges(finite)
    q25, q50, q75 = (_quantile(finite, share) for share in (0.25, 0.5, 0.75))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(finite.mean()) if len(finite) else math.nan
        std = float(finite.std(ddof=1)) if len(finite) > 1 else math.nan
    return NumericStatistics(
        name=name,
        type=str(kind),
        rows=rows,
        missing=missing,
        inf=infinite,
        mean=_or_none(mean),
        std=_or_none(std),
        min=float(finite[0]) if len(finite) else None,
        q25=q25,
        q50=q50,
        q75=q75,
        max=float(finite[-1]) if len(finite) else None,
        edges=tuple(edges.tolist()),
        counts=tuple(histogram(finite, edges)[1:-1].tolist()),
    )


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _quantile(ordered: NDArray[np.float64], share: float) -> float | None:
    """Interpolate linearly between the two nearest values, as pandas does."""
    if not len(ordered):
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    below, above = float(ordered[low]), float(ordered[min(low + 1, len(ordered) - 1)])
    weight = place - low
    return below if below == above else below * (1 - weight) + above * weight


def equal_width_edges(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numpy's 21 edges of 20 equal-width bins, shape (21,); a constant c gives c - 0.5 … c + 0.5.

    Where there is no value the result has shape (0,).
    """
    if not len(ordered):
        return np.empty(0)
    low, high = float(ordered[0]), float(ordered[-1])
    if low == high:
        low, high = low - 0.5, high + 0.5
    if math.isfinite(high - low):
        # Where a width underflows, linspace's last but one edge can pass the last.
        return np.minimum(np.linspace(low, high, BINS + 1), high)
    edges: NDArray[np.float64] = np.linspace(low / 2, high / 2, BINS + 1) * 2  # the range itself would overflow
    return edges


def histogram(ordered: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count sorted values below the edges, in each bin, and above: shape (bins + 2,); the last bin is closed."""
    if not len(edges):
        return np.array([0, len(ordered)], dtype=np.int64)
    places = np.searchsorted(ordered, edges, side="left")
    places[-1] = np.searchsorted(ordered, edges[-1], side="right")
    return np.diff(np.concatenate([[0], places, [len(ordered)]])).astype(np.int64)


def categorical_statistics(name: str, values: pa.ChunkedArray, counts: pa.Table | None = None) -> CategoricalStatistics:
    """Count categories; the 1000 most frequent are kept by name (ties by name).

    Parameters
    ----------
    counts
        What :func:`category_counts` gave for the values, where it is already known.
    """
    counts = category_counts(values) if counts is None else counts
    kept = most_frequent(counts, MAX_CATEGORIES)
    total = number_counted(counts)
    return CategoricalStatistics(
        name=name,
        type=str(values.type),
        rows=len(values),
        missing=len(values) - total,
        counts=kept,
        other=total - sum(count for _, count in kept),
        distinct=counts.num_rows,
    )


def category_counts(values: pa.ChunkedArray) -> pa.Table:
    """Count each category of a column, nulls left out: columns ``name`` (text) and ``count``.

    Categories are told apart by their first 200 characters, so that free text cannot swell a record.
    """
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    # Arrow's value_counts makes an empty text of each null of a string_view.
    counted = pc.value_counts(values.cast(pa.large_string() if pa.types.is_string_view(kind) else kind))
    text = counted.field("values").cast(pa.large_string())
    names = pc.utf8_slice_codeunits(text, start=0, stop=MAX_CATEGORY_CHARACTERS)
    table = pa.table({"name": names, "count": counted.field("counts")}).drop_null()
    return table.group_by("name").aggregate([("count", "sum")]).rename_columns(["name", "count"])


def most_frequent(counts: pa.Table, number: int) -> tuple[tuple[str, int], ...]:
    """Return the most frequent categories with their counts, ties by name."""
    order = [("count", "descending"), ("name", "ascending")]
    top = counts.take(pc.select_k_unstable(counts, k=number, sort_keys=order))
    return tuple(zip(top["name"].to_pylist(), top["count"].to_pylist(), strict=True))


def number_counted(counts: pa.Table) -> int:
    """Return the sum of all counts."""
    return int(pc.sum(counts["count"]).as_py() or 0)
