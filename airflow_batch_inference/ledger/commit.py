"""The commit of a prediction set: one numbered JSON file, written if absent, that makes the output exist.

Where there are many files, the lists of them lie beside it (:mod:`~airflow_batch_inference.records.folding`). Parts are
immutable and carry the attempt in their names, so that two tries never write to one file.

Invariants: nothing counts as output before the commit lies there, and a commit is never changed or removed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactConflictError, ArtifactIntegrityError
from airflow_batch_inference.records import PredictionSetRecord, kind_in_words
from airflow_batch_inference.records.folding import fold
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_batch_inference.storage.store import Storage

_COMMITS = "_commits"
_COMMIT_NAME = re.compile(r"/(\d{10})\.json$")
_TASK_FOLDER = re.compile(r"(.*/dag_id=[^/]+/run_id=[^/]+/task_id=[^/]+/map_index=-?\d+)/")


def latest_commit(folder: str, storage: Storage) -> tuple[int, str | None]:
    """Return the number and URI of a task folder's last commit; (0, None) where there is none."""
    commits = join_uri(folder, _COMMITS)
    if not storage.exists(commits):
        return 0, None
    numbers = [int(match.group(1)) for file in storage.list_files(commits) if (match := _COMMIT_NAME.search(file.uri))]
    return (max(numbers), _commit_uri(folder, max(numbers))) if numbers else (0, None)


def read_commit(uri: str, storage: Storage) -> PredictionSetRecord:
    """Read a commit, with the lists that lie beside it where there are many files.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError
        It is missing, damaged, or no commit; or one of its lists is.
    """
    record = storage.read_record(uri)
    if not isinstance(record, PredictionSetRecord):
        message = f"{uri} is {kind_in_words(record)}, and no commit of a prediction set. Run the task again."
        raise ArtifactIntegrityError(message)
    return record


def commit_of(record: PredictionSetRecord, storage: Storage) -> tuple[int, str | None]:
    """Return the number and URI of a prediction set's own commit; (0, None) where it is not to be found."""
    places = [part.uri for part in (*record.parts, *record.quarantine)]
    places += filter(None, [record.mini_batches_uri, record.profile_uri, record.challengers_uri])
    folder = next((found.group(1) for place in places if (found := _TASK_FOLDER.match(place))), None)
    if folder is None:
        return 0, None
    data = fold(record, folder).commit
    number, uri = latest_commit(folder, storage)
    while number and uri is not None:
        if storage.exists(uri) and storage.read_bytes(uri) == data:
            return number, uri
        number -= 1
        uri = _commit_uri(folder, number)
    return 0, None


def committed(folder: str, job_key: str, storage: Storage) -> tuple[str, PredictionSetRecord] | None:
    """Return the last commit if it is this very job's: the same model, input and parameters."""
    _, uri = latest_commit(folder, storage)
    if uri is None:
        return None
    record = read_commit(uri, storage)
    return (uri, record) if record.job_key == job_key else None


def commit(
    folder: str, record: PredictionSetRecord, storage: Storage, fence: Callable[[], None] = lambda: None
) -> tuple[str, PredictionSetRecord]:
    """Make the prediction set exist, under the next free number; of two writers of one job the first wins.

    Parameters
    ----------
    folder
        The task instance's.
    record
        The commit.
    storage
        Reaches the artifact store.
    fence
        Called right before the commit is written; raises where this try is no longer the live one.

    Raises
    ------
    ArtifactConflictError
        A later try has committed another job, or others keep committing to this folder.
    """
    for _ in range(20):
        number, last = latest_commit(folder, storage)
        if last is not None:
            theirs = read_commit(last, storage)
            if theirs.job_key == record.job_key:
                return last, theirs
            if theirs.try_id > record.try_id:
                message = f"A later try of this task has committed {last}: this one came too late, and commits nothing."
                raise ArtifactConflictError(message)
        uri = _commit_uri(folder, number + 1)
        stored = fold(record, folder)
        for list_uri, data in stored.lists.items():
            storage.put_new(list_uri, data)
        fence()
        if storage.put_new(uri, stored.commit):
            return uri, record
    message = f"Other writers keep committing to {folder}. One task instance must have one writer: stop the others."
    raise ArtifactConflictError(message)


def _commit_uri(folder: str, number: int) -> str:
    return join_uri(folder, _COMMITS, f"{number:010d}.json")
