"""Publish a prediction set where people read it: one file, or a folder of files, replaced in one step.

What must not be relaxed: a reader of the target sees the old set or the new one, never a mixture; and what another
DAG, or somebody else, put there is never replaced. Whose a single file is stands in a manifest beside it, which is
written before the file: a retry finds its own. On object stores there is no way to replace a folder at once: the
one step there is the manifest ``_published.json``, written last; readers of a plain folder should be given a single
file instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.datasets.dataset import open_dataset
from airflow_batch_inference.datasets.formats import SUFFIXES, output_suffix
from airflow_batch_inference.datasets.tables import refuse_target
from airflow_batch_inference.datasets.writers import PartWriter, csv_header_bytes
from airflow_batch_inference.exceptions import ArtifactConflictError, ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.storage import TEMPORARY_PREFIX, Storage, private_folder, sync_file, sync_folder
from airflow_batch_inference.uris import join_uri, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.records import PredictionSetRecord

MANIFEST = "_published.json"
IF_EXISTS = ("replace", "fail")
_COPIED_ROWS = 65_536
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def publish(
    record: PredictionSetRecord,
    target: str,
    *,
    storage: Storage,
    target_storage: Storage,
    if_exists: str = "replace",
    allow_mixed_versions: bool = False,
) -> str:
    """Publish a committed prediction set and return the canonical URI of the target.

    Parameters
    ----------
    record
        The commit.
    target
        A file, if its name ends with the format's suffix (``….parquet``), else a folder.
    storage, target_storage
        Reach the artifact store, and the target.
    if_exists
        What may be replaced: ``"replace"``: whatever this DAG published there; ``"fail"``: only the same batch, as a
        retry or a backfill does.
    allow_mixed_versions
        Whether the files of one partition (a folder named ``key=value``) may come from several versions of a model.

    Raises
    ------
    ConfigurationError
        The rows were not kept, or the target's suffix is another format's.
    ArtifactConflictError
        The target holds what another DAG or somebody else wrote, or another batch with ``if_exists="fail"``; or its
        partition holds predictions of another version of the model.
    """
    if not record.kept:
        message = (
            f"Prediction set {record.name!r} was scored with log_result_set=False: there is nothing to publish to "
            f"{target}. Set log_result_set=True, or leave out publish_to."
        )
        raise ConfigurationError(message)
    target = normalize_uri(target)
    target_storage.require_allowed(target)
    refuse_target(target, target_storage)
    suffix = _suffix(record)
    owner = _Owner(record, target, if_exists)
    if not allow_mixed_versions:
        _require_one_version(record, target, target_storage)
    if suffix and target.endswith(suffix):
        _publish_file(owner, storage, target_storage)
    elif any(target.lower().endswith(other) for other in SUFFIXES):
        what = f"{record.output_format}: end it with {suffix}" if suffix else "several files: give a folder"
        message = f"publish_to is {target}, but the prediction set is {what}."
        raise ConfigurationError(message)
    elif target.startswith("file://"):
        # A link to a folder is not to be exchanged for a folder.
        _publish_local_folder(owner, Path(target.removeprefix("file://")).resolve(), storage)
    else:
        _publish_remote_folder(owner, storage, target_storage)
    return target


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who publishes, where to, and what may be replaced there."""

    record: PredictionSetRecord
    target: str
    if_exists: str

    def require(self, manifest: bytes | None) -> dict[str, object]:
        """Read the manifest of what is there; refuse to replace what is not this DAG's, or not this batch's.

        Raises
        ------
        ArtifactConflictError
            Says whose it is.
        """
        document = _document(manifest)
        task = document.get("task")
        owner = task.get("dag_id") if isinstance(task, dict) else None
        if owner != self.record.task.dag_id:
            whose = f"DAG {owner!r} published it" if owner else "no manifest says that this package published it"
            message = (
                f"{self.target} is not this DAG's to replace: {whose}. Choose another publish_to, or move away what "
                "is there."
            )
            raise ArtifactConflictError(message)
        if self.if_exists == "fail" and document.get("batch_id") != self.record.batch_id:
            message = (
                f"{self.target} holds batch {document.get('batch_id')!r}, this one is {self.record.batch_id!r}, and "
                'if_exists is "fail". Give each batch a publish_to of its own, or set if_exists="replace".'
            )
            raise ArtifactConflictError(message)
        return document


def _publish_file(owner: _Owner, storage: Storage, target_storage: Storage) -> None:
    record, target = owner.record, owner.target
    beside = _manifest_beside(target)
    size = target_storage.stat(target).size_bytes if target_storage.exists(target) else None
    is_new = size is None and not target_storage.exists(beside)
    if not is_new:
        published = owner.require(target_storage.read_bytes(beside) if target_storage.exists(beside) else None)
        if size not in (None, published.get("size_bytes"), published.get("replaces_bytes")):
            message = (
                f"{target} is not the file that this package published there: it has {size} bytes, not "
                f"{published.get('size_bytes')}. Move it away, or choose another publish_to."
            )
            raise ArtifactConflictError(message)
    with target_storage.writing(target) as path:
        if len(record.parts) == 1:
            _copy_part(record, 0, path, storage)
        elif record.output_format in ("csv", "jsonl"):
            _join_text(record, path, storage)
        else:
            _join_tables(record, path, storage)
        name = target.rsplit("/", 1)[-1]
        manifest = _manifest(record, [name], size_bytes=path.stat().st_size, replaces_bytes=size)
        if is_new and not target_storage.put_new(beside, manifest):
            owner.require(target_storage.read_bytes(beside))
        target_storage.put(beside, manifest)


def _suffix(record: PredictionSetRecord) -> str:
    """Return the suffix of a target that is one file; empty for files that a script named itself."""
    if record.items is None:
        return output_suffix(record.output_format)
    name = record.parts[0].name or "" if record.table == record.parts != () else ""
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""


def _require_one_version(record: PredictionSetRecord, target: str, storage: Storage) -> None:
    """Refuse predictions beside those of another version of the model, where both are of one partition.

    A partition is the nearest folder above the target that is named ``key=value``; one that is itself the target is
    replaced as a whole.

    Raises
    ------
    ArtifactConflictError
        Names the manifest and the digests.
    """
    partition = target
    while "=" not in partition.rpartition("/")[2]:
        partition = partition.rpartition("/")[0]
        if "://" not in partition or partition.endswith("/"):
            return
    if partition == target or not storage.exists(partition):
        return
    for file in storage.list_files(partition):
        within = file.uri.removeprefix(f"{partition}/")
        is_own = file.uri in (_manifest_beside(target), join_uri(target, MANIFEST))
        if is_own or not within.endswith(MANIFEST) or "=" in within.rpartition("/")[0]:
            continue
        document = _document(storage.read_bytes(file.uri))
        other = document.get("models") or document.get("model_sha256")
        ours = _digests(record) or record.model_sha256
        if other != ours:
            message = (
                f"The partition {partition} holds predictions of another version of the model (sha256 {_told(other)}, "
                f"{file.uri}); these are of sha256 {_told(ours)}. Score the day with the version of that day "
                "(as_of), publish the partition as one folder, which is replaced as a whole, or set "
                "allow_mixed_versions=True while its files are replaced one by one."
            )
            raise ArtifactConflictError(message)


def _digests(record: PredictionSetRecord) -> list[str | None]:
    """Return the digests of the models that make the predictions, where those are several."""
    found = [model.model_sha256 for model in record.models if model.role != "challenger"]
    return found if len(found) > 1 else []


def _told(digests: object) -> str:
    return ", ".join(map(str, digests)) if isinstance(digests, list) else str(digests)


def _document(manifest: bytes | None) -> dict[str, object]:
    """Return what a manifest says; nothing where it is none."""
    if manifest is not None:
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(manifest)
            return found if isinstance(found, dict) else {}
    return {}


def _manifest_beside(target: str) -> str:
    """Name the manifest of a single file so that readers of the folder pass over it."""
    folder, _, name = target.rpartition("/")
    return f"{folder}/_{name}{MANIFEST}"


def _verified_parts(record: PredictionSetRecord, storage: Storage) -> Iterator[Path]:
    """Give a private, verified copy of each part, one at a time."""
    suffix = output_suffix(record.output_format)
    for index in range(len(record.parts)):
        with private_folder() as folder:
            copy = folder / f"part{suffix}"
            _copy_part(record, index, copy, storage)
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
            dataset = opened.select(opened.infos[0].schema.names)
            if writer is None:
                writer = stack.enter_context(PartWriter(path, record.output_format, dataset.schema, metadata))
            for batch in dataset.mini_batches(_COPIED_ROWS):
                writer.write(batch.table)


def _copy_part(record: PredictionSetRecord, index: int, path: Path, storage: Storage) -> None:
    part = record.parts[index]
    if storage.copy_to_local(part.uri, path) != part.sha256:
        message = (
            f"{part.uri} was changed after it was committed: its SHA-256 is not the commit's. Score the batch again."
        )
        raise ArtifactIntegrityError(message)


def _manifest(record: PredictionSetRecord, files: list[str], **more: object) -> bytes:
    document = {
        "batch_id": record.batch_id,
        "files": files,
        "job_key": record.job_key,
        "model_sha256": record.model_sha256,
        "rows": record.rows_out,
        "task": asdict(record.task),
        **({"models": _digests(record)} if _digests(record) else {}),
        **more,
    }
    return _as_json(document)


def _as_json(document: dict[str, object]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _publish_local_folder(owner: _Owner, target: Path, storage: Storage) -> None:
    record = owner.record
    occupied = target.exists() and (not target.is_dir() or any(target.iterdir()))
    published: dict[str, object] = {}
    if occupied:
        manifest = target / MANIFEST
        present = manifest.read_bytes() if manifest.is_file() else None
        published = owner.require(present)
        there = _names_in(target)
        _require_only(_files(published), there, str(target))
        if published.get("job_key") == record.job_key and there == set(_files(published)):
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    staged.mkdir()
    try:
        names = _part_names(record)
        for index, name in enumerate(names):
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            _copy_part(record, index, staged / name, storage)
            sync_file(staged / name)
        (staged / MANIFEST).write_bytes(_manifest(record, names))
        sync_file(staged / MANIFEST)
        for folder in {staged, *((staged / name).parent for name in names)}:
            sync_folder(folder)
        if occupied:
            _exchange(staged, target)
            try:
                _require_only(_files(published), _names_in(staged), str(target))
            except ArtifactConflictError:
                _exchange(staged, target)  # somebody has put a file there since
                raise
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


def _publish_remote_folder(owner: _Owner, storage: Storage, target_storage: Storage) -> None:
    record, target = owner.record, owner.target
    manifest_uri = join_uri(target, MANIFEST)
    names = _part_names(record)
    listed = target_storage.list_files(target) if target_storage.exists(target) else []
    there = {file.uri.removeprefix(f"{target}/") for file in listed}
    published: dict[str, object] = {}
    if there:
        published = owner.require(target_storage.read_bytes(manifest_uri) if MANIFEST in there else None)
        _require_only([*_files(published), *_files(published, "leftover")], there - {MANIFEST}, target)
        if published.get("job_key") == record.job_key and there == {*_files(published), MANIFEST}:
            return
    # What may be left lying by a try that dies here is named before it is written.
    intent = published or json.loads(_manifest(record, []))
    leftover = sorted({*_files(intent, "leftover"), *names})
    target_storage.put(manifest_uri, _as_json({**intent, "leftover": leftover}))
    for index, name in enumerate(names):
        with target_storage.writing(join_uri(target, name)) as path:
            _copy_part(record, index, path, storage)
    obsolete = sorted(there - {MANIFEST, *names})
    target_storage.put(manifest_uri, _manifest(record, names, leftover=obsolete))
    for name in obsolete:
        target_storage.remove(join_uri(target, name))
    if obsolete:
        target_storage.put(manifest_uri, _manifest(record, names))


def _names_in(folder: Path) -> set[str]:
    """Return the paths of all that lies below a published folder, but for its manifest and the files' own folders."""
    return {
        Path(parent, name).relative_to(folder).as_posix()
        for parent, folders, files in os.walk(folder)
        for name in (*files, *(each for each in folders if _is_leaf(Path(parent, each))))
    } - {MANIFEST}


def _is_leaf(folder: Path) -> bool:
    """Say whether a folder holds nothing, or is a link: neither is a part of what this package publishes."""
    return folder.is_symlink() or not any(folder.iterdir())


def _part_names(record: PredictionSetRecord) -> list[str]:
    """Name each part after the job, so that who has listed one set can never open a file of another by mistake.

    Files that have names of their own keep them: those of a scoring script.

    Raises
    ------
    ConfigurationError
        One of them has the manifest's name.
    """
    if any(part.name == MANIFEST for part in record.parts):
        message = f"The prediction set holds a file named {MANIFEST}, as the manifest is. Give it another name."
        raise ConfigurationError(message)
    suffix = "" if record.items is not None else output_suffix(record.output_format)
    return [
        f"part-{index:05d}-{record.job_key[:16]}{suffix}" if part.name is None else part.name
        for index, part in enumerate(record.parts)
    ]


def _files(manifest: dict[str, object], which: str = "files") -> list[str]:
    names = manifest.get(which)
    return [str(name) for name in names] if isinstance(names, list) else []


def _require_only(ours: Sequence[str], there: set[str], target: str) -> None:
    """Refuse to replace a folder into which somebody else has put something."""
    foreign = sorted(there - set(ours))
    if foreign:
        message = (
            f"{target} holds what this package did not publish ({', '.join(foreign[:3])}): replacing the folder would "
            "remove it. Move it away, or choose another publish_to."
        )
        raise ArtifactConflictError(message)
