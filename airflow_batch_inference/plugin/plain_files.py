"""The files of a local artifact root, each under its one name: what lies behind a link is not read.

Invariants: whose a file is, is told by its path, so that no link may lead from one DAG's folder into another's; and
every folder on the way is opened from the one before, so that a link that is put there meanwhile is noticed too. The
root itself may be a link.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any, ClassVar

from fsspec import AbstractFileSystem

from airflow_batch_inference.storage.temporary import TEMPORARY_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ALIKE = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)
"""What systems say of a link that is not to be followed."""


class LinkedError(PermissionError):
    """A file is, or lies behind, a symbolic or a hard link, or is no plain file."""


class PlainFiles(AbstractFileSystem):  # type: ignore[misc]  # it has no annotations
    """Reads files below a folder, by paths without links; lists nothing and writes nothing.

    Parameters
    ----------
    root
        The folder's path.
    """

    protocol = "plain-file"
    cachable = False
    root_marker: ClassVar[str] = "/"

    def __init__(self, root: str) -> None:
        super().__init__()
        self.root = root.rstrip("/")

    def _open(self, path: str, mode: str = "rb", **_: object) -> Any:  # noqa: ANN401  # as fsspec's own
        if mode != "rb":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        descriptor = self._opened(path)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return os.fdopen(descriptor, "rb")

    def info(self, path: str, **_: object) -> dict[str, Any]:
        """Return a file's size and time, or that it is a folder.

        Raises
        ------
        FileNotFoundError
            Nothing lies there.
        LinkedError
            It lies behind a link.
        """
        descriptor = self._opened(path)
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        kind = "file" if stat.S_ISREG(found.st_mode) else "directory"
        return {"name": path, "type": kind, "size": found.st_size, "mtime": found.st_mtime_ns, "ino": found.st_ino}

    def _opened(self, path: str) -> int:
        """Return the descriptor of a file or a folder, reached without a link."""
        if not path.startswith(f"{self.root}/"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        *folders, name = path.removeprefix(f"{self.root}/").split("/")
        if any(each in ("", ".", "..") for each in (*folders, name)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        at = os.open(self.root or "/", _WAY)
        try:
            for folder in folders:
                below = _step(folder, _WAY | os.O_NOFOLLOW, at)
                os.close(at)
                at = below
            found = _step(name, _FILE, at)
            try:
                _require_one_name(found, path, at)
            except BaseException:
                os.close(found)
                raise
            return found
        finally:
            os.close(at)


def _step(name: str, flags: int, at: int) -> int:
    try:
        return os.open(name, flags, dir_fd=at)
    except OSError as error:
        if error.errno in _ALIKE and stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise LinkedError(errno.EACCES, "is a symbolic link", name) from error
        raise


def _require_one_name(descriptor: int, path: str, folder: int) -> None:
    """Refuse a file that has another name somewhere, and what is neither a file nor a folder.

    A writer that was killed may have left the name that it wrote under, in the same folder.
    """
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode):
        raise LinkedError(errno.EACCES, "is no plain file", path)
    if found.st_nlink > 1 and found.st_nlink != 1 + sum(inode == found.st_ino for inode in _left_inodes(folder)):
        raise LinkedError(errno.EACCES, "has another name (a hard link)", path)


def _left_inodes(folder: int) -> Iterator[int]:
    again = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(again) as entries:
            yield from [entry.inode() for entry in entries if entry.name.startswith(TEMPORARY_PREFIX)]
    finally:
        os.close(again)
