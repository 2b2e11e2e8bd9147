"""Worker processes: started fresh, never forked, with a pipe to the parent, whom they never outlive.

Invariants: a worker dies with its parent; and nothing but the interpreter's own start has run in it before its first
line, so that no lock or thread of a native library is copied half-way.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import traceback
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import WorkerError
from airflow_batch_inference.processes.surroundings import (
    lent,
    needed,
    places_of_stores,
    secrets_of_stores,
    watch,
    withheld,
)
from airflow_batch_inference.processes.threads import worker_environment
from airflow_batch_inference.storage.handover import Pipe
from airflow_batch_inference.wording.errors import harmless

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_STATE = {"is_worker": False}


def start_process(
    module: str,
    *,
    workers: int,
    environment: Mapping[str, str] | None = None,
    is_leader: bool = False,
    reaches_stores: bool = False,
) -> tuple[subprocess.Popen[bytes], Pipe]:
    """Start a fresh interpreter that runs a module, and return it with the parent's end of a pipe to it.

    Parameters
    ----------
    module
        Its ``main`` takes the pipe's file descriptor and the parent's process id (:func:`pipe_to_parent`).
    workers
        How many such processes share the cores.
    environment
        Variables beyond those that every child gets (:mod:`~airflow_batch_inference.processes.surroundings`); they win,
        but for a ``PYTHONPATH``, which is put before ours.
    is_leader
        Whether it leads a process group of its own, so that it can be killed with all that it has started.
    reaches_stores
        Whether it reaches remote stores itself: it is then lent what lets this process into them.
    """
    ours, theirs = connection.Pipe()
    with theirs:
        places = places_of_stores() if reaches_stores else {}
        merged = needed() | places | worker_environment(workers) | dict(environment or {})
        own = [entry or str(Path.cwd()) for entry in sys.path]
        merged["PYTHONPATH"] = os.pathsep.join([*filter(None, [(environment or {}).get("PYTHONPATH")]), *own])
        process = subprocess.Popen(  # noqa: S603  # a fixed program
            [sys.executable, "-P", "-m", module, str(theirs.fileno()), str(os.getpid())],
            env=merged,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0 if is_leader else None,
        )
    pipe = Pipe(ours)
    send(pipe, ("lent", secrets_of_stores() if reaches_stores else {}, withheld(merged)))
    return process, pipe


def pipe_to_parent(arguments: Sequence[str]) -> Pipe | None:
    """Return the pipe of this worker process, which from now on dies with its parent; None where that is gone."""
    descriptor, parent = map(int, arguments)
    _STATE["is_worker"] = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to handle
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.set_inheritable(descriptor, False)
    return Pipe(Connection(descriptor)) if os.getppid() == parent else None


def is_worker() -> bool:
    """Say whether this process was started by :func:`start_process`: then its parent lives on whatever ends it."""
    return _STATE["is_worker"]


def received_first(pipe: Pipe) -> tuple[Mapping[str, str], Any]:
    """Return what this worker process was lent (:func:`start_process`), and the first message of the parent's own.

    File systems are made of the message; some log in then, and so it is read with what was lent.

    Raises
    ------
    EOFError
        The parent is gone.
    """
    _, variables, missing = pipe.recv()
    with lent(variables):
        first = pipe.recv()
    watch(missing)
    return variables, first


def send(pipe: Pipe, message: tuple[Any, ...]) -> None:
    """Send a message; that the other side has just died is noticed by its closed pipe, when messages are read."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.send(message)


def for_transport(error: BaseException) -> BaseException:
    """Return an exception that survives the way to another process, with its traceback as a note; without secrets."""
    error = harmless(error)
    note = "In a worker process:\n" + "".join(traceback.format_exception(error))
    try:
        copy: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    except Exception:  # noqa: BLE001  # an exception's own pickling may fail in any way
        copy = WorkerError(f"{type(error).__name__}: {error}")
    copy.add_note(note)
    return copy
