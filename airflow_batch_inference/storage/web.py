"""Files behind http and https: read whole, once, and from then on from a private copy.

A web server has no folders that can be listed, may send other bytes each time, and says more or less of what it sends.

Invariants: all readers of one opened dataset read the same bytes; a page that explains something is never taken for
data; and no address that was signed, nor what is sent to be let in, gets into a message or a log.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.storage.temporary import HeldFolder
from airflow_batch_inference.wording.errors import told_by
from airflow_batch_inference.wording.secrets import remember
from airflow_batch_inference.wording.texts import said
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    import httpx

PROTOCOLS: Final = ("http", "https")
_CHUNK_BYTES: Final = 1 << 20
_MOST_REDIRECTS: Final = 10
_PAUSES_S: Final = (0.3, 1.0)
_CONNECT_S: Final = 10.0
_READ_S: Final = 60.0
_MISSING: Final = (404, 410)
_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")
_LATER: Final = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file as a server has sent it."""

    size_bytes: int
    version: str
    """Its ETag, or when it was changed; where the server says neither, the digest of its bytes."""
    path: str | None = None
    """The private copy; None where only the server was asked."""


class _SignaturesLeftOut(logging.Filter):
    """Takes queries and logins out of what httpx and httpcore log: a redirect may lead to a signed address."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = said(record.getMessage()), ()
        return True


_FILTER: Final = _SignaturesLeftOut()


class WebFiles:
    """The files of web servers, in the form of a file system that can only be read.

    Parameters
    ----------
    headers_for
        From a host (with its port) to what is sent to it to be let in.
    roots
        Addresses that it may reach, redirects included; none: all.
    keeps
        Whether a file is asked for once and then read from its copy, which is removed with this object.
    """

    protocol = PROTOCOLS

    def __init__(
        self,
        headers_for: Callable[[str], Mapping[str, str]] = lambda _: {},
        *,
        roots: tuple[str, ...] = (),
        keeps: bool = False,
    ) -> None:
        self._headers_for = headers_for
        self._roots = roots
        self._keeps = keeps
        self._kept: dict[str, WebFile] = {}
        self._held: HeldFolder | None = None
        self._turn = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Another process reads the copies; it neither removes them nor is let in anywhere."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_headers_for", "_held", "_turn")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _headers_for=lambda _: {}, _held=None, _turn=threading.Lock())

    def keeping(self) -> WebFiles:
        """Return one that keeps what it has read; itself, where it does."""
        return self if self._keeps else WebFiles(self._headers_for, roots=self._roots, keeps=True)

    # -- as a file system ---------------------------------------------------------------------------------

    def invalidate_cache(self) -> None:
        """Forget nothing: what is kept, is kept on purpose."""

    def exists(self, url: str) -> bool:
        """Say whether the server has the file."""
        try:
            self.info(url)
        except FileNotFoundError:
            return False
        return True

    def isdir(self, url: str) -> bool:  # noqa: ARG002  # no address is a folder
        """Say no: a server has no folders."""
        return False

    def info(self, url: str) -> dict[str, Any]:
        """Return a file's size and version."""
        file = self._file(url) if self._keeps else self._asked(url)
        return {"name": url, "type": "file", "size": file.size_bytes, "ETag": file.version}

    def open(self, url: str, mode: str = "rb") -> IO[bytes]:
        """Open a file's copy."""
        if mode != "rb":
            self._refuse_writing(url)
        if self._keeps:
            return Path(str(self._file(url).path)).open("rb")
        copy = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
        self._read(url, copy)
        copy.seek(0)
        return copy

    def cat_file(self, url: str, start: int = 0, end: int | None = None) -> bytes:
        """Return a file's bytes, or those between two offsets."""
        with self.open(url) as file:
            file.seek(start)
            return file.read() if end is None else file.read(end - start)

    def find(self, url: str, **_: object) -> dict[str, Any]:
        """Refuse to list what a server has.

        Raises
        ------
        ConfigurationError
            Always.
        """
        message = f"{redact(url)} cannot be listed: a web server has no folders. Name each file by its own address."
        raise ConfigurationError(message)

    def _refuse_writing(self, url: str, *_: object, **__: object) -> None:
        message = f"Nothing can be written to {redact(url)}: a web server is only read from. Give a folder or a bucket."
        raise ConfigurationError(message)

    pipe_file = put_file = rm_file = _refuse_writing

    # -- requests -----------------------------------------------------------------------------------------

    def _file(self, url: str) -> WebFile:
        with self._turn:  # of several threads that open files of one dataset
            return self._kept_file(url)

    def _kept_file(self, url: str) -> WebFile:
        if url not in self._kept:
            if self._held is None:
                self._held = HeldFolder()
            path = self._held.path / str(len(self._kept))
            with path.open("wb") as copy:
                found = self._read(url, copy)
            self._kept[url] = WebFile(found.size_bytes, found.version, str(path))
        return self._kept[url]

    def _asked(self, url: str) -> WebFile:
        """Return a file's size, as the server says it; where it does not, that of its bytes, and their digest.

        What a server says of versions is left out: many make it of the size and of a time that can be set back.
        """
        with self._response(url) as response:
            length = response.headers.get("content-length")
            if length is not None and "content-encoding" not in response.headers:
                return WebFile(int(length), "")
        with tempfile.TemporaryFile() as copy:
            return self._read(url, copy)

    def _read(self, url: str, copy: IO[bytes]) -> WebFile:
        """Write a file's bytes to an open one; begin again where the connection breaks."""
        for pause in (*_PAUSES_S, None):
            copy.seek(0)
            copy.truncate()
            try:
                return self._read_once(url, copy)
            except ConnectionError:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError  # the last pause is None

    def _read_once(self, url: str, copy: IO[bytes]) -> WebFile:
        digest, size = hashlib.sha256(), 0
        with self._response(url) as response, _network_errors(url):
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                digest.update(chunk)
                size += copy.write(chunk)
            return WebFile(size, f"sha256:{digest.hexdigest()}")

    @contextlib.contextmanager
    def _response(self, url: str) -> Iterator[httpx.Response]:
        """Ask for a file and follow redirects; the body is not read yet.

        Raises
        ------
        FileNotFoundError
            The server does not have it.
        ConnectionError
            There is no connection, or the server says that it cannot answer now.
        ConfigurationError
            It will not give it, or gives a page instead.
        """
        import httpx

        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_FILTER)
        timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
        wanted = {"Accept-Encoding": "identity", "Accept": "*/*"}
        with httpx.Client(timeout=timeout, headers=wanted, verify=_certificates()) as client:
            place = httpx.URL(url)
            for _ in range(_MOST_REDIRECTS + 1):
                headers = self._headers_for(place.netloc.decode())
                with _network_errors(url):
                    response = client.send(client.build_request("GET", place, headers=headers), stream=True)
                try:
                    if not response.is_redirect:
                        _require_data(url, response)
                        yield response
                        return
                    place = place.join(response.headers["location"])
                    remember(str(place))
                finally:
                    response.close()
                self._require_allowed(url, place)
        message = f"{redact(url)} is redirected more than {_MOST_REDIRECTS} times. Give the address that it leads to."
        raise ConfigurationError(message)

    def _require_allowed(self, url: str, place: httpx.URL) -> None:
        if place.scheme not in PROTOCOLS:
            message = f"{redact(url)} is redirected to {place.scheme}://, which is no web address. Give the file's own."
            raise ConfigurationError(message)
        if place.scheme == "http" and url.lower().startswith("https://"):
            message = (
                f"{redact(url)} is redirected to http://{place.host}, where anybody on the way could read and change "
                "it, and the login too. Give an address that stays on https."
            )
            raise ConfigurationError(message)
        where = str(place.copy_with(query=None, fragment=None, userinfo=b""))
        if self._roots and not any(where.startswith(f"{root.rstrip('/')}/") for root in self._roots):
            message = (
                f"{redact(url)} is redirected to {place.scheme}://{place.host}, which lies outside of allowed_roots in "
                "the [batch_inference] section of Airflow's config. Have it added there, or give another address."
            )
            raise ConfigurationError(message)


@functools.cache
def _certificates() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()  # it reads some hundred files


@contextlib.contextmanager
def _network_errors(url: str) -> Iterator[None]:
    """Say of a broken connection which file it was for; a retry may mend it."""
    import httpx

    try:
        yield
    except httpx.TimeoutException as error:
        message = f"{redact(url)} could not be read: the server did not answer in time ({type(error).__name__})."
        raise ConnectionError(message) from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        message = f"{redact(url)} could not be read: {told_by(error)}."
        raise ConnectionError(message) from error
    except (httpx.InvalidURL, UnicodeError) as error:
        message = f"{redact(url)} is no web address ({error}). Check it."
        raise ConfigurationError(message) from error


def _require_data(url: str, response: httpx.Response) -> None:
    status, told = response.status_code, f"{response.status_code} {response.reason_phrase}".strip()
    if status in _MISSING:
        raise FileNotFoundError(url)
    if status in _LATER or status >= 500:
        message = f"{redact(url)} could not be read: the server answers {told}. Try again later."
        raise ConnectionError(message)
    if status in (401, 403, 407):
        message = (
            f"{redact(url)} could not be read: the server answers {told}. Give conn_id an Airflow connection of type "
            "HTTP with what lets you in, or let a task before fetch the file."
        )
        raise ConfigurationError(message)
    if status != 200:
        message = f"{redact(url)} could not be read: the server answers {told}. Check the address."
        raise ConfigurationError(message)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        message = (
            f"{redact(url)} is a web page ({kind}), not a file: it may ask you to sign in, or show the file. Give the "
            "address of the file itself, as a download button or a raw link has it."
        )
        raise ConfigurationError(message)
