"""Files by their URIs, digests, and the two ways in which bytes become visible: put-if-absent, and all at once.

What must not be relaxed: a reader never sees a file that is still being written, and ``put_new`` lets exactly one of
several writers win. No heavy import here: operators read this module.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import re
import secrets
import shutil
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ArtifactNotFoundError,
    ConfigurationError,
)
from airflow_batch_inference.records import DataFile, Record, decode_record
from airflow_batch_inference.storage.copies import Copies
from airflow_batch_inference.storage.handover import file_system, has_arguments, named
from airflow_batch_inference.storage.liveness import this_process
from airflow_batch_inference.storage.temporary import HeldFolder
from airflow_batch_inference.storage.tree import (
    Entry,
    fixed_part,
    local_entries,
    local_file,
    local_status,
    matching,
    require_plain,
    shown_path,
)
from airflow_batch_inference.storage.uris import found_uri, is_artifact_uri, join_uri, normalize_uri, redact
from airflow_batch_inference.storage.versions import asked_version, protocols_of, told_version, wait_until_told_apart
from airflow_batch_inference.storage.web import PROTOCOLS, WebFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fsspec import AbstractFileSystem

_COPY_BYTES = 1 << 20
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_MOST_OF_SUFFIX = 32
TEMPORARY_PREFIX = ".tmp-"
_NO_STORES = frozenset(
    {
        *("dir", "simplecache", "filecache", "blockcache", "cached", "reference", "generic", "data", "asyncwrapper"),
        *("zip", "tar", "libarchive", "async_wrapper"),
    }
)
"""What fsspec lists among its file systems and is none: its paths are files of others."""


def temporary_name(suffix: str = "") -> str:
    """Return a name for an unfinished file: readers pass over it, and it says who writes (:mod:`.liveness`)."""
    return f"{TEMPORARY_PREFIX}{this_process()}-{secrets.token_hex(8)}{suffix}"


def _uri(scheme: str, path: str) -> str:
    """Return the URI of a path as a file system lists it; some begin all of theirs with a slash."""
    return found_uri(f"{scheme}://{path if scheme == 'file' else path.lstrip('/')}")


def _default_filesystem(protocol: str) -> AbstractFileSystem:
    import fsspec

    return fsspec.filesystem(protocol)


def _lies_in(uri: str, root: str) -> bool:
    if uri.startswith("file://") and root.startswith("file://"):
        uri, root = (os.path.realpath(each.removeprefix("file://")) for each in (uri, root))
    return uri == root or uri.startswith(root.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class _Resolved:
    """File systems by protocol; to another process it goes without them, and finds them there (:mod:`.handover`)."""

    filesystems: dict[str, AbstractFileSystem] = field(repr=False)

    def __reduce__(self) -> tuple[Callable[..., _Resolved], tuple[dict[str, AbstractFileSystem | str]]]:
        """Pickle names: a file system has its keys in it, unless it was made without any argument."""
        systems = self.filesystems.items()
        return _named, ({protocol: named(fs) if has_arguments(fs) else fs for protocol, fs in systems},)

    def __call__(self, protocol: str) -> AbstractFileSystem:
        if protocol not in self.filesystems:
            message = f"protocol {protocol!r} is not used by this job"
            raise ValueError(message)
        return self.filesystems[protocol]


def _named(given: dict[str, AbstractFileSystem | str]) -> _Resolved:
    return _Resolved({protocol: file_system(fs) if isinstance(fs, str) else fs for protocol, fs in given.items()})


@dataclass(frozen=True, slots=True)
class Storage:
    """Reads and writes by URI, on any fsspec file system.

    Parameters
    ----------
    filesystem_for
        From a protocol (``"s3"``) to a file system. The Airflow layer passes one that uses a connection.
    roots
        Folders and bucket paths that it may reach, as canonical URIs; none: all.
    web
        What reaches web servers (http and https); None: whatever is there for anybody.
    artifacts
        Reaches what lies in an artifact store, where another connection leads there than to the data: a prediction
        set that is given as a dataset. None: it is reached like all else.
    max_memory
        Bytes that one step of reading a dataset may take; None: half of the machine's memory.
    copies
        Keeps the files of stores that tell no versions; None: they are read where they are (:meth:`keeping`).
    """

    filesystem_for: Callable[[str], AbstractFileSystem] = _default_filesystem
    roots: tuple[str, ...] = ()
    web: WebFiles | None = None
    artifacts: Storage | None = None
    max_memory: int | None = None
    copies: Copies | None = None

    def filesystem(self, uri: str) -> tuple[AbstractFileSystem, str]:
        """Return the file system and the path on it.

        Raises
        ------
        ConfigurationError
            The scheme is unknown, its package is not installed, or the URI lies outside the allowed roots.
        """
        uri = normalize_uri(uri)
        if self.artifacts is not None and is_artifact_uri(uri):
            return self.artifacts.filesystem(uri)
        self.require_allowed(uri)
        copy = None if self.copies is None else self.copies.path_of(uri)
        return self.filesystem_of(uri) if copy is None else (_default_filesystem("file"), copy)

    def filesystem_of(self, uri: str) -> tuple[AbstractFileSystem, str]:
        """Return the file system and the path on it, allowed or not: to look whether something is there, no more.

        Raises
        ------
        ConfigurationError
            The scheme is unknown, or its package is not installed.
        """
        uri = normalize_uri(uri)
        if self.artifacts is not None and is_artifact_uri(uri):
            return self.artifacts.filesystem_of(uri)
        protocol = uri.split("://", 1)[0]
        if protocol in PROTOCOLS:
            return self.web or WebFiles(roots=self.roots), uri
        if protocol in _NO_STORES:
            message = (
                f"{redact(uri)!r} is not allowed: {protocol}:// is no store but a way to reach others, which nobody "
                "could check. Give the file's own URI."
            )
            raise ConfigurationError(message)
        try:
            fs = self.filesystem_for(protocol)
        except (ValueError, ImportError) as error:
            hint = (
                "Install airflow-batch-inference[s3]" if protocol == "s3" else "Install its package, or check the URI"
            )
            message = f"No file system for {redact(uri)!r} ({error}). {hint}."
            raise ConfigurationError(message) from error
        except TypeError as error:  # it cannot be made of its name alone
            message = (
                f"No file system for {redact(uri)!r}: {protocol}:// needs to be told more than a URI says ({error}). "
                "Give an Airflow connection (conn_id) to it, or copy the files to a store that has one."
            )
            raise ConfigurationError(message) from error
        except OSError as error:
            if "libjvm" not in str(error) and "libhdfs" not in str(error):
                raise
            message = (
                f"No file system for {redact(uri)!r} ({error}). Install Java and Hadoop's client, or use webhdfs://."
            )
            raise ConfigurationError(message) from error
        # Some keep listings and sizes: what other processes have put or changed since would not be seen.
        fs.invalidate_cache()
        return fs, uri.removeprefix("file://") if protocol == "file" else uri.split("://", 1)[1]

    def require_allowed(self, uri: str) -> None:
        """Refuse what lies outside of all roots; a local path is followed through its links first.

        Raises
        ------
        ConfigurationError
            It does.
        """
        if self.roots and not any(_lies_in(uri, root) for root in self.roots):
            message = (
                f"{redact(uri)} lies outside of the folders that models and data may be in: {', '.join(self.roots)}. "
                "Move it there, or have its folder added to allowed_roots in the [batch_inference] section of "
                "Airflow's config."
            )
            raise ConfigurationError(message)

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
        return replace(self, filesystem_for=_Resolved(found), web=web, artifacts=artifacts)

    def keeping(self) -> Storage:
        """Return a storage that reads some files once, and then from their copies, which go when it goes.

        They are those of web servers, and of stores that tell no versions: nothing else would tell that all of a
        dataset's rows are of one version.
        """
        artifacts = None if self.artifacts is None else self.artifacts.keeping()
        web = (self.web or WebFiles(roots=self.roots)).keeping()
        return replace(self, web=web, artifacts=artifacts, copies=self.copies or Copies())

    # -- reading ------------------------------------------------------------------------------------------

    def exists(self, uri: str) -> bool:
        """Say whether a file or folder lies there.

        Raises
        ------
        ConfigurationError
            Nothing ever can: a circle of links, a path that is too long.
        """
        fs, path = self.filesystem(uri)
        if not _is_local(fs):
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
        try:
            self._require_file(fs, path)
            data: bytes = fs.cat_file(path)
        except FileNotFoundError as error:
            message = f"Nothing lies at {uri}. Check the URI, or run the task that writes it."
            raise ArtifactNotFoundError(message) from error
        return data

    def read_record(self, uri: str) -> Record:
        """Read a record of any kind; a content-addressed one (:meth:`put_record`) is verified.

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
        try:
            if _is_local(fs):
                return local_file(normalize_uri(uri), self._plain_status(path))
            info = fs.info(path)
            version = told_version(info) or asked_version(fs, path)
        except FileNotFoundError as error:
            message = f"Nothing lies at {uri}. Check the URI, or run the task that writes it."
            raise ArtifactNotFoundError(message) from error
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
        return [
            file if file.version and not (is_young and file.uri.startswith("file://")) else self.versioned(file.uri)
            for file in files
        ]

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
            _require_own_name(path, status)
        return status

    def _require_file(self, fs: AbstractFileSystem, path: str) -> None:
        if _is_local(fs):
            self._plain_status(path)

    def is_dir(self, uri: str) -> bool:
        """Say whether a folder lies there."""
        fs, path = self.filesystem(uri)
        if not _is_local(fs):
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
        if _is_local(fs):
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
        try:
            self._require_file(fs, path)
            with fs.open(path, "rb") as source, target.open("wb") as copy:
                _require_room(getattr(source, "size", None), target, uri)
                while chunk := source.read(_COPY_BYTES):
                    digest.update(chunk)
                    copy.write(chunk)
        except FileNotFoundError as error:
            message = f"Nothing lies at {uri}. Check the URI, or run the task that writes it."
            raise ArtifactNotFoundError(message) from error
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
        try:
            with fs.open(path, "rb") as source:
                while chunk := source.read(_COPY_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
        except FileNotFoundError as error:
            message = f"Nothing lies at {uri}. Check the URI, or run the task that writes it."
            raise ArtifactNotFoundError(message) from error
        return digest.hexdigest(), size

    # -- writing ------------------------------------------------------------------------------------------

    def put_new(self, uri: str, data: bytes) -> bool:
        """Write a small file if nothing lies there yet; of several writers exactly one gets True."""
        fs, path = self.filesystem(uri)
        if _is_local(fs):
            return _put_new_local(Path(path), data)
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
        if _is_local(fs):
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


def _data_file(uri: str, info: dict[str, Any], version: str) -> DataFile:
    return DataFile(uri=uri, size_bytes=int(info.get("size") or 0), version=version)


def _require_own_name(path: str, status: os.stat_result) -> None:
    """Refuse a hard link that may lead out of the allowed roots: the one way out that no path shows.

    Honest tools make hard links, too (``cp -l``, backups, stores without duplicates): to files of their own user, in
    his folders, or to what everybody may read. What is neither may be another user's secret under a new name.

    Raises
    ------
    ConfigurationError
        A file of several names that not everybody may read, in a folder of another user than its own.
    """
    if status.st_nlink == 1 or stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IROTH:
        return
    folder = Path(os.path.realpath(path)).parent
    if folder.stat().st_uid != status.st_uid:
        message = (
            f"file://{shown_path(path)} is a hard link to a file that not everybody may read (user {status.st_uid}, "
            f"mode {stat.filemode(status.st_mode)}), in a folder of another user's: it may be one from outside of "
            "allowed_roots. Put a copy in its place."
        )
        raise ConfigurationError(message)


def _is_local(fs: AbstractFileSystem) -> bool:
    return bool({"file", "local"} & {*protocols_of(fs)[:1]})


def _put_new_local(target: Path, data: bytes) -> bool:
    """Link a finished private file to its name: the one local operation that both writes whole and refuses."""
    target.parent.mkdir(parents=True, exist_ok=True)
    private = target.parent / temporary_name()
    try:
        with private.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(private, target)
        except FileExistsError:
            return False
        sync_folder(target.parent)
    finally:
        private.unlink(missing_ok=True)
    return True


def sync_file(path: Path) -> None:
    """Force a local file's bytes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Force a local folder's names to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Give a temporary folder that only this user can read, removed afterwards."""
    held = HeldFolder()
    try:
        yield held.path
    finally:
        held.remove()


def parse_sha256(text: str) -> str:
    """Return a digest in its plain form.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    digest = text.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        message = f"sha256 must be 64 hexadecimal digits (as sha256sum prints them), got {text!r}."
        raise ConfigurationError(message)
    return digest


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a local file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_room(size: object, target: Path, uri: str) -> None:
    """Refuse to fill a disk that others write to: a file with holes is as large as it says only in its copy."""
    free = shutil.disk_usage(target.parent).free
    if isinstance(size, int) and size > free:
        message = f"no room for a copy of {redact(uri)}, which has {size} bytes: {target.parent} has {free}"
        raise OSError(errno.ENOSPC, message)
