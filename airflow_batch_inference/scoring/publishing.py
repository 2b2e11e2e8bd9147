"""Publish a prediction set where people read it: one file, or a folder of files, replaced in one step.

What must not be relaxed: a reader of the target sees the old set or the new one, never a mixture; and a folder that
this package did not publish is never replaced. On object stores there is no way to replace a folder at once: the
one step there is the manifest ``_published.json``, written last; readers of a plain folder should be given a single
file instead.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.datasets.dataset import open_dataset
from airflow_batch_inference.datasets.formats import SUFFIXES, output_suffix
from airflow_batch_inference.datasets.writers import PartWriter
from airflow_batch_inference.exceptions import ArtifactConflictError, ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.storage import TEMPORARY_PREFIX, join_uri, normalize_uri, sync_file, sync_folder

if TYPE_CHECKING:
    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.storage import Storage

MANIFEST = "_published.json"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def publish(record: PredictionSetRecord, target: str, *, storage: Storage, target_storage: Storage) -> str:
    """Publish a committed prediction set and return the canonical URI of the target.

    Parameters
    ----------
    record
        The commit.
    target
        A file, if its name ends with the format's suffix (``….parquet``), else a folder.
    storage, target_storage
        Reach the artifact store, and the target.

    Raises
    ------
    ConfigurationError
        The rows were not kept, or the target's suffix is another format's.
    ArtifactConflictError
        The target holds files that another DAG or somebody else wrote.
    """
    if not record.kept:
        message = (
            f"Prediction set {record.name!r} was scored with log_result_set=False: there is nothing to publish to "
            f"{target}. Set log_result_set=True, or leave out publish_to."
        )
        raise ConfigurationError(message)
    target = normalize_uri(target)
    suffix = output_suffix(record.output_format)
    if target.endswith(suffix):
        _publish_file(record, target, storage, target_storage)
    elif any(target.lower().endswith(other) for other in SUFFIXES):
        message = f"publish_to is {target}, but the prediction set is {record.output_format}: end it with {suffix}."
        raise ConfigurationError(message)
    elif target.startswith("file://"):
        _publish_local_folder(record, Path(target.removeprefix("file://")), storage)
    else:
        _publish_remote_folder(record, target, storage, target_storage)
    return target


def _publish_file(record: PredictionSetRecord, target: str, storage: Storage, target_storage: Storage) -> None:
    with target_storage.writing(target) as path:
        if len(record.parts) == 1:
            _copy_part(record, 0, path, storage)
            return
        dataset = open_dataset([part.uri for part in record.parts], storage)
        metadata = {"batch_inference.job_key": record.job_key, "batch_inference.model_sha256": record.model_sha256}
        with PartWriter(path, record.output_format, dataset.schema, metadata) as writer:
            for batch in dataset.mini_batches(65_536):
                writer.write(batch.table)


def _copy_part(record: PredictionSetRecord, index: int, path: Path, storage: Storage) -> None:
    part = record.parts[index]
    if storage.copy_to_local(part.uri, path) != part.sha256:
        message = (
            f"{part.uri} was changed after it was committed: its SHA-256 is not the commit's. Score the batch again."
        )
        raise ArtifactIntegrityError(message)


def _manifest(record: PredictionSetRecord, files: list[str]) -> bytes:
    document = {
        "batch_id": record.batch_id,
        "files": files,
        "job_key": record.job_key,
        "model_sha256": record.model_sha256,
        "rows": record.rows_out,
        "task": asdict(record.task),
    }
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _require_ours(record: PredictionSetRecord, manifest: bytes | None, target: str) -> dict[str, object]:
    """Read the manifest of what is there; refuse to replace what another DAG, or nobody we know, has written."""
    document: dict[str, object] = {}
    if manifest is not None:
        with suppress(ValueError):
            document = json.loads(manifest)
    task = document.get("task")
    owner = task.get("dag_id") if isinstance(task, dict) else None
    if owner != record.task.dag_id:
        whose = f"DAG {owner!r} published it" if owner else f"it holds files and no {MANIFEST}"
        message = (
            f"{target} is not this DAG's to replace: {whose}. Choose another publish_to, or move away what is there."
        )
        raise ArtifactConflictError(message)
    return document


def _publish_local_folder(record: PredictionSetRecord, target: Path, storage: Storage) -> None:
    occupied = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if occupied:
        manifest = target / MANIFEST
        present = manifest.read_bytes() if manifest.is_file() else None
        if _require_ours(record, present, str(target)).get("job_key") == record.job_key:
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    staged.mkdir()
    try:
        names = [f"part-{index:05d}{output_suffix(record.output_format)}" for index in range(len(record.parts))]
        for index, name in enumerate(names):
            _copy_part(record, index, staged / name, storage)
            sync_file(staged / name)
        (staged / MANIFEST).write_bytes(_manifest(record, names))
        sync_file(staged / MANIFEST)
        sync_folder(staged)
        if occupied:
            _exchange(staged, target)
        else:
            staged.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _exchange(staged: Path, target: Path) -> None:
    """Swap two folders in one step (Linux); elsewhere in two, between which the target is missing but never mixed."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if renameat2(_AT_FDCWD, os.fsencode(staged), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code), str(target))
    aside = target.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    target.rename(aside)
    staged.rename(target)
    aside.rename(staged)  # removed by the caller


def _publish_remote_folder(record: PredictionSetRecord, target: str, storage: Storage, target_storage: Storage) -> None:
    manifest_uri = join_uri(target, MANIFEST)
    old: list[str] = []
    if target_storage.exists(target) and target_storage.list_files(target):
        present = target_storage.read_bytes(manifest_uri) if target_storage.exists(manifest_uri) else None
        document = _require_ours(record, present, target)
        if document.get("job_key") == record.job_key:
            return
        files = document.get("files")
        old = [str(name) for name in files] if isinstance(files, list) else []
    suffix = output_suffix(record.output_format)
    names = [f"part-{index:05d}-{record.job_key[:16]}{suffix}" for index in range(len(record.parts))]
    for index, name in enumerate(names):
        with target_storage.writing(join_uri(target, name)) as path:
            _copy_part(record, index, path, storage)
    target_storage.put(manifest_uri, _manifest(record, names))
    for name in old:
        target_storage.remove(join_uri(target, name))
