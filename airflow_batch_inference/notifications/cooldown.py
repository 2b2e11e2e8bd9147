"""Which messages were sent, so that one trouble is told once in a while and not with every run.

The state lies in the artifact store: it is the one place that tasks, the DAG processor and the triggerer all reach,
while a task's state store ends with its run, and an asset's is open to tasks only.

Invariants: where there is any doubt the message goes out (no state, a damaged one, one that cannot be read, a time in
the future), and a state that cannot be written makes no message fail. Two at the same moment may both go out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.records import Record
from airflow_batch_inference.storage.digests import sha256_of_bytes
from airflow_batch_inference.storage.uris import encode_segment, join_uri, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_batch_inference.reports.messages import Message, Place
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_MOST_CHARACTERS = 100
"""Of a detail in the name of a file; a longer one has its digest in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessageRecord(Record):
    """The last message of a kind about a task."""

    kind: Literal["sent-message"] = "sent-message"
    title: str
    run_id: str
    sent_at: str
    """ISO 8601, with its offset from UTC."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCooldown:
    """For how long a message of one kind and detail about one task, or one instance of it, is not sent again.

    Parameters
    ----------
    storage
        Reaches the artifact store.
    root
        The artifact store's URI.
    seconds
        How long; 0: every message goes out.
    now
        Returns the present time, with its offset from UTC.
    """

    storage: Storage
    root: str
    seconds: float
    now: Callable[[], datetime] = _now

    def uri(self, message: Message, place: Place) -> str:
        """Return where the last such message is noted.

        It is ``notifications/<dag>/task=<task>/map_index=<index>/<kind>-<detail>.json``, without what there is none of.
        """
        names = ["notifications", encode_segment(place.dag_id)]
        names += [] if place.task_id is None else [f"task={encode_segment(place.task_id)}"]
        names += [] if place.map_index < 0 else [f"map_index={place.map_index}"]
        detail = encode_segment(message.detail) if message.detail else ""
        if len(detail) > _MOST_CHARACTERS:
            detail = sha256_of_bytes(message.detail.encode("utf-8", "surrogatepass"))
        kind = encode_segment(message.kind)
        return join_uri(normalize_uri(self.root), *names, f"{kind}-{detail}.json" if detail else f"{kind}.json")

    def holds_back(self, message: Message, place: Place) -> bool:
        """Say whether such a message was sent less than ``seconds`` ago, and log it."""
        if not self.seconds:
            return False
        uri = self.uri(message, place)
        try:
            sent = SentMessageRecord.from_json(self.storage.read_bytes(uri), where=uri)
            age = (self.now() - datetime.fromisoformat(sent.sent_at)).total_seconds()
        except ArtifactNotFoundError:
            return False
        except Exception:
            log.exception("Cannot read %s: nobody can tell what was sent before, so the message goes out", uri)
            return False
        if 0 <= age < self.seconds:
            log.info(
                "Not sent again: %s (sent %.0f s ago, cooldown_s is %g; %s)", message.title, age, self.seconds, uri
            )
            return True
        return False

    def start(self, message: Message, place: Place) -> None:
        """Remember that a message was sent now."""
        if not self.seconds:
            return
        uri = self.uri(message, place)
        record = SentMessageRecord(title=message.title, run_id=place.run_id, sent_at=self.now().isoformat())
        try:
            self.storage.put(uri, record.to_json())
        except Exception:
            log.exception("Cannot write %s: the same message will be sent again", uri)
