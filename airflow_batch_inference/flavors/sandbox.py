"""Loading a model file with every error reported as ours, here or first in a child process.

The parsers of frameworks are not memory-safe: damaged LightGBM text aborts the process, or loads and then crashes or
hangs it in ``predict``; a few bytes can unfold into all memory there is. So a file whose digest nobody pinned is first
loaded in a child that may die of it, and made to predict four rows there. What must not be relaxed: the child gets none
of this process's environment beyond what Python needs to start, its memory is limited, and it dies with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import math
import os
import re
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa

from airflow_batch_inference import exceptions
from airflow_batch_inference.exceptions import BatchInferenceError, ModelLoadError, UntrustedModelError, WorkerError
from airflow_batch_inference.flavors.registry import get_flavor, recognise
from airflow_batch_inference.processes.limited_child import CRASHES, Ended, ending, run_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel, ModelFormat

log = logging.getLogger(__name__)

TRIAL_TIMEOUT_S = 300.0

_ERROR = 3
_PR_SET_PDEATHSIG = 1
_TAIL_CHARACTERS = 200
_MOST_CHARACTERS = 500
_MOST_RESERVED_BYTES = 8 << 30
_MOST_USED_BYTES = 600 << 20  # importing TensorFlow and building a small network takes 270 MiB
_GPU_BYTES = 4 << 30  # what CUDA's libraries may take of the host's memory when they start
_GPU = Path("/dev/nvidiactl")
_MOST_GROWTH = 16
_LOOK_CPU_S = 20.0
_LOAD_CPU_S = 30.0
_LOAD_BYTES_A_S = 1 << 20
_PROBE_CPU_S = 6.0
_PROBE_BYTES_A_S = 16 << 20
_SLOW = frozenset({"contributions"})
_SLOWER = 10
_WAITS_FOR_CPU = 4
"""How many times its processor time a child may take on a busy machine."""
_MOST_IMPORTS = 10_000
_MOST_SEARCHED = 10_000
_OF_MEMORY = re.compile(r"alloc|out of memory|\bOOM\b", re.IGNORECASE)
_PROBE = (0.0, None, 1e9, -1e9)


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is, by name, and what it would import."""

    flavor: str
    format: str
    imports: tuple[str, ...]


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


def require_format(found: str, expected: str, *, where: str) -> None:
    """Refuse a file that a record takes for what it is not.

    Raises
    ------
    UntrustedModelError
        Says what the file is.
    """
    if found != expected:
        message = (
            f"The record of {where} says that it is {expected}, but by its bytes it is {found}. Load the model again, "
            "and find out who made the record."
        )
        raise UntrustedModelError(message)


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
        if is_trial:
            adapter.require_followable(path, known, options or {})
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


def look_in_child(
    path: Path,
    *,
    flavor: str | None,
    where: str,
    options: Mapping[str, Any] | None = None,
    tries: bool = False,
    trusted: Sequence[str] = (),
    kwargs: Mapping[str, Any] | None = None,
    timeout_s: float | None = None,
) -> Recognised:
    """Tell what a file is in a child process: archives and pickles that nobody vouches for can be made to take hours.

    Parameters
    ----------
    path, flavor, where, options
        As for :func:`~airflow_batch_inference.flavors.registry.recognise`.
    tries
        Whether to try the file out at once, if it cannot run code; see :func:`try_in_child`.
    trusted, kwargs, timeout_s
        For that trial.

    Raises
    ------
    FlavorNotFoundError
        As :func:`~airflow_batch_inference.flavors.registry.recognise` says.
    ModelError, WorkerError
        As :func:`try_in_child` says.
    """
    request = _request(path, where, trusted, options, kwargs)
    request |= {"flavor": flavor, "format": None, "recognises": True, "tries": tries}
    found = _run(request, path, name=where, timeout_s=timeout_s)
    return Recognised(found["flavor"], found["format"], tuple(found["imports"]))


def try_in_child(
    flavor: str,
    model_format: str,
    path: Path,
    *,
    trusted: Sequence[str],
    where: str,
    options: Mapping[str, Any] | None = None,
    timeout_s: float | None = None,
    kwargs: Mapping[str, Any] | None = None,
    recognises: bool = False,
) -> None:
    """Load a local file in a child process and predict a few rows, and return if the child survives it.

    Parameters
    ----------
    flavor, model_format, path, trusted, where, options
        As for :func:`construct`.
    timeout_s
        After this many seconds the child is killed; None: some times the seconds of processor time that it has.
    kwargs
        What the methods are to be called with, besides being called with nothing.
    recognises
        Whether to tell first what the file is, and to refuse it where it is not what it is taken for.

    Raises
    ------
    UntrustedModelError
        It is of another format.
    ModelLoadError
        The child died of the file, or needed more processor time or memory than a model of its size does.
    WorkerError
        The child was ended by something else, or the machine was too busy: that says nothing of the file.
    ModelError
        Whatever :func:`construct` raised in the child.
    """
    request = _request(path, where, trusted, options, kwargs)
    request |= {"flavor": flavor, "format": model_format, "recognises": recognises, "tries": True}
    _run(request, path, name=f"{where} ({flavor}, {model_format})", timeout_s=timeout_s)


def _request(
    path: Path,
    where: str,
    trusted: Sequence[str],
    options: Mapping[str, Any] | None,
    kwargs: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what the child is told of a file, whatever it is asked."""
    return {
        "path": str(path),
        "where": where,
        "trusted": list(trusted),
        "options": dict(options or {}),
        "kwargs": dict(kwargs or {}),
    }


def _run(request: Mapping[str, Any], path: Path, *, name: str, timeout_s: float | None) -> dict[str, Any]:
    """Run the child, return what it has found, and raise what its end means."""
    most_cpu_s = _load_cpu_s(path) if request["tries"] else _look_cpu_s(path)
    timeout_s = max(TRIAL_TIMEOUT_S, _WAITS_FOR_CPU * most_cpu_s) if timeout_s is None else timeout_s
    most_bytes = _MOST_USED_BYTES + (_GPU_BYTES if _GPU.exists() else 0) + _MOST_GROWTH * _size(path)
    what = "trial" if request["tries"] else "look"
    where = str(request["where"])
    if what == "trial":
        log.info(
            "Trying %s out in a child process first, since nobody has pinned its digest (sha256=): at most %.0f s of "
            "processor time, which a busy machine may take %.0f s for",
            *(where, most_cpu_s, timeout_s),
        )
    started = time.monotonic()
    child = run_limited(
        __name__,
        request,
        timeout_s=timeout_s,
        most_bytes=most_bytes,
        scratch=path.parent,
        what=what,
        where=where,
    )
    if what == "trial":
        log.info(
            "The trial of %s took %.1f s, %.1f s of processor time", where, time.monotonic() - started, child.cpu_s
        )
    lines = _reported(child.report)
    step = next((line["step"] for line in reversed(lines) if "step" in line), "to be looked at")
    found = next((line for line in lines if "flavor" in line), None)
    if found is not None and not request["format"]:
        name = f"{where} ({found['flavor']}, {found['format']})"
    if child.killed_for is None and child.returncode == 0 and (found is not None or not request["recognises"]):
        return found or {}
    error = next((line for line in lines if "error" in line), None)
    if child.killed_for is None and child.returncode == _ERROR and error is not None:
        _raise_reported(str(error["error"]), str(error["text"]), where)
    raise _meaning(child, name, step=step, timeout_s=timeout_s, most_bytes=most_bytes)


def _meaning(child: Ended, name: str, *, step: str, timeout_s: float, most_bytes: int) -> BatchInferenceError:
    """Return the error for a child that did not end well: the file's fault, or something that says nothing of it."""
    if child.killed_for == "time":
        text = (
            f"{name} was not loaded after {timeout_s:g} s in a trial process, which got {child.cpu_s:.1f} s of "
            "processor time in that. That says nothing of the file: try again when the machine is less busy; or, if "
            "the file is good, pin its digest with sha256=: then there is no trial."
        )
        return WorkerError(text)
    if child.killed_for is not None:
        limit = f"{most_bytes >> 20} MiB of memory" if child.killed_for == "memory" else "4 MiB to say what it holds"
        text = (
            f"{name} took more than {limit} in a trial process. If the file is good and just large, pin its digest "
            "with sha256=: then there is no trial."
        )
        return ModelLoadError(text)
    if child.returncode == -signal.SIGXCPU:
        text = (
            f"{name} computed for too long {step} in a trial process ({child.cpu_s:.0f} s of processor time), perhaps "
            "without end. If it is good, pin its digest with sha256=: then there is no trial."
        )
        return ModelLoadError(text)
    if child.returncode < 0 and -child.returncode not in CRASHES:
        text = (
            f"The trial process of {name} was ended from outside ({ending(child.returncode)}) when it was {step}. That "
            "says nothing of the file: the task was stopped, or the machine or its container ran out of memory. Try "
            "again, with more memory; or pin the file's digest with sha256=: then there is no trial."
        )
        return WorkerError(text)
    text = (
        f"{name} crashed the trial process when it was {step} ({ending(child.returncode)}): "
        f"{child.errors[-_TAIL_CHARACTERS:] or 'no message'}. It is damaged or truncated; save the model again."
    )
    return ModelLoadError(text)


def _reported(report: bytes) -> list[dict[str, Any]]:
    """Return the lines that the child has written; one that was cut off by its end is none."""
    found = []
    for line in report.splitlines():
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            found += [value] if isinstance(value, dict) else []
    return found


def _look_cpu_s(path: Path) -> float:
    """Return how much processor time it may take to tell what a file is."""
    return _LOOK_CPU_S + _size(path) / _PROBE_BYTES_A_S


def _load_cpu_s(path: Path) -> float:
    """Return how much processor time it may take to import a framework and load a file."""
    return _LOAD_CPU_S + _size(path) / _LOAD_BYTES_A_S


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _raise_reported(name: str, text: str, where: str) -> NoReturn:
    kind = getattr(exceptions, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BatchInferenceError)):
        message = f"{where} cannot be loaded: {text}"
        raise ModelLoadError(message)
    raise kind(text)


def _nulls(kind: str) -> pa.Array:
    try:
        return pa.nulls(len(_PROBE), pa.type_for_alias(kind))
    except ValueError:  # a nested type has no alias
        return pa.nulls(len(_PROBE))


def probe(
    model: LoadedModel,
    *,
    where: str,
    kwargs: Mapping[str, Any] | None = None,
    begin: Callable[[str], None] = lambda method: None,  # noqa: ARG005
) -> None:
    """Score zeros, nulls and large numbers by each method that the model has.

    The model may refuse them, but not crash, hang or fill the memory.

    Parameters
    ----------
    model, where
        What is tried, and its URI for messages.
    kwargs
        What the methods are called with a second time.
    begin
        Called with a method's name before it is called.

    Raises
    ------
    ModelLoadError
        Four rows need more memory than there may be.
    """
    names = model.feature_names or tuple(map(str, range(model.n_features or 0)))
    types = [spec.type for spec in model.inputs] if model.inputs else ["any"] * len(names)
    columns = [pa.array(_PROBE) if kind in ("any", "double", "float") else _nulls(kind) for kind in types]
    batch = pa.table(columns, names=list(names))
    for method in ("predict", *(each for each in model.methods if each != "predict")):
        chosen: dict[str, Any] = {} if method == "predict" else {"method": method}
        for more in (chosen, chosen | {"kwargs": dict(kwargs)}) if kwargs else (chosen,):
            begin(method)
            try:
                model.predict(batch, **more)
            except Exception as error:
                if isinstance(error, MemoryError) or _OF_MEMORY.search(str(error)[:_MOST_SEARCHED]):
                    message = (
                        f"{where} asks for more memory than {_MOST_RESERVED_BYTES >> 30} GiB to predict {len(_PROBE)} "
                        f"rows by {method} ({type(error).__name__}). If it is good, pin its digest with sha256=: then "
                        "there is no trial."
                    )
                    raise ModelLoadError(message) from error


def _limit_memory(path: Path) -> None:
    """Let a small file that unfolds into more memory than a model of its size can need fail, and nothing else."""
    most = _MOST_RESERVED_BYTES + _MOST_GROWTH * _size(path)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _limit_computing(seconds: float) -> None:
    """Let this process be killed by SIGXCPU once it has used so many more seconds of processor time.

    The soft limit only: it can be set again for the next step, and the hard one kills without a signal that tells why.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def main() -> int:
    """Look at a file in the child, or try it out; what is found, and errors, go to standard output as lines of JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    request = json.loads(sys.stdin.buffer.read())
    path = Path(request["path"])
    _limit_memory(path)
    # What frameworks print must not mix with the report.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as report:
        os.dup2(2, 1)

        def tell(**line: object) -> None:
            report.write(f"{json.dumps(line)}\n")
            report.flush()

        try:
            chosen, runs_code = (request["flavor"], request["format"]), False
            if request["recognises"]:
                chosen, runs_code = _look(request, path, tell)
            if request["tries"] and not runs_code:
                _try(request, path, chosen, tell)
        except BatchInferenceError as error:
            tell(error=type(error).__name__, text=str(error))
            return _ERROR
        except Exception as error:  # noqa: BLE001  # reported as what it is: the file could not be looked at
            text = f"{type(error).__name__}: {_brief(error)}. It is damaged; save or copy the model again."
            tell(error="", text=text)
            return _ERROR
    return 0


def _look(request: Mapping[str, Any], path: Path, tell: Callable[..., None]) -> tuple[tuple[str, str], bool]:
    """Tell what a file is; return the names of its flavor and format, and whether it can run code.

    Raises
    ------
    UntrustedModelError
        It was taken for something else.
    """
    tell(step="to be recognised")
    _limit_computing(_look_cpu_s(path))
    where, expected = request["where"], request["format"]
    adapter, found = recognise(path, flavor=request["flavor"], where=where, options=request["options"])
    require_format(found.name, expected or found.name, where=where)
    imports: tuple[str, ...] = ()
    if found.trust == "code":
        imports = adapter.imported_names(path, found)[:_MOST_IMPORTS]
    tell(flavor=adapter.name, format=found.name, imports=imports)
    return (adapter.name, found.name), found.trust == "code"


def _try(request: Mapping[str, Any], path: Path, chosen: tuple[str, str], tell: Callable[..., None]) -> None:
    tell(step="to be loaded")
    _limit_computing(_load_cpu_s(path))
    where = request["where"]
    model = construct(*chosen, path, trusted=request["trusted"], where=where, options=request["options"], is_trial=True)

    def begin(method: str) -> None:
        tell(step=f"to predict {len(_PROBE)} rows by {method}")
        seconds = _PROBE_CPU_S + _size(path) / _PROBE_BYTES_A_S
        _limit_computing(seconds * (_SLOWER if method in _SLOW else 1))

    probe(model, where=where, kwargs=request["kwargs"], begin=begin)


if __name__ == "__main__":
    sys.exit(main())
