"""The whole job once a day: load a model, score a batch, analyse drift, log the artifacts; and four variants of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, BaseNotifier, Param, task

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

if TYPE_CHECKING:
    from airflow.sdk import Context

BASIC = """
### Basic batch inference

Scores a batch with a LightGBM model, compares it with the model's reference, column by column, and registers the
prediction set, the drift result and its report. Drift is recorded and shown; it stops nothing here.

For your own data give **dataset** in the form: a file, a folder or a glob of Parquet, CSV, Arrow or JSON lines that
has the model's columns.
"""
FAILS = """
### Drift fails the run

The gate is the last task: the predictions, the drift result and its report are written and registered before it
turns drift into a failed run, so there is always something to look at. Trigger it with **batch** = drifted to see.

The gate fails without a retry: the same data would drift again.
"""
HALF_HOURLY = """
### Every 30 minutes

A run that takes longer than half an hour delays the next one instead of overlapping it (`max_active_runs=1`), and
runs that were missed are not made up for (`catchup=False`). Every artifact is registered under the tag
`half-hourly`, so that the newest one can be found by name and tag.
"""


ALERTS = """
### Drift alerts

The prediction set is published in one step and the run stays green; where the batch has drifted, the gate calls
every notifier it was given (any Airflow notifier: Slack, SMTP, PagerDuty) and logs a warning.

The example batch here is the drifted one.
"""
DEADLINE = """
### A deadline, and who is told

The run has to end within an hour of its logical date. If it does not, the triggerer sends a message; so does the gate
where the batch has drifted, at most once in twelve hours for the same verdict. Make the connection **scoring_alerts**
(*Slack Incoming Webhook*) for both, or give the notifier `email_to` or `webhook_conn_id` in its place. Without that
connection a message that cannot be sent is in the log, and the run goes on.

Trigger it, or let the scheduler start it: `airflow dags test` of Airflow 3.1 to 3.3 fails on every DAG with a deadline.
"""
PUBLISHED = (
    "{{ ti.xcom_pull(task_ids='example_data')['published'] }}"
    "/day={{ (logical_date | default(dag_run.run_after, true)) | ds }}"
)
WAITING = {"slack_webhook_conn_id": "scoring_alerts", "cooldown_s": 12 * 60 * 60}


class LogNotifier(BaseNotifier):
    """Writes to the task's log; put your Slack, SMTP or PagerDuty notifier in its place."""

    template_fields = ("message",)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Context) -> None:
        """Write the message to the log."""
        self.log.warning("%s (%s)", self.message, context["run_id"])


def batch_inference(
    dag_id: str,
    description: str,
    doc: str,
    *,
    asset: str,
    gate: dict[str, Any] | None = None,
    batch: str = "ordinary",
    schedule: str = "@daily",
    artifacts_tag: str | None = None,
    is_published: bool = False,
    deadline: DeadlineAlert | None = None,
) -> DAG:
    """Return the job; where it has a gate, the verdict means something once everything is recorded."""
    with DAG(
        dag_id=dag_id,
        description=description,
        doc_md=doc,
        schedule=schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        deadline=deadline,
        params={
            "batch": Param(batch, type="string", enum=["ordinary", "drifted"], title="Example batch"),
            "dataset": Param(None, type=["null", "string"], title="Your own dataset's URI, instead of the example"),
            "drift_threshold": Param(0.2, type="number", minimum=0, title="Drift from so many standard deviations on"),
        },
        tags=["batch-inference", "example"],
    ) as dag:

        @task
        def example_data() -> dict[str, str]:
            """Write the example's model and batches below the artifact root, where they are not there yet."""
            from airflow_batch_inference.example_data import make_example_data
            from airflow_batch_inference.operators import artifact_root

            published = f"{artifact_root()}/published/tumours"
            return make_example_data(f"{artifact_root()}/example-data") | {"published": published}

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
            artifacts_tag=artifacts_tag,
            publish_to=PUBLISHED if is_published else None,
            outlets=[Asset(asset)],
        )

        load >> predict >> drift >> log
        if gate is not None:
            log >> DriftGateOperator(task_id="gate", drift=drift.output, **gate)
    return dag


batch_inference(
    "batch_inference_basic",
    "Load a model, score a batch, analyse drift, log the artifacts",
    BASIC,
    asset="tumour_predictions",
)
batch_inference(
    "batch_inference_drift_fails",
    "Fail the run where the batch has drifted, after everything is recorded",
    FAILS,
    asset="checked_tumour_predictions",
    gate={"on_drift": "fail"},
)
batch_inference(
    "batch_inference_every_30_minutes",
    "Score a batch every 30 minutes, one run at a time",
    HALF_HOURLY,
    asset="half_hourly_tumour_predictions",
    gate={"on_drift": "fail"},
    schedule="*/30 * * * *",
    artifacts_tag="half-hourly",
)
batch_inference(
    "batch_inference_drift_alerts",
    "Alert somebody where the batch has drifted, and publish the predictions anyway",
    ALERTS,
    asset="published_tumour_predictions",
    batch="drifted",
    gate={
        "on_drift": "alert",
        "notifiers": [LogNotifier("Tumours: {{ drift.status }}. {{ drift.reasons }} See {{ drift.report_uri }}")],
    },
    is_published=True,
)
batch_inference(
    "batch_inference_deadline",
    "Score a batch within an hour, or tell who waits for it",
    DEADLINE,
    asset="punctual_tumour_predictions",
    gate={"on_drift": "alert", "notifiers": [BatchInferenceNotifier(**WAITING)]},
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(hours=1),
        callback=AsyncCallback(BatchInferenceNotifier, kwargs=WAITING),
    ),
)
