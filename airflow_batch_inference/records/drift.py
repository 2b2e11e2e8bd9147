"""Records of drift: what a reference was, what a batch is, how they compare, and what earlier runs were.

Arrays of counts and sums are packed (:mod:`~airflow_batch_inference.drift.packing`): base64 of zlib of little-endian
int64 or float64, so that a column takes some kilobytes whatever its rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from airflow_batch_inference.records.base import DataFile, Record, TaskKey


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
class NumericStatistics:
    """Statistics of a numeric column (dates and times: in seconds), over its finite values unless said otherwise."""

    kind: Literal["numeric"] = "numeric"
    name: str
    type: str
    rows: int
    """All rows, missing ones too."""
    missing: int
    """Nulls and NaN."""
    inf: int
    """Values that are plus or minus infinity."""
    mean: float | None
    std: float | None
    """Sample standard deviation (n - 1)."""
    min: float | None
    q25: float | None
    q50: float | None
    q75: float | None
    max: float | None
    edges: tuple[float, ...]
    """21 equal-width edges from min to max; empty where there is no finite value."""
    counts: tuple[int, ...]
    """20 counts on those edges; the last bin is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalStatistics:
    """Counts of a string, boolean or category column."""

    kind: Literal["categorical"] = "categorical"
    name: str
    type: str
    rows: int
    missing: int
    counts: tuple[tuple[str, int], ...]
    """The most frequent categories, most frequent first (ties by name)."""
    other: int
    """Rows of all further categories together."""
    distinct: int
    """How many categories there are in all; at least so many where there are very many."""


ColumnStatistics = NumericStatistics | CategoricalStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRecord(Record):
    """Statistics of a dataset: a model's baseline (its reference), or a batch's own."""

    kind: Literal["statistics"] = "statistics"
    rows: int
    source: tuple[DataFile, ...]
    columns: tuple[ColumnStatistics, ...]
    skipped: dict[str, str]
    """Columns that could not be summarised, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericProfile:
    """A numeric column counted on a reference's edges; two of them add up to that of their rows together."""

    kind: Literal["numeric"] = "numeric"
    name: str
    type: str
    rows: int
    missing: int
    """Nulls and NaN."""
    negative_inf: int
    positive_inf: int
    min: float | None
    """Of the finite values, as the following."""
    max: float | None
    mean: float | None
    """None without a value, or where it overflows."""
    m2: float | None
    """Sum of the squared differences from the mean."""
    counts: str
    """Packed int64: below the first edge, in each bin ``[edge, next edge)``, from the last edge on."""
    sums: str
    """Packed float64: the sum of the values of each of those bins."""

    @property
    def inf(self) -> int:
        """How many values are infinite."""
        return self.negative_inf + self.positive_inf

    @property
    def values(self) -> int:
        """How many values are finite: those that are compared."""
        return self.rows - self.missing - self.inf

    @property
    def std(self) -> float | None:
        """Their sample standard deviation (n - 1)."""
        return None if self.m2 is None or self.values < 2 else math.sqrt(self.m2 / (self.values - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalProfile:
    """A column of categories counted on a reference's categories; two of them add up."""

    kind: Literal["categorical"] = "categorical"
    name: str
    type: str
    rows: int
    missing: int
    counts: str
    """Packed int64: one for each of the reference's categories, in its order."""
    other: int
    """Rows of all other categories."""
    unseen: tuple[tuple[str, int], ...]
    """Some of those others with their rows, the first by name; none where the reference has more than it names."""

    @property
    def values(self) -> int:
        """How many rows have a category."""
        return self.rows - self.missing


ColumnProfile = NumericProfile | CategoricalProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Rows counted on a baseline's edges, column by column; mergeable by addition."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    changed: dict[str, str]
    """Columns whose values are of another kind than the reference's, and their type now."""
    skipped: dict[str, str]
    """Columns that could not be counted, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRecord(Record):
    """The profile of a prediction set's rows, made while they were scored."""

    kind: Literal["profile"] = "profile"
    baseline_uri: str
    """The baseline on whose edges it was counted."""
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericBaseline:
    """A numeric column of the reference, with the edges that all later data are counted on."""

    kind: Literal["numeric"] = "numeric"
    profile: NumericProfile
    edges: str
    """Packed float64, increasing: quantiles of the reference, one-point bins of repeated values, the histogram's."""
    histogram_edges: tuple[float, ...]
    """21 equal-width edges; empty where there is no finite value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalBaseline:
    """A column of categories of the reference."""

    kind: Literal["categorical"] = "categorical"
    profile: CategoricalProfile
    categories: tuple[str, ...]
    """The most frequent ones, most frequent first (ties by name)."""
    distinct: int
    """How many categories there are in all; at least so many where there are very many."""


ColumnBaseline = NumericBaseline | CategoricalBaseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How often the true label was the positive one, by the score: what performance is estimated from."""

    score_column: str
    target_column: str
    positive: str
    """The label that the score is the probability of, as text."""
    decision: float
    """It is predicted for scores at or over this."""
    scores: str
    """Packed float64, increasing: points of the isotonic curve from score to share; empty where none is needed."""
    rates: str
    """Packed float64: the share of the positive label at those points; linear in between."""
    performance: dict[str, float]
    """Accuracy, F1 and ROC AUC on the reference, against its true labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecord(Record):
    """What a model's later data are compared with: one small artifact, made once from the reference."""

    kind: Literal["baseline"] = "baseline"
    rows: int
    source: tuple[DataFile, ...]
    data_sha256: str
    """Of the counted data: two references with the same digest compare alike."""
    model_sha256: str | None
    columns: tuple[ColumnBaseline, ...]
    skipped: dict[str, str]
    """Columns that have no distribution here, and why."""
    inputs: tuple[str, ...] | None
    """Columns that the model takes; None where it is not known: then every column is judged."""
    predictions: tuple[str, ...]
    """Columns that hold the model's predictions."""
    scored: bool
    """Whether those were made by scoring the reference, and did not stand in it."""
    predict_method: str | None = None
    """How it was scored."""
    importances: dict[str, float] | None
    """Column to its share in the model, where the model tells; they sum to 1."""
    calibration: Calibration | None
    targets: tuple[str, ...] = ()
    """Columns of true labels: later data rightly lack them."""
    made_of: str = "rows"
    """What was counted: ``rows``; or in words what else, of which less is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about a column or a batch, its answer, and what follows."""

    name: str
    """``distance``, ``divergence``, ``missing``, ``infinite``, ``range``, ``unseen``; ``type`` and ``gone``, which are
    facts; against earlier runs ``mean``, ``mix``, ``volume``; or a rule's own."""
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
