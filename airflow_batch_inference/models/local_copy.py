"""A private copy of a model's file or folder, and the digest of the bytes that were copied.

Invariants: the bytes that are hashed are the bytes that are loaded; and nothing that lies outside of the model gets
into the copy, neither by a link nor by a name such as ``../x``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError, UntrustedModelError
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.storage.store import Storage

MOST_FILES = 10_000


@dataclass(frozen=True, slots=True)
class ModelCopy:
    """A model on the local disk, where nobody else can change it.

    Attributes
    ----------
    path
        The copy, under the model's own name.
    sha256
        Of a file: its SHA-256. Of a folder: that of the list of its files, see :func:`tree_digest`.
    size_bytes
        Of all files together.
    """

    path: Path
    sha256: str
    size_bytes: int


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    r"""Return the digest of a folder from the relative paths and SHA-256 of all its files.

    It is what ``find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum`` prints in the folder.

    Examples
    --------
    >>> tree_digest([("MLmodel", "0" * 64)])[:8]
    'd3fa3883'
    """
    ordered = sorted(files, key=lambda entry: f"./{entry[0]}".encode())
    listing = "".join(f"{digest}  ./{name}\n" for name, digest in ordered)
    return hashlib.sha256(listing.encode()).hexdigest()


@contextlib.contextmanager
def private_copy(uri: str, storage: Storage) -> Iterator[ModelCopy]:
    """Copy a model once into a private folder, under its own name; removed when the block ends.

    Raises
    ------
    ArtifactNotFoundError
        Nothing lies there.
    ArtifactIntegrityError
        It is empty, or was changed while it was copied.
    UntrustedModelError
        No plain file (a pipe, a device), or a folder that holds links, or too many files.
    """
    with private_folder() as folder:
        yield copy_into(folder, uri, storage)


def model_name(uri: str) -> str:
    """Return what a model's file or folder is called, and its copy too."""
    return posixpath.basename(normalize_uri(uri))


def copy_into(folder: Path, uri: str, storage: Storage) -> ModelCopy:
    """Copy a model into a folder that nobody else can write to; see :func:`private_copy`."""
    _refuse_special(normalize_uri(uri))
    path = folder / model_name(uri)
    before = _version(uri, storage)
    digest = _file_digest(uri, path, storage)
    if digest is not None and _version(uri, storage) != before:
        _refuse_changed(uri)
    if digest is None:
        path.unlink(missing_ok=True)
        return _copy_folder(normalize_uri(uri), path, storage)
    size = path.stat().st_size
    if size == 0 and storage.is_dir(uri):  # an object store's folder marker
        path.unlink()
        return _copy_folder(normalize_uri(uri), path, storage)
    if size == 0:
        message = f"{redact(uri)} is an empty file, so it holds no model. Save the model again."
        raise ArtifactIntegrityError(message)
    return ModelCopy(path, digest, size)


def _refuse_special(uri: str) -> None:
    """Refuse a local pipe, socket or device: reading it may never end."""
    if not uri.startswith("file://"):
        return
    try:
        mode = Path(uri.removeprefix("file://")).stat().st_mode
    except OSError:  # what is wrong with it is said where it is read
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        message = f"{redact(uri)} is no plain file but a pipe, a socket or a device. Give the URI of the model's file."
        raise UntrustedModelError(message)


def _file_digest(uri: str, target: Path, storage: Storage) -> str | None:
    """Copy a file and return its digest; None for a folder.

    Raises
    ------
    ArtifactNotFoundError
        Nothing lies there.
    """
    try:
        return storage.copy_to_local(uri, target)
    except (ArtifactNotFoundError, IsADirectoryError):
        if not storage.is_dir(uri):
            raise
    return None


def _copy_folder(uri: str, target: Path, storage: Storage) -> ModelCopy:
    if uri.startswith("file://"):
        _refuse_links(Path(uri.removeprefix("file://")), redact(uri))
    files = storage.list_files(uri)
    if not files:
        message = f"{redact(uri)} is an empty folder, so it holds no model. Save the model again."
        raise ArtifactIntegrityError(message)
    if len(files) > MOST_FILES:
        message = (
            f"{redact(uri)} holds {len(files)} files; a model's folder may hold {MOST_FILES}. Give the URI of the "
            "model's own folder."
        )
        raise UntrustedModelError(message)
    digests = []
    for file in files:
        name = _relative(file.uri, uri)
        local = target.joinpath(*name.split("/"))
        local.parent.mkdir(parents=True, exist_ok=True)
        if local.exists():  # the one would stand for both
            message = (
                f"{redact(uri)} holds two files that have one name on this disk, as capitals or accents are told apart "
                f"elsewhere only: {name!r}. Rename one of them."
            )
            raise UntrustedModelError(message)
        digests.append((name, storage.copy_to_local(file.uri, local)))
    if storage.list_files(uri) != files:
        _refuse_changed(uri)
    return ModelCopy(target, tree_digest(digests), sum(file.size_bytes for file in files))


def _version(uri: str, storage: Storage) -> DataFile | None:
    """Return what a model's store says of a file; None for a folder, what is not there, and what is read at once."""
    if uri.startswith(("http://", "https://")):
        return None
    try:
        return None if storage.is_dir(uri) else storage.stat(uri)
    except (ArtifactNotFoundError, IsADirectoryError):
        return None


def _refuse_changed(uri: str) -> None:
    message = (
        f"{redact(uri)} was changed while it was copied: the copy may be of two versions. Load it again when its "
        "writer is done; a model is best written under a new name, and renamed."
    )
    raise ArtifactIntegrityError(message)


def _relative(uri: str, folder: str) -> str:
    """Return a file's path within its folder.

    Raises
    ------
    UntrustedModelError
        The name leads out of the folder, or means something else on the local disk.
    """
    name = uri.removeprefix(f"{folder}/")
    parts = name.split("/")
    if name == uri or any(part in ("", ".", "..") for part in parts) or any(bad in name for bad in ("\\", "\0", "\n")):
        message = f"{redact(folder)} holds a file named {name!r}, which is no path within it. Save the model again."
        raise UntrustedModelError(message)
    return name


def _refuse_links(folder: Path, where: str) -> None:
    """Refuse what is not a plain file or folder: its bytes may lie, or be changed, elsewhere."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            entry = Path(parent, name)
            found = entry.lstat()
            is_plain = stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
            if not is_plain:
                kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "a hard link or a special file"
                message = (
                    f"{where} holds {kind}: {entry.relative_to(folder)}. A model's folder may hold plain files only; "
                    "copy it with `cp -rL` and give the copy."
                )
                raise UntrustedModelError(message)
