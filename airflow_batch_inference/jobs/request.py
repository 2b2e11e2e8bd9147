"""What a scoring job is asked for: the options, the destination, the request."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_batch_inference.jobs.plan import BATCH_BYTES
from airflow_batch_inference.processes.surroundings import require_variables
from airflow_batch_inference.records import CsvOptions
from airflow_batch_inference.storage.uris import task_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.checks.checks import Check
    from airflow_batch_inference.predictors.explanations import Explain
    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.records import BaselineRecord, ColumnSpec, ModelRecord, TaskKey
    from airflow_batch_inference.trees.fast_model import Accelerate


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """All that determines a prediction set besides the model and the input."""

    name: str = "prediction"
    drop_columns: tuple[str | int, ...] = ()
    feature_columns: tuple[str, ...] | None = None
    label_columns: tuple[str, ...] | None = None
    passthrough_columns: Literal["all"] | tuple[str, ...] | None = "all"
    predict_method: str | tuple[str, ...] = "predict"
    predict_kwargs: Mapping[str, Any] = field(default_factory=dict)
    on_mismatch: Mapping[str, str] = field(default_factory=dict)
    """Input, or ``"*"`` for all others, to what happens to values that do not fit it."""
    keep: bool = True
    decision_threshold: float | None = None
    explain: Explain | None = None
    layout: str | None = None
    """A name of :mod:`~airflow_batch_inference.jobs.output_layout`; None: the input's columns, then the predictions."""
    layout_arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the layout is given, of plain JSON types."""
    checks: tuple[Check, ...] = ()
    csv: CsvOptions = field(default_factory=CsvOptions)
    """What CSV files look like."""
    time_ms: int | None = None
    """The run's time, in milliseconds since 1970 in UTC: the same for each try."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are called on each mini-batch, in the order of their columns."""
        return (self.predict_method,) if isinstance(self.predict_method, str) else self.predict_method


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPolicy:
    """What happens to rows that cannot be scored.

    Attributes
    ----------
    error_threshold
        How many rows may be rejected; -1: any number; None: see ``max_rejected_fraction``. With neither, none may.
    max_rejected_fraction
        Which share of the input rows may be rejected, from 0 to 1. Where both are given, both hold.
    allow_nan
        Whether a prediction may be NaN or missing; if not, its row is rejected.
    redact_columns
        Columns of which the quarantine holds SHA-256 digests instead of values.
    """

    error_threshold: int | None = None
    max_rejected_fraction: float | None = None
    allow_nan: bool = False
    redact_columns: tuple[str, ...] = ()

    @property
    def is_tolerant(self) -> bool:
        """Whether any row may be rejected."""
        return self.most(None) != 0

    def most(self, rows: int | None) -> int | None:
        """Return how many of so many rows may be rejected; None: any number, or not known without the rows.

        Examples
        --------
        >>> RowPolicy().most(1000), RowPolicy(max_rejected_fraction=0.01, error_threshold=50).most(1000)
        (0, 10)
        """
        limits = []
        if self.error_threshold is None and self.max_rejected_fraction is None:
            limits.append(0)
        if self.error_threshold is not None and self.error_threshold >= 0:
            limits.append(self.error_threshold)
        if self.max_rejected_fraction is not None and (rows is not None or self.max_rejected_fraction == 0):
            limits.append(math.floor(self.max_rejected_fraction * (rows or 0) + 1e-9))  # 0.29 * 100 is 28.999…
        return min(limits, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a prediction set goes, and who writes it."""

    root: str
    task: TaskKey
    attempt: str
    """Unique for each try; part of the names of its files."""
    try_id: str
    """Ids of later tries of the task instance sort after those of earlier ones."""
    batch_id: str

    @property
    def folder(self) -> str:
        """The task instance's folder."""
        return task_folder(self.root, self.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRequest:
    """A scoring job as it is asked for.

    Attributes
    ----------
    models
        What it is scored with, one model or several.
    dataset
        What :func:`~airflow_batch_inference.sources.registry.open_dataset` takes.
    rows_per_batch
        Rows a predict call, or ``"auto"``; the output does not depend on it.
    on_empty
        What no row at all means: ``"succeed"`` commits a valid, empty prediction set.
    policy
        What happens to rows that cannot be scored.
    alignment_check_rows
        How many rows of the first part and each eighth after it are scored a second time, alone, and compared; 0: none.
    baseline
        The model's: the rows are counted on it while they are scored, so that drift costs no second reading.
    batch_bytes
        About how much memory a mini-batch takes, where ``rows_per_batch`` is ``"auto"``.
    accelerate
        Whether a kernel scores tree ensembles; the output has the same bits, so it does not depend on it.
    types
        Of columns that no model takes, in text files, where somebody knows them.
    environment
        Variables that are set in worker processes before the model is loaded; with any, it is loaded nowhere else.
    """

    models: ModelGraph
    dataset: object
    options: ScoringOptions
    destination: Destination
    rows_per_batch: int | str = "auto"
    on_empty: Literal["fail", "succeed"] = "fail"
    policy: RowPolicy = field(default_factory=RowPolicy)
    alignment_check_rows: int = 0
    baseline: BaselineRecord | None = None
    batch_bytes: int = BATCH_BYTES
    accelerate: Accelerate = "auto"
    types: tuple[ColumnSpec, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_variables(self.environment)

    @property
    def record(self) -> ModelRecord:
        """That of the model which takes the dataset's columns."""
        return self.models.first.record
