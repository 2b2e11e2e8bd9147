"""Private copies of remote files whose stores tell no versions: one set of bytes for all who read a dataset.

Invariants: a file is copied once, and whoever reads it afterwards, in whatever process, reads the copy; so its version
is the digest of the bytes that are read, and no row is of another one.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.storage.temporary import HeldFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_batch_inference.records import DataFile

log = logging.getLogger(__name__)


class Copies:
    """The copies of some files, which go when this object goes."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[DataFile, str]] = {}
        self._held: HeldFolder | None = None
        self._turn = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Another process reads the copies; it does not remove them."""
        return {"_kept": self._kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _held=None, _turn=threading.Lock())

    def path_of(self, uri: str) -> str | None:
        """Return where the copy of a file lies; None where there is none."""
        return self._kept[uri][1] if uri in self._kept else None

    def file_of(self, uri: str) -> DataFile | None:
        """Return the size and version of a file that was copied; None where it was not."""
        return self._kept[uri][0] if uri in self._kept else None

    def keep(self, uri: str, copy: Callable[[Path], DataFile]) -> DataFile:
        """Return the version of a file, which is copied where it was not yet.

        Parameters
        ----------
        uri
            The file's.
        copy
            Writes it to a path, and returns its size and version.
        """
        with self._turn:
            return self._keep(uri, copy)

    def _keep(self, uri: str, copy: Callable[[Path], DataFile]) -> DataFile:
        if uri not in self._kept:
            if self._held is None:
                self._held = HeldFolder()
                log.warning(
                    "The store of %s tells no versions of its files that are sure to change with them: each one is "
                    "copied first, and read from the copy; its version is the SHA-256 of its bytes",
                    uri,
                )
            path = self._held.path / str(len(self._kept))
            self._kept[uri] = (copy(path), str(path))
        return self._kept[uri][0]
