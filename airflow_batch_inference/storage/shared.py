"""Folders that the processes of one user on one machine share, by a key: made once, removed by the last who uses them.

They lie in one folder below the temporary one, which is this user's alone. Whoever uses a folder holds a shared lock on
it, which the system takes away when the process dies; whoever can have the lock alone may remove it.

Invariants: nothing is shared with another user, and nothing that another user has made is taken for ours; a folder is
complete before it has its name; none is removed while somebody uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

_PREFIX = "airflow-batch-inference-shared-"
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCAL = frozenset(
    ("ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay", "zfs", "f2fs", "jfs", "bcachefs")
)
"""Kinds of disks whose locks are seen by every process that sees the disk: on a network's, they may not be."""
_NEW = ".new-"
_LOCK = ".lock-"
_WAIT_S = 600.0
_LOOKS_EVERY_S = 0.05


@dataclass(slots=True)
class Held:
    """A shared folder that this process uses.

    Attributes
    ----------
    path
        The folder.
    descriptor
        Holds the lock.
    """

    path: Path
    descriptor: int

    def release(self) -> None:
        """End using it; the last one removes it."""
        with contextlib.suppress(OSError):
            _remove_unused(self.path, self.descriptor)
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def shared_root(*, makes: bool = True) -> Path | None:
    """Return the folder of this user's shared folders; None where none can be trusted.

    Somebody else may have put a folder, or a link, under its name: then nothing is shared. Nor is it on a disk of a
    network: other machines would not see who uses a folder.

    Parameters
    ----------
    makes
        Whether it is made where it is missing.
    """
    parent = Path(tempfile.gettempdir())
    path = parent / f"{_PREFIX}{os.geteuid()}"
    try:
        above = parent.stat()
        if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
            return None  # anybody could put another folder in its place
        if not is_on_this_machine(parent):
            return None
        with contextlib.suppress(FileExistsError):
            if makes:
                path.mkdir(mode=0o700)
        return path if _is_own(path.lstat()) else None
    except OSError as error:
        log.debug("Nothing is shared in %s: %s", parent, error)
        return None


def _is_own(status: os.stat_result) -> bool:
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def is_on_this_machine(folder: Path) -> bool:
    """Say whether a folder lies on a disk of this machine; False where that cannot be told."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    kinds = {line.partition(" - ")[2].split(" ", 1)[0] for line in mounts if line.split(" ", 3)[2:3] == [wanted]}
    return bool(kinds) and kinds <= _LOCAL


def use_shared(root: Path, key: str) -> Held | None:
    """Return a shared folder, held for this process; None where there is none."""
    path = root / key
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if _is_own(os.fstat(descriptor)) and os.path.samestat(path.lstat(), os.fstat(descriptor)):
            return Held(path, descriptor)
    except OSError:  # it is being removed, or was just now; or this disk has no locks
        pass
    os.close(descriptor)
    return None


@contextlib.contextmanager
def turn(root: Path, key: str) -> Iterator[bool]:
    """Wait until nobody else makes a folder of this key, or of some others; False where that takes too long.

    Raises
    ------
    OSError
        This disk has no locks, or no room.
    """
    descriptor = os.open(root / f"{_LOCK}{key[:1]}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(descriptor, time.monotonic() + _WAIT_S)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, until: float) -> bool:
    while time.monotonic() < until:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOKS_EVERY_S)
        else:
            return True
    return False


def make_shared(root: Path, key: str, make: Callable[[Path], bool]) -> Held | None:
    """Make a shared folder, and hold it; to be called in one's :func:`turn`.

    Parameters
    ----------
    root, key
        Where.
    make
        Fills an empty folder; False: what it has made is not to be shared, and the folder goes.
    """
    made = root / f"{_NEW}{secrets.token_hex(8)}"
    made.mkdir(mode=0o700)
    held = Held(made, os.open(made, _OPEN))
    is_shared = False
    try:
        fcntl.flock(held.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if make(made):
            made.rename(root / key)
            held.path, is_shared = root / key, True
            return held
    finally:
        if not is_shared:
            shutil.rmtree(made, ignore_errors=True)
            os.close(held.descriptor)
    return None


def _remove_unused(path: Path, descriptor: int) -> bool:
    """Remove a folder that nobody else uses; its lock is this process's alone then, or it stays."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody uses it
        return False
    if not os.path.samestat(path.lstat(), os.fstat(descriptor)):
        return False
    gone = path.with_name(f"{_NEW}{secrets.token_hex(8)}")
    path.rename(gone)  # whoever comes now finds nothing, and not half of it
    shutil.rmtree(gone, ignore_errors=True)
    return True


def sweep_shared_folders() -> list[Path]:
    """Remove the shared folders that nobody uses: those of processes that were killed."""
    root, removed = shared_root(makes=False), []
    with contextlib.suppress(OSError):
        for path in sorted(root.iterdir()) if root is not None else ():
            if path.name.startswith(_LOCK):
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(path, _OPEN)
                try:
                    if _remove_unused(path, descriptor):
                        removed.append(path)
                finally:
                    os.close(descriptor)
    if removed:
        log.info("Removed %d shared folder(s) that processes which were killed had left in %s", len(removed), root)
    return removed
