"""From a URI to a model in memory: resolve, verify the digest, decide trust, construct; in that order.

What must not be relaxed: the file is copied once into a private folder and that copy is hashed, judged and loaded,
so nobody can change it in between; trust comes from the caller's arguments, never from a file beside the model; a
format that can run code is refused unless the caller pinned its digest; and no refusal falls back to another way of
loading.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ArtifactNotFoundError,
    ConfigurationError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.flavors.trial import construct, find_format, try_in_child
from airflow_batch_inference.storage import normalize_uri, private_folder, redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow_batch_inference.flavors.base import LoadedModel, ModelFormat
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedModel:
    """A model in memory, and what is known of its file.

    Attributes
    ----------
    model
        Ready to predict.
    sha256, size_bytes
        Of the bytes that were loaded.
    flavor, format
        What the file is, by name.
    trust
        Why it was loaded: the format cannot hold code, all its types were allowed, or its digest was pinned.
    trusted_types
        What the caller allowed beyond the flavor's own list.
    """

    model: LoadedModel
    sha256: str
    size_bytes: int
    flavor: str
    format: str
    trust: Literal["data", "allow-list", "sha256"]
    trusted_types: tuple[str, ...]


def load_model(
    uri: str,
    *,
    storage: Storage,
    flavor: str | None = None,
    sha256: str | None = None,
    trusted: Sequence[str] | None = None,
) -> VerifiedModel:
    """Load a model file with every check.

    Parameters
    ----------
    uri
        One file: a path or a URI.
    storage
        Reaches it.
    flavor
        The framework's name; None: told by the file's name and content. It never overrides what the file is.
    sha256
        The digest that the file must have (64 hex digits, ``sha256:`` before them allowed). Needed for formats that
        can run code; for others it also saves the trial in a child process.
    trusted
        Types that a skops file may hold beyond our own list, by full name.

    Raises
    ------
    ConfigurationError
        An argument can never work; the URI is a folder.
    ArtifactNotFoundError
        Nothing lies there.
    ArtifactIntegrityError
        Another digest than the pinned one, or an empty file.
    FlavorNotFoundError, FlavorNotInstalledError
        Nothing here loads such a file.
    UntrustedModelError
        It could run code, or holds types that nobody allowed.
    ModelLoadError
        It is damaged, or was saved by another version.
    """
    pinned = None if sha256 is None else _parse_sha256(sha256)
    types = _parse_trusted(trusted)
    with _resolved(uri, storage) as (path, digest):
        where = redact(normalize_uri(uri))
        if pinned is not None and digest != pinned:
            message = (
                f"{where} is not the file that was pinned: its SHA-256 is {digest}, sha256= says {pinned}. Find out "
                "who replaced it before you pin another."
            )
            raise ArtifactIntegrityError(message)
        size = _require_content(path, where)
        adapter, found = recognise(path, flavor=flavor, where=where)
        trust = _decide_trust(found, digest, types, is_pinned=pinned is not None, where=where)
        if pinned is None:
            try_in_child(adapter.name, found.name, path, trusted=types, where=where)
        model = construct(adapter.name, found.name, path, trusted=types, where=where)
    return VerifiedModel(
        model=model,
        sha256=digest,
        size_bytes=size,
        flavor=adapter.name,
        format=found.name,
        trust=trust,
        trusted_types=types,
    )


def load_recorded(record: ModelRecord, *, storage: Storage) -> LoadedModel:
    """Load the model of a record again, to score with it.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError
        The file is gone, or no longer the one that was recorded.
    ModelError
        It loaded when it was recorded, but does not here: other packages or versions.
    """
    with _resolved(record.model_uri, storage) as (path, digest):
        where = redact(record.model_uri)
        if digest != record.sha256:
            message = (
                f"{where} was replaced since load_model ran: its SHA-256 is {digest}, the record says "
                f"{record.sha256}. Run the task that loads the model again."
            )
            raise ArtifactIntegrityError(message)
        known = find_format(record.flavor, record.format, where=where)
        if known.trust == "code" and record.trust != "sha256":
            message = f"The record of {where} says trust {record.trust!r}, but a {known.name} file can run code."
            raise UntrustedModelError(message)
        return construct(record.flavor, record.format, path, trusted=record.trusted_types, where=where)


def _parse_sha256(text: str) -> str:
    digest = text.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        message = f"sha256 must be 64 hexadecimal digits (as sha256sum prints them), got {text!r}."
        raise ConfigurationError(message)
    return digest


def _parse_trusted(trusted: Sequence[str] | None) -> tuple[str, ...]:
    names = () if trusted is None else trusted
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        message = f"trusted must be a list of full type names (['package.module.Type']), got {trusted!r}."
        raise ConfigurationError(message)
    return tuple(names)


@contextlib.contextmanager
def _resolved(uri: str, storage: Storage) -> Iterator[tuple[Path, str]]:
    """Copy the file once into a private folder, under its own name, and give the copy and its SHA-256."""
    with private_folder() as folder:
        path = folder / posixpath.basename(normalize_uri(uri))
        try:
            digest = storage.copy_to_local(uri, path)
        except (ArtifactNotFoundError, IsADirectoryError):
            if not storage.is_dir(uri):
                raise
            message = f"{redact(uri)} is a folder, but a model is one file. Give the URI of the file in it."
            raise ConfigurationError(message) from None
        yield path, digest


def _require_content(path: Path, where: str) -> int:
    size = path.stat().st_size
    if size == 0:
        message = f"{where} is an empty file, so it holds no model. Save the model again."
        raise ArtifactIntegrityError(message)
    return size


def _decide_trust(
    found: ModelFormat, digest: str, types: tuple[str, ...], *, is_pinned: bool, where: str
) -> Literal["data", "allow-list", "sha256"]:
    """Say why the file may be loaded, or refuse it.

    Raises
    ------
    UntrustedModelError
        It can run code, and its digest is not pinned.
    ConfigurationError
        Types were trusted, but the format has none.
    """
    if types and found.trust != "allow-list":
        message = f"trusted= is for skops files, but {where} is {found.name}. Leave it out."
        raise ConfigurationError(message)
    if found.trust != "code":
        return found.trust
    if not is_pinned:
        message = (
            f"{where} is a {found.name} file, which can run any code when it is loaded. Only if you trust where it "
            f'came from, pin this very file with sha256="{digest}"; or save the model as skops or LightGBM text, '
            "which need no pin."
        )
        raise UntrustedModelError(message)
    return "sha256"
