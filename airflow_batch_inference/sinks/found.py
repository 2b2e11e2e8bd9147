"""What lies at a target of files before anything is scored: whether it may be replaced. Nothing is written or locked.

Invariants: who may not publish there is told so by the same rules as when it is published; what another writer changes
meanwhile is looked at again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactConflictError, ArtifactNotFoundError
from airflow_batch_inference.sinks import local, remote
from airflow_batch_inference.sinks.manifest import (
    COMPLETE,
    MANIFEST,
    all_names,
    known_digests,
    manifest_beside,
    parsed,
    require_only,
    require_replaceable,
)
from airflow_batch_inference.sinks.swap import Cell
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_batch_inference.sinks.base import PlannedSet, Target
    from airflow_batch_inference.sinks.manifest import Document
    from airflow_batch_inference.storage.store import Storage

_TRIES = 3


def require_folder_free(uri: str, target: Target, planned: PlannedSet) -> None:
    """Refuse a folder that holds what this DAG may not replace.

    Parameters
    ----------
    uri
        Its canonical URI.
    target, planned
        How it would be published, and what.

    Raises
    ------
    ArtifactConflictError
        Names whose it is, or what lies there.
    """

    def look(document: Document) -> None:
        if uri.startswith("file://"):
            folder = Path(uri.removeprefix("file://")).resolve()
            is_there = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
            names = local.names_in_folder(folder)
        else:
            names = remote.names_in_folder(uri, target.storage)
            is_there = bool(names or document)
        if is_there:
            _require_replaceable(document, uri, target, planned)
            require_only(all_names(document), names, uri)

    _settled(Cell(join_uri(uri, MANIFEST), target.storage), look)


def require_file_free(uri: str, target: Target, planned: PlannedSet) -> None:
    """Refuse a file that this DAG may not replace; see :func:`require_folder_free`.

    Raises
    ------
    ArtifactConflictError
        Names whose it is, or what it should be.
    """

    def look(document: Document) -> None:
        if not document and not target.storage.exists(uri):
            return
        _require_replaceable(document, uri, target, planned)
        if document.get("state") == COMPLETE:  # else a writer is at work, whose file need not be whole yet
            _require_known(document, uri, target.storage)

    _settled(Cell(manifest_beside(uri), target.storage), look)


def _settled(manifest: Cell, look: Callable[[Document], None]) -> None:
    """Look at a target with its manifest, once more where somebody has replaced that meanwhile."""
    for last in (False,) * (_TRIES - 1) + (True,):
        found = manifest.read()
        try:
            look(parsed(found))
        except ArtifactConflictError:
            if last or manifest.read() == found:
                raise
        else:
            return


def _require_replaceable(document: Document, uri: str, target: Target, planned: PlannedSet) -> None:
    require_replaceable(document, uri, planned.dag_id, planned.batch_id, target.if_exists)


def _require_known(document: Document, uri: str, storage: Storage) -> None:
    """Refuse a file that is not the one that was published there; it is read only where it looks like another.

    Raises
    ------
    ArtifactConflictError
        Says what it should be.
    """
    try:
        stamp = local.stamp_of(Path(uri.removeprefix("file://"))) if uri.startswith("file://") else None
        size, version = (0, None) if stamp else ((file := storage.stat(uri)).size_bytes, file.version)
        if document.get("stamp") == (stamp or f"{size}-{version}") and (stamp or version):
            return
        if storage.sha256_at(uri)[0] not in known_digests(document):
            raise local.unknown_file(uri, storage.stat(uri).size_bytes, document)
    except (ArtifactNotFoundError, FileNotFoundError):
        return  # nothing lies there: it was removed
