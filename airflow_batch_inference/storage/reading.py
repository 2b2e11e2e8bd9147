"""Files by their URIs: whether they are there, their bytes, sizes and versions, and what lies in folders.

Invariants: a version is another one wherever the bytes may be others.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ArtifactNotFoundError,
    InputChangedError,
)
from airflow_batch_inference.records import DataFile, Record, decode_record
from airflow_batch_inference.records.folding import is_folded, unfold
from airflow_batch_inference.storage.access import Access
from airflow_batch_inference.storage.local_files import is_local, require_own_name
from airflow_batch_inference.storage.parallel import in_order, threads_for
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.tree import (
    Entry,
    fixed_part,
    local_entries,
    local_file,
    local_status,
    matching,
    require_plain,
)
from airflow_batch_inference.storage.uris import found_uri, is_artifact_uri, normalize_uri
from airflow_batch_inference.storage.versions import asked_version, told_version, wait_until_told_apart
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from fsspec import AbstractFileSystem

_COPY_BYTES = 1 << 20


def _uri(scheme: str, path: str) -> str:
    """Return the URI of a path as a file system lists it; some begin all of theirs with a slash."""
    return found_uri(f"{scheme}://{path if scheme == 'file' else path.lstrip('/')}")


def _data_file(uri: str, info: dict[str, Any], version: str) -> DataFile:
    return DataFile(uri=uri, size_bytes=int(info.get("size") or 0), version=version)


@dataclass(frozen=True, slots=True)
class Reader(Access):
    """Reads by URI; see :class:`~.access.Access`."""

    def exists(self, uri: str) -> bool:
        """Say whether a file or folder lies there.

        Raises
        ------
        ConfigurationError
            Nothing ever can: a circle of links, a path that is too long.
        """
        fs, path = self.filesystem(uri)
        if not is_local(fs):
            return bool(fs.exists(path))
        try:
            local_status(path)
        except OSError:
            return False
        return True

    def read_bytes(self, uri: str) -> bytes:
        """Read a whole (small) file.

        Raises
        ------
        ArtifactNotFoundError
            Nothing lies there.
        """
        fs, path = self.filesystem(uri)
        with _in_words(uri):
            self._require_file(fs, path)
            data: bytes = fs.cat_file(path)
        return data

    def read_record(self, uri: str, *, require: Callable[[Sequence[str]], None] = lambda _: None) -> Record:
        """Read a record of any kind; a content-addressed one (:meth:`put_record`) is verified.

        Of a prediction set of many files, the lists that lie beside its commit are read and verified too.

        Parameters
        ----------
        uri
            Where it lies.
        require
            Called with the URIs of those lists before they are read; raises where they must not be.

        Raises
        ------
        ArtifactNotFoundError, ArtifactIntegrityError
            Missing, damaged, or not a record.
        """
        data = self.read_bytes(uri)
        named = re.search(r"-([0-9a-f]{64})\.json$", uri)
        if named and hashlib.sha256(data).hexdigest() != named.group(1):
            message = f"{uri} was changed after it was written: its SHA-256 is not the one in its name."
            raise ArtifactIntegrityError(message)
        if is_folded(data):
            threads = threads_for(self.filesystem(uri)[0])

            def read(uris: Sequence[str]) -> Iterable[bytes]:
                require(uris)
                return in_order(self.read_bytes, uris, threads=threads)

            return decode_record(unfold(data, where=uri, read=read), where=uri)
        return decode_record(data, where=uri)

    def stat(self, uri: str) -> DataFile:
        """Return the size and version of one file; of a link, those of the file that it leads to.

        The version is empty where the store tells none: :meth:`versioned` makes one.

        Raises
        ------
        ArtifactNotFoundError
            Nothing lies there.
        ConfigurationError
            No plain file, or one that cannot be reached.
        """
        fs, path = self.filesystem(uri)
        with _in_words(uri):
            if is_local(fs):
                return local_file(normalize_uri(uri), self._plain_status(path))
            info = fs.info(path)
            version = told_version(info) or asked_version(fs, path)
        return _data_file(normalize_uri(uri), info, version)

    def versioned(self, uri: str) -> DataFile:
        """Return the size and version of one file: another version wherever the bytes may be others.

        A store that tells no versions is asked for the bytes, whose digest is the version.

        Raises
        ------
        ArtifactNotFoundError
            Nothing lies there.
        ConfigurationError
            No plain file, or one that cannot be reached.
        """
        uri = normalize_uri(uri)
        if self.artifacts is not None and is_artifact_uri(uri):
            return self.artifacts.versioned(uri)
        kept = None if self.copies is None else self.copies.file_of(uri)
        if kept is not None:
            return kept
        file = self.stat(uri)
        if file.version:
            return file
        if self.copies is not None:
            return self.copies.keep(uri, lambda path: self._copied(uri, path))
        with private_folder() as folder:
            return self._copied(uri, folder / "file")

    def settled(self, files: Sequence[DataFile]) -> list[DataFile]:
        """Return files with their versions (:meth:`versioned`), such that each later change gives another one.

        Raises
        ------
        ArtifactNotFoundError
            One of them is gone.
        """
        is_young = wait_until_told_apart(file.version for file in files if file.uri.startswith("file://"))
        asked = [file.uri for file in files if not file.version or (is_young and file.uri.startswith("file://"))]
        threads = threads_for(self.filesystem(asked[0])[0]) if len(asked) > 1 else 1
        found = dict(zip(asked, in_order(self.versioned, asked, threads=threads), strict=True))
        return [found.get(file.uri, file) for file in files]

    def _copied(self, uri: str, path: Path) -> DataFile:
        digest = self.copy_to_local(uri, path)
        return DataFile(uri=uri, size_bytes=path.stat().st_size, version=f"sha256:{digest}")

    def _plain_status(self, path: str) -> os.stat_result:
        """Return the status of a local file or folder.

        Raises
        ------
        FileNotFoundError
            Nothing lies there.
        ConfigurationError
            It cannot be reached, is a pipe, a socket or a device, or a hard link that somebody may have made to read
            what he must not.
        """
        status = local_status(path)
        require_plain(path, status)
        if self.roots:
            require_own_name(path, status)
        return status

    def _require_file(self, fs: AbstractFileSystem, path: str) -> None:
        if is_local(fs):
            self._plain_status(path)

    def is_dir(self, uri: str) -> bool:
        """Say whether a folder lies there."""
        fs, path = self.filesystem(uri)
        if not is_local(fs):
            return bool(fs.isdir(path))
        try:
            return stat.S_ISDIR(local_status(path).st_mode)
        except OSError:
            return False

    def list_files(self, folder: str) -> list[DataFile]:
        """Return all files below a folder, sorted by path; those behind local links too."""
        return [self.taken(entry) for entry in self.tree(folder)]

    def taken(self, entry: Entry) -> DataFile:
        """Return the file that was found below a folder.

        Raises
        ------
        ArtifactNotFoundError, ConfigurationError
            It cannot be read, or lies outside of the allowed roots.
        """
        self.require_allowed(entry.uri)
        file = entry.readable()
        if self.roots and file.uri.startswith("file://"):
            self._plain_status(file.uri.removeprefix("file://"))
        return file

    def tree(
        self,
        folder: str,
        *,
        depth: int | None = None,
        folders: bool = False,
        enter: Callable[[str], bool] | None = None,
    ) -> list[Entry]:
        """Return the files below a folder, sorted by path; local links are followed.

        Parameters
        ----------
        folder
            Its URI; nothing need lie there.
        depth
            How many levels to go down; None: all.
        folders
            Whether to return the folders too.
        enter
            Says of a local folder's name whether to look into it.

        Raises
        ------
        ConfigurationError
            A linked folder lies outside of the allowed roots, or leads round in a circle.
        """
        fs, path = self.filesystem(folder)
        if is_local(fs):
            is_entered, is_there = enter or (lambda _: True), self.is_dir(folder)
            found = local_entries(path, depth=depth, enter=is_entered, follow=self.require_allowed) if is_there else ()
            return sorted((entry for entry in found if folders or not entry.is_folder), key=lambda entry: entry.uri)
        scheme = normalize_uri(folder).split("://", 1)[0]
        infos = fs.find(path, maxdepth=depth, withdirs=folders, detail=True)
        return [
            Entry(uri, None if info.get("type") == "directory" else _data_file(uri, info, told_version(info)))
            for uri, info in sorted((_uri(scheme, name), info) for name, info in infos.items())
            if uri.rstrip("/") != normalize_uri(folder)
            and (folders or info.get("type") != "directory")
            and not uri.endswith("/")  # what consoles put into a new folder
        ]

    def glob(self, pattern: str) -> list[str]:
        """Return the files and folders that a pattern matches, sorted."""
        root, depth = fixed_part(normalize_uri(pattern))
        found = [entry.uri for entry in matching(normalize_uri(pattern), self.tree(root, depth=depth, folders=True))]
        for uri in found:
            self.require_allowed(uri)
        return found

    def copy_to_local(self, uri: str, target: Path) -> str:
        """Copy one file to a local path and return the SHA-256 of the bytes that were copied.

        Raises
        ------
        ArtifactNotFoundError
            Nothing lies there.
        OSError
            There is no room for it.
        """
        fs, path = self.filesystem(uri)
        digest = hashlib.sha256()
        with _in_words(uri):
            self._require_file(fs, path)
            with fs.open(path, "rb") as source, target.open("wb") as copy:
                _require_room(getattr(source, "size", None), target, uri)
                while chunk := source.read(_COPY_BYTES):
                    digest.update(chunk)
                    copy.write(chunk)
        return digest.hexdigest()

    def sha256_at(self, uri: str) -> tuple[str, int]:
        """Return the SHA-256 of the bytes of one file where it lies, and how many they are.

        Raises
        ------
        ArtifactNotFoundError
            Nothing lies there.
        """
        fs, path = self.filesystem(uri)
        digest, size = hashlib.sha256(), 0
        with _in_words(uri), fs.open(path, "rb") as source:
            while chunk := source.read(_COPY_BYTES):
                digest.update(chunk)
                size += len(chunk)
        return digest.hexdigest(), size


@contextlib.contextmanager
def _in_words(uri: str) -> Iterator[None]:
    """Say in words that nothing lies at a URI, or that what lies there was changed while it was read.

    Raises
    ------
    ArtifactNotFoundError
        Nothing does.
    InputChangedError
        It was, and the store said so: s3fs asks for the version that it opened, and raises EBUSY (FileExpired).
    """
    try:
        yield
    except FileNotFoundError as error:
        message = f"Nothing lies at {uri}. Check the URI, or run the task that writes it."
        raise ArtifactNotFoundError(message) from error
    except OSError as error:
        if error.errno != errno.EBUSY or uri.startswith("file://"):
            raise
        message = f"{uri} was changed while it was being read. Run the task again when its writer is done."
        raise InputChangedError(message) from error


def _require_room(size: object, target: Path, uri: str) -> None:
    """Refuse to fill a disk that others write to: a file with holes is as large as it says only in its copy."""
    free = shutil.disk_usage(target.parent).free
    if isinstance(size, int) and size > free:
        message = f"no room for a copy of {redact(uri)}, which has {size} bytes: {target.parent} has {free}"
        raise OSError(errno.ENOSPC, message)
