"""Exceptions, ours and others', as they may be shown.

Invariants: an exception is still caught by its class, whatever of its text was changed.
"""

from __future__ import annotations

import contextlib

from airflow_batch_inference.wording.texts import said


def harmless(error: BaseException) -> BaseException:
    """Return an exception whose text, notes and causes may be shown: itself where that can be, or one in its place."""
    return _harmless(error, {})


def _harmless(error: BaseException, seen: dict[int, BaseException]) -> BaseException:
    if id(error) in seen:
        return seen[id(error)]
    seen[id(error)] = error
    shown = seen[id(error)] = _with_text(error)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        shown.__notes__ = [said(str(note), lines=True) for note in notes]
    is_suppressed = error.__suppress_context__
    cause, context = error.__cause__, error.__context__
    if cause is not None:
        shown.__cause__ = _harmless(cause, seen)
    if context is not None:
        shown.__context__ = _harmless(context, seen)
    shown.__suppress_context__ = is_suppressed
    if isinstance(error, BaseExceptionGroup):
        members = [_harmless(each, seen) for each in error.exceptions]
        if any(new is not old for new, old in zip(members, error.exceptions, strict=True)):
            shown = seen[id(error)] = error.derive(members).with_traceback(error.__traceback__)
    return shown


def _with_text(error: BaseException) -> BaseException:
    """Change what an exception says, where it must not be shown; in place, so that it is still caught by its class."""
    text = text_of(error)
    wanted = said(text, lines=True)
    if wanted == text:
        return error
    with contextlib.suppress(Exception):
        for name in ("filename", "filename2", "strerror"):
            if isinstance(error, OSError) and isinstance(value := getattr(error, name), str):
                setattr(error, name, said(value))
        error.args = tuple(said(each, lines=True) if isinstance(each, str) else each for each in error.args)
        found = text_of(error)
        if said(found, lines=True) == found:
            return error
    kind = type(error)
    with contextlib.suppress(Exception):
        error.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, "__str__": lambda _: wanted})
        return error
    stand_in: BaseException = type(kind.__name__, (Exception,), {"__module__": kind.__module__})(wanted)
    return stand_in.with_traceback(error.__traceback__)


def text_of(error: BaseException) -> str:
    """Return what an exception says; nothing where it cannot."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # an exception's own text may fail in any way
        return ""


def told_by(error: BaseException) -> str:
    """Return what an exception says, as it may be quoted in a record or on a terminal: in one line.

    Examples
    --------
    >>> told_by(ValueError("no https://a.org/x?sig=1"))
    'ValueError: no https://a.org/x?…'
    """
    return f"{type(error).__name__}: {said(text_of(error))}"
