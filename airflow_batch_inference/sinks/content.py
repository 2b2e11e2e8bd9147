"""The files of a publication: names, verified copies of parts, and several parts joined to one file."""

from __future__ import annotations

import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.formats.names import output_suffix
from airflow_batch_inference.formats.writers import PartWriter, csv_header_bytes
from airflow_batch_inference.sinks.manifest import MANIFEST, SPARE, Content
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.local_files import sync_file
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.temporary import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_batch_inference.records import PredictionSetRecord

_COPIED_ROWS = 65_536


def write_file(record: PredictionSetRecord, path: Path, storage: Storage) -> Content:
    """Write a prediction set as one file, which is on the disk when this returns."""
    if len(record.parts) == 1:
        copy_part(record, 0, path, storage)
    elif record.output_format in ("csv", "jsonl"):
        _join_text(record, path, storage)
    else:
        _join_tables(record, path, storage)
    with ThreadPoolExecutor(1) as pool:  # the digest is made while the disk is at work
        synced = pool.submit(sync_file, path)
        digest = record.parts[0].sha256 if len(record.parts) == 1 else sha256_of(path)
        synced.result()
    return Content(digest, path.stat().st_size)


def copy_part(record: PredictionSetRecord, index: int, path: Path, storage: Storage) -> None:
    """Copy a part's file.

    Raises
    ------
    ArtifactIntegrityError
        Its bytes are not those that were committed.
    """
    part = record.parts[index]
    if storage.copy_to_local(part.uri, path) != part.sha256:
        message = (
            f"{part.uri} was changed after it was committed: its SHA-256 is not the commit's. Score the batch again."
        )
        raise ArtifactIntegrityError(message)


def part_names(record: PredictionSetRecord) -> list[str]:
    """Name each part after the job, so that who has listed one set can never open a file of another by mistake.

    Files that have names of their own keep them: those of a scoring script.

    Raises
    ------
    ConfigurationError
        One of them has the manifest's name.
    """
    if taken := [part.name for part in record.parts if part.name in (MANIFEST, SPARE)]:
        message = f"The prediction set holds a file named {taken[0]}, as the manifest is. Give it another name."
        raise ConfigurationError(message)
    suffix = "" if record.items is not None else output_suffix(record.output_format)
    return [
        f"part-{index:05d}-{record.job_key[:16]}{suffix}" if part.name is None else part.name
        for index, part in enumerate(record.parts)
    ]


def part_contents(record: PredictionSetRecord) -> dict[str, Content]:
    """Return the contents of the files of a folder, by their names, in the order of the parts."""
    pairs = zip(part_names(record), record.parts, strict=True)
    return {name: Content(part.sha256, part.size_bytes) for name, part in pairs}


def _verified_parts(record: PredictionSetRecord, storage: Storage) -> Iterator[Path]:
    """Give a private, verified copy of each part, one at a time."""
    suffix = output_suffix(record.output_format)
    for index in range(len(record.parts)):
        with private_folder() as folder:
            copy = folder / f"part{suffix}"
            copy_part(record, index, copy, storage)
            yield copy


def _join_text(record: PredictionSetRecord, path: Path, storage: Storage) -> None:
    """Put text parts behind each other byte by byte: reading them again would guess their types again."""
    header = 0
    if record.output_format == "csv":
        header = csv_header_bytes([column.name for column in record.columns])
    with path.open("wb") as whole:
        for index, copy in enumerate(_verified_parts(record, storage)):
            with copy.open("rb") as part:
                part.seek(header if index else 0)
                shutil.copyfileobj(part, whole)


def _join_tables(record: PredictionSetRecord, path: Path, storage: Storage) -> None:
    metadata = {"batch_inference.job_key": record.job_key, "batch_inference.model_sha256": record.model_sha256}
    with contextlib.ExitStack() as stack:
        writer: PartWriter | None = None
        for copy in _verified_parts(record, storage):
            opened = open_dataset(str(copy), Storage())
            dataset = opened.select(opened.source.splits[0].columns)
            if writer is None:
                writer = stack.enter_context(PartWriter(path, record.output_format, dataset.schema, metadata))
            for batch in dataset.mini_batches(_COPIED_ROWS):
                writer.write(batch.table)
