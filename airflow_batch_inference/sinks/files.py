"""Publish a prediction set where people read it: one file, or a folder of files, replaced in one step.

Invariants: a reader of the target sees the old set or the new one, never a mixture; what another DAG, or
somebody else, put there is never replaced; and a target always fits its manifest, whoever writes at the same time and
whenever one dies. Whose a target is, and what lies there, stands in its manifest (:mod:`.manifest`): inside of a
folder, beside a file. On object stores there is no way to replace a folder at once: the one step there is the manifest
``_published.json``; readers of a plain folder should be given a single file instead.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.names import (
    OUTPUT_SUFFIXES,
    PART_FORMAT,
    SUFFIXES,
    format_written,
    output_suffix,
)
from airflow_batch_inference.formats.table_folders import refuse_target
from airflow_batch_inference.ledger.commit import commit_of
from airflow_batch_inference.sinks import local, remote
from airflow_batch_inference.sinks.base import SinkCapabilities
from airflow_batch_inference.sinks.found import require_file_free, require_folder_free
from airflow_batch_inference.sinks.manifest import Publication, digests
from airflow_batch_inference.sinks.partitions import require_one_version
from airflow_batch_inference.storage.uris import normalize_uri

if TYPE_CHECKING:
    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.sinks.base import PlannedSet, PublishRequest, Target
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)


class FileSink:
    """Files and folders; a file, if the target's name ends with a format's suffix (``….parquet``), else a folder."""

    capabilities = SinkCapabilities(formats=frozenset(OUTPUT_SUFFIXES), takes_files=True, is_transactional=False)

    def claims(self, target: str) -> bool:  # noqa: ARG002  # any text can be a path
        """Take any text."""
        return True

    def check(self, planned: PlannedSet, target: Target) -> None:
        """Refuse what could not be published; see :class:`~airflow_batch_inference.sinks.base.Sink`."""
        from airflow_batch_inference.formats.written_types import require_writable

        place = _place_of_table(target)
        require_writable(planned.schema, place.output_format)
        _require_free_partition(planned.models, place, target)
        require_free = require_file_free if place.is_file else require_folder_free
        require_free(place.uri, target, planned)

    def publish(self, request: PublishRequest) -> str:
        """Put the prediction set there; see :class:`~airflow_batch_inference.sinks.base.Sink`."""
        record, target = request.record, request.target
        if record.items is None:
            place = _place_of_table(target)
            if place.output_format != PART_FORMAT:
                # Only here: a copy needs no pyarrow, whose import takes longer than the rest of the task.
                from airflow_batch_inference.sinks.conversion import require_convertible

                require_convertible(record.parts[0].uri, place.output_format, request.storage)
        else:
            place = _place_of_files(record, target)
        _require_free_partition(digests(record) or [record.model_sha256], place, target)
        job = Publication(
            record=record,
            target=place.uri,
            if_exists=target.if_exists,
            publisher=request.publisher,
            commit=commit_of(record, request.storage),
            output_format=place.output_format,
        )
        if not _put(job, request.storage, target.storage, is_file=place.is_file):
            log.warning(
                "%s holds what a later run of this DAG has published: it stays, as if this run had come first",
                place.uri,
            )
        return place.uri


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the files go: a target's canonical URI, whether it is one file, and its format."""

    uri: str
    is_file: bool
    output_format: str


def _place_of_table(target: Target) -> _Place:
    """Return where a table goes.

    Raises
    ------
    ConfigurationError
        No table can go there.
    """
    uri = _allowed(target)
    output_format = format_written(uri, target.output_format)
    return _Place(uri, uri.endswith(output_suffix(output_format)), output_format)


def _place_of_files(record: PredictionSetRecord, target: Target) -> _Place:
    """Return where the files of a scoring script go, which stay as they are: one file where they are one table.

    Raises
    ------
    ConfigurationError
        They cannot go there.
    """
    uri = _allowed(target)
    name = record.parts[0].name or "" if record.table == record.parts != () else ""
    suffix = name[name.rfind(".") :] if name.rfind(".") > 0 else ""
    is_file = bool(suffix) and uri.endswith(suffix)
    if not is_file and any(uri.lower().endswith(other) for other in SUFFIXES):
        what = f"{record.output_format}: end it with {suffix}" if suffix else "several files: give a folder"
        message = f"publish_to is {uri}, but the prediction set is {what}."
        raise ConfigurationError(message)
    return _Place(uri, is_file, record.output_format)


def _allowed(target: Target) -> str:
    """Return a target's canonical URI.

    Raises
    ------
    ConfigurationError
        It is none, is outside of ``allowed_roots``, or lies in a table whose log alone makes it whole.
    """
    uri = normalize_uri(target.name)
    target.storage.require_allowed(uri)
    refuse_target(uri, target.storage)
    return uri


def _require_free_partition(models: list[str | None] | tuple[str, ...], place: _Place, target: Target) -> None:
    if not target.allow_mixed_versions:
        require_one_version(models, place.uri, target.storage)


def _put(job: Publication, storage: Storage, target_storage: Storage, *, is_file: bool) -> bool:
    if not job.target.startswith("file://"):
        put = remote.publish_file if is_file else remote.publish_folder
        return put(job, storage, target_storage)
    path = Path(job.target.removeprefix("file://"))
    if is_file:
        return local.publish_file(job, path, storage)
    # A link to a folder is not to be exchanged for a folder.
    return local.publish_folder(replace(job, target=str(path.resolve())), path.resolve(), storage)
