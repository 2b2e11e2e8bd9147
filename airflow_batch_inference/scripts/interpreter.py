"""The Python that a script has of its own: found, asked what it is, and refused where it is none.

Invariants: what is wrong with it is said before the first mini-batch; and its version and packages are part of the
job's key, so that a changed environment is another job.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import fingerprint
from airflow_batch_inference.scripts.hosted import probe
from airflow_batch_inference.scripts.hosted_runner import clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST = (3, 8)
_ANSWER_S = 120
_MOST_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python, as it is now.

    Attributes
    ----------
    path
        Of the program.
    version
        Such as ``3.12.1``.
    build
        All that it says of itself: version, build and compiler, implementation and machine.
    packages
        A digest of the names and versions of what is installed there.
    """

    path: str
    version: str
    build: str
    packages: str

    @property
    def key(self) -> dict[str, str]:
        """What a job's key has of it."""
        return {"build": self.build, "packages": self.packages}


def find_python(given: str) -> str:
    """Return the path of an interpreter that was given by its path, or by the name of a program.

    Raises
    ------
    ConfigurationError
        There is none, or it cannot be run.
    """
    expanded = os.path.expanduser(given)  # noqa: PTH111  # a Path drops the slash of a folder
    if "/" not in expanded:
        found = shutil.which(expanded)
        if found is None:
            message = f"python is {given!r}, and PATH has no such program on this worker. Give its path."
            raise ConfigurationError(message)
        return found
    path = Path(expanded)
    if not path.is_absolute():
        message = f"python is {given!r}, a relative path. Give the whole one, such as {str(path.absolute())!r}."
        raise ConfigurationError(message)
    if path.is_dir():
        program = path / "bin" / "python"
        hint = f"Give {str(program)!r}." if program.exists() else "Give the path of a Python interpreter in it."
        message = f"python is {given!r}, a folder. {hint}"
        raise ConfigurationError(message)
    if not path.exists():
        message = (
            f"python is {given!r}, and nothing lies there on this worker. Make the environment (python3 -m venv …, and "
            "pip install), or correct the path."
        )
        raise ConfigurationError(message)
    if not os.access(path, os.X_OK):
        message = f"python is {given!r}, which this user may not execute. Give the path of a Python interpreter."
        raise ConfigurationError(message)
    return str(path)


def ask(python: str, own: Mapping[str, str]) -> Interpreter:
    """Start an interpreter and ask which Python it is.

    Parameters
    ----------
    python
        Its path.
    own
        The user's own environment variables.

    Raises
    ------
    ConfigurationError
        It is none, or one that is too old.
    """
    said = _said(python, clean_environment(python, own))
    version = ".".join(map(str, said["version"]))
    if tuple(said["version"][:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        message = f"{python} is Python {version}; scripts run in Python {oldest} or later. Give a newer one."
        raise ConfigurationError(message)
    build = f"{said['implementation']} {said['build']} {said['machine']}"
    return Interpreter(path=python, version=version, build=build, packages=fingerprint(said["packages"]))


def _said(python: str, environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603  # the DAG author's own interpreter
            [python, str(probe.__file__)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_S,
            check=False,
        )
        said = json.loads(done.stdout.decode().strip().rpartition("\n")[2])
        if done.returncode == 0 and isinstance(said, dict) and "version" in said:
            return said
        text = done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        text = f"it gave no answer within {_ANSWER_S} s"
    except OSError as error:
        text = str(error)
    except ValueError:  # no text, or no JSON
        text = done.stderr.decode(errors="replace")
    message = f"{python} is no Python interpreter that can be used: {_short(text)}. Give the path of one."
    raise ConfigurationError(message)


def _short(text: str) -> str:
    return " ".join(text.split())[-_MOST_TEXT:].rstrip(".") or "it did not say its version"
