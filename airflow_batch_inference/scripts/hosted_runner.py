"""What scores a mini-batch in a Python of the script's own, from within a worker process.

Invariants: that Python gets neither our modules nor our ``PYTHONPATH``; it belongs to the worker's process group, so
that whoever kills the worker kills it too; and where it dies, the worker ends as it did.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.exceptions import ScriptError
from airflow_batch_inference.processes.surroundings import needed, places_of_stores
from airflow_batch_inference.scripts.contracts import output_variables
from airflow_batch_inference.scripts.hosted import main as program
from airflow_batch_inference.scripts.hosted import wire
from airflow_batch_inference.scripts.hosted.script import openings
from airflow_batch_inference.scripts.received import loads
from airflow_batch_inference.scripts.runner import error_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.scripts.advice import Place
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.storage.store import Storage

_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_ENDING_S = 10


class HostedError(Exception):
    """The script raised, over there.

    Attributes
    ----------
    described
        What :func:`~airflow_batch_inference.scripts.hosted.script.described` says of it.
    """

    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["error"])
        self.described = described


def clean_environment(
    python: str, own: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return an environment for another interpreter: without secrets of ours, and without what is meant for ours.

    Parameters
    ----------
    python
        The interpreter's path; where it is that of a virtual environment, this is active for its programs.
    own
        The user's own variables, which are kept whatever they are called.
    inherited
        What else it gets; None: what every child gets (:func:`~airflow_batch_inference.processes.surroundings.needed`).
    """
    given = needed() if inherited is None else inherited
    found = {name: value for name, value in given.items() if name not in _OURS} | dict(own)
    home = Path(python).parent.parent
    if (home / "pyvenv.cfg").exists():
        found.setdefault("VIRTUAL_ENV", str(home))
        if "PATH" not in own:
            found["PATH"] = os.pathsep.join([str(Path(python).parent), found.get("PATH", os.defpath)])
    return found


def _of_worker() -> dict[str, str]:
    """Return this worker's environment, which is clean, without what it reaches stores with."""
    places = places_of_stores()
    return {name: value for name, value in os.environ.items() if name not in places}


@dataclass(slots=True)
class HostedRunner:
    """A script in an interpreter of its own.

    Attributes
    ----------
    path, folder, sha256
        As in :class:`~airflow_batch_inference.scripts.runner.ScriptRunner`.
    place
        The interpreter.
    """

    path: str
    folder: str
    sha256: str
    place: Place
    fatal: ClassVar[tuple[type[BaseException], ...]] = ()
    one_each: bool = True
    storages: tuple[Storage, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _socket: socket.socket | None = field(default=None, init=False, repr=False)

    def init(self, settings: ScriptSettings) -> None:
        """Start the interpreter, load the script there and call its ``init()``.

        Raises
        ------
        ScriptError, ArtifactIntegrityError
            As :meth:`ScriptRunner.init` says; or the interpreter cannot be started.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603  # the DAG author's own interpreter
                    [self.place.python, str(program.__file__), str(theirs.fileno())],
                    env=clean_environment(self.place.python, settings.environment_variables, _of_worker()),
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except OSError as error:
                message = f"{self.place.python} cannot be started: {error}. Give the path of a Python interpreter."
                raise ScriptError(message) from error
        self._socket = ours
        self._ask(
            {
                "do": "init",
                "path": self.path,
                "folder": self.folder,
                "sha256": self.sha256,
                "arguments": list(settings.program_arguments),
                "logging_level": settings.logging_level.upper(),
                "outputs": os.environ[output_variables()[0]],
            }
        )

    def run(self, paths: Sequence[str], names: Sequence[str]) -> object:  # noqa: ARG002  # scripts know paths only
        """Call the script's ``run()`` over there."""
        self._ask({"do": "run", "paths": list(paths)})
        return loads(self._read())

    def shutdown(self) -> None:
        """Call the script's ``shutdown()`` over there, where it has one.

        Raises
        ------
        ScriptError
            It raised.
        """
        self._ask({"do": "shutdown"})

    def close(self) -> None:
        """End the interpreter, which otherwise ends with this process."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()

    def _ask(self, wanted: dict[str, Any]) -> None:
        """Have something done, and raise what went wrong."""
        if self._socket is None:
            message = "run() was called before init()"
            raise RuntimeError(message)
        try:
            wire.write_frame(self._socket.fileno(), json.dumps(wanted).encode())
        except (BrokenPipeError, ConnectionResetError):
            self._end_as_it_did()
        answer = json.loads(self._read())
        openings.add(answer["opened"])
        if "fault" in answer:
            raise error_of(answer["fault"], answer["kind"], self.place)
        if "raised" in answer:
            raise HostedError(answer["raised"])

    def _read(self) -> bytes:
        try:
            return wire.read_frame(self._socket.fileno())  # type: ignore[union-attr]  # it is there once it was asked
        except (EOFError, ConnectionResetError):
            self._end_as_it_did()
            raise

    def _end_as_it_did(self) -> None:
        """End this worker as the interpreter ended: the job counts one death, and says how."""
        code = 1
        if self._process is not None:
            try:
                code = self._process.wait(_ENDING_S)
            except subprocess.TimeoutExpired:  # it has closed the socket, and lives on
                self._process.kill()
        if code < 0:
            if -code != signal.SIGKILL:
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(max(code, 0))
