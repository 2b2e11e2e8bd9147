"""What a sink is: a place where others read predictions, and how a committed prediction set gets there.

Invariants: a reader of the target sees the old set or the new one, never a mixture; publishing a commit again changes
nothing, whenever the first time ended; and what somebody else put there is never replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from airflow_batch_inference.sinks.manifest import Publisher

if TYPE_CHECKING:
    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.storage.store import Storage

IF_EXISTS = ("replace", "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCapabilities:
    """What a sink can do, asked before anything is written.

    Attributes
    ----------
    formats
        The output formats of prediction sets that it takes; None: all.
    takes_files
        Whether it takes the files of a scoring script, which need not be a table.
    is_transactional
        Whether readers never see a target between two sets, in one step of the store itself.
    """

    formats: frozenset[str] | None = None
    takes_files: bool = False
    is_transactional: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """A committed prediction set, and where it goes.

    Attributes
    ----------
    record
        The commit.
    target
        As the user named it.
    storage, target_storage
        Reach the artifact store, and the target.
    if_exists
        One of :data:`IF_EXISTS`, what may be replaced. ``"replace"``: whatever this DAG published there; ``"fail"``:
        only the same batch, as a retry or a backfill does.
    allow_mixed_versions
        Whether the files of one partition (a folder named ``key=value``) may come from several versions of a model.
    publisher
        The task instance that publishes. What a later run of the DAG has published stays.
    """

    record: PredictionSetRecord
    target: str
    storage: Storage
    target_storage: Storage
    if_exists: str = "replace"
    allow_mixed_versions: bool = False
    publisher: Publisher = field(default_factory=Publisher)


class Sink(Protocol):
    """A kind of target; made without arguments, importing nothing heavy."""

    @property
    def capabilities(self) -> SinkCapabilities:
        """What it can do."""

    def claims(self, target: str) -> bool:
        """Say whether a target, as the user named it, is of this kind; nothing is asked of any store."""

    def publish(self, request: PublishRequest) -> str:
        """Make the prediction set what readers of the target see, and return the target's canonical name.

        Raises
        ------
        ConfigurationError
            Such a set cannot be published there.
        ArtifactConflictError
            The target holds what another DAG or somebody else wrote, or another batch with ``if_exists="fail"``.
        ArtifactBusyError
            Somebody else is publishing there; a retry can go on.
        """
