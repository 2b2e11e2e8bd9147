"""What dead writers leave in the artifact store and beside what was published, and what of it may be removed.

A killed process leaves private files (``.tmp-…``), a writer that came second the files of parts that no commit names.

Invariants: nothing that a commit names is removed, and nothing that somebody may still be writing, or may still resume
from.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.ledger.commit import read_commit
from airflow_batch_inference.ledger.receipts import work_folder
from airflow_batch_inference.records.folding import LISTS_FOLDER, list_uris
from airflow_batch_inference.sinks.lock import ASIDE, TARGET_PREFIX, is_locked
from airflow_batch_inference.storage.liveness import STALE_S, is_leftover
from airflow_batch_inference.storage.parallel import in_order, threads_for
from airflow_batch_inference.storage.temporary import TEMPORARY_PREFIX
from airflow_batch_inference.storage.uris import join_uri, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_PART = re.compile(
    r"(?P<folder>.*/map_index=-?\d+)/(?:data|quarantine|_work)/(?P<key>[0-9a-f]{16})/(?:part|chunk)-\d{5,}-[^/]+$"
)
_LIST = re.compile(rf"(?P<folder>.*/map_index=-?\d+)/{LISTS_FOLDER}/[a-z_]+-[0-9a-f]{{64}}\.json$")
_LISTS = "lists"
_COMMIT = re.compile(r"(?P<folder>.*/map_index=-?\d+)/_commits/\d{10}\.json$")
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file that a dead writer has left.

    Attributes
    ----------
    uri, size_bytes
        The file.
    modified
        When it was last written to, in seconds since 1970; None: unknown.
    why
        What it is, in words.
    """

    uri: str
    size_bytes: int
    modified: float | None
    why: str


def sweep_task(folder: str, storage: Storage) -> None:
    """Remove the private files that processes which are surely dead have left in a task instance's folder."""
    with _quietly(folder):
        found = [file for file in _files(folder, storage) if _is_private(file.uri) and _is_dead(file)]
        _remove_and_tell(found, folder, storage)


def sweep_job(folder: str, job_key: str, storage: Storage) -> None:
    """Remove the files of a job's parts that no commit names: call it once the job is committed.

    What lies beside receipts goes too, as the commit has its sum. The receipts stay: whoever still works on this job
    finds one of every part, and takes away its own files.
    """
    key = job_key[:16]
    with _quietly(folder):
        found = [file for part in ("data", "quarantine") for file in _files(join_uri(folder, part, key), storage)]
        beside = [file for file in _files(work_folder(folder, job_key), storage) if _PART.match(file.uri)]
        named = _named_in(folder, storage) if found or beside else {}
        if key in named:
            unnamed = [file for file in found if _PART.match(file.uri) and file.uri not in named[key]]
            _remove_and_tell(unnamed, folder, storage)
            _remove(beside, storage)


def leftovers(
    root: str, storage: Storage, *, older_than_s: float, published: tuple[str, ...] = (), targets: Storage | None = None
) -> list[Leftover]:
    """Return what dead writers have left in an artifact store, and beside published files and folders.

    Parameters
    ----------
    root, storage
        The artifact store.
    older_than_s
        Where it cannot be known whether a writer is dead: from this age on it is. The files of a job that was never
        committed count as left once nothing in their task's folder is younger.
    published, targets
        Files and folders that were published, and what reaches them.
    """
    files = _files(root, storage)
    found = [
        Leftover(file.uri, file.size_bytes, file.modified, "an unfinished file")
        for file in files
        if _is_private(file.uri) and _is_dead(file, older_than_s)
    ]
    commits = {match["folder"] for file in files if (match := _COMMIT.match(file.uri))}
    by_task: dict[str, list[Leftover]] = {}
    for file in files:
        if match := re.match(r"(.*/map_index=-?\d+)/", file.uri):
            by_task.setdefault(match.group(1), []).append(file)
    for task, within in by_task.items():
        if any(file.modified is None or time.time() - file.modified < older_than_s for file in within):
            continue
        try:
            named = _named_in(task, storage) if task in commits else {}
        except BatchInferenceError as error:
            log.warning("Nothing is swept of %s: %s", task, error)
            continue
        for file in within:
            match = _PART.match(file.uri)
            key = _LISTS if _LIST.match(file.uri) else match["key"] if match else None
            if key is not None and file.uri not in named.get(key, ()):
                why = "no commit names it" if key in named else "of a job that was never committed"
                found.append(Leftover(file.uri, file.size_bytes, file.modified, why))
    for place in published:
        found += _beside(place, targets or storage, older_than_s)
    return sorted(found, key=lambda each: each.uri)


def remove(found: list[Leftover], storage: Storage) -> None:
    """Remove leftovers, and local folders that are empty then."""
    for each in found:
        storage.remove(each.uri)
        folder = Path(each.uri.removeprefix("file://")).parent
        while each.uri.startswith("file://") and TEMPORARY_PREFIX in str(folder) and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _beside(place: str, storage: Storage, older_than_s: float) -> Iterator[Leftover]:
    """Find what publications that died have left beside a local target; on a store they leave nothing to be swept."""
    place = normalize_uri(place)
    if not place.startswith("file://"):
        return
    for folder in {place.rpartition("/")[0], place}:
        path = Path(folder.removeprefix("file://"))
        for private in sorted(path.glob(f"{TEMPORARY_PREFIX}*")) if path.is_dir() else ():
            if private.name.startswith(TARGET_PREFIX) and (is_locked(private) or ASIDE in private.name):
                continue  # its publisher lives; or it may be the only copy of a folder that was moved aside
            # A link of such a name leads to what is somebody else's: the link goes, and nothing behind it.
            is_one = private.is_symlink() or private.is_file()
            for each in (private,) if is_one else private.rglob("*"):
                if not (each.is_symlink() or each.is_file()):
                    continue
                uri, status = normalize_uri(str(each)), each.lstat()
                if is_leftover(private.name, status.st_mtime, older_than_s=older_than_s):
                    storage.require_allowed(uri)
                    yield Leftover(uri, status.st_size, status.st_mtime, "an unfinished publication")


def _files(folder: str, storage: Storage) -> list[Leftover]:
    fs, path = storage.filesystem(folder)
    if not fs.exists(path):
        return []
    base = normalize_uri(folder)
    start = path.strip("/")
    infos: dict[str, dict[str, Any]] = fs.find(path, detail=True)
    return [
        Leftover(f"{base}{name.lstrip('/').removeprefix(start)}", int(info.get("size") or 0), _modified(info), "")
        for name, info in infos.items()
        if name.lstrip("/").startswith(f"{start}/") and info.get("type") == "file" and not info.get("islink")
    ]


def _modified(info: dict[str, Any]) -> float | None:
    for key in _MODIFIED:
        found = info.get(key)
        if isinstance(found, datetime):
            return found.timestamp()
        if isinstance(found, (int, float)):
            return float(found)
    return None


def _is_private(uri: str) -> bool:
    return uri.rpartition("/")[2].startswith(TEMPORARY_PREFIX)


def _is_dead(file: Leftover, older_than_s: float = STALE_S) -> bool:
    return is_leftover(file.uri.rpartition("/")[2], file.modified, older_than_s=older_than_s)


def _named_in(folder: str, storage: Storage) -> dict[str, set[str]]:
    """Return the files that a task's commits name, by the job keys of those commits; their lists apart."""
    named: dict[str, set[str]] = {}
    for file in _files(join_uri(folder, "_commits"), storage):
        if _COMMIT.match(file.uri):
            record = read_commit(file.uri, storage)
            parts = {part.uri for part in (*record.parts, *record.quarantine)}
            named.setdefault(record.job_key[:16], set()).update(parts)
            named.setdefault(_LISTS, set()).update(list_uris(storage.read_bytes(file.uri), where=file.uri))
    return named


@contextlib.contextmanager
def _quietly(folder: str) -> Iterator[None]:
    """Log what keeps leftovers from being removed: it changes nothing of the job."""
    try:
        yield
    except (OSError, BatchInferenceError) as error:
        log.warning("What dead writers left in %s was not removed (%s: %s)", folder, type(error).__name__, error)


def _remove(found: list[Leftover], storage: Storage) -> None:
    storage = storage.steady(file.uri for file in found)
    threads = threads_for(storage.filesystem(found[0].uri)[0]) if found else 1
    for _ in in_order(storage.remove, [file.uri for file in found], threads=threads):
        pass


def _remove_and_tell(found: list[Leftover], folder: str, storage: Storage) -> None:
    _remove(found, storage)
    if found:
        log.info("Removed %d file(s) that dead or slower writers left in %s", len(found), folder)
