"""Two jobs by the day: one writes a day's features, the other scores that day, whenever it is written or done again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

try:
    from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable
except ImportError:  # Airflow before 3.2
    CronPartitionTimetable = PartitionedAssetTimetable = None

DAILY_FEATURES = Asset("daily_tumour_features")
DAY = "{{ partition_key | default((logical_date | default(dag_run.run_after, true)) | ds, true) }}"

DOC = """
### A run for each partition

**batch_inference_daily_features** runs at three o'clock for the day before: its runs have a partition key, such as
`2026-11-21`, and so have the asset's events. This DAG has a partitioned schedule: each event starts a run with the same
key, which reads and publishes the folder `day=<key>` and no other. To score a day again, run that day's features again.

On Airflow 3.1, which knows no partitions, both are ordinary schedules, and the day is that of the run.
"""

with DAG(
    dag_id="batch_inference_daily_features",
    description="Write the features of the day before, as a partition of an asset",
    doc_md="Stands in for your own extraction: it writes the example's batch under the day.",
    schedule=CronPartitionTimetable("0 3 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d")
    if CronPartitionTimetable
    else "0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["batch-inference", "example"],
):

    @task(outlets=[DAILY_FEATURES])
    def extract(day: str) -> None:
        """Write one day's features, once."""
        from airflow_batch_inference.example_data import make_example_data
        from airflow_batch_inference.operators import artifact_root, artifact_storage

        storage, folder = artifact_storage(), f"{artifact_root()}/example-data"
        batch = storage.read_bytes(make_example_data(folder, storage)["ordinary"])
        storage.put_new(f"{folder}/features/day={day}/features.parquet", batch)

    extract(DAY)


with DAG(
    dag_id="batch_inference_partitions",
    description="Score each day's features as a partition",
    doc_md=DOC,
    schedule=PartitionedAssetTimetable(assets=DAILY_FEATURES) if PartitionedAssetTimetable else [DAILY_FEATURES],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["batch-inference", "example"],
):

    @task
    def example_data() -> dict[str, Any]:
        """Return the example's model, and the folders of all days."""
        from airflow_batch_inference.example_data import make_example_data
        from airflow_batch_inference.operators import artifact_root

        folder = f"{artifact_root()}/example-data"
        folders = {"features": f"{folder}/features", "published": f"{artifact_root()}/published/by-day"}
        return make_example_data(folder) | folders

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
        dataset="{{ ti.xcom_pull(task_ids='example_data')['features'] }}/day=" + DAY,
    )
    drift = DriftAnalysisOperator(task_id="drift", model=load.output, dataset=predict.output)
    log = LogArtifactsOperator(
        task_id="log",
        artifacts=[load.output, predict.output, drift.output],
        publish_to="{{ ti.xcom_pull(task_ids='example_data')['published'] }}/day=" + DAY,
        outlets=[Asset("daily_tumour_scores")],
    )

    load >> predict >> drift >> log
