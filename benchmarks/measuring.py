"""How the benchmarks measure: a command in a process of its own, its seconds, its processor's seconds and its memory.

What a command starts counts as its own, also what outlives it: orphans become children of the benchmark
(:func:`adopt_orphans`), which ends them. On Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SAMPLE_S = 0.2
LIMIT_S = 1800
_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")
_SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(1_000_000): pass"
"""Ends with the benchmark, even where that was killed."""
_apart: set[int] = set()
"""Processes of the benchmark that no command has started."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one command.

    Attributes
    ----------
    seconds
        Its whole life.
    cpu
        User and system seconds of the process and all its descendants.
    busiest
        Those of the process that computed most, as far as it was seen.
    peak_mb
        The largest sum of the proportional set sizes of all of them, sampled every 0.2 s.
    told
        The last line that it printed, where that was asked for.
    """

    seconds: float
    cpu: float
    busiest: float
    peak_mb: float
    told: dict[str, Any] = field(default_factory=dict)


def adopt_orphans() -> None:
    """Let what outlives a command stay below this process, where it is measured and ended."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    tells: bool = False,
) -> Run:
    """Run a command and wait for all that it has started.

    Parameters
    ----------
    command
        The program and its arguments.
    environment
        What is added to this process's environment.
    folder
        Where it runs.
    tells
        Whether the last line that it prints is JSON that the run holds.

    Raises
    ------
    SystemExit
        It failed, or took more than 1,800 s; the message ends with what it printed.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as log:
        before = _children_cpu()
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdout=out, stderr=log, cwd=folder, env={**os.environ, **(environment or {})}
        )
        overdue = threading.Timer(LIMIT_S, process.kill)
        overdue.start()
        sampler = _Sampler()
        sampler.start()
        try:
            code = process.wait()
            seconds = time.monotonic() - started
        finally:
            overdue.cancel()
            sampler.stop()
            end_descendants()
        texts = []
        for file in (out, log):
            file.seek(0)
            texts.append(file.read())
        if code != 0:
            raise SystemExit(f"{' '.join(command)} ended with {code}:\n{''.join(texts)[-4000:]}")
    # The kernel's sum lacks those whose parent ignored their end; the samples lack what was computed after the last.
    seen = sampler.spent.values()
    return Run(
        seconds=seconds,
        cpu=max(_children_cpu() - before, sum(seen)),
        busiest=max(seen, default=0.0),
        peak_mb=sampler.peak_mb,
        told=json.loads(texts[0].splitlines()[-1]) if tells else {},
    )


def run_again(script: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
    """Run a benchmark's own script in a process of its own, which prints a line of JSON."""
    return run([sys.executable, "-W", "ignore", script, *arguments], environment=environment, tells=True)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Sampler(threading.Thread):
    """Looks at the memory and the processor time of all descendants every 0.2 s."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self.spent: dict[tuple[int, str], float] = {}
        self._done = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self._done.wait(SAMPLE_S):
            found = descendants()
            self.peak_mb = max(self.peak_mb, sum(map(_pss_mb, found)))
            for process in found:
                with contextlib.suppress(OSError):
                    stat = _stat(process)
                    # A number may be used again: with its start it is unique.
                    self.spent[process, stat[19]] = (int(stat[11]) + int(stat[12])) / _TICKS

    def stop(self) -> None:
        """End."""
        self._done.set()
        self.join()


def _stat(process: int) -> list[str]:
    """Return what the kernel says of a process, from its state on: the name before, in brackets, may hold anything."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()


def _pss_mb(process: int) -> float:
    """Return a process's proportional set size: what it shares is divided among those who share it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0  # it has just ended


def descendants(*, ended: bool = False) -> list[int]:
    """Return the processes below this one: a command's and whatever it started; also those not yet waited for."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                state, parent = _stat(int(entry.name))[:2]
                if ended or state != "Z":
                    children.setdefault(int(parent), []).append(int(entry.name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = [process for process in children.get(waiting.pop(), []) if process not in _apart]
        found += below
        waiting += below
    return found


def end_descendants() -> None:
    """End what a command has left behind, and wait for all of it: what it computed would count as the next one's."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 10
        for process in descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        # One of many threads is to be waited for only when all of them have ended.
        while descendants(ended=True) and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.05)


@contextlib.contextmanager
def busy(number: int) -> Iterator[None]:
    """Let so many processes, as nice as this one, do nothing but compute within the block."""
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(number)]
    _apart.update(process.pid for process in spinning)
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
            _apart.discard(process.pid)


@contextlib.contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """Give a run an empty folder; removed, and all files on disk, before the next run starts."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.sync()


@contextlib.contextmanager
def benchmark_folder() -> Iterator[Path]:
    """Give a folder for all files of a benchmark, in BENCHMARK_FOLDER if that is set; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=os.environ.get("BENCHMARK_FOLDER")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
