"""One writer at a time of a local target: a lock that ends with its process, and what dead writers have left.

The lock is the kernel's (``flock``; on NFS that of the server), on a file beside the target that its holder removes.

Invariants: only who holds the lock writes, and removes what others have left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactBusyError
from airflow_batch_inference.sinks.manifest import MANIFEST
from airflow_batch_inference.storage.liveness import is_leftover
from airflow_batch_inference.storage.temporary import TEMPORARY_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE_S = 300.0
"""How long to wait for another writer; then Airflow's retry waits."""
_POLL_S = 0.02
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
LOCK_SUFFIX = ".lock"
TARGET_PREFIX = f"{TEMPORARY_PREFIX}p"
"""How all begins that a publication puts beside its local target."""
ASIDE = "-old-"
_TAG_DIGITS = 16


def private_name(target: Path, what: str = "") -> str:
    """Return a name beside a target for what is not finished: only who holds the target's lock writes it."""
    return f"{_prefix(target)}{what}{secrets.token_hex(8)}"


def _prefix(target: Path) -> str:
    return f"{TARGET_PREFIX}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:_TAG_DIGITS]}-"


@contextlib.contextmanager
def locked(target: Path) -> Iterator[bool]:
    """Let one process at a time into the block; give whether it is sure to be alone.

    Raises
    ------
    ArtifactBusyError
        Another writer has not let go within five minutes.
    """
    path = target.parent / f"{_prefix(target)[:-1]}{LOCK_SUFFIX}"
    descriptor = _acquire(path, target)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)  # while it is held: whoever waits for this very file finds it gone
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _acquire(path: Path, target: Path) -> int | None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            descriptor = try_lock(path)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            log.warning(
                "%s lies on a file system without locks (%s): let only one run at a time publish there",
                *(target, error.strerror or error),
            )
            path.unlink(missing_ok=True)
            return None
        if descriptor is not None:
            return descriptor
        if time.monotonic() > until:
            message = (
                f"{target} is being published by another process (it holds {path}); waited {PATIENCE_S:g} s for it. "
                "A retry goes on when it is done; if it hangs, stop it."
            )
            raise ArtifactBusyError(message)
        time.sleep(_POLL_S)


def try_lock(path: Path) -> int | None:
    """Lock a file, made if it is not there, and return its descriptor; None where somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):  # held; or its holder has just removed it
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def is_locked(private: Path) -> bool:
    """Say whether the publication that a private file is of still runs, given the path of that file."""
    lock = private.with_name(f"{private.name[: len(TARGET_PREFIX) + _TAG_DIGITS]}{LOCK_SUFFIX}")
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def recover(target: Path, *, is_alone: bool) -> None:
    """Put back a folder that was moved aside by a process that died, and remove what dead writers left of a target."""
    left = sorted(target.parent.glob(f"{_prefix(target)}*")) if target.parent.is_dir() else []
    for path in left:
        if not is_alone and not is_leftover(path.name, path.lstat().st_mtime):
            continue
        if path.name.startswith(f"{_prefix(target)[:-1]}{ASIDE}") and not target.exists():
            path.rename(target)
        elif path.is_dir():
            remove_folder(path)
        else:
            path.unlink(missing_ok=True)


def aside_of(target: Path) -> Path:
    """Return where to move a folder that is being replaced in two steps."""
    return target.with_name(private_name(target, ASIDE[1:]))


def remove_folder(folder: Path) -> None:
    """Remove a private folder, unless it has become one with files that its manifest does not name."""
    manifest = folder / MANIFEST
    if manifest.is_file():
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            document = json.loads(manifest.read_bytes())
            known = {*document["files"], *document.get("leftover", ()), MANIFEST}
            there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
            if there - known:
                log.warning("%s holds what this package did not publish, and is left as it is", folder)
                return
    shutil.rmtree(folder, ignore_errors=True)
