"""Where the runs of a task leave what later ones compare themselves with.

One small file a date, named by it so that a listing tells their order.

Invariants: a date that is done again, by whatever run, replaces its own file and nobody else's, so that no day counts
twice; a file that cannot be read is passed over, with a warning.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.exceptions import ArtifactError
from airflow_batch_inference.records import HistoryEntry
from airflow_batch_inference.storage.uris import encode_segment, join_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import TaskKey
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

Which = Literal["last", "weekday"]
_NAME = re.compile(r"/(\d{8}T\d{12})\.json$")
_TIME = "%Y%m%dT%H%M%S%f"


def history_folder(root: str, task: TaskKey) -> str:
    """Return where a task's runs are kept: ``history/<dag>/<task>``, of a mapped task ``…/map_index=<n>``."""
    names = [encode_segment(task.dag_id), encode_segment(task.task_id)]
    if task.map_index >= 0:
        names.append(f"map_index={task.map_index}")
    return join_uri(root, "history", *names)


def remember(root: str, entry: HistoryEntry, storage: Storage) -> str:
    """Store a run's entry in place of an earlier one of the same date; return its URI."""
    at = datetime.fromisoformat(entry.at).astimezone(UTC).strftime(_TIME)
    uri = join_uri(history_folder(root, entry.task), f"{at}.json")
    storage.put(uri, entry.to_json())
    return uri


def earlier_runs(root: str, task: TaskKey, at: datetime, *, storage: Storage) -> list[tuple[datetime, str]]:
    """Return the dates of a task's runs before a date, and the URIs of their entries, oldest first: one listing.

    Parameters
    ----------
    root
        The artifact store.
    task
        Whose runs.
    at
        The date, with its offset from UTC.
    storage
        Reaches the artifact store.
    """
    folder = history_folder(root, task)
    now = at.astimezone(UTC)
    found = []
    for file in storage.list_files(folder):
        match = _NAME.search(file.uri)
        if match is None or file.uri.rpartition("/")[0] != folder:
            continue  # a folder of a mapped task's
        then = datetime.strptime(match.group(1), _TIME).replace(tzinfo=UTC)
        if then < now:
            found.append((then, file.uri))
    return sorted(found)


def last_of(
    earlier: Sequence[tuple[datetime, str]], at: datetime, *, number: int, which: Which, storage: Storage
) -> list[HistoryEntry]:
    """Return the last entries, oldest first.

    Parameters
    ----------
    earlier
        From :func:`earlier_runs`.
    at
        The date of this run.
    number
        At most so many.
    which
        ``last``: whatever day they were; ``weekday``: those of the same weekday (UTC).
    storage
        Reaches the artifact store.
    """
    if number < 1:
        return []
    weekday = at.astimezone(UTC).weekday()
    wanted = [uri for then, uri in earlier if which == "last" or then.weekday() == weekday]
    read = [_read(uri, storage) for uri in wanted[-number:]]
    return [entry for entry in read if entry is not None]


def _read(uri: str, storage: Storage) -> HistoryEntry | None:
    try:
        return HistoryEntry.from_json(storage.read_bytes(uri), where=uri)
    except ArtifactError as error:
        log.warning("An earlier run cannot be compared with: %s", error)
        return None
