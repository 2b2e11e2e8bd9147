"""The whole job once a day: load a model, score a batch, analyse drift, log the artifacts; and two variants of it."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, Param, task

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

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


def batch_inference(
    dag_id: str,
    description: str,
    doc: str,
    *,
    asset: str,
    is_gated: bool,
    schedule: str = "@daily",
    artifacts_tag: str | None = None,
) -> DAG:
    """Return the job; where it is gated, drift fails the run once everything is recorded."""
    with DAG(
        dag_id=dag_id,
        description=description,
        doc_md=doc,
        schedule=schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        params={
            "batch": Param("ordinary", type="string", enum=["ordinary", "drifted"], title="Example batch"),
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
            artifacts_tag=artifacts_tag,
            outlets=[Asset(asset)],
        )

        load >> predict >> drift >> log
        if is_gated:
            log >> DriftGateOperator(task_id="gate", drift=drift.output, on_drift="fail")
    return dag


batch_inference(
    "batch_inference_basic",
    "Load a model, score a batch, analyse drift, log the artifacts",
    BASIC,
    asset="tumour_predictions",
    is_gated=False,
)
batch_inference(
    "batch_inference_drift_fails",
    "Fail the run where the batch has drifted, after everything is recorded",
    FAILS,
    asset="checked_tumour_predictions",
    is_gated=True,
)
batch_inference(
    "batch_inference_every_30_minutes",
    "Score a batch every 30 minutes, one run at a time",
    HALF_HOURLY,
    asset="half_hourly_tumour_predictions",
    is_gated=True,
    schedule="*/30 * * * *",
    artifacts_tag="half-hourly",
)
