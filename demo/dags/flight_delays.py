"""Score a day or a week of flights with one of two models, and stop where they have drifted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

DATA = "{{ var.value.flight_data }}"

OF_THE_DAY = {"possible_drift_threshold": 2.5, "drift_threshold": 3.0, "range": 1.0}

DOC = """
### Which flights will arrive more than 15 minutes late?

Two models were trained on January to March 2013: LightGBM (`late` is a probability) and a scikit-learn pipeline
(`late` is 0 or 1). The batches are the days of April and the weeks of July.

The weather of one day is never that of three months, and the predictions follow it, so these columns have limits of
their own: they count as drifted where they lie three standard deviations off. All others have the rule's limits, and
none of them ever passes one. Measured with both models: 28 of April's 30 days go through, all four weeks of July are
stopped.
"""

with DAG(
    dag_id="flight_delays",
    description="Score a day or a week of real flights; stop where they have drifted",
    doc_md=DOC,
    schedule=None,
    start_date=datetime(2013, 4, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 1, "retry_delay": timedelta(seconds=10)},
    params={
        "model": Param("lightgbm.txt", type="string", enum=["lightgbm.txt", "sklearn.skops"], title="Model"),
        "batch": Param(
            "",
            type="string",
            pattern=r"^((day|week)=\d{4}-\d{2}-\d{2})?$",
            title="Batch",
            description="day=2013-04-04 or week=2013-07-08; empty: the day of the run's logical date",
        ),
    },
    tags=["batch-inference", "demo"],
):
    load = LoadModelOperator(
        task_id="load",
        model_uri=f"{DATA}/{{{{ params.model }}}}",
        sample_set=f"{DATA}/{{{{ params.model.split('.')[0] }}}}-sample.parquet",
        label_columns=["late"],
    )
    predict = PredictOperator(
        task_id="predict",
        model=load.output,
        dataset=f"{DATA}/flights/"
        "{{ params.batch or 'day=' ~ ((logical_date | default(dag_run.run_after, true)) | ds) }}",
    )
    drift = DriftAnalysisOperator(
        task_id="drift",
        model=load.output,
        dataset=predict.output,
        column_limits=dict.fromkeys(("temp", "dewp", "precip", "late"), OF_THE_DAY),
    )
    log = LogArtifactsOperator(
        task_id="log",
        artifacts=[load.output, predict.output, drift.output],
        outlets=[Asset("late_flights")],
    )
    gate = DriftGateOperator(task_id="gate", drift=drift.output, on_drift="fail")

    load >> predict >> drift >> log >> gate
