"""From a prediction set with labels to the record of its evaluation.

Invariants: what is evaluated is what was committed; and the same prediction set and spec always give
the same record.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.evaluation.classification import evaluate_classes
from airflow_batch_inference.evaluation.labelled_predictions import (
    Classes,
    by_methods,
    classified_rows,
    infer_problem_type,
    numbers_of,
    require_outputs,
)
from airflow_batch_inference.evaluation.limits import judge
from airflow_batch_inference.evaluation.measuring import mean_of
from airflow_batch_inference.evaluation.regression import evaluate_numbers
from airflow_batch_inference.exceptions import EmptyDatasetError
from airflow_batch_inference.records import EvaluationRecord, fingerprint
from airflow_batch_inference.sources.registry import open_dataset

if TYPE_CHECKING:
    from airflow_batch_inference.evaluation.labelled_predictions import LabelledPredictions
    from airflow_batch_inference.evaluation.spec import EvaluationSpec
    from airflow_batch_inference.records import OutputEvaluation, PredictionSetRecord, Problem
    from airflow_batch_inference.storage.store import Storage

_OTHER_DATA = (
    "The earlier evaluation was made on other files, or they have been written again: differences may be the data's."
)
_SHOWN = 5
_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A committed prediction set with labels, and the model that made it.

    Attributes
    ----------
    uri, record
        The commit.
    model_name
        For the report.
    methods
        Those that the model was called with.
    classes
        What is known of the model's.
    """

    uri: str
    record: PredictionSetRecord
    model_name: str
    methods: tuple[str, ...]
    classes: Classes


def evaluate(scored: Scored, spec: EvaluationSpec, storage: Storage) -> EvaluationRecord:
    """Compare a prediction set with its labels and judge the metrics.

    Raises
    ------
    EmptyDatasetError
        Some output has no row with a label.
    SignatureMismatchError
        The labels are none of the model's classes, or no numbers.
    ConfigurationError
        A metric is none of the problem's, or the label columns are not as many as the model's outputs.
    """
    labelled = _read(scored, spec, storage)
    problem = spec.problem or infer_problem_type(labelled)
    outputs, decision = _outputs(labelled, problem, scored, spec)
    notes = _notes(outputs, scored)
    names = tuple(outputs[0].metrics)
    metrics, undefined = (outputs[0].metrics, outputs[0].undefined) if len(outputs) == 1 else mean_of(outputs, names)
    baseline_uri, baseline = spec.baseline or (None, None)
    verdicts = judge(spec.limits, metrics, undefined, baseline.metrics if baseline else {})
    record, data = scored.record, fingerprint([asdict(file) for file in scored.record.dataset])
    if baseline is not None and baseline.dataset_sha256 != data:
        notes = (*notes, _OTHER_DATA)
    return EvaluationRecord(
        task=record.task,
        problem=problem,
        model_name=scored.model_name,
        model_uri=record.model_uri,
        model_sha256=record.model_sha256,
        model_flavor=record.model_flavor,
        model_record_uri=record.model_record_uri,
        predictions_uri=scored.uri,
        dataset_uris=record.dataset_uris,
        dataset_sha256=data,
        batch_id=record.batch_id,
        rows=record.rows_out,
        rows_rejected=record.rows_rejected,
        decision_threshold=decision,
        metrics=metrics,
        undefined=undefined,
        outputs=outputs,
        verdicts=verdicts,
        passed=all(verdict.passed for verdict in verdicts),
        notes=notes,
        baseline_evaluation_uri=baseline_uri,
        baseline_metrics={} if baseline is None else baseline.metrics,
        metrics_uri=None,
        report_uri=None,
    )


def _read(scored: Scored, spec: EvaluationSpec, storage: Storage) -> LabelledPredictions:
    """Read labels and predictions back; the inputs are not read."""
    record = scored.record
    names = [*spec.label_columns, *record.label_columns]
    dataset = open_dataset([part.uri for part in record.parts], storage)
    table = dataset.select(names).whole() if dataset.schema.names else pa.table({})
    columns = dict(zip(table.column_names, table.columns, strict=True))
    empty = pa.chunked_array([], type=pa.null())
    labels = [columns.get(name, empty) for name in spec.label_columns]
    predictions = [columns.get(name, empty) for name in record.label_columns]
    own = scored.classes.own
    return by_methods(labels, predictions, scored.methods, None if own is None else len(own))


def _outputs(
    labelled: LabelledPredictions, problem: Problem, scored: Scored, spec: EvaluationSpec
) -> tuple[tuple[OutputEvaluation, ...], float | None]:
    """Return each output's evaluation, and from which probability on the positive class was predicted, if by one."""
    if problem == "regression" or (not labelled.probabilities and labelled.scores is None):
        require_outputs(labelled, spec.label_columns)
    if problem == "regression":
        return tuple(_numbers(labelled, place, spec) for place in range(len(labelled.labels))), None
    return _classes(labelled, scored, spec)


def _numbers(labelled: LabelledPredictions, place: int, spec: EvaluationSpec) -> OutputEvaluation:
    column = spec.label_columns[place]
    actual = numbers_of(labelled.labels[place], column)
    predicted = numbers_of(labelled.predicted[place], "predict")
    has_label = np.isfinite(actual)
    _require_rows(has_label.sum(), column, len(actual))
    return evaluate_numbers(
        actual[has_label],
        predicted[has_label],
        label_column=column,
        rows_without_label=int((~has_label).sum()),
        wanted=spec.wanted("regression", None),
    )


def _classes(
    labelled: LabelledPredictions, scored: Scored, spec: EvaluationSpec
) -> tuple[tuple[OutputEvaluation, ...], float | None]:
    # Of several outputs nobody has said the classes.
    known = scored.classes if len(labelled.labels) == 1 else Classes(decision=spec.decision_threshold)
    found = []
    for place, (column, labels) in enumerate(zip(spec.label_columns, labelled.labels, strict=True)):
        rows, without = classified_rows(labelled, place, column, known)
        _require_rows(len(rows.actual), column, len(labels))
        found.append((column, rows, without))
    # The mean is taken over the same metrics, however many classes each output has.
    wanted = spec.wanted("classification", max(rows.known for _, rows, _ in found))
    outputs = tuple(
        evaluate_classes(rows, label_column=column, rows_without_label=without, wanted=wanted)
        for column, rows, without in found
    )
    return outputs, found[0][1].decision


def _require_rows(labelled: int, column: str, rows: int) -> None:
    if not labelled:
        message = (
            f"None of the {rows} scored rows has a label in {column!r}, so nothing can be evaluated. Check the task "
            "that writes the labels, or set on_empty to 'skip'."
        )
        raise EmptyDatasetError(message)


def _notes(outputs: tuple[OutputEvaluation, ...], scored: Scored) -> tuple[str, ...]:
    """Return what to know of how the numbers came about."""
    notes = []
    if scored.classes.own is None and outputs[0].calibration:
        order = ", ".join(outputs[0].classes[:_SHOWN]) + ", …" * (len(outputs[0].classes) > _SHOWN)
        notes.append(f"The model does not say its classes; its probabilities were taken in the order {order}.")
    unknown = sum(output.rows_of_unknown_class for output in outputs)
    if unknown:
        notes.append(f"{unknown:,} rows have a label that the model does not know; they count as errors.")
    return tuple(note[:_MOST_CHARACTERS] for note in notes)
