"""What a scoring job is asked for: the options, the destination, the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_batch_inference.storage import task_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import ModelRecord, TaskKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """All that determines a prediction set besides the model and the input."""

    name: str = "prediction"
    drop_columns: tuple[str | int, ...] = ()
    feature_columns: tuple[str, ...] | None = None
    label_columns: tuple[str, ...] | None = None
    passthrough_columns: Literal["all"] | tuple[str, ...] | None = "all"
    predict_method: str = "predict"
    predict_kwargs: Mapping[str, Any] = field(default_factory=dict)
    output_format: str = "parquet"
    keep: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a prediction set goes, and who writes it."""

    root: str
    task: TaskKey
    attempt: str
    """Unique for each try; part of the names of its files."""
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
    model, record
        The loaded model and its record.
    model_record_uri
        Where the record lies, for provenance; None for a model that was given by its own URI.
    dataset
        What :func:`~airflow_batch_inference.datasets.dataset.open_dataset` takes.
    rows_per_batch
        Rows a predict call, or ``"auto"``; the output does not depend on it.
    on_empty
        What no row at all means: ``"succeed"`` commits a valid, empty prediction set.
    """

    model: LoadedModel
    record: ModelRecord
    model_record_uri: str | None
    dataset: object
    options: ScoringOptions
    destination: Destination
    rows_per_batch: int | str = "auto"
    on_empty: Literal["fail", "succeed"] = "fail"
