"""A note in the store that a task scores in its own process: it is there still after that process has died.

Invariants: whoever ends in an orderly way, be it with an error, takes its note away; and a note that somebody else has
left is taken away by a success only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_NOTE = "in-process.json"


def note_uri(folder: str) -> str:
    """Return where the note of a task instance lies."""
    return join_uri(folder, "_work", _NOTE)


@contextlib.contextmanager
def noted(folder: str, attempt: str, storage: Storage) -> Iterator[bool]:
    """Note that this process loads and runs models itself, until the block ends.

    Parameters
    ----------
    folder
        The task instance's.
    attempt
        The try, for whoever reads the note.
    storage
        Reaches the artifact store.

    Yields
    ------
    bool
        Whether an earlier try has left its note: its process has died while it scored, or is not known to have ended.
    """
    uri = note_uri(folder)
    who = {
        "attempt": attempt,
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": datetime.now(UTC).isoformat(),
    }
    note = json.dumps(who).encode()
    is_ours = retrying("The note of this try", lambda: storage.put_new(uri, note))
    try:
        yield not is_ours
    except BaseException:
        if is_ours:
            _remove(uri, storage, note)
        raise
    _remove(uri, storage)


def _remove(uri: str, storage: Storage, note: bytes | None = None) -> None:
    """Take a note away, if it is still this one (None: whatever it is).

    Where that fails, the next try scores in worker processes, which changes nothing else.
    """
    try:
        if note is None or storage.read_bytes(uri) == note:
            storage.remove(uri)
    except (OSError, BatchInferenceError) as error:
        log.warning("%s was not removed (%s: %s)", uri, type(error).__name__, error)
