"""Log records of this package, and of loggers that are lent to it, as they may be shown.

Invariants: no log record of this package is made with a secret or a control character in it.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from airflow_batch_inference.wording.errors import harmless, text_of
from airflow_batch_inference.wording.texts import said, without_secrets

PACKAGE = "airflow_batch_inference"
_METHODS = frozenset({"debug", "info", "warning", "error", "critical", "exception", "log"})


def guard_logs() -> None:
    """See to it that no log record of this package is made with a secret or a control character in it.

    A filter on the package's logger would not see what its modules log, and one on each can be forgotten.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "_guards", None) == PACKAGE:
        return

    def guarded(*arguments: Any, **more: Any) -> logging.LogRecord:  # noqa: ANN401  # logging's own
        record = make(*arguments, **more)
        # It has no name where logging copies a record (makeLogRecord).
        if isinstance(record.name, str) and f"{record.name}.".startswith(f"{PACKAGE}."):
            _tidy(record)
        return record

    guarded._guards = PACKAGE  # type: ignore[attr-defined]  # noqa: SLF001  # ours, to be known again
    logging.setLogRecordFactory(guarded)


def _tidy(record: logging.LogRecord) -> None:
    if record.args:
        arguments: Any = record.args
        given = arguments.items() if isinstance(arguments, dict) else enumerate(arguments)
        shown: dict[Any, object] = {name: _argument(value) for name, value in given}
        if isinstance(arguments, dict):
            record.args = shown
        else:
            record.args = tuple(shown.values())
    with contextlib.suppress(Exception):  # a message that does not fit its arguments is told of by logging itself
        text = record.getMessage()
        if (found := without_secrets(text)) != text:
            record.msg, record.args = found, ()
    if record.exc_info and record.exc_info[1] is not None:
        error = harmless(record.exc_info[1])
        record.exc_info = type(error), error, error.__traceback__


class Lines(str):
    """Text of several lines for a log: whoever made it has seen to each of them, and a table is not indented."""

    __slots__ = ()


class GuardedLogger:
    """Another logger, such as Airflow's of an operator, to which arguments go as into this package's log records."""

    def __init__(self, logger: Any) -> None:  # noqa: ANN401  # structlog's, or Python's
        self._logger = logger

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever it has
        found = getattr(self._logger, name)
        if name not in _METHODS:
            return found

        def guarded(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401  # as it is called
            at = 1 if name == "log" else 0
            return found(*arguments[: at + 1], *map(_argument, arguments[at + 1 :]), **more)

        return guarded


def _argument(value: object) -> object:
    """Return an argument of a log message: its text may have lines where it is an error of this package's."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if isinstance(value, Lines):
        return "\n".join(map(said, value.split("\n")))
    if isinstance(value, str):
        return said(value)
    if isinstance(value, BaseException):
        return said(text_of(value), lines=hasattr(value, "has_lines"))
    text = str(value)
    shown = said(text)
    return value if shown == text else shown
