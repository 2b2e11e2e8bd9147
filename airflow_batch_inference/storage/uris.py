"""URIs: their one form, the segments of their paths, and the folders that the artifact store has.

Invariants: a URI never carries credentials, and no name can lead out of the folder that it is put in. What a URI may
show of itself says :mod:`.wording`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from urllib.parse import quote, unquote

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.foreign_uris import advice_for, scheme_of
from airflow_batch_inference.wording.secrets import remember
from airflow_batch_inference.wording.signs import folded
from airflow_batch_inference.wording.uris import LOGIN_BEGUN, QUERY, has_secret, redact

_LONGEST_SEGMENT = 200
_KEPT_OF_LONG = 100
_DIGESTED = "~~"
"""Before the digest of a long value; elsewhere two digits follow each ``~``."""
_DIGITS = 32
_TASK_FOLDER = re.compile(r"/dag_id=([^/]+)/run_id=([^/]+)/task_id=([^/]+)/map_index=(-?\d+)/")
_MOST_PATH_BYTES = 4095
_MOST_NAME_BYTES = 255
_SHOWN = 80
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)

_NO_LOGIN = "credentials belong into an Airflow connection (conn_id), not into a URI"


class FoundUri(str):
    """The URI of a file that a store has listed, or that was named below a URI: its name may have any sign in it."""

    __slots__ = ()


def found_uri(uri: str) -> str:
    """Return the URI of a file that nobody has given, so that nobody can have put a login into it."""
    return FoundUri(uri) if has_secret(uri) else uri


def _refuse(uri: str, reason: str) -> None:
    remember(uri)
    message = f"The URI {redact(uri)!r} is not allowed: {reason}."
    raise ConfigurationError(message)


def _require_own(uri: object) -> None:
    """Refuse what is no text, and names of other products."""
    if not isinstance(uri, str) or not uri.strip():
        message = f"A URI must be a non-empty string, got {uri!r}."
        raise ConfigurationError(message)
    if (advice := advice_for(uri)) is not None:
        message = f"The URI {scheme_of(uri)!r} is not allowed: {advice}."
        raise ConfigurationError(message)


def plain_uris(value: object) -> object:
    """Return a path (``pathlib.Path``) as text, also within a list; all else as it is.

    Examples
    --------
    >>> from pathlib import PurePosixPath
    >>> plain_uris([PurePosixPath("/data/a.csv"), "s3://bucket/b.csv"]), plain_uris([[1.5]])
    (['/data/a.csv', 's3://bucket/b.csv'], [[1.5]])
    """
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)) and any(isinstance(each, os.PathLike) for each in value):
        return [plain_uris(each) for each in value]
    return value


def normalize_uri(uri: str | os.PathLike[str]) -> str:
    """Return the canonical form of a URI: ``file:///a/b`` or ``scheme://bucket/key``.

    Raises
    ------
    ConfigurationError
        Not an absolute path or URI; ``..``; a NUL or backslash; what may be a login (``@``), a query, a signature or
        a fragment (``?``, ``#``, ``;``), whether in these signs, encoded, or in ones that look like them; a host in a
        file URI; a chain of file systems (``::``); a glob of web addresses; a name in another product (a database,
        MLflow); a name that is no text in UTF-8, or that is too long for a file.

    Examples
    --------
    >>> normalize_uri("/data/day=1/")
    'file:///data/day=1'
    """
    uri = os.fspath(uri) if isinstance(uri, os.PathLike) else uri
    _require_own(uri)
    return _normalized(uri)


@functools.lru_cache(maxsize=4096, typed=True)
def _normalized(uri: str) -> str:
    """Do it for a text, once for the same one: each step of a part asks for the same few, and looks at them closely."""
    if "\0" in uri or "\\" in uri:
        _refuse(uri, "it holds a NUL or a backslash")
    if "::" in uri:
        _refuse(uri, "chained file systems ('::') are not supported")
    if not _is_text(uri):
        _refuse(uri.encode("utf-8", "backslashreplace").decode(), "its name is no text in UTF-8; rename the file")
    match = _SCHEME.match(uri)
    scheme, rest = (match.group(1).lower(), uri[match.end() :]) if match else ("file", uri)
    if scheme == "local":
        scheme = "file"
    if scheme == "file" and not rest.startswith("/"):
        _refuse(uri, not_absolute(uri) if "//" not in folded(uri) else _NO_LOGIN)
    is_given = not isinstance(uri, FoundUri)
    if scheme == "file" and is_given and has_secret(uri):
        _refuse(uri, f"{_NO_LOGIN}; or, if it is a path, write it with one slash")
    if scheme != "file" and is_given:
        _require_plain(uri, scheme, rest)
    decoded = unquote(unquote(rest))
    if ".." in decoded.split("/"):
        _refuse(uri, "'..' could leave the folder it starts from; write the path without it, as Path.resolve() does")
    if scheme == "file":
        _require_short(rest)
    head = "/" if scheme == "file" else ""
    parts = [part for part in rest.split("/") if part not in ("", ".")]
    canonical = f"{scheme}://{head}{'/'.join(parts)}"
    return canonical if is_given else FoundUri(canonical)


def _is_text(uri: str) -> bool:
    try:
        uri.encode()
    except UnicodeEncodeError:  # a name as the system gives it that has other bytes
        return False
    return True


def _require_short(path: str) -> None:
    """Refuse what no file can be called: no other try would find it, either."""
    size, longest = len(path.encode()), max(len(name.encode()) for name in path.split("/"))
    if size > _MOST_PATH_BYTES or (longest > _MOST_NAME_BYTES and not any(mark in path for mark in "*?[")):
        shown = f"{path[:_SHOWN]}…{path[-_SHOWN:]}"
        _refuse(
            shown,
            f"it has {size:,} bytes, and its longest name {longest:,}; a path may have {_MOST_PATH_BYTES:,}, and a "
            f"name {_MOST_NAME_BYTES}",
        )


def not_absolute(path: str) -> str:
    """Return what to say of a relative path: a task has no working folder that its author knows.

    Examples
    --------
    >>> not_absolute("./churn.txt")[-35:]
    "Path(__file__).parent / 'churn.txt'"
    """
    if path.startswith("~"):
        return "whose home '~' is, depends on who runs the task; give an absolute path (/home/…, /data/…)"
    name = redact(path).split("://", 1)[-1].removeprefix("./")
    return (
        "give an absolute path (/data/…) or a URI with a scheme (s3://bucket/…); a file beside the DAG file is "
        f"Path(__file__).parent / {name!r}"
    )


def _require_plain(uri: str, scheme: str, rest: str) -> None:
    """Refuse credentials, and a query that may hold them."""
    plain, is_web = folded(rest), scheme in ("http", "https")
    if _may_hold_login(plain):
        advice = "write it as %40" if is_web else "let * stand for it, or give the folder"
        _refuse(uri, f"{_NO_LOGIN}. Where the '@' is part of a name, {advice}")
    if QUERY.search(plain):
        instead = (
            "Give the address without it, or let a task before fetch the file"
            if is_web
            else "Use an Airflow connection (conn_id); where it is part of a name or a pattern, let * stand for it"
        )
        _refuse(
            uri, f"a query, a fragment or a signature ('?…', '#…', ';…') would be kept in records and logs. {instead}"
        )
    if is_web:
        _require_web_file(uri, rest)


def _may_hold_login(rest: str) -> bool:
    """Say whether there may be a login; an ``@`` that is encoded is a name's, but in a host or behind a colon."""
    if "@" in rest or LOGIN_BEGUN.match(rest):
        return True
    *before, _ = re.split("%(?:25)*40", rest)
    return bool(before) and ("/" not in before[0] or re.search("(?i):|%(?:25)*3a", "".join(before)) is not None)


def _require_web_file(uri: str, rest: str) -> None:
    """Refuse what would be more, or less, than the address of one file."""
    if any(mark in rest for mark in "*[]"):
        _refuse(uri, "a web server has no folders to list, so there are no globs; give a list of addresses")
    if not rest.split("/", 1)[0]:
        _refuse(uri, "it names no host")


def is_record_uri(uri: object) -> bool:
    """Say whether a URI is one that this package gives to its records (and not a dataset's or a model's)."""
    return isinstance(uri, str) and bool(re.search(r"(/_commits/\d{10}|-[0-9a-f]{64})\.json$", uri))


def is_artifact_uri(uri: str) -> bool:
    """Say whether a URI leads into an artifact store: into the folder of a task instance, or to a model's records.

    Examples
    --------
    >>> is_artifact_uri("s3://b/a/dag_id=d/run_id=r/task_id=t/map_index=-1/data/0f/part-00000.parquet")
    True
    """
    return is_task_uri(uri) or bool(re.search(r"/models/[^/]+/[a-z]+-[0-9a-f]{64}\.json$", uri))


def join_uri(base: str, *names: str) -> str:
    """Append path segments to a canonical URI."""
    joined = "/".join([base.rstrip("/"), *names])
    return joined if has_secret(base) else found_uri(joined)


def encode_segment(value: str) -> str:
    """Encode a value for use as one path segment; never empty, ``.`` or ``..``, and short enough for any store.

    As in percent-encoding, with ``~`` in the place of ``%``: a browser that is given a ``file://`` link decodes
    ``%3A``, and would then look for another folder. A long value becomes its beginning with a digest: names may have
    255 bytes on a disk, and a whole key 1024 in a bucket. Nothing decodes those (:func:`decode_segment`).

    Examples
    --------
    >>> encode_segment("manual__2013-04-08T00:00:00+00:00")
    'manual__2013-04-08T00~3A00~3A00~2B00~3A00'
    >>> encode_segment("nightly" * 40)[:10], len(encode_segment("nightly" * 40))
    ('nightlynig', 134)
    """
    encoded = quote(value, safe="").replace("~", "%7E").replace("%", "~")
    if len(encoded) > _LONGEST_SEGMENT:
        beginning = re.sub(r"~[0-9A-F]?$", "", encoded[:_KEPT_OF_LONG])
        return f"{beginning}{_DIGESTED}{hashlib.sha256(value.encode()).hexdigest()[:_DIGITS]}"
    return encoded.replace(".", "~2E") if encoded in ("", ".", "..") else encoded


def decode_segment(segment: str) -> str | None:
    """Return the value of a path segment (:func:`encode_segment`); None for a long one, which its digest stands for.

    Examples
    --------
    >>> decode_segment("a~2Fb"), decode_segment(encode_segment("a" * 300))
    ('a/b', None)
    """
    return None if _DIGESTED in segment else unquote(segment.replace("~", "%"))


def beginning_of(segment: str) -> str:
    """Return what a segment says of its value: all of it, or the beginning of a long one.

    Examples
    --------
    >>> beginning_of("a~2Fb"), beginning_of(encode_segment("é" * 300))[:2]
    ('a/b', 'éé')
    """
    return unquote(segment.partition(_DIGESTED)[0].replace("~", "%"), errors="ignore")


def model_folder(root: str, name: str) -> str:
    """Return the folder of all that is kept of a model: its records, by name."""
    return join_uri(normalize_uri(root), "models", encode_segment(name))


def task_folder(root: str, task: TaskKey) -> str:
    """Return the folder of all that one task instance writes; no try number is in it."""
    return join_uri(
        normalize_uri(root),
        f"dag_id={encode_segment(task.dag_id)}",
        f"run_id={encode_segment(task.run_id)}",
        f"task_id={encode_segment(task.task_id)}",
        f"map_index={task.map_index}",
    )


def is_task_uri(uri: str) -> bool:
    """Say whether a file lies in the folder of a task instance (:func:`task_folder`)."""
    return _TASK_FOLDER.search(uri) is not None


def task_of(uri: str, like: TaskKey | None = None) -> TaskKey | None:
    """Return the task instance in whose folder (:func:`task_folder`) a file lies.

    None where it lies in none, or where an id is too long to stand in its path.

    Parameters
    ----------
    uri
        Of the file.
    like
        A task instance that may have long ids in common with it.

    Examples
    --------
    >>> key = TaskKey(dag_id="nightly", run_id="manual__a/b~c", task_id="drift")
    >>> task_of(join_uri(task_folder("s3://bucket/artifacts", key), "drift.json")) == key
    True
    """
    found = _TASK_FOLDER.search(uri)
    if found is None:
        return None
    known = (None, None, None) if like is None else (like.dag_id, like.run_id, like.task_id)
    dag_id, run_id, task_id = (
        each if each is not None and encode_segment(each) == segment else decode_segment(segment)
        for segment, each in zip(found.groups()[:3], known, strict=True)
    )
    if dag_id is None or run_id is None or task_id is None:
        return None
    return TaskKey(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=int(found.group(4)))
