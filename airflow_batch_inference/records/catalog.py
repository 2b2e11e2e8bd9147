"""Records of what was logged: one entry an artifact, one list a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from airflow_batch_inference.records.base import Record, TaskKey
from airflow_batch_inference.records.drift import DriftStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry(Record):
    """One artifact under its name in the catalogue."""

    kind: Literal["catalog-entry"] = "catalog-entry"
    name: str
    artifact_kind: str
    uri: str
    tag: str
    task: TaskKey
    batch_id: str | None
    logged_at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRecord(Record):
    """What an alias of a model means from a time on."""

    kind: Literal["alias"] = "alias"
    name: str
    alias: str
    number: int
    """Of the times that the alias was set, from 1."""
    model_record_uri: str
    model_sha256: str
    since: str
    """UTC, ISO 8601."""
    set_by: str

    def __post_init__(self) -> None:
        """Refuse a time that cannot be compared with another."""
        if datetime.fromisoformat(self.since).tzinfo is None:
            message = f"since is {self.since!r}, which has no time zone"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedArtifactsRecord(Record):
    """What one run registered, and where its prediction set was published."""

    kind: Literal["logged-artifacts"] = "logged-artifacts"
    task: TaskKey
    tag: str
    entries: dict[str, str]
    """Artifact name to URI."""
    published_uri: str | None
    rows: int | None
    model_sha256: str | None
    drift_status: DriftStatus | None
    drift_metric: float | None
