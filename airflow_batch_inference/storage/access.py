"""Which file system a URI is on, and whether it may be reached.

Invariants: what lies outside of the allowed roots is refused before it is looked at. No heavy import here: operators
read this module.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from airflow_batch_inference.exceptions import (
    ConfigurationError,
)
from airflow_batch_inference.storage.handover import file_system, has_arguments, named
from airflow_batch_inference.storage.uris import is_artifact_uri, normalize_uri
from airflow_batch_inference.storage.web import PROTOCOLS, WebFiles
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsspec import AbstractFileSystem

    from airflow_batch_inference.storage.copies import Copies

ENVIRONMENT = "environment"
"""The origin of a storage that reaches what the environment of its process lets it reach."""
_NO_STORES = frozenset(
    {
        *("dir", "simplecache", "filecache", "blockcache", "cached", "reference", "generic", "data", "asyncwrapper"),
        *("zip", "tar", "libarchive", "async_wrapper"),
    }
)
"""What fsspec lists among its file systems and is none: its paths are files of others."""


def default_filesystem(protocol: str) -> AbstractFileSystem:
    """Return the file system of a protocol, made without any argument."""
    import fsspec

    return fsspec.filesystem(protocol)


def _lies_in(uri: str, root: str) -> bool:
    if uri.startswith("file://") and root.startswith("file://"):
        uri, root = (os.path.realpath(each.removeprefix("file://")) for each in (uri, root))
    return uri == root or uri.startswith(root.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class ResolvedFilesystems:
    """File systems by protocol; to another process it goes without them, and finds them there (:mod:`.handover`)."""

    filesystems: dict[str, AbstractFileSystem] = field(repr=False)

    def __reduce__(self) -> tuple[Callable[..., ResolvedFilesystems], tuple[dict[str, AbstractFileSystem | str]]]:
        """Pickle names: a file system has its keys in it, unless it was made without any argument."""
        systems = self.filesystems.items()
        return _from_names, ({protocol: named(fs) if has_arguments(fs) else fs for protocol, fs in systems},)

    def __call__(self, protocol: str) -> AbstractFileSystem:
        """Return the file system of a protocol."""
        if protocol not in self.filesystems:
            message = f"protocol {protocol!r} is not used by this job"
            raise ValueError(message)
        return self.filesystems[protocol]


def _from_names(given: dict[str, AbstractFileSystem | str]) -> ResolvedFilesystems:
    systems = {protocol: file_system(fs) if isinstance(fs, str) else fs for protocol, fs in given.items()}
    return ResolvedFilesystems(systems)


@dataclass(frozen=True, slots=True)
class RememberedFilesystems:
    """File systems by protocol, each looked up once: with a connection, each time asks Airflow for it."""

    look_up: Callable[[str], AbstractFileSystem]
    found: dict[str, AbstractFileSystem] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[Callable[..., RememberedFilesystems], tuple[Callable[[str], AbstractFileSystem]]]:
        """Pickle what looks up: a file system has its keys in it."""
        return RememberedFilesystems, (self.look_up,)

    def __call__(self, protocol: str) -> AbstractFileSystem:
        """Return the file system of a protocol."""
        if protocol not in self.found:
            self.found[protocol] = self.look_up(protocol)
        return self.found[protocol]


@dataclass(frozen=True, slots=True)
class Access:
    """Reaches files by URI, on any fsspec file system.

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
    origin
        How another process can make the like (:mod:`.origins`); None: it cannot, where ``filesystem_for`` was given.
    """

    filesystem_for: Callable[[str], AbstractFileSystem] = default_filesystem
    roots: tuple[str, ...] = ()
    web: WebFiles | None = None
    artifacts: Self | None = None
    max_memory: int | None = None
    copies: Copies | None = None
    origin: str | None = None

    @property
    def known_origin(self) -> str | None:
        """How another process can make the like; None: it cannot."""
        return ENVIRONMENT if self.origin is None and self.filesystem_for is default_filesystem else self.origin

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
        return self.filesystem_of(uri) if copy is None else (default_filesystem("file"), copy)

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
