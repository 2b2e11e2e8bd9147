"""The catalogue: every artifact of every run, found by name, tag, DAG and run.

Layout: ``catalog/name=<name>/dag_id=<dag>/<time>-<key>.json``, one immutable entry a file; the key hashes what is
registered, so that registering twice adds nothing. No heavy import here.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.records import fingerprint
from airflow_batch_inference.storage.uris import encode_segment, join_uri, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.records import CatalogEntry, TaskKey
    from airflow_batch_inference.storage.store import Storage

_CATALOG = "catalog"
_KEY_DIGITS = 16


def register(
    *,
    root: str,
    name: str,
    artifact_kind: str,
    uri: str,
    tag: str,
    task: TaskKey,
    batch_id: str | None,
    storage: Storage,
    is_new: bool = False,
) -> CatalogEntry:
    """Enter an artifact under its name; the same artifact of the same task is entered once.

    Parameters
    ----------
    root
        The artifact store.
    name
        The artifact's name, such as ``prediction``; any text.
    artifact_kind
        ``model``, ``prediction-set``, ``drift``, ``file``, …
    uri
        Where it lies.
    tag
        Free text to find it by; ``""`` for none.
    task
        The task instance that registers it.
    batch_id
        The batch it belongs to.
    storage
        Reaches the store.
    is_new
        Whether the task is known to have registered nothing yet; else the entries of its DAG are listed, and there is
        one for every run that ever was.
    """
    folder = join_uri(
        normalize_uri(root), _CATALOG, f"name={encode_segment(name)}", f"dag_id={encode_segment(task.dag_id)}"
    )
    key = fingerprint([name, artifact_kind, uri, tag, asdict(task), batch_id])[:_KEY_DIGITS]
    for known in () if is_new else _entry_uris(folder, storage):
        if known.endswith(f"-{key}.json"):
            return records.CatalogEntry.from_json(storage.read_bytes(known), where=known)
    logged_at = datetime.now(UTC).isoformat(timespec="microseconds")
    entry = records.CatalogEntry(
        name=name,
        artifact_kind=artifact_kind,
        uri=uri,
        tag=tag,
        task=task,
        batch_id=batch_id,
        logged_at=logged_at,
    )
    storage.put_new(join_uri(folder, f"{encode_segment(logged_at)}-{key}.json"), entry.to_json())
    return entry


def find_artifacts(
    *,
    root: str,
    name: str,
    storage: Storage,
    tag: str | None = None,
    dag_id: str | None = None,
    run_id: str | None = None,
) -> Iterator[CatalogEntry]:
    """Yield the artifacts of a name, newest first; only those entries are read that are asked for.

    Parameters
    ----------
    root
        The artifact store.
    name
        The artifact's name.
    storage
        Reaches the store.
    tag, dag_id, run_id
        Only artifacts with this tag, of this DAG, of this run; None: any.
    """
    folder = join_uri(normalize_uri(root), _CATALOG, f"name={encode_segment(name)}")
    if dag_id is not None:
        folder = join_uri(folder, f"dag_id={encode_segment(dag_id)}")
    uris = _entry_uris(folder, storage)
    for uri in sorted(uris, key=lambda uri: uri.rsplit("/", 1)[-1], reverse=True):
        entry = records.CatalogEntry.from_json(storage.read_bytes(uri), where=uri)
        if tag in (None, entry.tag) and run_id in (None, entry.task.run_id):
            yield entry


def latest_artifact(
    *, root: str, name: str, storage: Storage, tag: str | None = None, dag_id: str | None = None
) -> CatalogEntry:
    """Return the newest artifact of a name.

    Raises
    ------
    ArtifactNotFoundError
        There is none.
    """
    found = next(find_artifacts(root=root, name=name, storage=storage, tag=tag, dag_id=dag_id), None)
    if found is None:
        message = f"No artifact named {name!r} (tag {tag!r}, DAG {dag_id!r}) is registered in {root}."
        raise ArtifactNotFoundError(message)
    return found


def _entry_uris(folder: str, storage: Storage) -> list[str]:
    return [file.uri for file in storage.list_files(folder) if file.uri.endswith(".json")]
