"""The ``key=value`` folders of a dataset as columns.

Invariants: a column's type does not depend on which folders happen to be there. It is the one that a model or a
reference takes, where every value can be one; else text, as the folders are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.formats.reading import is_time, read_time
from airflow_batch_inference.schema.column_types import is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.formats.reading import Reading
    from airflow_batch_inference.sources.listing import ListedFile

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_ERRORS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError)


def with_partitions(schema: pa.Schema, files: Sequence[ListedFile], known: Reading) -> pa.Schema:
    """Add the folders' columns to a schema; a file's own column wins."""
    values: dict[str, list[str | None]] = {}
    for listed in files:
        for key, value in listed.partition:
            values.setdefault(key, []).append(value)
    own = set(schema.names) if values else set()
    for key, found in values.items():
        if key not in own:
            kind = known.wanted(key)
            fits = kind is not None and _all_fit(set(found), kind)
            schema = schema.append(pa.field(key, kind if fits else pa.string()))
    return schema


def partition_value(value: str | None, kind: pa.DataType) -> pa.Scalar:
    """Return a folder's value as one of a type.

    Raises
    ------
    pyarrow.ArrowInvalid
        It is none.
    """
    if value is None:
        return pa.scalar(None, kind)
    if pa.types.is_boolean(kind):
        found = _BOOLEANS.get(value.strip().lower())
        if found is None:
            message = f"{value!r} is neither true nor false"
            raise pa.ArrowInvalid(message)
        return pa.scalar(found)
    if is_time(kind):
        return read_time(pa.scalar(value), kind)
    text = pc.replace_substring_regex(pa.scalar(value.strip()), r"^\+", "") if is_number(kind) else pa.scalar(value)
    return text.cast(kind)


def _all_fit(values: Iterable[str | None], kind: pa.DataType) -> bool:
    try:
        for value in values:
            partition_value(value, kind)
    except _ERRORS:
        return False
    return True
