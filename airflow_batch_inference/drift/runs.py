"""Where the runs of a task leave what later ones compare themselves with.

One small file a run, named by the run's date so that a listing tells their order. What must not be relaxed: a run that
is done again replaces its own file and nobody else's; a file that cannot be read is passed over, with a warning.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.exceptions import ArtifactError
from airflow_batch_inference.records import HistoryEntry, fingerprint
from airflow_batch_inference.storage import encode_segment, join_uri

if TYPE_CHECKING:
    from airflow_batch_inference.records import TaskKey
    from airflow_batch_inference.storage import Storage

log = logging.getLogger(__name__)

Which = Literal["last", "weekday"]
_NAME = re.compile(r"/(\d{8}T\d{12})-[0-9a-f]{8}\.json$")
_TIME = "%Y%m%dT%H%M%S%f"


def history_folder(root: str, task: TaskKey) -> str:
    """Return where a task's runs are kept: ``history/<dag>/<task>``, of a mapped task ``…/map_index=<n>``."""
    names = [encode_segment(task.dag_id), encode_segment(task.task_id)]
    if task.map_index >= 0:
        names.append(f"map_index={task.map_index}")
    return join_uri(root, "history", *names)


def remember(root: str, entry: HistoryEntry, storage: Storage) -> str:
    """Store a run's entry in place of an earlier one of the same run; return its URI."""
    at = datetime.fromisoformat(entry.at).astimezone(UTC).strftime(_TIME)
    own = fingerprint(entry.task.run_id)[:8]
    uri = join_uri(history_folder(root, entry.task), f"{at}-{own}.json")
    storage.put(uri, entry.to_json())
    return uri


def previous_runs(
    root: str, task: TaskKey, at: datetime, *, number: int, which: Which, storage: Storage
) -> list[HistoryEntry]:
    """Return the entries of the last runs before a date, oldest first.

    Parameters
    ----------
    root
        The artifact store.
    task
        Whose runs; other runs of the very same date are no earlier ones.
    at
        The date, with its offset from UTC.
    number
        At most so many.
    which
        ``last``: whatever day they were; ``weekday``: those of the same weekday (UTC).
    storage
        Reaches the artifact store.
    """
    folder = history_folder(root, task)
    if number < 1 or not storage.exists(folder):
        return []
    now = at.astimezone(UTC)
    found = []
    for file in storage.list_files(folder):
        match = _NAME.search(file.uri)
        if match is None or file.uri.rpartition("/")[0] != folder:
            continue  # a folder of a mapped task's
        then = datetime.strptime(match.group(1), _TIME).replace(tzinfo=UTC)
        if then < now and (which == "last" or then.weekday() == now.weekday()):
            found.append(file.uri)
    read = [_read(uri, storage) for uri in sorted(found)[-number:]]
    return [entry for entry in read if entry is not None]


def _read(uri: str, storage: Storage) -> HistoryEntry | None:
    try:
        return HistoryEntry.from_json(storage.read_bytes(uri), where=uri)
    except ArtifactError as error:
        log.warning("An earlier run cannot be compared with: %s", error)
        return None
