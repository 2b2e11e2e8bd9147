"""Store an evaluation: the metrics as JSON, the page, and last the record that names them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.reports.evaluation_html import metrics_json, render_evaluation_report

if TYPE_CHECKING:
    from airflow_batch_inference.records import EvaluationRecord
    from airflow_batch_inference.storage.store import Storage


def store_evaluation(evaluation: EvaluationRecord, *, folder: str, storage: Storage) -> tuple[str, EvaluationRecord]:
    """Write an evaluation's artifacts and return the record's URI and the completed record.

    Parameters
    ----------
    evaluation
        From :func:`~airflow_batch_inference.evaluation.evaluate.evaluate`.
    folder
        The task's folder in the artifact store; every file there is named after its content.
    storage
        Reaches it.
    """
    provenance = {
        "Model": evaluation.model_name,
        "DAG": evaluation.task.dag_id,
        "Run": evaluation.task.run_id,
        "Batch": evaluation.batch_id,
        "Dataset": ", ".join(evaluation.dataset_uris),
        "Labels": ", ".join(output.label_column for output in evaluation.outputs),
        "Model file": evaluation.model_uri,
        "Model SHA-256": evaluation.model_sha256,
        "Predictions": evaluation.predictions_uri,
        "Earlier evaluation": evaluation.baseline_evaluation_uri or "",
    }
    flat = storage.put_content(folder, "evaluation_metrics", ".json", metrics_json(evaluation))
    report = render_evaluation_report(evaluation, provenance=provenance).encode()
    report_uri = storage.put_content(folder, "evaluation_report", ".html", report)
    completed = replace(evaluation, metrics_uri=flat, report_uri=report_uri)
    return storage.put_record(folder, "evaluation", completed), completed
