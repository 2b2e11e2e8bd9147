"""A virtual environment made of requirements, once, and kept for all jobs that ask for the same.

Invariants: an environment is used only when its mark is there, which is written last; one process at a time builds it;
and what it is named after is all that it is made of: the requirements' bytes, with those of the files that they name,
and the Python.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, WorkerError
from airflow_batch_inference.processes.surroundings import needed_by_pip
from airflow_batch_inference.scripts.hosted_runner import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.scripts.interpreter import Interpreter

log = logging.getLogger(__name__)

_MARK = "complete.json"
_KEY = re.compile(r"[0-9a-f]{24}")
_POLL_S = 0.1
_MOST_LINES = 15
_NAMED_FILE = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]?\s*(?P<name>\S+)")
_EDITABLE = re.compile(r"^(?:-e|--editable)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What is to be installed.

    Attributes
    ----------
    lines
        As in a requirements file.
    name
        What messages call them.
    path
        The local file that they come from, which paths in them are relative to; None: there is none.
    """

    lines: tuple[str, ...]
    name: str
    path: Path | None = None

    def digest(self) -> str:
        """Return a digest of the lines and of all local files that they name.

        Raises
        ------
        ConfigurationError
            They name what may change under a job: an editable install, or a folder.
        """
        found = hashlib.sha256()
        for line, folder in _expanded(self.lines, self.path and self.path.parent, self.name):
            found.update(line.encode() + b"\n")
            local = None if folder is None else folder / line.split(";")[0].strip()
            if _EDITABLE.match(line) or (local is not None and ("/" in line or line == ".") and local.is_dir()):
                message = (
                    f"{self.name} has the line {line!r}, a folder, which may change under a job. Build a wheel of it "
                    "(pip wheel), and name that file."
                )
                raise ConfigurationError(message)
            if local is not None and local.suffix in (".whl", ".gz", ".zip") and local.is_file():
                found.update(hashlib.sha256(local.read_bytes()).digest())
        return found.hexdigest()


def _expanded(lines: Sequence[str], folder: Path | None, name: str) -> Iterator[tuple[str, Path | None]]:
    """Yield what the lines say, with those of the files that they name in the place of the names."""
    for each in lines:
        line = re.sub(r"(^|\s)#.*$", "", each).strip()
        named = _NAMED_FILE.match(line)
        if named is None:
            if line:
                yield line, folder
            continue
        path = None if folder is None or "://" in named["name"] else folder / named["name"]
        if path is None or not path.is_file():
            message = f"{name} has the line {line!r}, and no such file lies beside it. Put its lines into {name}."
            raise ConfigurationError(message)
        yield from _expanded(path.read_text(encoding="utf-8").splitlines(), path.parent, f"{name} ({named['name']})")


def environment_of(
    requirements: Requirements, base: Interpreter, folder: Path, raise_if_stopped: Callable[[], None] = lambda: None
) -> str:
    """Return the Python of an environment that has what is required, which is built where it is not there.

    Parameters
    ----------
    requirements
        What it must have.
    base
        The Python that it is made with.
    folder
        Where environments are kept.
    raise_if_stopped
        Called several times a second; raises to stop.

    Raises
    ------
    ConfigurationError
        The requirements name what may change, or the folder cannot be written to.
    WorkerError
        The environment cannot be made, or pip fails; with its last lines.
    """
    digest = requirements.digest()
    key = hashlib.sha256(f"{digest}\n{base.build}\n{Path(base.path).resolve()}".encode()).hexdigest()[:24]
    place = folder / key
    python = place / "bin" / "python"
    if _is_complete(place):
        return str(python)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{key}.lock").open("a")
    except OSError as error:
        message = (
            f"Environments of scripts are kept in {folder}, which cannot be written to ({error}). Set environments in "
            "the [batch_inference] section of Airflow's config to a folder that can."
        )
        raise ConfigurationError(message) from error
    sweep_environments(folder)
    with lock, _locked(lock.fileno(), place, raise_if_stopped):
        if not _is_complete(place):
            _build(place, requirements, base, raise_if_stopped)
            about = {"requirements": list(requirements.lines), "sha256": digest, "python": base.build}
            (place / _MARK).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return str(python)


def sweep_environments(folder: Path) -> list[Path]:
    """Remove environments that tasks which were killed have left half built, and return their paths."""
    removed = []
    for place in folder.iterdir():
        if not _KEY.fullmatch(place.name) or place.is_symlink() or not place.is_dir() or _is_complete(place):
            continue
        with contextlib.suppress(OSError), (folder / f"{place.name}.lock").open("r+") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)  # else somebody builds it now
            if not _is_complete(place):
                shutil.rmtree(place, ignore_errors=True)
                removed.append(place)
    return removed


def _is_complete(place: Path) -> bool:
    return (place / _MARK).exists() and (place / "bin" / "python").exists()


@contextmanager
def _locked(descriptor: int, place: Path, raise_if_stopped: Callable[[], None]) -> Iterator[None]:
    """Hold the lock, which the system takes from a process that dies."""
    is_told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_told:
                log.info("Another task builds the environment %s; waiting for it", place)
                is_told = True
            raise_if_stopped()
            time.sleep(_POLL_S)
        else:
            break
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _build(place: Path, requirements: Requirements, base: Interpreter, raise_if_stopped: Callable[[], None]) -> None:
    """Make an environment in the place of what a process that died has left there."""
    shutil.rmtree(place, ignore_errors=True)
    log.info("Building an environment of %s with Python %s in %s", requirements.name, base.version, place)
    started = time.monotonic()
    try:
        _make(place, base, raise_if_stopped)
        _install(place, requirements, base, raise_if_stopped)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    log.info("The environment %s is built, in %.1f s", place, time.monotonic() - started)


def _make(place: Path, base: Interpreter, raise_if_stopped: Callable[[], None]) -> None:
    failed = _run([base.path, "-m", "venv", str(place)], base.path, place.parent, raise_if_stopped)
    if failed is not None:
        hint = "\nOn Debian and Ubuntu venv is a package of its own: apt install python3-venv."
        message = (
            f"Python {base.version} ({base.path}) made no virtual environment in {place}. It says:\n{failed}"
            f"{hint if 'ensurepip' in failed or 'No module named venv' in failed else ''}"
        )
        raise WorkerError(message)


def _install(place: Path, requirements: Requirements, base: Interpreter, raise_if_stopped: Callable[[], None]) -> None:
    """Call the environment's pip, in the folder of the requirements file, which paths in it are relative to."""
    listed = requirements.path
    if listed is None:
        listed = place / "requirements.txt"
        listed.write_text("".join(f"{line}\n" for line in requirements.lines), encoding="utf-8")
    python = str(place / "bin" / "python")
    # Not -m pip, which would put that folder, and so the script's own modules, before the standard library.
    command = [python, str(place / "bin" / "pip"), "install", "--no-input", "--disable-pip-version-check"]
    failed = _run([*command, "-r", str(listed)], python, listed.parent, raise_if_stopped)
    if failed is not None:
        message = (
            f"{requirements.name} cannot be installed for Python {base.version}. pip says:\n{failed}\nCorrect the "
            "requirements, or pip's settings on this worker (PIP_INDEX_URL, pip.conf)."
        )
        raise WorkerError(message)
    if requirements.path and tuple(listed.read_text(encoding="utf-8-sig").splitlines()) != requirements.lines:
        message = f"{requirements.name} was changed while it was installed. Run the task again."
        raise WorkerError(message)


def _run(command: list[str], python: str, folder: Path, raise_if_stopped: Callable[[], None]) -> str | None:
    """Run a program to its end; None where it went well, else the last lines that it printed."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  # the DAG author's own interpreter
            command,
            env=clean_environment(python, {}, needed_by_pip()),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            while process.poll() is None:
                raise_if_stopped()
                time.sleep(_POLL_S)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode == 0:
            return None
        output.seek(0)
        lines = output.read().decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-_MOST_LINES:]) or f"exit status {process.returncode}"
