"""Files that nobody vouches for, recognised and loaded in a child process.

The parsers of frameworks are not memory-safe: damaged LightGBM text aborts the process, or loads and then crashes or
hangs it in ``predict``; a few bytes can unfold into all memory there is. So a file whose digest nobody pinned is first
loaded in a child that may die of it, and made to predict four rows there.

Invariants: the child gets none of this process's environment beyond what Python needs to start, its memory is limited,
and it dies with its parent.
"""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_batch_inference import exceptions
from airflow_batch_inference.exceptions import BatchInferenceError, ModelLoadError, WorkerError
from airflow_batch_inference.flavors.sandbox.child import ERROR
from airflow_batch_inference.flavors.sandbox.limits import load_cpu_s, look_cpu_s, most_used_bytes
from airflow_batch_inference.processes.limited_child import CRASHES, Ended, ending, run_limited

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


log = logging.getLogger(__name__)
TRIAL_TIMEOUT_S = 300.0

_CHILD = "airflow_batch_inference.flavors.sandbox.child"
_TAIL_CHARACTERS = 200
_WAITS_FOR_CPU = 4
"""How many times its processor time a child may take on a busy machine."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is, by name, and what it would import."""

    flavor: str
    format: str
    imports: tuple[str, ...]


def recognise_in_subprocess(
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
        Whether to try the file out at once, if it cannot run code; see :func:`load_in_subprocess`.
    trusted, kwargs, timeout_s
        For that trial.

    Raises
    ------
    FlavorNotFoundError
        As :func:`~airflow_batch_inference.flavors.registry.recognise` says.
    ModelError, WorkerError
        As :func:`load_in_subprocess` says.
    """
    request = _request(path, where, trusted, options, kwargs)
    request |= {"flavor": flavor, "format": None, "recognises": True, "tries": tries}
    found = _run(request, path, name=where, timeout_s=timeout_s)
    return Recognised(found["flavor"], found["format"], tuple(found["imports"]))


def load_in_subprocess(
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
        As for :func:`~airflow_batch_inference.flavors.construction.construct`.
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
        Whatever :func:`~airflow_batch_inference.flavors.construction.construct` raised in the child.
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
    most_cpu_s = load_cpu_s(path) if request["tries"] else look_cpu_s(path)
    timeout_s = max(TRIAL_TIMEOUT_S, _WAITS_FOR_CPU * most_cpu_s) if timeout_s is None else timeout_s
    most_bytes = most_used_bytes(path)
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
        _CHILD,
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
    if child.killed_for is None and child.returncode == ERROR and error is not None:
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


def _raise_reported(name: str, text: str, where: str) -> NoReturn:
    kind = getattr(exceptions, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BatchInferenceError)):
        message = f"{where} cannot be loaded: {text}"
        raise ModelLoadError(message)
    raise kind(text)
