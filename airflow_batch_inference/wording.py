"""What may be shown of names, URIs and texts of others: nothing that steers a terminal, and nothing that is secret.

Every message, log line, event and page goes through here: the base of the errors, the log records of this package, and
whatever quotes a library. What must not be relaxed: where it is not clear what of a URI is secret, all of it is; what
was once found to be a secret is not shown in any other text either; and each function takes time in proportion to the
text. Nothing is imported here but Python's own modules, since the errors need it.
"""

from __future__ import annotations

import contextlib
import logging
import re
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = "airflow_batch_inference"
QUERY = re.compile(r"[?#;]|%(?:25)*(?:3f|23|3b)", re.IGNORECASE)
"""What begins a query, a fragment or parameters, encoded any number of times too."""
_AT = re.compile(r"@|%(?:25)*40")
_A_COLON = re.compile(r":|%(?:25)*3a", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.:-]*+(?<=:)//", re.IGNORECASE)
_STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_CONTROL = re.compile(f"[{_STEERING}]")
_UNSEEN = re.compile(rf"[{_STEERING}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
LOGIN_BEGUN = re.compile(r"[^/\\@:\[]*:(?!\d{0,5}(?:[/\\]|:|\Z))")
"""A host or bucket with a colon behind it, and no port: a login whose ``@`` is missing."""
_COLON = re.compile(r"[a-z][a-z0-9+.-]*+:[/\\\s]*", re.IGNORECASE)
_MLFLOW = re.compile(r"models:/[^/@:?#;]+(?:/\d+|@[\w-]+)?|runs:/\w+(?:/[^@?#;]*)?", re.IGNORECASE)
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
_GAP = re.compile(r"[\s'\"\\]")
_CLOSING = ".,:;!?)]}>'\"`"
_EQUALS = re.compile(r"=|%(?:25)*3d", re.IGNORECASE)
_BETWEEN = re.compile(r"[&?#;]|%(?:25)*(?:26|3f|23|3b)", re.IGNORECASE)
_TELLING = re.compile(r"token|sig|secret|key|pass|pwd|credential|auth", re.IGNORECASE)
_LEAST = 5
"""Characters of a secret that is looked for in other texts; a shorter one would be found in words."""
_LONGEST_WORD = 12
_LEAST_VALUE = 8
_LEAST_USER = 20
_MOST_KNOWN = 256
_METHODS = frozenset({"debug", "info", "warning", "error", "critical", "exception", "log"})


class _Folding(dict[int, str]):
    """Character to the plain one that it looks like, one for one."""

    def __missing__(self, code: int) -> str:
        folded = unicodedata.normalize("NFKC", chr(code))
        found = self[code] = folded if len(folded) == 1 else chr(code)
        return found


_LOOK_ALIKES = {"/": (0x2215, 0x2044, 0x29F8, 0x2571, 0x27CB), ":": (0x2236, 0xA789, 0x2D0, 0x589, 0x5C3)}
"""Those that Unicode does not call compatible."""
_FOLDING = _Folding({code: sign for sign, codes in _LOOK_ALIKES.items() for code in codes} | {0x204F: ";", 0x61B: ";"})


def folded(text: str) -> str:
    """Return text of the same length in which look-alikes of ASCII signs are these, such as wide forms."""
    return text if text.isascii() else text.translate(_FOLDING)


# -- names ------------------------------------------------------------------------------------------------------------


def visible(text: str) -> str:
    r"""Return text in one line in which all that is not printed stands as an escape, as in Python's ``repr``.

    Examples
    --------
    >>> print(visible("a\nb\x1b[31m\u202e"))
    a\nb\x1b[31m\u202e
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def visible_lines(text: str) -> str:
    r"""Return the same of a text that may have several lines: each but the first is indented, as no log line is.

    Examples
    --------
    >>> print(visible_lines("pip says:\nERROR: x\r\n  y\n"))
    pip says:
      ERROR: x
      y
    """
    first, *others = text.rstrip().replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join([visible(first), *(visible(line if line[:2] in ("", "  ") else f"  {line}") for line in others)])


def visible_page(markup: str, *, is_isolated: bool = False) -> str:
    """Return a page without characters that steer what shows it: each stands as the mark of one that is unknown.

    Parameters
    ----------
    markup
        The whole page.
    is_isolated
        Whether its names stand apart from its own direction of writing, so that marks of direction may stay.
    """
    if "\t" not in markup and markup.replace("\n", "").isprintable():
        return markup
    unseen = _CONTROL if is_isolated else _UNSEEN
    return unseen.sub("\N{REPLACEMENT CHARACTER}", markup)


# -- secrets ----------------------------------------------------------------------------------------------------------


def is_local(uri: str) -> bool:
    """Say whether a URI is a path of this machine from its root, which may have any sign in its names."""
    rest = re.sub(r"\A(?:file|local)://", "", uri, count=1, flags=re.IGNORECASE)
    return rest.startswith("/") and not (folded(rest[1:2]) == "/" and _AT.search(folded(rest)))


def redact(uri: str) -> str:
    """Return a URI without what may be secret: from ``://`` to the last ``@``, and from the first ``?``, ``#``, ``;``.

    A local path is returned as it is. What has neither a scheme nor begins with ``/`` may lack its scheme by mistake.

    Examples
    --------
    >>> redact("s3://me:a/b@c@bucket/key?sig=1"), redact("/data/a@b?.csv"), redact("https://a.org/x?email=me@b.org&sig=1")
    ('s3://…@bucket/key?…', '/data/a@b?.csv', 'https://…')
    """
    start, at, mark = _spans(uri)
    if at is None and mark is None:
        return uri
    if at is not None and mark is not None and mark < at:
        return f"{uri[:start]}…"
    shown = uri[start:mark] if at is None else f"…@{uri[at:mark]}"
    return f"{uri[:start]}{shown}{'' if mark is None else '?…'}"


def _spans(uri: str) -> tuple[int, int | None, int | None]:
    """Return where a URI's host or first folder may begin, where a login ends, and where a query begins."""
    plain = folded(uri)
    start = len(plain) - len(plain.lstrip())
    if is_local(uri[start:]) or _MLFLOW.fullmatch(plain, start):
        return start, None, None
    head = _SCHEME.match(plain, start) or _COLON.match(plain, start)
    if head is None and "://" in plain:
        start = plain.index("://") + 3
    elif head is not None or plain.startswith("//", start):
        start = head.end() if head is not None else start + 2
    ends = [found.end() for found in _AT.finditer(plain, start)]
    mark = QUERY.search(plain, start)
    at = ends[-1] if ends else None
    if at is None and "//" in plain[:start] and LOGIN_BEGUN.match(plain, start):
        return start, len(plain), None if mark is None else mark.start()
    is_bare = head is None and start == 0
    if is_bare and at is not None and re.search("[/\\\\]", plain[:at]) and not _A_COLON.search(plain[:at]):
        at = None  # a relative path, or a model's alias
    return start, at, None if mark is None else mark.start()


def is_remote(text: str) -> bool:
    """Say whether text is a URI with another scheme than a file's, encoded or not, or may be one without any."""
    plain = folded(unquote(unquote(text.strip())))
    return not is_local(text.strip()) and (_SCHEME.match(plain) is not None or plain.startswith("//"))


def has_secret(uri: str) -> bool:
    """Say whether something of a URI may be secret."""
    _, at, mark = _spans(uri)
    return at is not None or mark is not None


def without_logins(text: str) -> str:
    """Return a text without what may be secret in the URIs that it quotes.

    Examples
    --------
    >>> without_logins("Cannot read s3://me:key@bucket/a?sig=1. Check 'https://a.org/x#token=1'.")
    "Cannot read s3://…@bucket/a?… Check 'https://a.org/x?…'."
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
    return _KNOWN.hidden(without_logins(_KNOWN.hidden(text, with_gap=True)))


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
    is_query = mark is not None and (_is_telling if is_loose else _EQUALS.search)(plain, mark.end())
    return bool(is_query) or "//" in plain or has_login(plain)


def _is_telling(plain: str, start: int) -> bool:
    """Say whether a query has a value, and speaks of a secret."""
    return _EQUALS.search(plain, start) is not None and _TELLING.search(plain, start) is not None


def has_login(text: str) -> bool:
    """Say whether a text has an ``@`` behind a colon, encoded or not."""
    plain = folded(text)
    colon = _A_COLON.search(plain)
    return colon is not None and _AT.search(plain, colon.end()) is not None


class _KnownSecrets:
    """What was found to be a secret in this process: the last few hundred."""

    def __init__(self) -> None:
        self._forms: dict[str, frozenset[str]] = {}
        self.tell: list[Callable[[str], object]] = []

    def add(self, secret: str) -> None:
        is_a_word = len(secret) < _LONGEST_WORD and secret.isalpha() and secret.islower()
        if secret in self._forms or is_a_word:  # a word would be found where it is none
            return
        if len(self._forms) >= _MOST_KNOWN:
            del self._forms[next(iter(self._forms))]
        forms = {secret, visible(secret), repr(secret)[1:-1], *_coded(secret)}
        self._forms[secret] = frozenset(form for form in forms if len(form) >= _LEAST)
        for told in self.tell:
            with contextlib.suppress(Exception):  # it is a second net, and must not be a fault of its own
                told(secret)

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


_KNOWN = _KnownSecrets()


def on_secret(told: Callable[[str], object]) -> None:
    """Have each secret that is found from now on told to somebody who hides it, such as Airflow."""
    if told not in _KNOWN.tell:
        _KNOWN.tell.append(told)


def remember(uri: str) -> None:
    """Look for secrets in a URI, and show them in no text from now on."""
    for secret in _secrets_in(uri):
        _KNOWN.add(secret)


def _secrets_in(uri: str) -> Iterator[str]:
    start, at, mark = _spans(uri)
    if at is not None:
        login = uri[start : ([at, *(found.start() for found in _AT.finditer(folded(uri), start))])[-1]]
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
            name, *values = _EQUALS.split(item, maxsplit=1)
            least = _LEAST if _TELLING.search(name) else _LEAST_VALUE
            yield from (value for value in values if len(value) >= least)


# -- texts, errors, logs ----------------------------------------------------------------------------------------------


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
    text = _text(error)
    wanted = said(text, lines=True)
    if wanted == text:
        return error
    with contextlib.suppress(Exception):
        for name in ("filename", "filename2", "strerror"):
            if isinstance(error, OSError) and isinstance(value := getattr(error, name), str):
                setattr(error, name, said(value))
        error.args = tuple(said(each, lines=True) if isinstance(each, str) else each for each in error.args)
        found = _text(error)
        if said(found, lines=True) == found:
            return error
    kind = type(error)
    with contextlib.suppress(Exception):
        error.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, "__str__": lambda _: wanted})
        return error
    stand_in: BaseException = type(kind.__name__, (Exception,), {"__module__": kind.__module__})(wanted)
    return stand_in.with_traceback(error.__traceback__)


def _text(error: BaseException) -> str:
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
    return f"{type(error).__name__}: {said(_text(error))}"


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
        return said(_text(value), lines=hasattr(value, "has_lines"))
    text = str(value)
    shown = said(text)
    return value if shown == text else shown
