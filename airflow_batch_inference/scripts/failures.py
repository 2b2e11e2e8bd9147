"""What went wrong in one attempt, in the words that a script's author needs: the exception and the lines of their code.

Invariants: the cause is never hidden behind an exit code, and never behind our own frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_batch_inference.scripts.hosted.script import described
from airflow_batch_inference.wording.texts import said


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One attempt that failed.

    Attributes
    ----------
    kind
        ``exception``, ``timeout``, ``death`` (of the process), ``returned`` (a wrong type, or too few elements),
        ``written`` (a file that cannot be output) or ``overwritten`` (files that replaced each other).
    error
        What happened, in one line.
    place
        File and line of the script; None where no line is known.
    traceback
        The frames of the script's own code, and the exception; empty where there was none.
    seconds
        How long the call took.
    lost
        How many outputs were replaced by others.
    """

    kind: str
    error: str
    place: str | None = None
    traceback: str = ""
    seconds: float = field(default=0.0, compare=False)
    lost: int = 0

    def __post_init__(self) -> None:
        """Take out what may not be shown: the script's exception is put into logs, errors and the record."""
        object.__setattr__(self, "error", said(self.error))
        object.__setattr__(self, "traceback", said(self.traceback, lines=True))

    def __str__(self) -> str:
        """Return the error with its place."""
        return f"{self.error} ({self.place})" if self.place else self.error


def failure_of(error: BaseException, folder: str, *, seconds: float = 0.0) -> Failure:
    """Describe what a script raised.

    Parameters
    ----------
    error
        The exception.
    folder
        Where the script's code lies: only its frames are shown.
    seconds
        How long the call took.
    """
    return Failure(kind="exception", **described(error, folder), seconds=seconds)
