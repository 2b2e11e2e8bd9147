"""Local files: put if absent, forced to the disk, and not somebody else's under a new name."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import (
    ConfigurationError,
)
from airflow_batch_inference.storage.temporary import temporary_name
from airflow_batch_inference.storage.tree import (
    shown_path,
)
from airflow_batch_inference.storage.versions import protocols_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_SYNC_FILE_RANGE_WRITE = 2
_BEGIN_SYNC = getattr(ctypes.CDLL(None), "sync_file_range", None)
"""Linux's own call, which Python does not offer."""
if _BEGIN_SYNC is not None:
    _BEGIN_SYNC.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def require_own_name(path: str, status: os.stat_result) -> None:
    """Refuse a hard link that may lead out of the allowed roots: the one way out that no path shows.

    Honest tools make hard links, too (``cp -l``, backups, stores without duplicates): to files of their own user, in
    his folders, or to what everybody may read. What is neither may be another user's secret under a new name.

    Raises
    ------
    ConfigurationError
        A file of several names that not everybody may read, in a folder of another user than its own.
    """
    if status.st_nlink == 1 or stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IROTH:
        return
    folder = Path(os.path.realpath(path)).parent
    if folder.stat().st_uid != status.st_uid:
        message = (
            f"file://{shown_path(path)} is a hard link to a file that not everybody may read (user {status.st_uid}, "
            f"mode {stat.filemode(status.st_mode)}), in a folder of another user's: it may be one from outside of "
            "allowed_roots. Put a copy in its place."
        )
        raise ConfigurationError(message)


def is_local(fs: AbstractFileSystem) -> bool:
    """Say whether a file system is this machine's."""
    return bool({"file", "local"} & {*protocols_of(fs)[:1]})


def put_new_local(target: Path, data: bytes) -> bool:
    """Link a finished private file to its name: the one local operation that both writes whole and refuses."""
    target.parent.mkdir(parents=True, exist_ok=True)
    private = target.parent / temporary_name()
    try:
        with private.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(private, target)
        except FileExistsError:
            return False
        sync_folder(target.parent)
    finally:
        private.unlink(missing_ok=True)
    return True


def sync_file(path: Path) -> None:
    """Force a local file's bytes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def begin_sync(path: Path, first: int, size: int) -> None:
    """Have the system begin to write some bytes of a local file to the disk, and do not wait for it.

    It promises nothing, and where a system has no such call nothing happens; but :func:`sync_file` then waits less.
    """
    if _BEGIN_SYNC is None:
        return
    with contextlib.suppress(OSError):  # of files that are open, there may be too many
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _BEGIN_SYNC(descriptor, first, size, _SYNC_FILE_RANGE_WRITE)
        finally:
            os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Force a local folder's names to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
