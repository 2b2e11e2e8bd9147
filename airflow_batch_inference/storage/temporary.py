"""Temporary folders that go with their process: at its end, or, where it was killed, before the next task.

Invariants: a folder is removed by nobody but its owner while that lives, be it in another container or under another
user. The owner holds a lock on the folder itself, which the system takes from it when it dies, however it dies; a
process id would say nothing across containers.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.storage.liveness import this_process
from airflow_batch_inference.storage.shared import is_on_this_machine, sweep_shared_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

TEMPORARY_PREFIX = ".tmp-"
_PREFIX = "airflow-batch-inference-held-"
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class HeldFolder:
    """A folder that only this user can read, for as long as this object lives.

    Attributes
    ----------
    path
        Where it is.
    """

    def __init__(self) -> None:
        self.path, descriptor = _made()
        self._finalizer = weakref.finalize(self, _remove, self.path, descriptor, os.getpid())

    def remove(self) -> None:
        """Remove it now."""
        self._finalizer()


def _made() -> tuple[Path, int]:
    """Return a new folder, and the descriptor that holds its lock."""
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX)
        try:
            descriptor = os.open(path, _OPEN)
        except FileNotFoundError:  # it was swept before it was locked
            continue
        try:
            # Shared, as some systems ask for the right to write before they give another.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # it is being swept
            os.close(descriptor)
            continue
        except OSError:  # a disk without locks: there nobody sweeps
            return Path(path), descriptor
        if _is_same(Path(path), descriptor):
            return Path(path), descriptor
        os.close(descriptor)


def _is_same(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    return False


def _remove(path: Path, descriptor: int, owner: int) -> None:
    if os.getpid() == owner:  # a forked child has a copy of this object, and no part in the folder
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.close(descriptor)


def sweep_temporary_folders() -> list[Path]:
    """Remove the temporary folders of processes that are surely dead, and return their paths.

    So it goes with folders that processes share and none of them uses (:mod:`.shared`). Those of other users, and those
    on disks of a network, are left alone.
    """
    root = Path(tempfile.gettempdir())
    removed: list[Path] = []
    try:
        if not is_on_this_machine(root):
            return removed
        removed += sweep_shared_folders()
        with os.scandir(root) as entries:
            found = [Path(entry.path) for entry in entries if entry.name.startswith(_PREFIX)]
    except OSError as error:
        log.debug("Nothing is swept in %s: %s", root, error)
        return removed
    for path in found:
        with contextlib.suppress(OSError):
            if _swept(path):
                removed.append(path)
    if removed:
        log.info("Removed %d temporary folder(s) that tasks which were killed had left in %s", len(removed), root)
    return removed


def _swept(path: Path) -> bool:
    descriptor = os.open(path, _OPEN)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # its owner lives
            return False
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    finally:
        os.close(descriptor)


def temporary_name(suffix: str = "") -> str:
    """Return a name for an unfinished file: readers pass over it, and it says who writes (:mod:`.liveness`)."""
    return f"{TEMPORARY_PREFIX}{this_process()}-{secrets.token_hex(8)}{suffix}"


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Give a temporary folder that only this user can read, removed afterwards."""
    held = HeldFolder()
    try:
        yield held.path
    finally:
        held.remove()
