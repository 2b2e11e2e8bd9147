"""Texts that quote URIs, as they may be shown.

Invariants: nothing that steers a terminal, and nothing that is secret; and time is in proportion to the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.wording.secrets import EQUALS, KNOWN, TELLING
from airflow_batch_inference.wording.signs import folded, visible, visible_lines
from airflow_batch_inference.wording.uris import QUERY, has_login, has_secret, is_local, is_remote, redact

if TYPE_CHECKING:
    from collections.abc import Callable

_QUOTES = "['\"`]"
_HEAD = r"(?<![\w+.:-])[\w+.:-]*+(?<=:)//"
_IN_TEXT = re.compile(
    rf"(?P<quote>{_QUOTES})(?P<quoted>(?:{_HEAD}|//)(?:(?!(?P=quote)).)*+)"
    rf"|(?P<plain>(?:{_HEAD}|(?<![\w:/.\\])//(?!/))\S*+)"
    rf"|(?P<mark>['\"`])(?P<bare>[^\s'\"`/][^\s'\"`]*+)(?P=mark)"
    r"|(?<![^\s(\[{<])(?P<loose>(?!['\"`(\[{<])(?=[^\s'\"]{0,500}[@?#;%])[^\s'\"]++)",
    re.DOTALL,
)
_HINT = re.compile(r"//|[@=]|%(?:25)*(?:3d|40)", re.IGNORECASE)
_MOST_BETWEEN = 200
_CLOSING = ".,:;!?)]}>'\"`"


def without_logins(text: str) -> str:
    """Return a text without what may be secret in the URIs that it quotes.

    Examples
    --------
    >>> without_logins("Cannot read s3://me:key@bucket/a?sig=1. Check 'https://a.org/x#token=1'.")
    "Cannot read s3://…@bucket/a?…. Check 'https://a.org/x?…'."
    """
    plain = folded(text)
    if _HINT.search(plain) is None:
        return text
    pieces, done = [], 0
    while found := _IN_TEXT.search(plain, done):
        kind = str(found.lastgroup)
        start, stop = found.span(kind)
        shown = _redacted(text[start:stop], plain[start:stop], kind)
        if kind in ("quoted", "plain") and shown.endswith("…@"):  # the login goes on behind a blank or a quote
            at = plain.find("@", stop, stop + _MOST_BETWEEN)
            stop = stop if at < 0 else at + 1
        pieces += [text[done:start], shown]
        done = max(stop, found.end())
        pieces.append(text[stop:done])
    return "".join([*pieces, text[done:]])


def without_secrets(text: str) -> str:
    """Return a text without what may be secret in the URIs that it quotes, and without all known secrets."""
    return KNOWN.hidden(without_logins(KNOWN.hidden(text, with_gap=True)))


def _redacted(text: str, plain: str, kind: str) -> str:
    end = len(plain) if kind in ("quoted", "bare") else len(plain.rstrip(_CLOSING))
    if kind == "loose" and plain[0] == "/":  # a path, or what requests say of an address: "with url: /x?sig=…"
        mark = QUERY.search(plain)
        is_query = mark is not None and _is_telling(plain, mark.end())
        return f"{text[: mark.start()]}?…{text[end:]}" if mark is not None and is_query else text
    if kind in ("quoted", "plain") or _looks_secret(plain[:end], is_loose=kind == "loose"):
        return f"{redact(text[:end])}{text[end:]}"
    return text


def _looks_secret(plain: str, *, is_loose: bool) -> bool:
    """Say whether a word without a scheme may be a URI: its login has a colon, and its query a value."""
    mark = QUERY.search(plain)
    is_query = mark is not None and (_is_telling if is_loose else EQUALS.search)(plain, mark.end())
    return bool(is_query) or "//" in plain or has_login(plain)


def _is_telling(plain: str, start: int) -> bool:
    """Say whether a query has a value, and speaks of a secret."""
    return EQUALS.search(plain, start) is not None and TELLING.search(plain, start) is not None


def said(text: str, *, lines: bool = False) -> str:
    """Return a text as it may be shown: without secrets, and in one line unless ``lines`` allows more."""
    found = without_secrets(text)
    return visible_lines(found) if lines else visible(found)


def said_of(value: Any) -> Any:  # noqa: ANN401  # what events and XComs carry
    """Return a value of plain types in which each text is as it may be shown.

    A URI that merely has the letters of a known secret stays: others read by it.
    """
    return _each_text(value, lambda text: visible(_unless_uri(text)))


def hidden_in(value: Any) -> Any:  # noqa: ANN401  # what JSON carries, which has escapes of its own
    """Return the same with each text but without what is secret in it."""
    return _each_text(value, _unless_uri)


def _unless_uri(text: str) -> str:
    is_uri = (is_local(text) or is_remote(text)) and not has_secret(text)
    return str(text) if is_uri else without_secrets(text)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401  # as its callers
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_each_text(key, change): _each_text(each, change) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_each_text(each, change) for each in value)
    return value
