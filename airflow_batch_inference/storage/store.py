"""The artifact store, and any other: the two ways in which bytes become visible, put-if-absent and all at once.

Invariants: a reader never sees a file that is still being written, and ``put_new`` lets exactly one of several writers
win. No heavy import here: operators read this module.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import (
    ConfigurationError,
)
from airflow_batch_inference.storage.access import RememberedFilesystems, ResolvedFilesystems
from airflow_batch_inference.storage.copies import Copies
from airflow_batch_inference.storage.local_files import is_local, put_new_local, sync_file, sync_folder
from airflow_batch_inference.storage.reading import Reader
from airflow_batch_inference.storage.temporary import private_folder, temporary_name
from airflow_batch_inference.storage.uris import is_artifact_uri, join_uri, normalize_uri
from airflow_batch_inference.storage.web import PROTOCOLS, WebFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_batch_inference.records import Record


_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_MOST_OF_SUFFIX = 32


@dataclass(frozen=True, slots=True)
class Storage(Reader):
    """Reads and writes by URI, on any fsspec file system; made as :class:`~.access.Access` is."""

    def resolved(self, *uris: str) -> Storage:
        """Return a storage that holds the file systems of some URIs, and no others: it can go to another process.

        Files of web servers are read now: no other process is let in.
        """
        elsewhere = [uri for uri in uris if self.artifacts is not None and is_artifact_uri(normalize_uri(uri))]
        apart = {*elsewhere, *(uri for uri in uris if self.copies is not None and self.copies.path_of(uri) is not None)}
        own = [uri for uri in uris if uri not in apart]
        protocols = {normalize_uri(uri).split("://", 1)[0]: uri for uri in own}
        found = {protocol: self.filesystem(uri)[0] for protocol, uri in protocols.items() if protocol not in PROTOCOLS}
        web = self.web
        if len(found) < len(protocols):
            kept = self.keeping()
            web = kept.web
            for uri in own:
                if normalize_uri(uri).split("://", 1)[0] in PROTOCOLS:
                    kept.stat(uri)
        artifacts = self.artifacts.resolved(*elsewhere) if self.artifacts is not None and elsewhere else None
        return replace(
            self,
            filesystem_for=ResolvedFilesystems(found),
            web=web,
            artifacts=artifacts,
            origin=self.known_origin,
        )

    def steady(self, uris: Iterable[str]) -> Storage:
        """Return a storage that looks up each file system once for all accesses, those of some URIs now.

        With a connection, each access asks Airflow for it again, which is too much for the files of a large job. Keys
        that end within the hour are asked for anew where the storage itself is used again.
        """
        is_apart = is_artifact_uri if self.artifacts is not None else lambda _: False
        firsts = {(uri.partition("://")[0], is_apart(uri)): uri for uri in map(str, uris) if "://" in uri}
        remote = [uri for (protocol, _), uri in firsts.items() if protocol not in (*PROTOCOLS, "file")]
        if not remote:
            return self
        steady = self.remembering()
        for uri in remote:
            steady.filesystem_of(uri)
        return steady

    def remembering(self) -> Storage:
        """Return a storage that looks up each file system once, when it is asked for."""
        return replace(
            self,
            filesystem_for=RememberedFilesystems(self.filesystem_for),
            artifacts=None if self.artifacts is None else self.artifacts.remembering(),
            origin=self.known_origin,
        )

    def keeping(self) -> Storage:
        """Return a storage that reads some files once, and then from their copies, which go when it goes.

        They are those of web servers, and of stores that tell no versions: nothing else would tell that all of a
        dataset's rows are of one version.
        """
        artifacts = None if self.artifacts is None else self.artifacts.keeping()
        web = (self.web or WebFiles(roots=self.roots)).keeping()
        return replace(self, web=web, artifacts=artifacts, copies=self.copies or Copies())

    def put_new(self, uri: str, data: bytes) -> bool:
        """Write a small file if nothing lies there yet; of several writers exactly one gets True."""
        fs, path = self.filesystem(uri)
        if is_local(fs):
            return put_new_local(Path(path), data)
        try:
            fs.pipe_file(path, data, mode="create")
        except FileExistsError:
            return False
        return True

    def put(self, uri: str, data: bytes) -> None:
        """Write a small file in one atomic step, replacing what was there."""
        with self.writing(uri) as local:
            local.write_bytes(data)

    def put_record(self, folder: str, stem: str, record: Record) -> str:
        """Store a record under a name that holds its own digest, and return its URI.

        The same record always gets the same URI, and :meth:`read_record` notices any later change.
        """
        return self.put_content(folder, stem, ".json", record.to_json())

    def put_content(self, folder: str, stem: str, suffix: str, data: bytes) -> str:
        """Store bytes under a name that holds their digest, and return the URI."""
        uri = join_uri(normalize_uri(folder), f"{stem}-{hashlib.sha256(data).hexdigest()}{suffix}")
        self.put_new(uri, data)
        return uri

    @contextlib.contextmanager
    def writing(self, uri: str) -> Iterator[Path]:
        """Give a private local path to write to; publish it under ``uri`` if the block ends without error.

        Where the block raises, nothing becomes visible and the private file is removed.
        """
        fs, path = self.filesystem(uri)
        if is_local(fs):
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            # A name has 255 bytes, and a suffix may take nearly all of them.
            private = target.parent / temporary_name(target.suffix[:_MOST_OF_SUFFIX])
            try:
                yield private
                sync_file(private)
                private.replace(target)
                sync_folder(target.parent)
            finally:
                private.unlink(missing_ok=True)
            return
        with private_folder() as folder:
            local = folder / posixpath.basename(path)
            yield local
            fs.put_file(str(local), path)

    def remove(self, uri: str) -> None:
        """Remove one file, if it is there."""
        fs, path = self.filesystem(uri)
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)

    def require_writable(self, folder: str) -> None:
        """Fail early, with what to do, where a folder cannot be written to.

        Raises
        ------
        ConfigurationError
            A missing permission, a read-only disk, or a file where a folder should be.
        """
        probe = join_uri(normalize_uri(folder), temporary_name())
        try:
            self.put_new(probe, b"probe")
            self.remove(probe)
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            message = (
                f"Cannot write to {folder}: {error.strerror or error}. Give the worker the right to write there, or "
                "set another artifact_root (argument, or [batch_inference] artifact_root in the Airflow config)."
            )
            raise ConfigurationError(message) from error


def environment_storage(_: str | None = None) -> Storage:
    """Return what reaches stores as the environment of this process says."""
    return Storage()
