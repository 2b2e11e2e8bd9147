"""What lies below a folder; below a local one with links followed, as ``open`` and the shell follow them.

What must not be relaxed: one file has one size and one version however it is reached, which are those of the bytes and
never of a link; no loop of links is followed; and what cannot be looked into is an error, never a folder with fewer
files.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.records import DataFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MARKS = "*?["
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

    @property
    def is_folder(self) -> bool:
        """Say whether it is a folder, or a link to one."""
        return self.file is None and self.problem is None

    def readable(self) -> DataFile:
        """Return the file.

        Raises
        ------
        ArtifactNotFoundError
            It is a link that leads nowhere, or no plain file.
        """
        if self.file is None:
            message = f"{self.uri} {self.problem or 'is a folder'}."
            raise ArtifactNotFoundError(message)
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
    # In nanoseconds: a replaced file of the same size must be noticed.
    return DataFile(uri=uri, size_bytes=status.st_size, version=str(status.st_mtime_ns))


def local_entries(
    folder: str,
    *,
    depth: int | None,
    enter: Callable[[str], bool],
    follow: Callable[[str], None],
    above: tuple[tuple[int, int], ...] = (),
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
    above
        The folders that lead here, as their devices and inodes.

    Raises
    ------
    ConfigurationError
        A link leads to a folder that it lies in.
    OSError
        A folder cannot be looked into.
    """
    chain = (*above, _identity(Path(folder).stat()))
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = f"{folder.rstrip('/')}/{name}"
        entry, status = _look_at(path)
        if entry is None:
            continue
        yield entry
        if status is None or not (entry.is_folder and (depth is None or depth > 1) and enter(name)):
            continue
        if entry.target is not None:
            follow(entry.uri)
            if _identity(status) in chain:
                raise ConfigurationError(_NEVER_ENDS.format(path=path, target=entry.target))
        below = None if depth is None else depth - 1
        yield from local_entries(path, depth=below, enter=enter, follow=follow, above=chain)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _look_at(path: str) -> tuple[Entry | None, os.stat_result | None]:
    """Return what lies at a path; nothing where it was removed while the folder was read."""
    uri, target = f"file://{path}", None
    try:
        status = Path(path).lstat()
    except FileNotFoundError:
        return None, None
    if stat.S_ISLNK(status.st_mode):
        target = os.path.realpath(path)
        try:
            status = Path(path).stat()
        except OSError:  # it leads nowhere, or round in a circle of links
            problem = f"is a link to {target}, where nothing lies. Mend the link, or remove it"
            return Entry(uri, None, problem, target), None
    if stat.S_ISDIR(status.st_mode):
        return Entry(uri, None, None, target), status
    if not stat.S_ISREG(status.st_mode):
        problem = "is no plain file but a pipe, a socket or a device. Remove it, or leave it out with a glob"
        return Entry(uri, None, problem, target), status
    return Entry(uri, local_file(uri, status), None, target), status
