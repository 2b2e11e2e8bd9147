"""What lies below a folder; below a local one with links followed, as ``open`` and the shell follow them.

Invariants: one file has one size and one version however it is reached, which are those of the bytes and never of a
link; no loop of links is followed; and what cannot be looked into is an error, never a folder with fewer files.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.records import DataFile
from airflow_batch_inference.storage.versions import local_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MARKS = "*?["
_NEVER = frozenset({errno.ELOOP, errno.ENAMETOOLONG})
"""What no other try mends."""
_NEVER_ENDS = (
    "{path} is a link to {target}, a folder that it lies in itself: following it would never end. Remove the link, or "
    "name the files by a glob that leaves it out."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder below another folder."""

    uri: str
    file: DataFile | None
    """Its size and version, behind all links; None for a folder, and for what cannot be read."""
    problem: str | None = None
    """What keeps it from being read, where something does."""
    target: str | None = None
    """Of a local link: the path that it leads to in the end."""
    is_hopeless: bool = False
    """Whether the problem is one that time does not mend."""

    @property
    def is_folder(self) -> bool:
        """Say whether it is a folder, or a link to one."""
        return self.file is None and self.problem is None

    def readable(self) -> DataFile:
        """Return the file.

        Raises
        ------
        ArtifactNotFoundError
            It is a link that leads nowhere, or a folder.
        ConfigurationError
            It is no plain file, or cannot be named.
        """
        if self.file is None:
            message = f"{shown_path(self.uri)} {self.problem or 'is a folder'}."
            raise (ConfigurationError if self.is_hopeless else ArtifactNotFoundError)(message)
        return self.file


def is_pattern(uri: str) -> bool:
    """Say whether a URI holds a mark of a glob."""
    return any(mark in uri for mark in _MARKS)


def fixed_part(pattern: str) -> tuple[str, int | None]:
    """Return the folder that all matches of a glob lie below, and how many levels below at most (None: any).

    Examples
    --------
    >>> fixed_part("file:///in/day=*/x.csv"), fixed_part("s3://bucket/in/**/x.csv")
    (('file:///in', 2), ('s3://bucket/in', None))
    """
    start = min(pattern.find(mark) for mark in _MARKS if mark in pattern)
    root = pattern[:start].rsplit("/", 1)[0]
    depth = None if "**" in pattern else pattern[len(root) + 1 :].count("/") + 1
    return ("file:///" if root == "file://" else root), depth


def matching(pattern: str, entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that a glob matches, in their order."""
    from fsspec.utils import glob_translate

    wanted = re.compile(glob_translate(pattern))
    return [entry for entry in entries if wanted.match(entry.uri)]


def local_file(uri: str, status: os.stat_result) -> DataFile:
    """Return a local file's record, from what its path leads to in the end."""
    return DataFile(uri=uri, size_bytes=status.st_size, version=local_version(status))


_NO_FILE = "is no plain file but a pipe, a socket or a device"


def local_status(path: str) -> os.stat_result:
    """Return the status of what a local path leads to.

    Raises
    ------
    FileNotFoundError
        Nothing lies there.
    ConfigurationError
        A link that leads round in a circle, or a path that no system call takes: another try is no help.
    """
    try:
        return Path(path).stat()
    except NotADirectoryError as error:
        raise FileNotFoundError(*error.args) from error
    except OSError as error:
        if error.errno not in _NEVER:
            raise
        raise ConfigurationError(_unreachable(path, error)) from error


def _unreachable(path: str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return (
            f"{shown_path(path)} cannot be reached: its links lead round in a circle, or are too many. Mend the link."
        )
    return (
        f"{shown_path(path)} cannot be reached ({error.strerror}): a path may have 4,095 bytes, and each of its names "
        "255. Choose shorter names, or fewer folders."
    )


_SHOWN = 200


def shown_path(path: str) -> str:
    r"""Return a path for messages: in the middle of a long one something is left out, and odd bytes are escaped.

    Examples
    --------
    >>> print(shown_path("/in/caf\udce9.csv"))
    /in/caf\udce9.csv
    """
    text = path.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 2 :]} ({len(text):,} characters)"


def require_plain(path: str, status: os.stat_result) -> None:
    """Refuse a local pipe, socket or device: reading it may never end, and it has no size.

    Raises
    ------
    ConfigurationError
        It is one.
    """
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        message = f"file://{shown_path(path)} {_NO_FILE}. Give the URI of a file."
        raise ConfigurationError(message)
    if status.st_size == 0 and os.path.realpath(path).startswith(("/proc/", "/sys/")):
        message = f"file://{shown_path(path)} is no file on a disk but a word of the system's. Give the URI of a file."
        raise ConfigurationError(message)


def local_entries(
    folder: str, *, depth: int | None, enter: Callable[[str], bool], follow: Callable[[str], None]
) -> Iterator[Entry]:
    """Yield all files and folders below a local folder, those of linked folders under the link's path.

    Parameters
    ----------
    folder
        Its path.
    depth
        How many levels to go down; None: all.
    enter
        Says of a folder's name whether to look into it.
    follow
        Called with the URI of each linked folder before it is looked into; raises where it must not be.

    Raises
    ------
    ConfigurationError
        A link leads to a folder that it lies in, or the path of a folder is too long.
    OSError
        A folder cannot be looked into.
    """
    # No recursion: folders may lie deeper than Python's calls.
    first = _identity(local_status(folder))
    chain = {first}
    stack = [(first, _names_in(folder))]
    while stack:
        path = next(stack[-1][1], None)
        if path is None:
            chain.discard(stack.pop()[0])
            continue
        entry, status = _look_at(path)
        if entry is None:
            continue
        yield entry
        is_deeper = entry.is_folder and (depth is None or depth > len(stack)) and enter(path.rpartition("/")[2])
        if status is None or not is_deeper:
            continue
        if entry.target is not None:
            follow(entry.uri)
            if _identity(status) in chain:
                raise ConfigurationError(_NEVER_ENDS.format(path=path, target=entry.target))
        chain.add(_identity(status))
        stack.append((_identity(status), _names_in(path)))


def _names_in(folder: str) -> Iterator[str]:
    """Return the paths of what lies in a folder, sorted."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        if error.errno not in _NEVER:
            raise
        raise ConfigurationError(_unreachable(folder, error)) from error
    return iter([f"{folder.rstrip('/')}/{name}" for name in names])


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _look_at(path: str) -> tuple[Entry | None, os.stat_result | None]:
    """Return what lies at a path; nothing where it was removed while the folder was read."""
    uri, target = f"file://{path}", None
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        if error.errno not in _NEVER:
            raise
        raise ConfigurationError(_unreachable(path, error)) from error
    if not _is_text(path):
        problem = "has a name that is no text in UTF-8. Rename it, or leave it out with a glob"
        return Entry(uri, None, problem, is_hopeless=True), None
    if stat.S_ISLNK(status.st_mode):
        target = os.path.realpath(path)
        try:
            status = Path(path).stat()
        except OSError as error:
            is_loop = error.errno in _NEVER
            where = "that leads round in a circle" if is_loop else f"to {shown_path(target)}, where nothing lies"
            problem = f"is a link {where}. Mend the link, or remove it"
            return Entry(uri, None, problem, target, is_hopeless=is_loop), None
    if stat.S_ISDIR(status.st_mode):
        return Entry(uri, None, None, target), status
    if not stat.S_ISREG(status.st_mode):
        return Entry(uri, None, f"{_NO_FILE}. Remove it, or leave it out with a glob", target, is_hopeless=True), status
    return Entry(uri, local_file(uri, status), None, target), status


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
