"""Publish a prediction set where people read it: one file, or a folder of files, replaced in one step.

Invariants: a reader of the target sees the old set or the new one, never a mixture; what another DAG, or
somebody else, put there is never replaced; and a target always fits its manifest, whoever writes at the same time and
whenever one dies. Whose a target is, and what lies there, stands in its manifest (:mod:`.manifest`): inside of a
folder, beside a file. On object stores there is no way to replace a folder at once: the one step there is the manifest
``_published.json``; readers of a plain folder should be given a single file instead.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.names import SUFFIXES, output_suffix
from airflow_batch_inference.formats.table_folders import refuse_target
from airflow_batch_inference.ledger.commit import commit_of
from airflow_batch_inference.sinks import local, remote
from airflow_batch_inference.sinks.base import SinkCapabilities
from airflow_batch_inference.sinks.manifest import Publication
from airflow_batch_inference.sinks.partitions import require_one_version
from airflow_batch_inference.storage.uris import normalize_uri

if TYPE_CHECKING:
    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.sinks.base import PublishRequest
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)


class FileSink:
    """Files and folders; a file, if the target's name ends with the format's suffix (``….parquet``), else a folder."""

    capabilities = SinkCapabilities(takes_files=True, is_transactional=False)

    def claims(self, target: str) -> bool:  # noqa: ARG002  # any text can be a path
        """Take any text."""
        return True

    def publish(self, request: PublishRequest) -> str:
        """Put the prediction set there; see :class:`~airflow_batch_inference.sinks.base.Sink`."""
        record, target_storage = request.record, request.target_storage
        target = normalize_uri(request.target)
        target_storage.require_allowed(target)
        suffix = _suffix(record)
        is_file = bool(suffix) and target.endswith(suffix)
        refuse_target(target, target_storage)
        if not request.allow_mixed_versions:
            require_one_version(record, target, target_storage)
        if not is_file and any(target.lower().endswith(other) for other in SUFFIXES):
            what = f"{record.output_format}: end it with {suffix}" if suffix else "several files: give a folder"
            message = f"publish_to is {target}, but the prediction set is {what}."
            raise ConfigurationError(message)
        job = Publication(
            record=record,
            target=target,
            if_exists=request.if_exists,
            publisher=request.publisher,
            commit=commit_of(record, request.storage),
        )
        if not _put(job, request.storage, target_storage, is_file=is_file):
            log.warning(
                "%s holds what a later run of this DAG has published: it stays, as if this run had come first", target
            )
        return target


def _put(job: Publication, storage: Storage, target_storage: Storage, *, is_file: bool) -> bool:
    if not job.target.startswith("file://"):
        put = remote.publish_file if is_file else remote.publish_folder
        return put(job, storage, target_storage)
    path = Path(job.target.removeprefix("file://"))
    if is_file:
        return local.publish_file(job, path, storage)
    # A link to a folder is not to be exchanged for a folder.
    return local.publish_folder(replace(job, target=str(path.resolve())), path.resolve(), storage)


def _suffix(record: PredictionSetRecord) -> str:
    """Return the suffix of a target that is one file; empty for files that a script named itself."""
    if record.items is None:
        return output_suffix(record.output_format)
    name = record.parts[0].name or "" if record.table == record.parts != () else ""
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""
