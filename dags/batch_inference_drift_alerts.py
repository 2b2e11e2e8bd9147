"""A daily job that publishes its predictions whatever happens, and tells somebody where they have drifted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Asset, BaseNotifier, Param, task

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class LogNotifier(BaseNotifier):
    """Writes to the task's log; put your Slack, SMTP or PagerDuty notifier in its place."""

    template_fields = ("message",)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Context) -> None:
        """Write the message to the log."""
        self.log.warning("%s (%s)", self.message, context["run_id"])


DOC = """
### Drift alerts

The prediction set is published in one step and the run stays green; where the batch has drifted, the gate calls
every notifier it was given (any Airflow notifier: Slack, SMTP, PagerDuty) and logs a warning.

The example batch here is the drifted one.
"""

with DAG(
    dag_id="batch_inference_drift_alerts",
    description="Alert somebody where the batch has drifted, and publish the predictions anyway",
    doc_md=DOC,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "batch": Param("drifted", type="string", enum=["ordinary", "drifted"], title="Example batch"),
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
        publish_to="{{ ti.xcom_pull(task_ids='example_data')['published'] }}"
        "/day={{ (logical_date | default(dag_run.run_after, true)) | ds }}",
        outlets=[Asset("published_tumour_predictions")],
    )
    gate = DriftGateOperator(
        task_id="gate",
        drift=drift.output,
        on_drift="alert",
        notifiers=[LogNotifier("Tumours: {{ drift.status }}. {{ drift.reasons }} See {{ drift.report_uri }}")],
    )

    load >> predict >> drift >> log >> gate
