"""Which alerts a task has sent, so that one drift does not page somebody every half hour.

The state lies in the artifact store and belongs to a task, not to a run: tomorrow's run, a retry and a cleared task all
see what was sent before.

Invariants: where there is any doubt the alert goes out (no state, a damaged one, one that cannot be read, a time in the
future), only an alert that reached somebody is remembered, and a state that cannot be written changes no task's
outcome. Two runs of one task at the same moment may both alert.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError
from airflow_batch_inference.records import DriftResult, DriftStatus, Record, TaskKey
from airflow_batch_inference.storage.uris import encode_segment, join_uri, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

MOST_SECONDS = 366 * 24 * 60 * 60
"""The longest cooldown: a year."""
_MOST_KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAlert:
    """One drift that somebody was told of."""

    status: DriftStatus
    drifted_columns: tuple[str, ...]
    sent_at: str
    """ISO 8601, with its offset from UTC."""
    run_id: str

    def __post_init__(self) -> None:
        """Refuse a time that cannot be compared with now."""
        if datetime.fromisoformat(self.sent_at).tzinfo is None:
            message = f"sent_at {self.sent_at!r} has no offset from UTC"
            raise ValueError(message)

    @property
    def moment(self) -> datetime:
        """When it was sent."""
        return datetime.fromisoformat(self.sent_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAlertsRecord(Record):
    """The alerts of one task that may still hold back others, newest last."""

    kind: Literal["sent-alerts"] = "sent-alerts"
    alerts: tuple[SentAlert, ...]


def drifted_columns(result: DriftResult) -> tuple[str, ...]:
    """Return the judged columns that have drifted by themselves, from the reference or from earlier runs, by name."""
    drift = DriftStatus.DRIFT_DETECTED
    judged = {column.name for column in result.columns if column.status == drift and column.is_judged}
    unlike = {name for name, checks in result.history_columns.items() if any(c.status == drift for c in checks)}
    return tuple(sorted(judged | unlike))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """For how long a task does not alert again about the same drift.

    The same drift has the same status and the same set of drifted columns; any other one, a worse or a wider one
    above all, alerts at once, and each of them once in that time, however often a column crosses its threshold.

    Parameters
    ----------
    storage
        Reaches the artifact store.
    root
        The artifact store's URI.
    task
        Whose alerts; the run does not matter.
    seconds
        How long, more than 0.
    now
        Returns the present time, with its offset from UTC.
    """

    storage: Storage
    root: str
    task: TaskKey
    seconds: float
    now: Callable[[], datetime] = _now

    @property
    def uri(self) -> str:
        """Where the state lies: ``alerts/<dag>/<task>.json``, of a mapped task ``alerts/<dag>/<task>/<index>.json``."""
        names = [encode_segment(self.task.dag_id), encode_segment(self.task.task_id)]
        if self.task.map_index >= 0:
            names.append(str(self.task.map_index))
        return join_uri(normalize_uri(self.root), "alerts", *names) + ".json"

    def last_sent(self, result: DriftResult) -> datetime | None:
        """Return when the same drift was alerted, if that was less than ``seconds`` ago."""
        now, columns = self.now(), drifted_columns(result)
        for sent in reversed(self._read()):
            if (sent.status, sent.drifted_columns) == (result.status, columns):
                if sent.moment > now:
                    log.warning(
                        "%s says that this drift was alerted at %s, which is still to come: a clock was set back. "
                        "The alert goes out",
                        self.uri,
                        sent.sent_at,
                    )
                elif now < self.until(sent.moment):
                    return sent.moment
        return None

    def until(self, moment: datetime) -> datetime:
        """Return until when an alert of some moment holds back the next."""
        return moment + timedelta(seconds=self.seconds)

    def start(self, result: DriftResult) -> None:
        """Remember that this drift was alerted now, and forget what holds nothing back any more."""
        now = self.now()
        sent = SentAlert(
            status=result.status,
            drifted_columns=drifted_columns(result),
            sent_at=now.isoformat(),
            run_id=self.task.run_id,
        )
        others = [other for other in self._read() if other.moment <= now < self.until(other.moment)]
        record = SentAlertsRecord(alerts=(*others[1 - _MOST_KEPT :], sent))
        try:
            self.storage.put(self.uri, record.to_json())
        except Exception:
            log.exception("Cannot write %s: the next run will alert about the same drift again", self.uri)

    def _read(self) -> tuple[SentAlert, ...]:
        try:
            return SentAlertsRecord.from_json(self.storage.read_bytes(self.uri), where=self.uri).alerts
        except ArtifactNotFoundError:
            return ()
        except ArtifactIntegrityError as error:
            log.warning("Nobody can tell what was alerted before: %s", error)
        except Exception:
            log.exception("Cannot read %s: what was alerted before is unknown", self.uri)
        return ()
