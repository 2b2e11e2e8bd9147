"""Timestamps of 96 bits, as Hive, Impala and older Spark write them to Parquet: days and nanoseconds of the day.

No 64 bits hold all of them. In nanoseconds they reach from 1677 to 2262, and what lies outside wraps round to another
date without a word; in microseconds all dates fit, and the last three digits do not.

Invariants: neither is lost in silence, so the unit is chosen by a look at every value of these columns (others are not
read).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pyarrow.parquet as pq

Int96Unit: TypeAlias = Literal["us", "ns"]
_MOST_US = (2**63 - 1) // 1000
_READ_ROWS = 65_536


def choose_int96_unit(
    uri: str, micro: pq.ParquetFile, open_nano: Callable[[], AbstractContextManager[pq.ParquetFile]]
) -> Int96Unit:
    """Return the unit that holds all of a file's 96-bit timestamps: microseconds, unless some need nanoseconds.

    Parameters
    ----------
    uri
        The file, for messages.
    micro
        The file, opened with these timestamps in microseconds.
    open_nano
        Opens it with them in nanoseconds.

    Raises
    ------
    DataError
        No unit does: some lie outside the years 1677 to 2262, and some have digits below a microsecond.
    """
    leaves = micro.schema
    if not any(leaves.column(place).physical_type == "INT96" for place in range(len(leaves))):
        return "us"
    with open_nano() as nano:
        fields = zip(micro.schema_arrow, nano.schema_arrow, strict=True)
        wide, fine = _look_at([left.name for left, right in fields if left.type != right.type], micro, nano)
    if wide and fine:
        message = (
            f"{uri} has timestamps of 96 bits (INT96) that no type here holds together: {wide!r} has some outside the "
            f"years 1677 to 2262, and {fine!r} some with digits below a microsecond. Write the file with timestamps of "
            "64 bits (Spark: spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS)."
        )
        raise DataError(message)
    return "ns" if fine else "us"


def _look_at(columns: list[str], micro: pq.ParquetFile, nano: pq.ParquetFile) -> tuple[str | None, str | None]:
    """Return a column with values that nanoseconds do not reach, and one with digits that microseconds lose."""
    wide = fine = None
    for column in columns:
        batches = (file.iter_batches(batch_size=_READ_ROWS, columns=[column]) for file in (micro, nano))
        for in_micro, in_nano in zip(*batches, strict=True):
            for us, ns in zip(_leaves(in_micro.column(0)), _leaves(in_nano.column(0)), strict=True):
                if np.any((us > _MOST_US) | (us < -_MOST_US)):
                    wide = column
                # Both wrap round alike, so the difference is the lost digits, also far outside.
                if np.any(ns - us * 1000):
                    fine = column
    return wide, fine


def _leaves(array: pa.Array) -> Iterator[np.ndarray]:
    """Yield the timestamps within a column as whole numbers, without the nulls."""
    if pa.types.is_timestamp(array.type):
        yield array.drop_null().view(pa.int64()).to_numpy(zero_copy_only=False)
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from _leaves(child)
    elif pa.types.is_map(array.type):
        yield from _leaves(array.keys)
        yield from _leaves(array.items)
    elif pa.types.is_nested(array.type):
        yield from _leaves(array.flatten())
