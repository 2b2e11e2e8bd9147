"""One version of the model a partition: predictions of another one beside these are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactConflictError
from airflow_batch_inference.sinks.manifest import MANIFEST, next_of, own_manifests, parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.storage.store import Storage


def require_one_version(models: Sequence[str | None], target: str, storage: Storage) -> None:
    """Refuse predictions beside those of another version of the model, where both are of one partition.

    A partition is the nearest folder above the target that is named ``key=value``; one that is itself the target is
    replaced as a whole.

    Parameters
    ----------
    models
        Digest of each model that makes the predictions.
    target, storage
        Where they go, and what reaches it.

    Raises
    ------
    ArtifactConflictError
        Names the manifest and the digests.
    """
    partition = target
    while "=" not in partition.rpartition("/")[2]:
        partition = partition.rpartition("/")[0]
        if "://" not in partition or partition.endswith("/"):
            return
    if partition == target or not storage.exists(partition):
        return
    ours = models[0] if len(models) == 1 else list(models)
    for file in storage.list_files(partition):
        within = file.uri.removeprefix(f"{partition}/")
        if file.uri in own_manifests(target) or not within.endswith(MANIFEST) or "=" in within.rpartition("/")[0]:
            continue
        document = parsed(storage.read_bytes(file.uri))
        for said in (document, *filter(None, [next_of(document)])):
            other = said.get("models") or said.get("model_sha256")
            if other == ours:
                continue
            message = (
                f"The partition {partition} holds predictions of another version of the model (sha256 {_told(other)}, "
                f"{file.uri}); these are of sha256 {_told(ours)}. Score the day with the version of that day "
                "(as_of), publish the partition as one folder, which is replaced as a whole, or set "
                "allow_mixed_versions=True while its files are replaced one by one."
            )
            raise ArtifactConflictError(message)


def _told(versions: object) -> str:
    return ", ".join(map(str, versions)) if isinstance(versions, list) else str(versions)
