"""The output folder of one worker process: which files a call of ``run()`` has written there.

Invariants: no two processes share a folder; what a failed attempt has written is removed before the next one; and a
file is told by its path below the folder, never by its name alone.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ScriptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_Version = tuple[int, int, int]


@dataclass(slots=True)
class OutputFolder:
    """A private folder, and the files in it that are nobody's output."""

    path: Path
    known: dict[str, _Version] = field(default_factory=dict)

    def set_aside(self) -> list[str]:
        """Take what lies there now (``init()`` wrote it) for no output, and return its paths."""
        self.known = self._files()
        return sorted(self.known)

    def written(self) -> dict[str, Path]:
        """Return the files that were written or changed since, by their path below the folder, sorted.

        Raises
        ------
        ScriptError
            A link, a pipe, or a name that is no path elsewhere.
        """
        found = self._files()
        changed = sorted(name for name, version in found.items() if self.known.get(name) != version)
        for name in changed:
            self._require_plain(name)
        return {name: self.path / name for name in changed}

    def discard(self) -> None:
        """Remove what was written since; folders stay, as scripts may have made them once, in ``init()``."""
        for name, version in self._files().items():
            if self.known.get(name) != version:
                (self.path / name).unlink(missing_ok=True)

    def _files(self) -> dict[str, _Version]:
        found: dict[str, _Version] = {}
        for parent, folders, files in os.walk(self.path):
            links = [name for name in folders if Path(parent, name).is_symlink()]
            for name in (*files, *links):
                entry = Path(parent, name)
                status = entry.lstat()
                found[entry.relative_to(self.path).as_posix()] = (status.st_ino, status.st_size, status.st_mtime_ns)
        return found

    def _require_plain(self, name: str) -> None:
        if not stat.S_ISREG((self.path / name).lstat().st_mode):
            message = f"The script wrote {name!r}, which is no plain file but a link or a pipe. Write plain files."
            raise ScriptError(message)
        if any(ord(character) < ord(" ") or character == "\\" for character in name) or not _is_text(name):
            message = f"The script wrote a file named {name!r}, which is no path on every store. Choose another name."
            raise ScriptError(message)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return True


@dataclass(frozen=True, slots=True)
class Lost:
    """Outputs of one mini-batch that others have replaced: how many at least, and which, in words."""

    number: int
    error: str


def overwritten(
    inputs: Sequence[str], returned: int, written: Sequence[str], openings: Mapping[str, int]
) -> Lost | None:
    """Return what was lost where a mini-batch has written fewer files than it returned elements.

    A script may write one file for many inputs, and that is right. It is wrong where inputs that share a stem
    (``a/x.csv``, ``b/x.csv``) have fewer files of that stem than they are, or where one file was written anew for each
    element.

    Parameters
    ----------
    inputs
        The paths of the files within the dataset.
    returned
        How many elements ``run()`` returned.
    written
        The files that it wrote, by their path below the output folder.
    openings
        How often files there were opened to be written anew, as far as Python was asked for it; 0: only to be added to.

    Examples
    --------
    >>> overwritten(["a/x.csv", "b/x.csv", "y.csv"], 3, ["x.parquet", "y.parquet"], {}).number
    1
    >>> overwritten(["a/x.csv", "b/x.csv"], 2, ["all.parquet"], {}) is None
    True
    """
    if not written:
        return None
    number, what = 0, ""
    for stem, shared in _shared_stems(inputs):
        files = [name for name in written if _is_of(name, stem)]
        anew = max((openings.get(name, 0) for name in files), default=0)
        # Of files that a library wrote without Python's open() nothing is known but how many there are.
        unseen = len(shared) - len(files) if any(name not in openings for name in files) else 0
        missing = min(len(shared) - 1, max(unseen, anew - 1))
        if missing > 0:
            names, left = ", ".join(shared[:3]), ", ".join(files[:3])
            number, what = number + missing, what or f"{names} share the stem {stem}, and left only {left}"
    for name in written:
        times = openings.get(name, 0)
        if len(written) < returned <= times and times > 1 and returned - len(written) > number:
            number, what = returned - len(written), f"it wrote {name} anew {times} times"
    if not number:
        return None
    message = (
        f"outputs have replaced each other, at least {number}: {what}. Name each file after its input's path, "
        "not its stem alone"
    )
    return Lost(number, message)


def _shared_stems(inputs: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the stems, up to the first dot, that several inputs have."""
    stems = [posixpath.basename(name).partition(".")[0] for name in inputs]
    for stem, number in Counter(stems).items():
        if number > 1 and stem:
            yield stem, [name for name, each in zip(inputs, stems, strict=True) if each == stem]


def _is_of(name: str, stem: str) -> bool:
    """Say whether a written file is named after a stem."""
    base = posixpath.basename(name)
    return base == stem or re.search(rf"(?<![^\W_]){re.escape(stem)}(?![^\W_])", base) is not None
