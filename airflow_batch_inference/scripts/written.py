"""The output folder of one worker process: which files a call of ``run()`` has written there.

What must not be relaxed: no two processes share a folder; what a failed attempt has written is removed before the next
one; and a file is told by its path below the folder, never by its name alone.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from airflow_batch_inference.exceptions import ScriptError

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
