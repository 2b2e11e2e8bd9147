"""Publications on a local disk: under a lock, a folder is exchanged in one step, a file renamed between two manifests.

Invariants: a reader of the target sees the old set or the new one, never a mixture; a file that somebody else has put
there is never removed; and whatever moment a process is killed at, the next one finds its way on.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactConflictError
from airflow_batch_inference.sinks.content import part_contents, write_file, write_part
from airflow_batch_inference.sinks.lock import aside_of, locked, private_name, recover, remove_folder
from airflow_batch_inference.sinks.manifest import (
    MANIFEST,
    Content,
    all_names,
    as_json,
    contents_of,
    known_digests,
    manifest_beside,
    named_contents,
    names_in,
    next_of,
    require_only,
)
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.local_files import sync_file, sync_folder
from airflow_batch_inference.storage.versions import local_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.sinks.manifest import Document, Publication
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


# -- a folder ---------------------------------------------------------------------------------------------------------


def publish_folder(job: Publication, target: Path, storage: Storage) -> bool:
    """Publish to a local folder, and say whether the set is now there; that of a later run may be, and stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target) as is_alone:
        recover(target, is_alone=is_alone)
        published: Document = {}
        names = [*part_contents(job)]
        occupied = target.exists() and (not target.is_dir() or any(target.iterdir()))
        if occupied:
            published = job.admit(_bytes_of(target / MANIFEST))
            there = names_in_folder(target)
            require_only(all_names(published), there, str(target))
            if job.is_outdated_by(published):
                return False
            if job.is_published_as(published, names) and _holds(target, there, published):
                return True
        staged = target.with_name(private_name(target))
        try:
            _stage(staged, job, names, int(published.get("number") or 0) + 1, storage)
            job.publisher.fence()
            if occupied:
                _exchange(staged, target)
                try:
                    require_only(all_names(published), names_in_folder(staged), str(target))
                except ArtifactConflictError:
                    _exchange(staged, target)  # somebody has put a file there since
                    raise
            else:
                staged.rename(target)
            sync_folder(target.parent)
        finally:
            remove_folder(staged)
    return True


def _stage(staged: Path, job: Publication, names: Sequence[str], number: int, storage: Storage) -> None:
    """Make the folder, with its manifest, beside its target."""
    staged.mkdir()
    contents = {}
    for index, name in enumerate(names):
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        contents[name] = write_part(job, index, staged / name, storage)
        sync_file(staged / name)
    (staged / MANIFEST).write_bytes(as_json(job.document(contents, number=number)))
    sync_file(staged / MANIFEST)
    for folder in {staged, *((staged / name).parent for name in contents)}:
        sync_folder(folder)


def _holds(folder: Path, there: set[str], published: Document) -> bool:
    """Say whether all files that a manifest names, and no others, lie there with their digests."""
    contents = named_contents(published)
    if there != set(names_in(published)) or there != set(contents):
        return False
    return all(_content(folder / name) == content for name, content in contents.items())


def _content(path: Path) -> Content | None:
    """Return what a file is; None of what is no plain file: reading a pipe would never end."""
    return Content(sha256_of(path), path.stat().st_size) if path.is_file() else None


def names_in_folder(folder: Path) -> set[str]:
    """Return the paths of all that lies below a published folder, but for its manifest and the files' own folders.

    None where there is no folder.
    """
    return {
        Path(parent, name).relative_to(folder).as_posix()
        for parent, folders, files in os.walk(folder)
        for name in (*files, *(each for each in folders if _is_leaf(Path(parent, each))))
    } - {MANIFEST}


def _is_leaf(folder: Path) -> bool:
    """Say whether a folder holds nothing, or is a link: neither is a part of what this package publishes."""
    return folder.is_symlink() or not any(folder.iterdir())


def _exchange(staged: Path, target: Path) -> None:
    """Swap two folders in one step (Linux); elsewhere in two, between which the target is missing but never mixed."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if renameat2(_AT_FDCWD, os.fsencode(staged), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code), str(target))
    aside = aside_of(target)
    target.rename(aside)
    staged.rename(target)
    aside.rename(staged)  # removed by the caller


# -- a file -----------------------------------------------------------------------------------------------------------


def publish_file(job: Publication, target: Path, storage: Storage) -> bool:
    """Publish to a local file, and say whether the set is now there; that of a later run may be, and stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(manifest_beside(str(target)))
    with locked(target) as is_alone:
        recover(target, is_alone=is_alone)
        published: Document = {}
        is_new = not target.exists() and not beside.exists()
        if not is_new:
            published = job.admit(_bytes_of(beside))
            _require_known(target, published)
            if job.is_outdated_by(published):
                return False
            if (
                job.is_published_as(published, [target.name])
                and target.exists()
                and contents_of(published) == [_content(target)]
            ):
                return True
        with _private(target) as private:
            content = write_file(job, private, storage)
            claim = job.claim(published, {target.name: content}, size_bytes=content.size_bytes)
            job.publisher.fence()
            _replace(beside, as_json(claim), target)
            if is_new:
                _put_in_free_place(private, target, beside)
            else:
                private.replace(target)
                sync_folder(target.parent)
        _replace(beside, as_json({**claim["next"], "stamp": stamp_of(target)}), target)
    return True


def _require_known(target: Path, published: Document) -> None:
    """Refuse to replace a file that is not the one that was published there.

    Raises
    ------
    ArtifactConflictError
        Says what it should be.
    """
    if not target.exists():
        return
    if published.get("stamp") == stamp_of(target):
        return
    found = _content(target)
    if found is None or found.sha256 not in known_digests(published):
        raise unknown_file(str(target), target.stat().st_size, published)


def stamp_of(path: Path) -> str:
    """Return what changes whenever a file does: it is read again only where this is not what it was."""
    found = path.stat()
    return f"{found.st_size}-{local_version(found)}"


def unknown_file(target: str, size: int, published: Document) -> ArtifactConflictError:
    """Return the error for a file that is not the one that its manifest names."""
    named = contents_of(published) or contents_of(next_of(published))
    said = f"{named[0].size_bytes} with SHA-256 {named[0].sha256}" if named else "what its manifest names"
    message = (
        f"{target} is not the file that this package published there: it has {size} bytes, not {said}. Move it and "
        "its manifest away, or choose another publish_to."
    )
    return ArtifactConflictError(message)


def _put_in_free_place(private: Path, target: Path, beside: Path) -> None:
    """Give a finished file its name, where nobody else has put one in the meantime.

    Raises
    ------
    ArtifactConflictError
        Somebody has.
    """
    try:
        os.link(private, target)
    except FileExistsError:
        beside.unlink(missing_ok=True)
        message = f"{target} is not this DAG's to replace: somebody has put it there while this set was being written."
        raise ArtifactConflictError(message) from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        private.replace(target)  # a file system without links
    private.unlink(missing_ok=True)
    sync_folder(target.parent)


def _replace(path: Path, data: bytes, target: Path) -> None:
    """Replace a small file in one step, by way of a private one of the target's."""
    with _private(target) as private:
        private.write_bytes(data)
        sync_file(private)
        private.replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _private(target: Path) -> Iterator[Path]:
    """Give a private path beside a target; what is left there in the end is removed."""
    private = target.with_name(private_name(target) + target.suffix)
    try:
        yield private
    finally:
        private.unlink(missing_ok=True)


def _bytes_of(manifest: Path) -> bytes | None:
    return manifest.read_bytes() if manifest.is_file() else None
