"""Records of drift: how a batch compares with its reference, the verdict, and what later runs compare with."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from airflow_batch_inference.records.base import Record, TaskKey


class DriftStatus(StrEnum):
    """The verdict of a drift analysis, for one column or for a whole dataset."""

    NO_DRIFT = "NO_DRIFT"
    POSSIBLE_DRIFT = "POSSIBLE_DRIFT"
    DRIFT_DETECTED = "DRIFT_DETECTED"
    INSUFFICIENT = "INSUFFICIENT"
    """Too few rows to judge; never to be read as "no drift"."""
    NOT_ANALYSED = "NOT_ANALYSED"
    """Nothing to compare with, or the analysis was switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about a column or a batch, its answer, and what follows."""

    name: str
    """``distance``, ``divergence``, ``missing``, ``infinite``, ``range``, ``unseen``; ``type`` and ``gone``, which are
    changes of the schema; against earlier runs ``mean``, ``mix``, ``volume``; or a rule's own."""
    value: float
    """In the check's own unit: reference standard deviations, a JS distance, a share."""
    possible: float
    """``POSSIBLE_DRIFT`` at or over it, where it is significant."""
    drift: float
    """``DRIFT_DETECTED`` at or over it, where it is significant."""
    p: float | None
    """Of the test behind it; None where none is needed."""
    p_adjusted: float | None
    """Corrected for the number of columns and checks."""
    status: DriftStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Both sides as shares, for a drawing: below ``low``, equal-width bins, above ``high``."""

    low: float
    high: float
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """The comparison of one column; ``current`` against ``reference``."""

    name: str
    kind: Literal["numeric", "categorical", "none"]
    role: Literal["input", "prediction", "other"] = "input"
    """``other``: the model does not take it; it is shown and not judged, unless it is watched."""
    status: DriftStatus
    reason: str | None = None
    """Why there is no number, or what is odd, in words."""
    importance: float | None = None
    """The column's share in the model, where the model tells."""
    is_important: bool = True
    """Whether its drift alone makes the dataset's."""
    is_judged: bool = True
    """Whether it has a say in the verdict at all."""
    effect: float | None = None
    """The largest of its checks' values, each in units of its drift limit."""
    checks: tuple[Check, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    """Distances of the current values from the reference's, by the metrics' names
    (:mod:`~airflow_batch_inference.drift.metrics`); those that have no value are left out."""
    noise_floor: dict[str, float] = field(default_factory=dict)
    """What those metrics are on average where nothing has changed, for these numbers of rows, where it is known."""
    reference_values: int | None = None
    """Values that were compared: neither missing nor infinite."""
    current_values: int | None = None
    reference_missing_fraction: float | None = None
    current_missing_fraction: float | None = None
    reference_inf_fraction: float | None = None
    current_inf_fraction: float | None = None
    out_of_range_fraction: float | None = None
    """Share of the current finite values below the reference's min or above its max."""
    unseen_fraction: float | None = None
    """Share of the current values whose category is not among the reference's."""
    unseen: tuple[tuple[str, int], ...] = ()
    """Unseen categories."""
    edges: tuple[float, ...] = ()
    """Of the bins that the metrics were computed on: ``counts`` has one bin below and one above them."""
    categories: tuple[str, ...] = ()
    """Of the same; all further categories share the bin after them."""
    reference_counts: tuple[int, ...] = ()
    """On those bins."""
    current_counts: tuple[int, ...] = ()
    reference_histogram: tuple[int, ...] = ()
    """On the reference's equal-width histogram, with two more bins at the ends where ``edges="padded"``; for
    categories, one for all further ones at the end."""
    current_histogram: tuple[int, ...] = ()
    has_missing_bin: bool = False
    """Whether the last of those bins holds missing and infinite values."""
    histogram: Histogram | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult(Record):
    """A drift analysis: verdict, reasons in words, parameters and every column's numbers."""

    kind: Literal["drift"] = "drift"
    status: DriftStatus
    run_status: DriftStatus
    """What this run alone says; ``status`` may wait for further runs (``min_drift_runs``)."""
    reasons: tuple[str, ...]
    rule: str
    parameters: dict[str, float | str]
    drift_metric: float | None
    """The rule's own number: under ``effect`` the largest effect of a judged column in units of its limit."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of the whole dataset, by the metrics' names, whichever rule judges; most metrics are of columns alone."""
    reference_rows: int | None
    current_rows: int
    columns: tuple[ColumnDrift, ...]
    missing_columns: tuple[str, ...]
    """In the reference, not in the current data."""
    extra_columns: tuple[str, ...]
    """In the current data, not in the reference."""
    history: tuple[Check, ...] = ()
    """Guards of the whole batch against the previous runs."""
    history_columns: dict[str, tuple[Check, ...]] = field(default_factory=dict)
    """Columns that are unlike the previous runs, with the guards that say so."""
    previous_runs: int = 0
    """How many previous runs it was compared with."""
    performance: dict[str, float] = field(default_factory=dict)
    """Accuracy, F1 and ROC AUC, estimated without labels."""
    reference_performance: dict[str, float] = field(default_factory=dict)
    baseline_uri: str | None
    baseline_sha256: str | None = None
    dataset_uri: str | None
    batch_id: str | None
    model_name: str | None = None
    model_sha256: str | None
    report_uri: str | None
    statistics_uri: str | None
    features_drift_uri: str | None
    """``features_drift_results``: a flat JSON of column name to drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSummary:
    """What later runs compare a column with."""

    name: str
    role: Literal["input", "prediction", "other"]
    kind: Literal["numeric", "categorical"]
    values: int
    """Rows with a value (of numbers: a finite one)."""
    missing_fraction: float
    mean: float | None = None
    std: float | None = None
    shares: tuple[tuple[str, float], ...] = ()
    """The most frequent categories and their shares of the values."""
    status: DriftStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry(Record):
    """One run as later runs see it; a run that is done again replaces its own."""

    kind: Literal["drift-history"] = "drift-history"
    task: TaskKey
    at: str
    """The run's logical date, or when it was due: UTC, ISO 8601."""
    status: DriftStatus
    run_status: DriftStatus
    rows: int
    columns: tuple[ColumnSummary, ...]
    result_uri: str
    baseline_sha256: str | None
    """Statuses are comparable where it is the same."""
