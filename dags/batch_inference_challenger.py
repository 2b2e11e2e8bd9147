"""A daily job whose next model scores every row beside the one that is live, and decides nothing yet."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, Param, task

from airflow_batch_inference.operators import Challengers, LoadModelOperator, LogArtifactsOperator, PredictOperator

DOC = """
### A challenger beside the champion

**predict** scores each row with two models in one pass. The champion's prediction is the column `malignant`, the
challenger's `next.malignant`; nobody downstream need know of it. Where the challenger fails, its column is null, and
the task succeeds all the same.

How often both would have decided otherwise is counted on the way: `disagreement_fraction` in XCom, and a page with the
matrix of both decisions and the first rows that differ, under `prediction_challengers_report` among the logged
artifacts. **judge** fails where they disagree on a larger share of the rows than **most_disagreements**: look at the
page before the challenger is promoted.

To let the challenger score a part of the rows for real, give both as `model={"live": …, "next": …}` with
`compare=Split(weights={"live": 0.9, "next": 0.1}, key="customer")`.
"""

with DAG(
    dag_id="batch_inference_challenger",
    description="Score with the live model, and see what the next one would have said",
    doc_md=DOC,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "batch": Param("ordinary", type="string", enum=["ordinary", "drifted"], title="Example batch"),
        "dataset": Param(None, type=["null", "string"], title="Your own dataset's URI, instead of the example"),
        "most_disagreements": Param(
            0.2, type="number", minimum=0, maximum=1, title="The largest share of disagreements"
        ),
    },
    tags=["batch-inference", "example"],
):

    @task
    def example_data() -> dict[str, str]:
        """Write the example's models and batches below the artifact root, where they are not there."""
        from airflow_batch_inference.example_data import make_example_data
        from airflow_batch_inference.operators import artifact_root

        return make_example_data(f"{artifact_root()}/example-data")

    @task
    def judge(disagreement_fraction: float | None, most: str) -> None:
        """Fail where the challenger would have decided otherwise for too many rows, or scored none."""
        if disagreement_fraction is None or disagreement_fraction > float(most):
            message = (
                f"The challenger disagrees on {disagreement_fraction} of the rows; {most} is the most that will do."
            )
            raise ValueError(message)

    data = example_data()
    live = LoadModelOperator(
        task_id="live",
        model_uri=data["model_uri"],
        sample_set=data["sample_set"],
        label_columns=["malignant"],
    )
    following = LoadModelOperator(task_id="next", model_uri=data["challenger_uri"], label_columns=["malignant"])
    predict = PredictOperator(
        task_id="predict",
        model=live.output,
        dataset="{{ params.dataset or ti.xcom_pull(task_ids='example_data')[params.batch] }}",
        compare=Challengers({"next": following.output}, disagreements={"threshold": 0.5}),
    )
    log = LogArtifactsOperator(
        task_id="log",
        artifacts={"live": live.output, "next": following.output, "prediction": predict.output},
        outlets=[Asset("challenged_tumour_predictions")],
    )

    log >> judge(predict.output["disagreement_fraction"], "{{ params.most_disagreements }}")
