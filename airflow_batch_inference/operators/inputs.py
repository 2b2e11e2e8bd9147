"""The records that a task is given by URI: read, and refused by name where they are of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import (
    BaselineRecord,
    DriftResult,
    EvaluationRecord,
    ModelRecord,
    PredictionSetRecord,
    ProfileRecord,
    Record,
)
from airflow_batch_inference.storage import is_record_uri

if TYPE_CHECKING:
    from airflow_batch_inference.storage import Storage

_NAMES: dict[type[Record], tuple[str, str]] = {
    ModelRecord: ("model record", "Give the output of a LoadModelOperator"),
    PredictionSetRecord: ("prediction set", "Give the output of a PredictOperator"),
    DriftResult: ("drift result", "Give the output of a DriftAnalysisOperator"),
    EvaluationRecord: ("evaluation", "Give the output of an EvaluateModelOperator"),
    BaselineRecord: (
        "baseline",
        "Run the task that loads the model again, or give the output of `airflow batch-inference baseline`",
    ),
    ProfileRecord: ("profile", "Run the task that scored the data again"),
}

R = TypeVar("R", ModelRecord, PredictionSetRecord, DriftResult, EvaluationRecord, BaselineRecord, ProfileRecord)


def read(kind: type[R], argument: str, uri: str, storage: Storage) -> R:
    """Return the record of a kind that an argument names.

    Raises
    ------
    ConfigurationError
        It is of another kind, or no record at all.
    """
    record = storage.read_record(uri) if is_record_uri(uri) else None
    if not isinstance(record, kind):
        name, advice = _NAMES[kind]
        message = f"{argument} is {uri}, which is no {name}. {advice}."
        raise ConfigurationError(message)
    return record
