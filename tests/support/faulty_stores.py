"""Stores whose n-th operation fails."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Any

from fsspec.implementations.memory import MemoryFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator


class Faults:
    """Counts a store's operations, and lets the n-th fail."""

    count = 0
    failed = 0
    _number: int | None = None

    def arm(self, number: int | None, *, forever: bool = False, applied: bool = False, passes: bool = True) -> None:
        """Let an operation fail, by its number from now; None: none."""
        self.count = self.failed = 0
        self._number, self._forever, self._applied, self._passes = number, forever, applied, passes

    def _is_next(self) -> bool:
        """Count an operation, and say whether it is one that fails."""
        self.count += 1
        number = self._number
        return number is not None and (self.count == number or (self._forever and self.count > number))

    def _fail(self, name: str) -> None:
        self.failed += 1
        if self._passes:
            raise ConnectionResetError(f"{name}: the network")
        raise OSError(errno.EACCES, f"{name}: no right")


class FaultyS3(Faults):
    """Lets the n-th call of s3fs to its server fail, before it is sent or after it was answered."""

    @contextlib.contextmanager
    def installed(self) -> Iterator[FaultyS3]:
        """Stand before s3fs's own calls within the block."""
        import s3fs

        real = s3fs.S3FileSystem._call_s3

        async def call(fs: Any, method: str, *args: Any, **kwargs: Any) -> Any:
            fails = self._is_next()
            if fails and not self._applied:
                self._fail(method)
            answer = await real(fs, method, *args, **kwargs)
            if fails:
                self._fail(method)
            return answer

        s3fs.S3FileSystem._call_s3 = call
        try:
            yield self
        finally:
            s3fs.S3FileSystem._call_s3 = real


class FaultyFileSystem(Faults, MemoryFileSystem):
    """An in-memory file system of its own whose n-th operation fails."""

    protocol = "faulty"
    store: dict[str, Any] = {}  # noqa: RUF012  # shared by all instances, as in the class it comes from
    pseudo_dirs = [""]  # noqa: RUF012
    cachable = False
    _OPERATIONS = ("pipe_file", "put_file", "cat_file", "info", "find", "exists", "rm_file")

    def _operation(self, name: str, *args: Any, **kwargs: Any) -> Any:
        work = getattr(MemoryFileSystem, name)
        if getattr(self, "_inside", False):
            return work(self, *args, **kwargs)
        fails = self._is_next()
        self._inside = True
        try:
            if fails and not self._applied:
                self._fail(name)
            answer = work(self, *args, **kwargs)
        finally:
            self._inside = False
        if fails:
            self._fail(name)
        return answer


def _operation(name: str) -> Any:
    def method(self: FaultyFileSystem, *args: Any, **kwargs: Any) -> Any:
        return self._operation(name, *args, **kwargs)

    return method


for _name in FaultyFileSystem._OPERATIONS:
    setattr(FaultyFileSystem, _name, _operation(_name))
