"""Processes and a folder that are gone in the end whatever happens: each process has a session of its own.

Invariants: only sessions that were started here are ended, by their id; and all of them are, also where the starter is
killed itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_GRACE_S = 5


class Processes:
    """Starts processes by name, each with a log file of its own; as a context manager it ends them all.

    Parameters
    ----------
    folder
        Their own, with a folder of their logs; it is removed in the end.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._reaper = subprocess.Popen(
            [sys.executable, __file__, self.folder], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_all()
        self._reaper.communicate()

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], *, user: str | None = None
    ) -> None:
        """Start a process in the background."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                cwd=self.logs,
            )
        print(self.running[name].pid, file=self._reaper.stdin, flush=True)

    def kill(self, name: str) -> None:
        """Kill a process and all that it has started at once, as the death of its container does."""
        process = self.running.pop(name)
        kill_session(process.pid)
        process.wait()

    def _stop_all(self) -> None:
        """Ask all processes to end, and end what is left of their sessions."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + _GRACE_S
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, until - time.monotonic()))
            kill_session(process.pid)
            process.wait()

    def require_running(self) -> None:
        """Fail where one has ended by itself, with the end of its log."""
        for name, process in self.running.items():
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{self.tail(name)}"

    def tail(self, name: str, lines: int = 40) -> str:
        """Return the end of a process's log."""
        return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])


def session(leader: int) -> Iterator[int]:
    """Yield the processes of a session."""
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                yield pid


def kill_session(leader: int) -> None:
    """Kill all processes of a session, until there is none: one may have been started meanwhile."""
    while pids := list(session(leader)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _reap() -> None:
    """Read ids of sessions until whoever writes them is gone, then kill what is left of them and remove the folder."""
    leaders = [int(line) for line in sys.stdin]
    for leader in reversed(leaders):
        kill_session(leader)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    _reap()
