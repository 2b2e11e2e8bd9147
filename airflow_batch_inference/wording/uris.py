"""What may be secret in a URI: its login, and its query.

Invariants: where it is not clear what of a URI is secret, all of it is; and time is in proportion to the text.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from airflow_batch_inference.wording.signs import folded

QUERY = re.compile(r"[?#;]|%(?:25)*(?:3f|23|3b)", re.IGNORECASE)
"""What begins a query, a fragment or parameters, encoded any number of times too."""
AT = re.compile(r"@|%(?:25)*40")
_A_COLON = re.compile(r":|%(?:25)*3a", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.:-]*+(?<=:)//", re.IGNORECASE)
LOGIN_BEGUN = re.compile(r"[^/\\@:\[]*:(?!\d{0,5}(?:[/\\]|:|\Z))")
"""A host or bucket with a colon behind it, and no port: a login whose ``@`` is missing."""
_COLON = re.compile(r"[a-z][a-z0-9+.-]*+:[/\\\s]*", re.IGNORECASE)
_MLFLOW = re.compile(r"models:/[^/@:?#;]+(?:/\d+|@[\w-]+)?|runs:/\w+(?:/[^@?#;]*)?", re.IGNORECASE)


def is_local(uri: str) -> bool:
    """Say whether a URI is a path of this machine from its root, which may have any sign in its names."""
    rest = re.sub(r"\A(?:file|local)://", "", uri, count=1, flags=re.IGNORECASE)
    return rest.startswith("/") and not (folded(rest[1:2]) == "/" and AT.search(folded(rest)))


def redact(uri: str) -> str:
    """Return a URI without what may be secret: from ``://`` to the last ``@``, and from the first ``?``, ``#``, ``;``.

    A local path is returned as it is. What has neither a scheme nor begins with ``/`` may lack its scheme by mistake.

    Examples
    --------
    >>> redact("s3://me:a/b@c@bucket/key?sig=1"), redact("/data/a@b?.csv"), redact("https://a.org/x?email=me@b.org&sig=1")
    ('s3://…@bucket/key?…', '/data/a@b?.csv', 'https://…')
    """
    start, at, mark = spans(uri)
    if at is None and mark is None:
        return uri
    if at is not None and mark is not None and mark < at:
        return f"{uri[:start]}…"
    shown = uri[start:mark] if at is None else f"…@{uri[at:mark]}"
    return f"{uri[:start]}{shown}{'' if mark is None else '?…'}"


def spans(uri: str) -> tuple[int, int | None, int | None]:
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
    ends = [found.end() for found in AT.finditer(plain, start)]
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
    _, at, mark = spans(uri)
    return at is not None or mark is not None


def has_login(text: str) -> bool:
    """Say whether a text has an ``@`` behind a colon, encoded or not."""
    plain = folded(text)
    colon = _A_COLON.search(plain)
    return colon is not None and AT.search(plain, colon.end()) is not None
