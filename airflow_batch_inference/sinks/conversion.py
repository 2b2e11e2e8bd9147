"""The rows of parts in another format, or several parts joined to one file.

Invariants: a file's bytes depend on the parts, the record and the format alone.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.formats.part_types import footer_of, original_schema, restored
from airflow_batch_inference.formats.writers import PartWriter
from airflow_batch_inference.formats.written_types import require_writable
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.sources.dataset import Dataset

_COPIED_ROWS = 65_536


def require_convertible(part: str, output_format: str, storage: Storage) -> None:
    """Refuse a part with columns that a format cannot hold.

    Raises
    ------
    ConfigurationError
        Names the first one, and what holds it.
    """
    require_writable(open_dataset(part, storage).schema, output_format)


def convert(parts: Iterable[Path], path: Path, output_format: str) -> None:
    """Write the rows of parts to one file of another format, with the columns that they were written with."""
    with contextlib.ExitStack() as stack:
        writer: PartWriter | None = None
        for part in parts:
            schema = original_schema(part)
            if writer is None:
                writer = stack.enter_context(PartWriter(path, output_format, schema, footer_of(part)))
            for table in _tables(_opened(part)):
                writer.write(restored(table, schema))


def join(parts: Iterable[Path], path: Path, record: PredictionSetRecord) -> None:
    """Write the rows of a prediction set's parts to one file of the format that they have."""
    metadata = {"batch_inference.job_key": record.job_key, "batch_inference.model_sha256": record.model_sha256}
    with contextlib.ExitStack() as stack:
        writer: PartWriter | None = None
        for part in parts:
            dataset = _opened(part)
            if writer is None:
                writer = stack.enter_context(PartWriter(path, PART_FORMAT, dataset.schema, metadata))
            for table in _tables(dataset):
                writer.write(table)


def _opened(part: Path) -> Dataset:
    """Open a part with all that it holds: no column of it is an index."""
    opened = open_dataset(str(part), Storage())
    return opened.select(opened.source.splits[0].columns)


def _tables(dataset: Dataset) -> Iterator[pa.Table]:
    return (batch.table for batch in dataset.mini_batches(_COPIED_ROWS))
