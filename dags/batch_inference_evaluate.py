"""A daily job whose model must prove itself on labelled data before it may score."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, Param, task

from airflow_batch_inference.operators import (
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    Problem,
)

DOC = """
### Evaluation before deployment

A candidate is scored on rows whose diagnosis is known, and measured by scikit-learn's metrics. Where it misses a
threshold, **evaluate** fails after its metrics and its report are written, and nothing is scored with it. Else
**promote** lets the alias `champion` mean this model. Trigger the DAG with **least_roc_auc** = 1 to see: no model is
that good.

To compare with the model that is live, add
`compare=EarlierEvaluation(uri, max_regression={"roc_auc": 0.01})`, with the URI of its evaluation.
"""

with DAG(
    dag_id="batch_inference_evaluate",
    description="Score with a model only if it is good enough on labelled data",
    doc_md=DOC,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "batch": Param("ordinary", type="string", enum=["ordinary", "drifted"], title="Example batch"),
        "dataset": Param(None, type=["null", "string"], title="Your own dataset's URI, instead of the example"),
        "least_roc_auc": Param(0.95, type="number", minimum=0, maximum=1, title="The least ROC AUC that will do"),
    },
    tags=["batch-inference", "example"],
):

    @task
    def example_data() -> dict[str, str]:
        """Write the example's model, batches and labelled data below the artifact root, where they are not there."""
        from airflow_batch_inference.example_data import make_example_data
        from airflow_batch_inference.operators import artifact_root

        return make_example_data(f"{artifact_root()}/example-data")

    data = example_data()
    load = LoadModelOperator(task_id="load", model_uri=data["model_uri"], label_columns=["malignant"])
    evaluate = EvaluateModelOperator(
        task_id="evaluate",
        model=load.output,
        dataset=data["labelled"],
        label_columns="diagnosis",
        thresholds={"roc_auc": "{{ params.least_roc_auc }}", "recall": 0.8, "log_loss": {"max": 0.3}},
        problem=Problem(classes=["benign", "malignant"]),
    )
    promote = LoadModelOperator(task_id="promote", model_uri=load.output, alias="champion")
    predict = PredictOperator(
        task_id="predict",
        model=promote.output,
        dataset="{{ params.dataset or ti.xcom_pull(task_ids='example_data')[params.batch] }}",
    )
    log = LogArtifactsOperator(
        task_id="log",
        artifacts=[load.output, evaluate.output, predict.output],
        outlets=[Asset("evaluated_tumour_predictions")],
    )

    load >> evaluate >> promote >> predict >> log
