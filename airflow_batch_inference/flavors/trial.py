"""Loading a model file with every error reported as ours, here or first in a child process.

The parsers of frameworks are not memory-safe: damaged LightGBM text aborts the process, or loads and then crashes or
hangs it in ``predict``; a few bytes can unfold into all memory there is. So a file whose digest nobody pinned is first
loaded in a child that may die of it, and made to predict four rows there. What must not be relaxed: the child gets none
of this process's environment beyond what Python needs to start, its memory is limited, and it dies with its parent.
"""

from __future__ import annotations

import ctypes
import json
import logging
import math
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference import exceptions
from airflow_batch_inference.exceptions import BatchInferenceError, ModelLoadError
from airflow_batch_inference.flavors.registry import get_flavor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel, ModelFormat

log = logging.getLogger(__name__)

TRIAL_TIMEOUT_S = 300.0

_ERROR = 3
_PR_SET_PDEATHSIG = 1
_ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG", "LC_ALL"),
    "KERAS_BACKEND",
)
_TAIL_CHARACTERS = 200
_MOST_CHARACTERS = 500
_MOST_RESERVED_BYTES = 8 << 30
_MOST_USED_BYTES = 600 << 20  # importing TensorFlow and building a small network takes 270 MiB
_GPU_BYTES = 4 << 30  # what CUDA's libraries may take of the host's memory when they start
_GPU = Path("/dev/nvidiactl")
_MOST_GROWTH = 16
_POLL_S = 0.02
_TOLD_EVERY_S = 15.0
_PROBE_CPU_S = 6.0
_PROBE_BYTES_A_S = 16 << 20
_OF_MEMORY = re.compile(r"alloc|out of memory|\bOOM\b", re.IGNORECASE)
_PROBE = (0.0, None, 1e9, -1e9)


def find_format(flavor: str, name: str, *, where: str) -> ModelFormat:
    """Return a flavor's format by its name.

    Raises
    ------
    ModelLoadError
        The flavor does not have it (any more).
    """
    formats = {known.name: known for known in get_flavor(flavor).formats}
    if name not in formats:
        message = f"{where} is recorded as {name!r}, which the flavor {flavor!r} does not load: {', '.join(formats)}."
        raise ModelLoadError(message)
    return formats[name]


def construct(
    flavor: str,
    model_format: str,
    path: Path,
    *,
    trusted: Sequence[str],
    where: str,
    options: Mapping[str, Any] | None = None,
    is_trial: bool = False,
) -> LoadedModel:
    """Load a local file into this process.

    Parameters
    ----------
    flavor, model_format
        What the file is, by name.
    path
        A private copy, of which trust was decided before.
    trusted
        Types that an ``allow-list`` format may hold beyond the flavor's own list.
    where
        The URI, for messages.
    options
        The user's ``load_options``.
    is_trial
        Whether the flavor looks through the file first, because nobody vouches for it.

    Raises
    ------
    ModelLoadError
        Whatever the framework raised, chained.
    UntrustedModelError, FlavorNotInstalledError
        As the flavor says.
    """
    known, adapter = find_format(flavor, model_format, where=where), get_flavor(flavor)
    try:
        check = getattr(adapter, "require_followable", None) if is_trial else None
        if check is not None:
            check(path, known, options or {})
        return adapter.load(path, model_format=known, trusted=tuple(trusted), options=options or {})
    except BatchInferenceError as error:
        message = f"{where} ({flavor}, {model_format}) cannot be loaded. {error}"
        raise type(error)(message) from error
    except Exception as error:
        message = (
            f"{where} cannot be loaded as {model_format} ({flavor}): {type(error).__name__}: {_brief(error)}. It is "
            "damaged, or needs other packages or versions than are installed here; save the model again."
        )
        raise ModelLoadError(message) from error


def _brief(error: Exception) -> str:
    """Return an error's text in one line, without the stack that some libraries put into it."""
    text = " ".join(str(error).partition("Stack trace:")[0].split()).rstrip(". ")
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"


def try_in_child(
    flavor: str,
    model_format: str,
    path: Path,
    *,
    trusted: Sequence[str],
    where: str,
    options: Mapping[str, Any] | None = None,
    timeout_s: float = TRIAL_TIMEOUT_S,
) -> None:
    """Load a local file in a child process and predict a few rows, and return if the child survives it.

    Parameters
    ----------
    flavor, model_format, path, trusted, where, options
        As for :func:`construct`.
    timeout_s
        After this many seconds the child is killed.

    Raises
    ------
    ModelLoadError
        The child died of the file, took too long, or more memory than a model of its size needs.
    ModelError
        Whatever :func:`construct` raised in the child.
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # Threads that wait for each other would use up the time to compute that the child has, on a machine of many cores.
    environment["OMP_NUM_THREADS"] = "1"
    # What the child leaves behind when it is killed goes with the private copy.
    environment["TMPDIR"] = str(path.parent)
    # The child must find this package and its frameworks where this process did.
    environment["PYTHONPATH"] = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    command = [
        sys.executable,
        "-P",
        "-m",
        __name__,
        flavor,
        model_format,
        str(path),
        where,
        *trusted,
    ]
    most_bytes = _MOST_USED_BYTES + (_GPU_BYTES if _GPU.exists() else 0) + _MOST_GROWTH * _size(path)
    log.info(
        "Trying %s out in a child process first, since nobody has pinned its digest (sha256=): at most %g s",
        where,
        timeout_s,
    )
    started = time.monotonic()
    with tempfile.TemporaryFile() as given:  # options may be secret, and a command line is open to everybody
        given.write(json.dumps(dict(options or {})).encode())
        given.seek(0)
        child = _run(command, environment, given, timeout_s=timeout_s, most_bytes=most_bytes)
    log.info("The trial of %s took %.1f s", where, time.monotonic() - started)
    if isinstance(child, str):
        message = (
            f"{where} ({flavor}, {model_format}) {child} in a trial process. If the file is good and just large, pin "
            "its digest with sha256=: then there is no trial."
        )
        raise ModelLoadError(message)
    if child.returncode == _ERROR:
        _raise_reported(child.stdout, where)
    if child.returncode == -signal.SIGXCPU:
        message = (
            f"{where} ({flavor}, {model_format}) computed for too long to predict {len(_PROBE)} rows in a trial "
            "process, perhaps without end. If it is good, pin its digest with sha256=: then there is no trial."
        )
        raise ModelLoadError(message)
    if child.returncode != 0:
        tail = child.stderr.decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        message = (
            f"{where} ({flavor}, {model_format}) crashed the trial process that loaded it "
            f"({_ending(child.returncode)}): {tail or 'no message'}. It is damaged or truncated; save the model again."
        )
        raise ModelLoadError(message)


def _run(
    command: list[str], environment: Mapping[str, str], given: IO[bytes], *, timeout_s: float, most_bytes: int
) -> subprocess.CompletedProcess[bytes] | str:
    """Run a child to its end, or kill it and say what it did that it must not."""
    deadline = time.monotonic() + timeout_s
    with subprocess.Popen(  # noqa: S603  # a fixed program; the arguments are passed as they are, without a shell
        command, env=environment, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        fault = None
        told_at = started = time.monotonic()
        while True:
            if (now := time.monotonic()) - told_at >= _TOLD_EVERY_S:
                told_at = now
                log.info("The trial is still at work after %.0f s of at most %g s", now - started, timeout_s)
            try:
                output, errors = child.communicate(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                if fault is None and time.monotonic() > deadline:
                    fault = f"was not loaded after {timeout_s:g} s"
                elif fault is None and _used_bytes(child.pid) > most_bytes:
                    fault = f"took more than {most_bytes >> 20} MiB of memory"
                if fault is not None:
                    child.kill()
            else:
                return fault or subprocess.CompletedProcess(command, child.returncode, output, errors)


def _used_bytes(pid: int) -> int:
    """Return how much memory a process has filled itself (that of libraries is shared); 0 where that is not told."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _raise_reported(report: bytes, where: str) -> None:
    name, text = json.loads(report)
    kind = getattr(exceptions, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BatchInferenceError)):
        message = f"{where} cannot be loaded: {text}"
        raise ModelLoadError(message)
    raise kind(text)


def _ending(returncode: int) -> str:
    return f"exit status {returncode}" if returncode > 0 else signal.Signals(-returncode).name


def _nulls(kind: str) -> pa.Array:
    try:
        return pa.nulls(len(_PROBE), pa.type_for_alias(kind))
    except ValueError:  # a nested type has no alias
        return pa.nulls(len(_PROBE))


def probe(model: LoadedModel, *, where: str) -> None:
    """Predict zeros, nulls and large numbers; the model may refuse them, but not crash, hang or fill the memory.

    Raises
    ------
    ModelLoadError
        Four rows need more memory than there may be.
    """
    names = model.feature_names or tuple(map(str, range(model.n_features or 0)))
    types = [spec.type for spec in model.inputs] if model.inputs else ["any"] * len(names)
    columns = [pa.array(_PROBE) if kind in ("any", "double", "float") else _nulls(kind) for kind in types]
    try:
        model.predict(pa.table(columns, names=list(names)))
    except Exception as error:
        if isinstance(error, MemoryError) or _OF_MEMORY.search(str(error)):
            message = (
                f"{where} asks for more memory than {_MOST_RESERVED_BYTES >> 30} GiB to predict {len(_PROBE)} rows "
                f"({type(error).__name__}). If it is good, pin its digest with sha256=: then there is no trial."
            )
            raise ModelLoadError(message) from error


def _limit_memory(path: Path) -> None:
    """Let a small file that unfolds into more memory than a model of its size can need fail, and nothing else."""
    most = _MOST_RESERVED_BYTES + _MOST_GROWTH * _size(path)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _limit_computing(path: Path) -> None:
    """Let a prediction of a few rows that never ends, or takes far longer than a model of its size, be killed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + _PROBE_CPU_S + _size(path) / _PROBE_BYTES_A_S)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or hard > most:  # the hard limit kills without a signal that tells why
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))


def main(arguments: Sequence[str]) -> int:
    """Load a file in the child, its options from standard input; an error of ours goes to standard output as JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    flavor, model_format, path, where, *trusted = arguments
    options = json.load(sys.stdin)
    _limit_memory(Path(path))
    # What frameworks print must not mix with the report.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as report:
        os.dup2(2, 1)
        try:
            model = construct(
                flavor,
                model_format,
                Path(path),
                trusted=trusted,
                where=where,
                options=options,
                is_trial=True,
            )
            _limit_computing(Path(path))
            probe(model, where=where)
        except BatchInferenceError as error:
            json.dump([type(error).__name__, str(error)], report)
            return _ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
