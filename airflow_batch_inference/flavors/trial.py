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
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference import exceptions
from airflow_batch_inference.exceptions import BatchInferenceError, ModelLoadError
from airflow_batch_inference.flavors.registry import get_flavor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel, ModelFormat

TRIAL_TIMEOUT_S = 300.0

_ERROR = 3
_PR_SET_PDEATHSIG = 1
_ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG", "LC_ALL"),
    *("OMP_NUM_THREADS", "KERAS_BACKEND"),
)
_TAIL_CHARACTERS = 200
_MOST_BYTES = 8 << 30
_MOST_GROWTH = 16
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

    Raises
    ------
    ModelLoadError
        Whatever the framework raised, chained.
    UntrustedModelError, FlavorNotInstalledError
        As the flavor says.
    """
    known = find_format(flavor, model_format, where=where)
    try:
        return get_flavor(flavor).load(path, model_format=known, trusted=tuple(trusted), options=options or {})
    except BatchInferenceError as error:
        message = f"{where} ({flavor}, {model_format}) cannot be loaded. {error}"
        raise type(error)(message) from error
    except Exception as error:
        message = (
            f"{where} cannot be loaded as {model_format} ({flavor}): {type(error).__name__}: {error}. It is damaged, "
            "or needs other packages or versions than are installed here; save the model again."
        )
        raise ModelLoadError(message) from error


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
        The child died of the file, or took too long.
    ModelError
        Whatever :func:`construct` raised in the child.
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
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
        json.dumps(dict(options or {})),
        *trusted,
    ]
    try:
        child = subprocess.run(  # noqa: S603  # a fixed program; the arguments are passed as they are, without a shell
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        message = (
            f"{where} ({flavor}, {model_format}) was not loaded after {timeout_s:g} s in a trial process. If the file "
            "is good and just large, pin its digest with sha256=: then there is no trial."
        )
        raise ModelLoadError(message) from error
    if child.returncode == _ERROR:
        _raise_reported(child.stdout, where)
    if child.returncode != 0:
        tail = child.stderr.decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        message = (
            f"{where} ({flavor}, {model_format}) crashed the trial process that loaded it "
            f"({_ending(child.returncode)}): {tail or 'no message'}. It is damaged or truncated; save the model again."
        )
        raise ModelLoadError(message)


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


def probe(model: LoadedModel) -> None:
    """Predict zeros, nulls and large numbers; only a crash or a hang counts, as the model may refuse such rows."""
    names = model.feature_names or tuple(map(str, range(model.n_features or 0)))
    types = [spec.type for spec in model.inputs] if model.inputs else ["any"] * len(names)
    columns = [pa.array(_PROBE) if kind in ("any", "double", "float") else _nulls(kind) for kind in types]
    with contextlib.suppress(Exception):
        model.predict(pa.table(columns, names=list(names)))


def _limit_memory(path: Path) -> None:
    """Let a small file that unfolds into more memory than a model of its size can need fail, and nothing else."""
    files = path.rglob("*") if path.is_dir() else (path,)
    size = sum(file.stat().st_size for file in files if file.is_file())
    most = _MOST_BYTES + _MOST_GROWTH * size
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main(arguments: Sequence[str]) -> int:
    """Load a file in the child; an error of ours goes to standard output as JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    flavor, model_format, path, where, options, *trusted = arguments
    _limit_memory(Path(path))
    # What frameworks print must not mix with the report.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as report:
        os.dup2(2, 1)
        try:
            model = construct(
                flavor, model_format, Path(path), trusted=trusted, where=where, options=json.loads(options)
            )
            probe(model)
        except BatchInferenceError as error:
            json.dump([type(error).__name__, str(error)], report)
            return _ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
