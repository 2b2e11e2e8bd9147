"""A daily job that has to be done within an hour; who waits for it is told if it is not, and of drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param, task

# Airflow 3.1 has them here only.
from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

from airflow_batch_inference.notifications import BatchInferenceNotifier
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

DOC = """
### A deadline, and who is told

The run has to end within an hour of its logical date. If it does not, the triggerer sends a message; so does the gate
where the batch has drifted, at most once in twelve hours for the same verdict. Make the connection **scoring_alerts**
(*Slack Incoming Webhook*) for both, or give the notifier `email_to` or `webhook_conn_id` in its place. Without that
connection a message that cannot be sent is in the log, and the run goes on.

Trigger it, or let the scheduler start it: `airflow dags test` of Airflow 3.1 to 3.3 fails on every DAG with a deadline.
"""
WHERE = {"slack_webhook_conn_id": "scoring_alerts", "cooldown_s": 12 * 60 * 60}

with DAG(
    dag_id="batch_inference_deadline",
    description="Score a batch within an hour, or tell who waits for it",
    doc_md=DOC,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(hours=1),
        callback=AsyncCallback(BatchInferenceNotifier, kwargs=WHERE),
    ),
    params={
        "batch": Param("ordinary", type="string", enum=["ordinary", "drifted"], title="Example batch"),
        "dataset": Param(None, type=["null", "string"], title="Your own dataset's URI, instead of the example"),
        "drift_threshold": Param(0.2, type="number", minimum=0, title="Drift from so many standard deviations on"),
    },
    tags=["batch-inference", "example"],
):

    @task
    def example_data() -> dict[str, str]:
        """Write the example's model and batches below the artifact root, where they are not there yet."""
        from airflow_batch_inference.example_data import make_example_data
        from airflow_batch_inference.operators import artifact_root

        return make_example_data(f"{artifact_root()}/example-data")

    data = example_data()
    load = LoadModelOperator(
        task_id="load",
        model_uri=data["model_uri"],
        sample_set=data["sample_set"],
        label_columns=["malignant"],
    )
    predict = PredictOperator(
        task_id="predict",
        model=load.output,
        dataset="{{ params.dataset or ti.xcom_pull(task_ids='example_data')[params.batch] }}",
    )
    drift = DriftAnalysisOperator(
        task_id="drift",
        model=load.output,
        dataset=predict.output,
        drift_threshold="{{ params.drift_threshold }}",
    )
    log = LogArtifactsOperator(
        task_id="log",
        artifacts=[load.output, predict.output, drift.output],
        outlets=[Asset("punctual_tumour_predictions")],
    )
    gate = DriftGateOperator(
        task_id="gate", drift=drift.output, on_drift="alert", notifiers=[BatchInferenceNotifier(**WHERE)]
    )

    load >> predict >> drift >> log >> gate
