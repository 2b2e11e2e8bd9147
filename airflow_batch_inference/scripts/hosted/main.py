"""A scoring script in an interpreter of its own: the program that it runs in, between two frames of bytes.

Invariants: it dies with its parent; nothing of this package can be imported by the script, nor shadows what it imports.

Its one argument is the descriptor of a socket. It reads JSON: first what the script is, then ``{"do": "run", "paths":
[…]}`` or ``{"do": "shutdown"}``. It answers each with JSON, ``{"fault": …}`` or ``{"raised": …}`` where something went
wrong, and what ``run()`` returned in a frame of its own.
"""

from __future__ import annotations

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # nothing else is imported yet
if __name__ == "__main__":
    sys.path[:] = [entry for entry in sys.path if entry != _FOLDER]  # its names are not for the script

import contextlib  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import signal  # noqa: E402
from typing import Any  # noqa: E402

_PR_SET_PDEATHSIG = 1


def _sibling(name: str) -> Any:  # noqa: ANN401  # a module
    path = os.path.join(_FOLDER, f"{name}.py")  # noqa: PTH118
    spec = importlib.util.spec_from_file_location(f"_scoring_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main(descriptor: int) -> int:
    """Serve one worker process until it closes the socket."""
    _die_with_parent()
    os.set_inheritable(descriptor, False)
    script, wire = _sibling("script"), _sibling("wire")
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        setup = json.loads(wire.read_frame(descriptor))
        scoring = script.Script(setup["path"], setup["folder"], setup["sha256"], setup["arguments"])
        _prepare(setup["logging_level"])
        script.openings.watch(setup["outputs"])
        while True:
            for each in _answers(setup, scoring, script, wire):
                wire.write_frame(descriptor, each)
            setup = {**setup, **json.loads(wire.read_frame(descriptor))}
    return 0


def _answers(wanted: dict[str, Any], scoring: Any, script: Any, wire: Any) -> list[bytes]:  # noqa: ANN401
    """Do what is wanted, and return the frames that say what came of it."""
    data: list[bytes] = []
    answer: dict[str, Any] = {}
    try:
        if wanted["do"] == "run":
            script.openings.taken()
            data = [wire.dumps(scoring.run(wanted["paths"]))]
        else:
            getattr(scoring, wanted["do"])()
    except script.ScriptFault as fault:
        answer = {"fault": str(fault), "kind": fault.kind}
    except BaseException as error:  # noqa: BLE001  # told to the worker, whose attempt fails
        answer = {"raised": script.described(error, wanted["folder"])}
    answer["opened"] = script.openings.taken() if wanted["do"] == "run" else {}
    return [json.dumps(answer).encode(), *data]


def _prepare(level: str) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # both are text files here
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stdout, level=level, format=form, force=True)


def _die_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the job's to handle
    with contextlib.suppress(Exception):  # interpreters without it notice that the socket is closed
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
