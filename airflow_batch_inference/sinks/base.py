"""What a sink is: a place where others read predictions, and how a committed prediction set gets there.

Invariants: a reader of the target sees the old set or the new one, never a mixture; publishing a commit again changes
nothing, whenever the first time ended; what somebody else put there is never replaced; and what can be known to be
wrong with a target is said before the first row is scored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from airflow_batch_inference.sinks.manifest import Publisher

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.storage.store import Storage

IF_EXISTS = ("replace", "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCapabilities:
    """What a sink can do, asked before anything is scored or written.

    Attributes
    ----------
    formats
        The output formats that it writes; none: a table has no format, and none can be asked for.
    takes_files
        Whether it takes the files of a scoring script, which need not be a table.
    is_transactional
        Whether readers never see a target between two sets, in one step of the store itself.
    """

    formats: frozenset[str] = frozenset()
    takes_files: bool = False
    is_transactional: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where predictions are published, and in which way.

    Attributes
    ----------
    name
        As the user named it.
    storage
        Reaches it.
    output_format
        In which format it is written; None: as its name says, or as the sink likes. The prediction set itself is
        always Parquet.
    if_exists
        One of :data:`IF_EXISTS`, what may be replaced. ``"replace"``: whatever this DAG published there; ``"fail"``:
        only the same batch, as a retry or a backfill does.
    allow_mixed_versions
        Whether the files of one partition (a folder named ``key=value``) may come from several versions of a model.
    """

    name: str
    storage: Storage
    output_format: str | None = None
    if_exists: str = "replace"
    allow_mixed_versions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSet:
    """What is known of a prediction set before its first row is scored.

    Attributes
    ----------
    schema
        Its columns.
    dag_id, batch_id
        The DAG that scores it, and the batch.
    models
        SHA-256 of each model that makes the predictions.
    kept
        Whether its rows are kept.
    """

    schema: pa.Schema
    dag_id: str
    batch_id: str
    models: tuple[str, ...]
    kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """A committed prediction set, and where it goes.

    Attributes
    ----------
    record
        The commit. Its parts are Parquet, unless a scoring script has made them (``record.items``).
    target
        Where it goes.
    storage
        Reaches the artifact store.
    publisher
        The task instance that publishes. What a later run of the DAG has published stays.
    """

    record: PredictionSetRecord
    target: Target
    storage: Storage
    publisher: Publisher = field(default_factory=Publisher)


class Sink(Protocol):
    """A kind of target; made without arguments, importing nothing heavy."""

    @property
    def capabilities(self) -> SinkCapabilities:
        """What it can do."""

    def claims(self, target: str) -> bool:
        """Say whether a target, as the user named it, is of this kind; nothing is asked of any store."""

    def check(self, planned: PlannedSet, target: Target) -> None:
        """Refuse, before the first row is scored, what could not be published; nothing is written.

        It may be asked again and again, of a target that does not exist yet, and while somebody publishes there.

        Raises
        ------
        ConfigurationError
            The target cannot hold such a set: a column of it, its format, its name.
        ArtifactConflictError
            The target holds what another DAG or somebody else wrote, or another batch with ``if_exists="fail"``.
        """

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
