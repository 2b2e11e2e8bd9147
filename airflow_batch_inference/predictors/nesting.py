"""Columns that hold the fields of a parent: how they are made, what the fields are called, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.sources.nested import flattened
from airflow_batch_inference.sources.registry import open_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage


def nested(columns: Mapping[tuple[str, str], pa.Array | pa.ChunkedArray]) -> dict[str, pa.Array]:
    """Return one column a group, which holds its fields; columns without a group as they are.

    Examples
    --------
    >>> found = nested({("", "time"): pa.array([0]), ("in", "a"): pa.array([1]), ("in", "b"): pa.array([2])})
    >>> {name: values.to_pylist() for name, values in found.items()}
    {'time': [0], 'in': [{'a': 1, 'b': 2}]}
    """
    groups: dict[str, dict[str, pa.Array]] = {}
    for (group, name), values in columns.items():
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        groups.setdefault(group or name, {})[name if group else ""] = whole
    return {
        group: fields[""] if "" in fields else pc.make_struct(*fields.values(), field_names=list(fields))
        for group, fields in groups.items()
    }


def written_fields(record: PredictionSetRecord) -> list[str]:
    """Return what the columns of an output are called that are inputs or predictions, where the layout renames them.

    Fields of a parent are called as if ``.`` stood between them.
    """
    return list(record.input_names) if record.is_nested else [spec.name for spec in record.columns]


def open_written(record: PredictionSetRecord, storage: Storage) -> Dataset:
    """Open the rows of a prediction set, with a column for each field.

    Raises
    ------
    ArtifactNotFoundError, DataError
        They are gone or damaged.
    """
    dataset = open_dataset([part.uri for part in record.table], storage)
    return flattened(dataset) if record.is_nested else dataset
