"""The deciding step on a store: a manifest is replaced only if it still is the one that was read.

S3 decides it by itself (``If-Match``). Other stores are asked right before and right after; within one process nobody
comes in between.

Invariants: of two writers that replace the same manifest at most one is told that it did; and one that was torn, on a
store that can tear a file, is found again in its spare copy.
"""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.sinks.manifest import MANIFEST, SPARE, parsed

if TYPE_CHECKING:
    from airflow_batch_inference.storage.store import Storage

_CONDITIONAL = {"s3", "s3a"}
_ATOMIC = {*_CONDITIONAL, "gs", "gcs", "abfs", "abfss", "az", "adl"}
"""Stores on which an object is replaced as a whole, or not at all."""
_one_at_a_time = threading.RLock()
os.register_at_fork(after_in_child=lambda: globals().update(_one_at_a_time=threading.RLock()))


@dataclass(frozen=True, slots=True)
class Cell:
    """A manifest on a store.

    Attributes
    ----------
    uri
        Its URI.
    storage
        Reaches it.
    """

    uri: str
    storage: Storage

    @property
    def spare(self) -> str:
        """The URI of its spare copy."""
        return self.uri.removesuffix(MANIFEST) + SPARE

    def read(self) -> bytes | None:
        """Return its bytes; None where it is not there."""
        found = self._bytes(self.uri)
        if not parsed(found) and not self._is(_ATOMIC):
            spare = self._bytes(self.spare)
            if parsed(spare) and (found is not None or parsed(spare).get("number") == 1):
                return spare
        return found

    def swap(self, before: bytes | None, after: bytes) -> bool:
        """Replace it if it is still ``before`` (None: not there), and say whether it is ``after`` now.

        Raises
        ------
        OSError
            The store's; whether it was replaced is not known then, unless it is still what it was.
        """
        with _one_at_a_time:
            if self._is(_ATOMIC):
                return self._swap_whole(before, after)
            if self.read() != before:
                return False
            self._put(self.spare, after)
            self._put(self.uri, after, is_new=self._bytes(self.uri) is None)
            self.storage.remove(self.spare)
            return self._bytes(self.uri) == after

    def settle(self, found: bytes) -> None:
        """Mend a manifest that was torn, of which the spare copy was read, and remove that copy."""
        if self._is(_ATOMIC):
            return
        with _one_at_a_time:
            if self.read() == found:
                now = self._bytes(self.uri)
                if now != found:
                    self._put(self.uri, found, is_new=now is None)
                self.storage.remove(self.spare)

    def _swap_whole(self, before: bytes | None, after: bytes) -> bool:
        """Replace an object on a store that never tears one."""
        try:
            if before is None:
                self._put(self.uri, after, is_new=True)
                return True
            fs, path = self.storage.filesystem(self.uri)
            version = fs.info(path).get("ETag")
            if self._bytes(self.uri) != before:
                return False
            if not (self._is(_CONDITIONAL) and version and self._put_matching(after, version)):
                self._put(self.uri, after)
                return self._bytes(self.uri) == after
        except OSError:
            now = self._bytes(self.uri)
            if now == before:
                raise
            return now == after  # an answer may get lost, and the client asks again by itself
        return True

    def _put_matching(self, data: bytes, version: str) -> bool:
        """Put it if the store still has a version of it; False where the store knows no such condition."""
        fs, path = self.storage.filesystem(self.uri)
        try:
            fs.pipe_file(path, data, IfMatch=version)
        except OSError as error:
            if error.errno == errno.ENOSYS:
                return False
            raise
        return True

    def _put(self, uri: str, data: bytes, *, is_new: bool = False) -> None:
        fs, path = self.storage.filesystem(uri)
        if is_new:
            fs.pipe_file(path, data, mode="create")
        else:
            fs.pipe_file(path, data)

    def _bytes(self, uri: str) -> bytes | None:
        try:
            return self.storage.read_bytes(uri)
        except ArtifactNotFoundError:
            return None

    def _is(self, protocols: set[str]) -> bool:
        fs: Any = self.storage.filesystem(self.uri)[0]
        names = fs.protocol if isinstance(fs.protocol, (tuple, list)) else (fs.protocol,)
        return bool(protocols & set(names))
