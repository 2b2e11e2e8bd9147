"""Two jobs: one scores a batch every day, the other retrains the model, but only after a batch that has drifted."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param, task

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

log = logging.getLogger(__name__)

DRIFTED = AssetAlias("tumours_drifted")

DOC = """
### Drift asks for retraining

The gate has the outlet `AssetAlias("tumours_drifted")`, which gets an event only where drift was detected, with the
verdict in its extra. **batch_inference_retrain** is scheduled on that alias. The gate alerts and succeeds: Airflow
emits no event of a task that fails or skips.

Unpause both DAGs, and trigger this one with **batch** = drifted to see.
"""
DOC_RETRAIN = """
### Retraining after drift

Runs when **batch_inference_retraining** has seen drift; the verdict comes with the event. Put your own training in the
place of the last task.
"""

with DAG(
    dag_id="batch_inference_retraining",
    description="Score a batch, and ask for retraining where it has drifted",
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
    log_artifacts = LogArtifactsOperator(
        task_id="log",
        artifacts=[load.output, predict.output, drift.output],
    )
    gate = DriftGateOperator(
        task_id="gate",
        drift=drift.output,
        on_drift="alert",
        outlets=[DRIFTED, Asset("tumour_drift_verdicts")],
    )

    load >> predict >> drift >> log_artifacts >> gate


with DAG(
    dag_id="batch_inference_retrain",
    description="Retrain the model after a batch that has drifted",
    doc_md=DOC_RETRAIN,
    schedule=[DRIFTED],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # Several drifted batches that wait together are one reason to train.
    max_active_runs=1,
    tags=["batch-inference", "example"],
):

    @task
    def read_verdict(triggering_asset_events: Any = None) -> dict[str, Any]:  # noqa: ANN401  # Airflow's accessor
        """Return the newest verdict among the events that this run was started for."""
        events = triggering_asset_events.get(DRIFTED, []) if triggering_asset_events else []
        if not events:
            log.warning("No drift event has started this run (triggered by hand?): there is no verdict")
            return {}
        verdict: dict[str, Any] = max(events, key=lambda event: event.timestamp).extra
        log.info(
            "%d event(s). %s in batch %s: %s Report: %s",
            len(events),
            verdict["drift_status"],
            verdict["batch_id"],
            verdict["reasons"],
            verdict["report_uri"],
        )
        return verdict

    @task
    def retrain(verdict: dict[str, Any]) -> None:
        """Stand in for your training."""
        log.info("Here a model would be trained anew; columns that have drifted: %s", verdict.get("drifted_columns"))

    retrain(read_verdict())
