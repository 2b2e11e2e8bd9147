"""Records of data counted: a dataset's statistics, a batch's profile, and the baseline that profiles are counted on.

Arrays of counts and sums are packed (:mod:`~airflow_batch_inference.drift.packing`): base64 of zlib of little-endian
int64 or float64, so that a column takes some kilobytes whatever its rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from airflow_batch_inference.records.base import DataFile, Record


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
