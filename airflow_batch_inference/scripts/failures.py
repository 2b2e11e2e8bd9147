"""What went wrong in one attempt, in the words that a script's author needs: the exception and the lines of their code.

What must not be relaxed: the cause is never hidden behind an exit code, and never behind our own frames.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_TEXT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One attempt that failed.

    Attributes
    ----------
    kind
        ``exception``, ``timeout``, ``death`` (of the process), ``returned`` (a wrong type, or too few elements) or
        ``written`` (a file that cannot be output).
    error
        What happened, in one line.
    place
        File and line of the script; None where no line is known.
    traceback
        The frames of the script's own code, and the exception; empty where there was none.
    seconds
        How long the call took.
    """

    kind: str
    error: str
    place: str | None = None
    traceback: str = ""
    seconds: float = field(default=0.0, compare=False)

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
    found = traceback.TracebackException.from_exception(error)
    for each in _chain(found):
        _keep_own(each, folder)
    frames = found.stack
    last = frames[-1] if frames else None
    return Failure(
        kind="exception",
        error="".join(traceback.format_exception_only(error)).strip()[:_MOST_TEXT],
        place=f"{Path(last.filename).name}:{last.lineno}" if last is not None else None,
        traceback="".join(found.format())[-_MOST_TEXT:],
        seconds=seconds,
    )


def _chain(found: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """Yield an exception, and those that it came from."""
    seen: set[int] = set()
    left: list[traceback.TracebackException | None] = [found]
    while left:
        each = left.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            left += [each.__cause__, each.__context__]


def _keep_own(found: traceback.TracebackException, folder: str) -> None:
    inside = str(folder).rstrip("/") + "/"
    own = [frame for frame in found.stack if frame.filename.startswith(inside)]
    found.stack = traceback.StackSummary.from_list(own)
