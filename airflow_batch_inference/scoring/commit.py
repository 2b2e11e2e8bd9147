"""The commit of a prediction set: one numbered JSON file, written if absent, that makes the output exist.

Parts are immutable and carry the attempt in their names, so that two tries never write to one file. What must not
be relaxed: nothing counts as output before the commit lies there, and a commit is never changed or removed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactConflictError
from airflow_batch_inference.records import PredictionSetRecord
from airflow_batch_inference.storage import join_uri

if TYPE_CHECKING:
    from airflow_batch_inference.storage import Storage

_COMMITS = "_commits"
_COMMIT_NAME = re.compile(r"/(\d{10})\.json$")


def latest_commit(folder: str, storage: Storage) -> tuple[int, str | None]:
    """Return the number and URI of a task folder's last commit; (0, None) where there is none."""
    commits = join_uri(folder, _COMMITS)
    if not storage.exists(commits):
        return 0, None
    numbers = [int(match.group(1)) for file in storage.list_files(commits) if (match := _COMMIT_NAME.search(file.uri))]
    return (max(numbers), _commit_uri(folder, max(numbers))) if numbers else (0, None)


def committed(folder: str, job_key: str, storage: Storage) -> tuple[str, PredictionSetRecord] | None:
    """Return the last commit if it is this very job's: the same model, input and parameters."""
    _, uri = latest_commit(folder, storage)
    if uri is None:
        return None
    record = PredictionSetRecord.from_json(storage.read_bytes(uri), where=uri)
    return (uri, record) if record.job_key == job_key else None


def commit(folder: str, record: PredictionSetRecord, storage: Storage) -> tuple[str, PredictionSetRecord]:
    """Make the prediction set exist, under the next free number; of two writers of one job the first wins.

    Raises
    ------
    ArtifactConflictError
        Another job commits to this folder at the same time, again and again.
    """
    for _ in range(20):
        number, _last = latest_commit(folder, storage)
        uri = _commit_uri(folder, number + 1)
        if storage.put_new(uri, record.to_json()):
            return uri, record
        theirs = PredictionSetRecord.from_json(storage.read_bytes(uri), where=uri)
        if theirs.job_key == record.job_key:
            return uri, theirs
    message = f"Other writers keep committing to {folder}. One task instance must have one writer: stop the others."
    raise ArtifactConflictError(message)


def _commit_uri(folder: str, number: int) -> str:
    return join_uri(folder, _COMMITS, f"{number:010d}.json")
