"""Two jobs: one extracts features and says so by an asset, the other scores them as soon as they are there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset, Param, task

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

FEATURES = Asset("tumour_features")

DOC = """
### Scoring when the data are there

Scheduled on the asset **tumour_features**: each of its events starts a run, and says in its extra where the new data
lie. No clock is involved, so nothing is scored twice or too early.

The prediction set is published in one step, and announced by the asset **tumour_scores**, whose event has the rows, the
rejected rows, the drift verdict and the proof that no row was lost. On Airflow 3.3 the same is kept as the asset's
state.

Unpause both DAGs and trigger **batch_inference_features**; or trigger this one by hand for the example's batch.
"""

with DAG(
    dag_id="batch_inference_features",
    description="Extract a batch of features, and announce it by an asset",
    doc_md="Stands in for your own extraction: it announces one of the example's batches.",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={"batch": Param("ordinary", type="string", enum=["ordinary", "drifted"], title="Example batch")},
    tags=["batch-inference", "example"],
):

    @task(outlets=[FEATURES])
    def extract(batch: str, outlet_events: Any = None) -> None:  # noqa: ANN401  # Airflow's accessor
        """Write the batch, and say in the event where it lies."""
        from airflow_batch_inference.example_data import make_example_data
        from airflow_batch_inference.operators import artifact_root

        data = make_example_data(f"{artifact_root()}/example-data")
        outlet_events[FEATURES].extra = {"uri": data[batch]}

    extract("{{ params.batch }}")


with DAG(
    dag_id="batch_inference_on_asset",
    description="Score a batch of features as soon as it is announced",
    doc_md=DOC,
    schedule=[FEATURES],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["batch-inference", "example"],
):

    @task
    def arrived(triggering_asset_events: Any = None) -> dict[str, str]:  # noqa: ANN401  # Airflow's accessor
        """Return where the newest announced batch lies; without an event, the example's."""
        from airflow_batch_inference.example_data import make_example_data
        from airflow_batch_inference.operators import artifact_root

        data = make_example_data(f"{artifact_root()}/example-data")
        events = triggering_asset_events.get(FEATURES, []) if triggering_asset_events else []
        newest = max(events, key=lambda event: event.timestamp).extra["uri"] if events else data["ordinary"]
        return data | {"dataset": newest, "published": f"{artifact_root()}/published/on-asset"}

    data = arrived()
    load = LoadModelOperator(
        task_id="load",
        model_uri=data["model_uri"],
        sample_set=data["sample_set"],
        label_columns=["malignant"],
    )
    predict = PredictOperator(task_id="predict", model=load.output, dataset=data["dataset"])
    drift = DriftAnalysisOperator(task_id="drift", model=load.output, dataset=predict.output)
    log = LogArtifactsOperator(
        task_id="log",
        artifacts=[load.output, predict.output, drift.output],
        # A run that an asset has started has no logical date.
        publish_to="{{ ti.xcom_pull(task_ids='arrived')['published'] }}"
        "/day={{ (logical_date | default(dag_run.run_after, true)) | ds }}",
        outlets=[Asset("tumour_scores")],
    )

    load >> predict >> drift >> log
