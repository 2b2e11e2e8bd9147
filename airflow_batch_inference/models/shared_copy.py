"""One copy of a model for all processes of this user on this machine, by its digest.

Worker processes that score with one model would each copy and hash it. So the first one copies, the others wait for it
and load the same copy; it goes with the last process that uses it, and what killed processes leave, with the next task.

Invariants: a copy is hashed whenever somebody loads it, and one that is not what its digest says is not loaded; what
cannot be shared is copied apart, as ever.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.models.local_copy import ModelCopy, copy_into, model_name, private_copy, tree_digest
from airflow_batch_inference.processes.child import is_worker
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.shared import make_shared, shared_root, turn, use_shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_batch_inference.storage.shared import Held
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_KEPT: dict[str, Held] = {}
"""What a worker process has loaded: others, and whoever takes its place, load the same copy."""


@contextlib.contextmanager
def shared_copy(uri: str, storage: Storage, sha256: str) -> Iterator[ModelCopy]:
    """Give a local copy of a model whose digest is known, shared with other processes where that can be.

    Parameters
    ----------
    uri, storage
        The model, and what reaches it.
    sha256
        Its digest. Where the model has another one, the copy has that, and is not shared.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError, UntrustedModelError
        As :func:`~.local_copy.private_copy` says.
    """
    storage.filesystem(uri)  # what may not be reached is not to be had from another one's copy
    name = model_name(uri)
    key = f"{sha256}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    held, copy = _shared(uri, storage, sha256, key)
    if held is not None and copy is None:
        copy = _verified(held.path / name, sha256)
    if held is None or copy is None:
        if held is not None:  # it was changed, and others may be at it
            held.release()
        with private_copy(uri, storage) as own:
            yield own
        return
    if is_worker():
        if not _KEPT:
            atexit.register(_release_all)
        _forget(key)
        _KEPT[key] = held
        yield copy
        return
    try:
        yield copy
    finally:
        held.release()


def _shared(uri: str, storage: Storage, sha256: str, key: str) -> tuple[Held | None, ModelCopy | None]:
    """Return the folder of the shared copy, None where nothing can be shared; and the copy, where it was just made."""
    root = shared_root()
    held = None if root is None else use_shared(root, key)
    if root is None or held is not None:
        return held, None
    made: list[ModelCopy] = []

    def make(folder: Path) -> bool:
        made.append(copy_into(folder, uri, storage))
        return made[0].sha256 == sha256

    try:
        with turn(root, key) as is_mine:
            held = (use_shared(root, key) or make_shared(root, key, make)) if is_mine else None
    except OSError as error:  # no room, no locks: what is wrong with it is said by a copy of one's own
        log.debug("%s is not shared: %s", key, error)
        return None, None
    if held is None or not made:
        return held, None
    return held, replace(made[0], path=held.path / made[0].path.name)


def _verified(path: Path, sha256: str) -> ModelCopy | None:
    """Return a copy whose bytes have the digest; None where they do not."""
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            digest, size = sha256_of(path), status.st_size
        else:
            files = [file for file in sorted(path.rglob("*")) if not file.is_dir() or file.is_symlink()]
            if not all(stat.S_ISREG(file.lstat().st_mode) for file in files):
                return None
            digest = tree_digest((file.relative_to(path).as_posix(), sha256_of(file)) for file in files)
            size = sum(file.stat().st_size for file in files)
    except OSError:
        return None
    if digest != sha256:
        log.warning("%s was changed since it was copied, and is not used", path)
        return None
    return ModelCopy(path, digest, size)


def _forget(key: str) -> None:
    before = _KEPT.pop(key, None)
    if before is not None:
        before.release()


def _release_all() -> None:
    for key in list(_KEPT):
        _forget(key)


def _let_go() -> None:
    """Let a process that was forked leave its parent's copies to it: their locks are one."""
    _KEPT.clear()


os.register_at_fork(after_in_child=_let_go)
