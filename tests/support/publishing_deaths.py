"""Ways for a publication to die: before one of its steps, at one of its calls, or with half of a file put."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from faulty_stores import FaultyFileSystem

_STEPS = ("os.", "open", "shutil.")


class TearingFileSystem(FaultyFileSystem):
    """A file system in memory that may put half of a file before it fails."""

    tears = False

    def _operation(self, name: str, *args: Any, **kwargs: Any) -> Any:
        number = self._number
        is_next = number is not None and (self.count + 1 == number or (self._forever and self.count + 1 > number))
        if self.tears and is_next and not getattr(self, "_inside", False) and name in ("pipe_file", "put_file"):
            with contextlib.suppress(OSError):
                data, path = (args[1], args[0]) if name == "pipe_file" else (Path(args[0]).read_bytes(), args[1])
                if kwargs.get("mode") != "create" or not self.store.get(self._strip_protocol(path)):
                    self._inside = True
                    super(FaultyFileSystem, self).pipe_file(path, data[: len(data) // 2])
            self._inside = False
        return super()._operation(name, *args, **kwargs)


def die_before_step(number: int, target: str) -> None:
    """Kill this process before its n-th operation on the target's surroundings."""
    around = target.removeprefix("file://").rpartition("/")[0]
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if not event.startswith(_STEPS) or not any(around in str(each) for each in arguments[:2]):
            return
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def die_before_call(number: int, target: str) -> None:  # as the other one
    """Kill this process before (odd numbers), or right after (even ones), its calls of S3."""
    import s3fs

    real = s3fs.S3FileSystem._call_s3
    count = 0

    async def call(fs: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == (number + 1) // 2 and number % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await real(fs, method, *args, **kwargs)
        if count == (number + 1) // 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    s3fs.S3FileSystem._call_s3 = call
