"""A child process with limits of memory and time, and how it ended.

Invariants: the child gets none of this process's environment beyond what Python needs to start; it is killed whatever
ends the wait for it; and however much it prints, little of it is kept.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Limit: TypeAlias = Literal["time", "memory", "report"]

log = logging.getLogger(__name__)

CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS})
"""Signals that a process gets for what it does itself."""

_ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL"),
    "KERAS_BACKEND",
)
_POLL_S = 0.02
_TOLD_EVERY_S = 15.0
_READ_BYTES = 1 << 16
_MOST_REPORT_BYTES = 4 << 20
_KEPT_BYTES = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A child that has ended.

    Attributes
    ----------
    returncode
        Its exit status; that of a signal is negative.
    report
        What it wrote to standard output.
    errors
        The last of what it wrote to standard error.
    cpu_s
        Seconds of processor time that it used.
    killed_for
        Which limit it was killed for; None: it was not killed here.
    """

    returncode: int
    report: bytes
    errors: str
    cpu_s: float
    killed_for: Limit | None


def run_limited(
    module: str,
    request: Mapping[str, Any],
    *,
    timeout_s: float,
    most_bytes: int,
    scratch: Path,
    what: str,
    where: str,
) -> Ended:
    """Run a module in a child process to its end, or kill it.

    Parameters
    ----------
    module
        It reads the request from standard input, as JSON.
    request
        Plain JSON types.
    timeout_s
        Seconds after which it is killed, whatever it is doing: a busy machine takes its time.
    most_bytes
        Of memory that it may have filled itself.
    scratch
        Folder for its temporary files, which goes with whoever owns it if the child is killed.
    what, where
        For the log: what it does (``"trial"``), and with what.
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # Threads that wait for each other would use up the time to compute that the child has, on a machine of many cores.
    environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "1"
    environment["TMPDIR"] = str(scratch)
    # The child must find this package and its frameworks where this process did.
    environment["PYTHONPATH"] = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    with tempfile.TemporaryFile() as given:
        given.write(json.dumps(request).encode())
        given.seek(0)
        with subprocess.Popen(  # noqa: S603  # a fixed program; what it is asked for is no part of its command line
            [sys.executable, "-P", "-m", module],
            env=environment,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child:
            try:
                return _watch(child, timeout_s=timeout_s, most_bytes=most_bytes, what=what, where=where)
            finally:
                if child.returncode is None:
                    child.kill()


def _watch(child: subprocess.Popen[bytes], *, timeout_s: float, most_bytes: int, what: str, where: str) -> Ended:
    started = told_at = time.monotonic()
    killed_for: Limit | None = None
    kept = {"report": bytearray(), "errors": bytearray()}
    used: resource.struct_rusage | None = None
    with selectors.DefaultSelector() as pipes:
        for pipe, name in ((child.stdout, "report"), (child.stderr, "errors")):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                pipes.register(pipe, selectors.EVENT_READ, name)
        while used is None:
            for key, _ in pipes.select(_POLL_S) if pipes.get_map() else ():
                _read(key, kept, pipes)
            if not pipes.get_map():
                time.sleep(_POLL_S)  # it has closed both, and ends
            now = time.monotonic()
            if now - told_at >= _TOLD_EVERY_S:
                told_at = now
                log.info("The %s of %s is still at work after %.0f s of %g s", what, where, now - started, timeout_s)
            over: Limit | None = "time" if now - started > timeout_s else _overstepped(child.pid, kept, most_bytes)
            pid, status, found = os.wait4(child.pid, os.WNOHANG)
            if pid:
                child.returncode, used = os.waitstatus_to_exitcode(status), found
            elif over is not None and killed_for is None:
                killed_for = over
                child.kill()
        for key in list(pipes.get_map().values()):
            _read(key, kept, pipes)
    return Ended(
        returncode=child.returncode,
        report=bytes(kept["report"]),
        errors=kept["errors"].decode(errors="replace").strip(),
        cpu_s=used.ru_utime + used.ru_stime,
        killed_for=killed_for,
    )


def _overstepped(pid: int, kept: Mapping[str, bytearray], most_bytes: int) -> Limit | None:
    if _used_bytes(pid) > most_bytes:
        return "memory"
    return "report" if len(kept["report"]) > _MOST_REPORT_BYTES else None


def _read(key: selectors.SelectorKey, kept: dict[str, bytearray], pipes: selectors.BaseSelector) -> None:
    """Take what a pipe holds now; of errors the end is kept, of a report a little more than there may be."""
    for _ in range(64):
        try:
            found = os.read(key.fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not found:
            pipes.unregister(key.fileobj)
            return
        target = kept[key.data]
        target += found
        if key.data == "errors":
            del target[:-_KEPT_BYTES]
        else:
            del target[_MOST_REPORT_BYTES + 1 :]


def _used_bytes(pid: int) -> int:
    """Return how much memory a process has filled itself (that of libraries is shared); 0 where that is not told."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()


def ending(returncode: int) -> str:
    """Return how a process ended, in a word or two.

    Examples
    --------
    >>> ending(1), ending(-11)
    ('exit status 1', 'SIGSEGV')
    """
    if returncode >= 0:
        return f"exit status {returncode}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-returncode).name
    return f"signal {-returncode}"
