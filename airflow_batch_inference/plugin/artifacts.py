"""Read what a run's XComs name, and nothing else.

Invariants: a URI is believed only if it is one that this package gives to its records, lies below the artifact root
without any link on the way, and lies in no other DAG's folder unless the reader may see that DAG too; a file is looked
at before it is read, and one that is too large for a page is not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError, BatchInferenceError
from airflow_batch_inference.plugin.plain_files import LinkedError, PlainFiles
from airflow_batch_inference.storage.digests import sha256_of_bytes
from airflow_batch_inference.storage.uris import (
    beginning_of,
    decode_segment,
    encode_segment,
    is_record_uri,
    normalize_uri,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsspec import AbstractFileSystem

    from airflow_batch_inference.records import Record
    from airflow_batch_inference.storage.store import Storage

MOST_BYTES = 16 << 20
"""A record of so many takes two seconds to decode, during which an API server does nothing else."""
_REPORT = re.compile(r"-([0-9a-f]{64})\.html$")
_OWNED = ("history", "alerts", "notifications")
"""Folders of the store whose folders are those of DAGs."""


class NotShownError(Exception):
    """Something that was asked for is not to be shown; the message says why, in a sentence for the page."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifact store, as far as one reader may see it.

    Parameters
    ----------
    root
        The store's canonical URI.
    storage
        Reaches the store, and nothing outside of it.
    may_read
        Whether the reader may see what the tasks of a DAG have written.
    dags_beginning
        Returns the ids of all DAGs that begin so: those that are too long to stand in a path are found among them.
    """

    root: str
    storage: Storage
    may_read: Callable[[str], bool]
    dags_beginning: Callable[[str], Iterable[str]] = lambda beginning: ()  # noqa: ARG005

    def __post_init__(self) -> None:
        if self.root.startswith("file://"):
            object.__setattr__(self, "storage", _without_links(self.storage, self.root.removeprefix("file://")))

    def holds(self, uri: object) -> bool:
        """Say whether a value looks like the URI of a record below the root; nothing is read."""
        if not isinstance(uri, str) or not is_record_uri(uri):
            return False
        try:
            return normalize_uri(uri).startswith(f"{self.root}/")
        except BatchInferenceError:
            return False

    def record(self, uri: str) -> Record:
        """Read a record.

        Raises
        ------
        NotShownError
            It is not the URI of a record in the store, not to be seen by this reader, or not readable.
        """
        if not is_record_uri(uri):
            message = "The task's result is not a record of this provider."
            raise NotShownError(message)
        self.require(uri)
        try:
            return self.storage.read_record(uri, require=self._require_lists)
        except (BatchInferenceError, OSError) as error:
            message = _reason(error)
            raise NotShownError(message) from error

    def _require_lists(self, uris: Sequence[str]) -> None:
        """Refuse a prediction set with lists beside its commit that must not be read, or are too large together."""
        left = MOST_BYTES
        for uri in dict.fromkeys(uris):
            left -= self.require(uri, most_bytes=left)

    def report(self, uri: str) -> bytes:
        """Read an HTML report, whose bytes are those that its name says.

        Raises
        ------
        NotShownError
            As for :meth:`record`.
        """
        named = _REPORT.search(uri)
        if named is None:
            message = "The report's name is not one that this provider gives."
            raise NotShownError(message)
        self.require(uri)
        try:
            data = self.storage.read_bytes(uri)
        except (BatchInferenceError, OSError) as error:
            message = _reason(error)
            raise NotShownError(message) from error
        if sha256_of_bytes(data) != named.group(1):
            message = "The report was changed after it was written, and is not shown."
            raise NotShownError(message)
        return data

    def require(self, uri: str, *, most_bytes: int | None = MOST_BYTES) -> int:
        """Refuse what must not be read, and return how many bytes the rest has.

        Parameters
        ----------
        uri
            Of one file.
        most_bytes
            A larger file is refused; None: any size, for files of which only the beginning is read.

        Raises
        ------
        NotShownError
            It lies outside of the root, belongs to a DAG that the reader may not see, is missing, or too large.
        """
        try:
            clean = normalize_uri(uri)
            if not clean.startswith(f"{self.root}/"):
                message = "It lies outside of the artifact root that the UI reads ([batch_inference] artifact_root)."
                raise NotShownError(message)
            for owner in _owners(clean.removeprefix(f"{self.root}/").split("/")):
                dag_id = self._dag_of(owner)
                if dag_id is None or not self.may_read(dag_id):
                    message = "It belongs to another DAG, whose results you may not see."
                    raise NotShownError(message)
            # Refuses links, as every access of this storage does.
            length = self.storage.stat(clean).size_bytes
        except (BatchInferenceError, OSError) as error:
            message = _reason(error)
            raise NotShownError(message) from error
        if most_bytes is not None and length > most_bytes:
            message = f"It has {length:,} bytes, more than the {most_bytes:,} that are shown here."
            raise NotShownError(message)
        return length

    def _dag_of(self, segment: str) -> str | None:
        """Return the DAG whose folder has this name; None where there is none (any more)."""
        dag_id = decode_segment(segment)
        if dag_id is not None:
            return dag_id if encode_segment(dag_id) == segment else None
        known = self.dags_beginning(beginning_of(segment))
        return next((each for each in known if encode_segment(each) == segment), None)


def _owners(segments: Sequence[str]) -> Iterator[str]:
    """Yield the names of DAGs' folders that a path leads through; some disks take capitals for small letters."""
    *folders, _ = segments
    for place, each in enumerate(folders):
        name, is_pair, value = each.partition("=")
        if is_pair and name.casefold() == "dag_id":
            yield value
        elif place == 0 and each.casefold() in _OWNED and len(segments) > 1:
            yield segments[1].removesuffix(".json")


def _without_links(storage: Storage, root: str) -> Storage:
    """Return a storage that reads no local file but those of the root, and none behind a link."""
    return replace(storage, filesystem_for=partial(_filesystem, PlainFiles(root), storage.filesystem_for))


def _filesystem(
    files: PlainFiles, others: Callable[[str], AbstractFileSystem], protocol: str
) -> AbstractFileSystem | PlainFiles:
    return files if protocol == "file" else others(protocol)


def _reason(error: Exception) -> str:
    """Return why something could not be read, without a place on a disk: that is for the server's log."""
    if isinstance(error, ArtifactIntegrityError):
        return "It was damaged, changed, or written by another version of this provider."
    if isinstance(error, LinkedError):
        return "It is a link, or lies behind one, and links in the artifact root are not followed: put the files there."
    if isinstance(error, (FileNotFoundError, ArtifactNotFoundError)):
        return "It is not there any more."
    return f"It could not be read ({type(error).__name__})."
