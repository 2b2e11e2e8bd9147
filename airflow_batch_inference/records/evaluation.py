"""The record of an evaluation: what a model's predictions for a labelled set are worth, and whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_batch_inference.records.base import Record, TaskKey

Problem = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEvaluation:
    """One class against all others."""

    name: str
    rows: int
    """Rows that have it as their label."""
    metrics: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often each class was taken for which, rows by their labels and columns by the predictions."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    merged: int
    """How many classes the last one stands for; 0: each stands for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A thinned ROC curve (false positive rate, recall) or precision-recall curve (recall, precision) of a class."""

    kind: Literal["roc", "precision_recall"]
    name: str
    area: float | None
    """ROC AUC, or the average precision; of all rows, not of the thinned curve."""
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Rows of about one probability: what was promised, and what came."""

    rows: int
    predicted: float
    """Their mean probability."""
    observed: float
    """The share of them for which it came true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """A regression's errors (actual - predicted) in bins; values beyond the ends count at the ends."""

    quantiles: dict[str, float]
    low: float
    high: float
    counts: tuple[int, ...]
    """Of residuals in bins of equal width from ``low`` to ``high``."""
    density_low: float
    density_high: float
    density_bins: int
    density: tuple[tuple[int, int, int], ...]
    """(actual, predicted, rows) of every filled cell: the bins of both axes run from the one end to the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEvaluation:
    """One of the model's outputs against its column of labels."""

    label_column: str
    rows: int
    """Rows that were compared: with a label and a prediction."""
    rows_without_label: int
    rows_of_unknown_class: int
    """Rows whose label is no class of the model: they are compared, and count as errors."""
    classes: tuple[str, ...]
    """In the order of the model's probabilities; empty for a regression."""
    positive_class: str | None
    metrics: dict[str, float | None]
    undefined: dict[str, str]
    """Metric to the reason why it has no value."""
    per_class: tuple[ClassEvaluation, ...]
    confusion: Confusion | None
    curves: tuple[Curve, ...]
    calibration: tuple[CalibrationBin, ...]
    residuals: Residuals | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVerdict:
    """Whether one metric keeps within one limit."""

    metric: str
    value: float | None
    least: float | None
    most: float | None
    baseline: float | None
    """The earlier evaluation's value, where the limit comes from that; None: it was set by itself."""
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord(Record):
    """What a model's predictions for a labelled set are worth, and whether that is enough."""

    kind: Literal["evaluation"] = "evaluation"
    task: TaskKey
    problem: Problem
    model_name: str
    model_uri: str
    model_sha256: str
    model_flavor: str
    model_record_uri: str | None
    predictions_uri: str
    """The prediction set, with the labels."""
    dataset_uris: tuple[str, ...]
    dataset_sha256: str
    """Of the input files' names, sizes and versions: whether two evaluations saw the same data."""
    batch_id: str
    rows: int
    rows_rejected: int
    """Rows that could not be scored; they are not evaluated."""
    decision_threshold: float | None
    """Of the positive class's probability; None: the model's own classes were taken."""
    metrics: dict[str, float | None]
    """The output's, or the mean over several outputs."""
    undefined: dict[str, str]
    outputs: tuple[OutputEvaluation, ...]
    verdicts: tuple[MetricVerdict, ...]
    passed: bool
    notes: tuple[str, ...]
    """What a reader should know of how the numbers came about."""
    baseline_evaluation_uri: str | None
    baseline_metrics: dict[str, float | None]
    metrics_uri: str | None
    report_uri: str | None

    def __post_init__(self) -> None:
        """Refuse a verdict that its parts do not make."""
        if self.passed != all(verdict.passed for verdict in self.verdicts):
            message = f"the evaluation of {self.model_name!r} does not agree with its verdicts"
            raise ValueError(message)
