"""A daily job whose last task fails where the batch has drifted: nothing downstream may run on it."""

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
### Drift fails the run

The gate is the last task: the predictions, the drift result and its report are written and registered before it
turns drift into a failed run, so there is always something to look at. Trigger it with **batch** = drifted to see.

The gate fails without a retry: the same data would drift again.
"""

with DAG(
    dag_id="batch_inference_drift_fails",
    description="Fail the run where the batch has drifted, after everything is recorded",
    doc_md=DOC,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
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
        outlets=[Asset("checked_tumour_predictions")],
    )
    gate = DriftGateOperator(task_id="gate", drift=drift.output, on_drift="fail")

    load >> predict >> drift >> log >> gate
