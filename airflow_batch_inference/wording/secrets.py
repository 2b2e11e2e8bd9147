"""What was found to be a secret in this process.

Invariants: what was once found to be a secret is not shown in any other text either.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from airflow_batch_inference.wording.signs import folded, visible
from airflow_batch_inference.wording.uris import AT, QUERY, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GAP = re.compile(r"[\s'\"\\]")
EQUALS = re.compile(r"=|%(?:25)*3d", re.IGNORECASE)
_BETWEEN = re.compile(r"[&?#;]|%(?:25)*(?:26|3f|23|3b)", re.IGNORECASE)
TELLING = re.compile(r"token|sig|secret|key|pass|pwd|credential|auth", re.IGNORECASE)
_LEAST = 5
"""Characters of a secret that is looked for in other texts; a shorter one would be found in words."""
_LONGEST_WORD = 12
_LEAST_VALUE = 8
_LEAST_USER = 20
_MOST_KNOWN = 256


class _KnownSecrets:
    """What was found to be a secret in this process: the last few hundred."""

    def __init__(self) -> None:
        self._forms: dict[str, frozenset[str]] = {}
        self.listeners: list[Callable[[str], object]] = []

    def add(self, secret: str) -> None:
        is_a_word = len(secret) < _LONGEST_WORD and secret.isalpha() and secret.islower()
        if secret in self._forms or is_a_word:  # a word would be found where it is none
            return
        if len(self._forms) >= _MOST_KNOWN:
            del self._forms[next(iter(self._forms))]
        forms = {secret, visible(secret), repr(secret)[1:-1], *_coded(secret)}
        self._forms[secret] = frozenset(form for form in forms if len(form) >= _LEAST)
        for listener in self.listeners:
            with contextlib.suppress(Exception):  # it is a second net, and must not be a fault of its own
                listener(secret)

    def hidden(self, text: str, *, with_gap: bool = False) -> str:
        """Return text without them, or without those only that a text's URIs seem to end in."""
        found = {form for forms in list(self._forms.values()) for form in forms if form in text}
        if with_gap:
            found = {form for form in found if _GAP.search(form)}
        for form in sorted(found, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "…", text)
        return text


def _coded(secret: str) -> tuple[str, ...]:
    """Return how libraries write it in an address."""
    with contextlib.suppress(UnicodeError):
        return quote(secret, safe=""), quote(secret), unquote(secret)
    return ()


KNOWN = _KnownSecrets()


def on_secret(listener: Callable[[str], object]) -> None:
    """Have each secret that is found from now on told to somebody who hides it, such as Airflow."""
    if listener not in KNOWN.listeners:
        KNOWN.listeners.append(listener)


def remember(uri: str) -> None:
    """Look for secrets in a URI, and show them in no text from now on."""
    for secret in _secrets_in(uri):
        KNOWN.add(secret)


def _secrets_in(uri: str) -> Iterator[str]:
    start, at, mark = spans(uri)
    if at is not None:
        login = uri[start : ([at, *(found.start() for found in AT.finditer(folded(uri), start))])[-1]]
        cut = folded(login).find(":") % (len(login) + 1)  # none: at its end
        user, password = login[:cut], login[cut + 1 :]
        yield from (each for each in (login, password) if len(each) >= _LEAST)
        if len(user) >= (_LEAST_USER if password else _LEAST):
            yield user
    if mark is not None:
        begin = QUERY.match(folded(uri), mark)
        query = uri[begin.end() :] if begin is not None else ""
        if len(query) >= _LEAST and not query.startswith("."):  # a pattern's ending
            yield query
        for item in _BETWEEN.split(query):
            name, *values = EQUALS.split(item, maxsplit=1)
            least = _LEAST if TELLING.search(name) else _LEAST_VALUE
            yield from (value for value in values if len(value) >= least)
