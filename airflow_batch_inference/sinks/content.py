"""The files of a publication: names, verified copies of parts, and what is made of parts (:mod:`.conversion`).

Invariants: a file's bytes depend on the committed parts and the format alone, so that a retry makes the same file; and
what is not what was committed is never published.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.formats.names import PART_FORMAT, output_suffix
from airflow_batch_inference.sinks.manifest import MANIFEST, SPARE, Content
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.local_files import sync_file
from airflow_batch_inference.storage.temporary import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.sinks.manifest import Publication
    from airflow_batch_inference.storage.store import Storage


def write_file(job: Publication, path: Path, storage: Storage) -> Content:
    """Write a prediction set as one file, which is on the disk when this returns."""
    parts, is_copy = job.record.parts, _is_copied(job) and len(job.record.parts) == 1
    if is_copy:
        _copy_part(job.record, 0, path, storage)
    else:
        _make(job, range(len(parts)), path, storage)
    with ThreadPoolExecutor(1) as pool:  # the digest is made while the disk is at work
        synced = pool.submit(sync_file, path)
        digest = parts[0].sha256 if is_copy else sha256_of(path)
        synced.result()
    return Content(digest, path.stat().st_size)


def write_part(job: Publication, index: int, path: Path, storage: Storage) -> Content:
    """Write the file of one part: a copy of it, or its rows in the format of the publication.

    Raises
    ------
    ArtifactIntegrityError
        Its bytes are not those that were committed.
    """
    if _is_copied(job):
        part = job.record.parts[index]
        _copy_part(job.record, index, path, storage)
        return Content(part.sha256, part.size_bytes)
    _make(job, [index], path, storage)
    return Content(sha256_of(path), path.stat().st_size)


def part_contents(job: Publication) -> dict[str, Content | None]:
    """Return the contents of the files of a folder, by their names, in the order of the parts; None: yet to be made.

    Each part is named after the job, so that who has listed one set can never open a file of another by mistake. Files
    that have names of their own keep them: those of a scoring script.

    Raises
    ------
    ConfigurationError
        One of them has the manifest's name.
    """
    record = job.record
    if taken := [part.name for part in record.parts if part.name in (MANIFEST, SPARE)]:
        message = f"The prediction set holds a file named {taken[0]}, as the manifest is. Give it another name."
        raise ConfigurationError(message)
    suffix = "" if record.items is not None else output_suffix(job.output_format)
    return {
        part.name or f"part-{index:05d}-{record.job_key[:16]}{suffix}": Content(part.sha256, part.size_bytes)
        if _is_copied(job)
        else None
        for index, part in enumerate(record.parts)
    }


def _is_copied(job: Publication) -> bool:
    """Say whether the parts are what is published, byte for byte."""
    return job.record.items is not None or job.output_format == PART_FORMAT


def _copy_part(record: PredictionSetRecord, index: int, path: Path, storage: Storage) -> None:
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


def _verified_parts(record: PredictionSetRecord, indices: Sequence[int], storage: Storage) -> Iterator[Path]:
    """Give a private, verified copy of each of some parts, one at a time."""
    for index in indices:
        with private_folder() as folder:
            copy = folder / f"part{output_suffix(PART_FORMAT)}"
            _copy_part(record, index, copy, storage)
            yield copy


def _make(job: Publication, indices: Sequence[int], path: Path, storage: Storage) -> None:
    """Write the rows of some parts to one file; what reads and writes them is imported where no copy will do."""
    from airflow_batch_inference.sinks.conversion import convert, join

    parts = _verified_parts(job.record, indices, storage)
    if _is_copied(job):
        join(parts, path, job.record)
    else:
        convert(parts, path, job.output_format)
