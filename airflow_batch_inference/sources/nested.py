"""Columns that are the fields of a file's column."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.exceptions import DataError

if TYPE_CHECKING:
    from airflow_batch_inference.sources.dataset import Dataset


def flattened(dataset: Dataset) -> Dataset:
    """Return a dataset of files in which each field of a struct is a column, ``parent.field``, in the struct's place.

    Raises
    ------
    DataError
        Two columns have one name then.
    """
    fields: list[pa.Field] = []
    parents: dict[str, str] = {}
    for column in dataset.schema:
        if not pa.types.is_struct(column.type):
            fields.append(column)
            continue
        for part in column.type:
            parents[f"{column.name}.{part.name}"] = column.name
            fields.append(pa.field(f"{column.name}.{part.name}", part.type))
    names = [column.name for column in fields]
    if len(set(names)) < len(names):
        message = f"{dataset.name} has a column and a field of one name. Rename one of them."
        raise DataError(message)
    return replace(dataset, schema=pa.schema(fields), parents=parents)
