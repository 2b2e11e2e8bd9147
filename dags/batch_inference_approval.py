"""A daily job whose drifted batches are published only when a person approves."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowOptionalProviderFeatureException
from airflow.sdk import DAG, Asset, Param, task

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowOptionalProviderFeatureException):
    ApprovalOperator = None

DOC = """
### A person approves

An ordinary batch is published at once. For any other the gate branches to **approve**, which shows the verdict, its
reasons and the report under **Required Actions** and waits for an answer. *Approve*: the batch is published. *Reject*:
**publish** is skipped, and the run ends green, for it was answered. Trigger the DAG with **batch** = drifted to see.

Nobody is named as respondent and the task waits as long as it takes; give it `assigned_users`, `response_timeout` and
`notifiers` for your own. Before Airflow 3.3 a triggerer must run for it. `airflow dags test` waits too;
`--mark-success-pattern approve` approves.
"""
NO_APPROVAL = """
**This Airflow cannot ask a person.** It needs `apache-airflow-providers-standard` with the operators for human
decisions (`airflow.providers.standard.operators.hitl`), on Airflow 3.1 or later. Until then **approve** fails, and only
ordinary batches are published.
"""
SUBJECT = "{{ ti.xcom_pull(task_ids='gate', key='drift_status') }}: publish the batch of {{ run_id }}?"
BODY = """
{{ ti.xcom_pull(task_ids='gate', key='reasons') }}

Drift metric: {{ ti.xcom_pull(task_ids='gate', key='drift_metric') }}

Report: {{ ti.xcom_pull(task_ids='gate', key='report_uri') }}
"""

with DAG(
    dag_id="batch_inference_approval",
    description="Publish an ordinary batch at once, and any other when a person approves",
    doc_md=DOC if ApprovalOperator else DOC + NO_APPROVAL,
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

        published = f"{artifact_root()}/published/approved-tumours"
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
    gate = DriftGateOperator(
        task_id="gate",
        drift=drift.output,
        branches={
            "NO_DRIFT": "publish",
            "POSSIBLE_DRIFT": "approve",
            "DRIFT_DETECTED": "approve",
            "INSUFFICIENT": "approve",
            "NOT_ANALYSED": "approve",
        },
    )
    if ApprovalOperator:
        approve = ApprovalOperator(task_id="approve", subject=SUBJECT, body=BODY)
    else:

        @task(task_id="approve")
        def cannot_ask() -> None:
            """Stand in for the operator that this Airflow lacks: nothing is published that nobody has approved."""
            raise AirflowFailException(" ".join(NO_APPROVAL.split()))

        approve = cannot_ask()
    publish = LogArtifactsOperator(
        task_id="publish",
        artifacts=[load.output, predict.output, drift.output],
        publish_to="{{ ti.xcom_pull(task_ids='example_data')['published'] }}"
        "/day={{ (logical_date | default(dag_run.run_after, true)) | ds }}",
        outlets=[Asset("approved_tumour_predictions")],
        # The approval is skipped where none is needed.
        trigger_rule="none_failed_min_one_success",
    )

    load >> predict >> drift >> gate >> [approve, publish]
    approve >> publish
