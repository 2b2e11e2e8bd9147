"""Which types a scoring job wants of the columns of text files.

Invariants: what a model takes as text is read as text, and a baseline never makes a number of a column
that no model takes: an identifier would lose its digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.records import ColumnSpec, ReadOptions
from airflow_batch_inference.schema.column_types import ANY, arrow_type, is_number

if TYPE_CHECKING:
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.records import BaselineRecord, CsvOptions, ModelRecord


def model_reading(record: ModelRecord | None, csv: CsvOptions) -> ReadOptions:
    """Return how rows for a model are read: with the types of its inputs."""
    return ReadOptions(csv=csv, types=_inputs(record))


def request_reading(request: ScoringRequest) -> ReadOptions:
    """Return how a job's dataset is read: the models' types first, then those of labels and of the baseline."""
    others = request.types if request.baseline is None else (*request.types, *_kinds(request.baseline))
    known = [spec for spec in (*_inputs(request.record), *request.models.further_inputs()) if spec.type != ANY]
    return ReadOptions(csv=request.options.csv, types=(*known, *others))


def baseline_reading(baseline: BaselineRecord | None, record: ModelRecord | None, csv: CsvOptions) -> ReadOptions:
    """Return how rows are read that are compared with a baseline: with its types, then a model's."""
    columns = () if baseline is None else baseline.columns
    own = [ColumnSpec(name=column.profile.name, type=column.profile.type) for column in columns]
    return ReadOptions(csv=csv, types=(*own, *_inputs(record)))


def _inputs(record: ModelRecord | None) -> tuple[ColumnSpec, ...]:
    return () if record is None else record.inputs or ()


def _kinds(baseline: BaselineRecord) -> list[ColumnSpec]:
    """Return the columns of text and of times."""
    specs = [ColumnSpec(name=column.profile.name, type=column.profile.type) for column in baseline.columns]
    return [spec for spec in specs if (kind := arrow_type(spec.type)) is not None and not is_number(kind)]
