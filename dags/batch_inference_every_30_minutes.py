"""A job that runs every half hour, one run at a time."""

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

DOC = """
### Every 30 minutes

A run that takes longer than half an hour delays the next one instead of overlapping it (`max_active_runs=1`), and
runs that were missed are not made up for (`catchup=False`). Every artifact is registered under the tag
`half-hourly`, so that the newest one can be found by name and tag.
"""

with DAG(
    dag_id="batch_inference_every_30_minutes",
    description="Score a batch every 30 minutes, one run at a time",
    doc_md=DOC,
    schedule="*/30 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
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
        from airflow_batch_inference.operators.stores import artifact_root

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
        artifacts_tag="half-hourly",
        outlets=[Asset("half_hourly_tumour_predictions")],
    )
    gate = DriftGateOperator(task_id="gate", drift=drift.output, on_drift="fail")

    load >> predict >> drift >> log >> gate
