"""The child process that looks at a file, and tries it out; what it finds goes to standard output, as lines of JSON.

Invariants: its memory is limited before it touches the file, its processor time before each step, and it dies with its
parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.flavors.construction import brief, construct, require_format
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.flavors.sandbox.limits import (
    limit_computing,
    limit_memory,
    load_cpu_s,
    look_cpu_s,
    probe_cpu_s,
)
from airflow_batch_inference.flavors.sandbox.probe import PROBE, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


ERROR = 3
_PR_SET_PDEATHSIG = 1
_MOST_IMPORTS = 10_000


def main() -> int:
    """Look at a file in the child, or try it out; what is found, and errors, go to standard output as lines of JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    request = json.loads(sys.stdin.buffer.read())
    path = Path(request["path"])
    limit_memory(path)
    # What frameworks print must not mix with the report.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as report:
        os.dup2(2, 1)

        def emit(**line: object) -> None:
            report.write(f"{json.dumps(line)}\n")
            report.flush()

        try:
            chosen, runs_code = (request["flavor"], request["format"]), False
            if request["recognises"]:
                chosen, runs_code = _look(request, path, emit)
            if request["tries"] and not runs_code:
                _try(request, path, chosen, emit)
        except BatchInferenceError as error:
            emit(error=type(error).__name__, text=str(error))
            return ERROR
        except Exception as error:  # noqa: BLE001  # reported as what it is: the file could not be looked at
            text = f"{type(error).__name__}: {brief(error)}. It is damaged; save or copy the model again."
            emit(error="", text=text)
            return ERROR
    return 0


def _look(request: Mapping[str, Any], path: Path, emit: Callable[..., None]) -> tuple[tuple[str, str], bool]:
    """Tell what a file is; return the names of its flavor and format, and whether it can run code.

    Raises
    ------
    UntrustedModelError
        It was taken for something else.
    """
    emit(step="to be recognised")
    limit_computing(look_cpu_s(path))
    where, expected = request["where"], request["format"]
    adapter, found = recognise(path, flavor=request["flavor"], where=where, options=request["options"])
    require_format(found.name, expected or found.name, where=where)
    imports: tuple[str, ...] = ()
    if found.trust == "code":
        imports = adapter.imported_names(path, found)[:_MOST_IMPORTS]
    emit(flavor=adapter.name, format=found.name, imports=imports)
    return (adapter.name, found.name), found.trust == "code"


def _try(request: Mapping[str, Any], path: Path, chosen: tuple[str, str], emit: Callable[..., None]) -> None:
    emit(step="to be loaded")
    limit_computing(load_cpu_s(path))
    where = request["where"]
    model = construct(*chosen, path, trusted=request["trusted"], where=where, options=request["options"], is_trial=True)

    def begin(method: str) -> None:
        emit(step=f"to predict {len(PROBE)} rows by {method}")
        limit_computing(probe_cpu_s(path, method))

    probe(model, where=where, kwargs=request["kwargs"], begin=begin)


if __name__ == "__main__":
    sys.exit(main())
