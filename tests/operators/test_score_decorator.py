"""``@task.score``: a function as a task, with the engine's guarantees."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, task

from airflow_batch_inference.decorators.score import score_task
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import DriftAnalysisOperator, LogArtifactsOperator, Processes, RowPolicy
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LOCK = threading.Lock()


def operator_of(predictions):
    """Return the operator behind what a decorated function returns in a DAG."""
    return predictions.operator


def output_of(uri):
    (part,) = Storage().read_record(uri).parts
    return pq.read_table(part.uri.removeprefix("file://"))


def risk(batch: pd.DataFrame, factor: float = 1.0, run_id: str | None = None):
    return {"risk": batch["a"] * factor, "run": [run_id] * len(batch)}


def test_airflow_finds_it_under_task():
    assert task.score is score_task


def test_it_scores_with_arguments_and_what_it_names_of_the_context(runner, batch):
    uri = runner(operator_of(task.score(dataset=str(batch))(risk)(factor=2.0)))
    output = output_of(uri)
    assert output.column_names == ["a", "b", "key", "risk", "run"]
    assert output["risk"].to_pylist() == [2 * value for value in output["a"].to_pylist()]
    assert output["run"][0].as_py() == "scheduled__2026-01-01T00:00:00+00:00"
    assert runner.xcoms["risk"]["rows"] == 400


def test_arguments_may_be_positions_and_templates_and_so_may_the_options(runner, batch):
    runner.params = {"factor": "3", "folder": str(batch), "kept": ["key"]}

    @task.score(dataset="{{ params.folder }}", passthrough_columns="{{ params.kept }}")
    def scaled(batch: pa.Table, factor: str):
        return batch["a"].to_numpy() * float(factor)

    output = output_of(runner(operator_of(scaled("{{ params.factor }}"))))
    assert output.column_names == ["key", "predicted_label"]


def test_override_changes_the_operators_arguments(runner, batch):
    decorated = task.score(dataset="/nowhere")(risk)
    operator = operator_of(decorated.override(task_id="other", dataset=str(batch), label_columns=["x", "y"])())
    assert operator.task_id == "other"
    assert Storage().read_record(runner(operator)).label_columns == ("x", "y")


def test_rows_that_it_raises_on_are_set_aside(runner, batch):
    @task.score(dataset=str(batch), rows=RowPolicy(error_threshold="-1"))
    def positive(batch: pd.DataFrame):
        if (batch["a"] < 0).any():
            message = "negative"
            raise ValueError(message)
        return batch["a"]

    record = Storage().read_record(runner(operator_of(positive())))
    assert record.rows_rejected > 100
    assert record.rows_out + record.rows_rejected == 400


def test_the_same_task_again_returns_the_commit_that_is_there(runner, batch):
    decorated = task.score(dataset=str(batch))(risk)
    first = runner(operator_of(decorated(factor=2)))
    assert runner(operator_of(decorated(factor=2)), try_number=2) == first
    assert runner(operator_of(decorated(factor=3)), try_number=3) != first


def test_worker_processes_score_with_it(runner, batch):
    import os

    @task.score(dataset=str(batch), engine=Processes(isolate=True))
    def where(batch: pd.DataFrame):
        return [os.getpid()] * len(batch)

    assert os.getpid() not in output_of(runner(operator_of(where())))["predicted_label"].to_pylist()


def test_what_no_other_process_can_have_scores_here_and_says_so(runner, batch, caplog):
    @task.score(dataset=str(batch), engine=Processes(isolate=True))
    def locked(batch: pd.DataFrame):
        with LOCK:
            return batch["a"]

    with caplog.at_level(logging.INFO):
        assert output_of(runner(operator_of(locked()))).num_rows == 400
    assert (
        "locked scores in this process alone, since it cannot be handed to another (TypeError: cannot pickle"
        in caplog.text
    )


def test_drift_and_artifacts_take_what_it_returns(runner, batch, tmp_path):
    uri = runner(operator_of(task.score(dataset=str(batch))(risk)()))
    drift = runner(DriftAnalysisOperator(task_id="drift", dataset=uri))
    assert Storage().read_record(drift).status == "NOT_ANALYSED"
    against = runner(DriftAnalysisOperator(task_id="against", dataset=uri, sample_set=str(batch)))
    assert Storage().read_record(against).status == "NO_DRIFT"
    runner(LogArtifactsOperator(task_id="log", artifacts=[uri, against], publish_to=str(tmp_path / "scores.parquet")))
    assert pq.read_table(tmp_path / "scores.parquet").num_rows == 400


def test_what_says_something_of_a_model_is_refused_when_the_dag_is_parsed():
    with pytest.raises(TypeError, match="model"):
        task.score(dataset="/in", model="/m.txt", predict_kwargs={})(risk)()
    with pytest.raises(ConfigurationError, match="multiple_outputs"):
        task.score(dataset="/in", multiple_outputs=True)


@pytest.mark.parametrize("annotation", [None, "np.ndarray", dict])
def test_a_function_that_does_not_say_what_it_takes_fails_in_its_own_task(runner, batch, annotation, caplog):
    def bare(batch): ...

    bare.__annotations__ = {} if annotation is None else {"batch": annotation}
    with DAG("others", schedule=None) as dag:
        failing = task.score(dataset=str(batch))(bare)()
        task.score(task_id="other", dataset=str(batch))(risk)()
    assert set(dag.task_ids) == {"bare", "other"}
    assert "The task will fail with this message" in caplog.text
    with pytest.raises(AirflowFailException, match=r"must be pandas\.DataFrame, pyarrow\.Table"):
        runner(operator_of(failing))
    assert runner(dag.get_task("other"))


def test_a_function_that_can_never_be_called_is_refused_when_the_dag_is_parsed():
    async def later(batch: pd.DataFrame): ...

    def keywords(*, batch: pd.DataFrame): ...

    for function, said in ((later, "coroutine"), (keywords, "no first parameter")):
        with pytest.raises(ConfigurationError, match=said):
            task.score(dataset="/in")(function)


def test_arguments_that_the_function_does_not_take_are_refused_when_the_dag_is_parsed():
    with pytest.raises(TypeError, match="colour"):
        task.score(dataset="/in")(risk)(colour="red")
    with pytest.raises(TypeError, match="batch"):
        task.score(dataset="/in")(risk)(batch="/in")


def test_a_dict_as_its_return_annotation_makes_no_outputs_of_the_uri(batch):
    @task.score(dataset=str(batch))
    def several(batch: pd.DataFrame) -> dict[str, list[float]]:
        return {"x": [1.0] * len(batch)}

    assert operator_of(several()).multiple_outputs is False


def test_a_dataset_may_come_from_a_task_before_it():
    with DAG("d", schedule=None):

        @task
        def find() -> str:
            return "/in"

        operator = operator_of(task.score(dataset=find())(risk)())
    assert operator.upstream_task_ids == {"find"}


def test_mapped_tasks_get_an_argument_each():
    with DAG("d", schedule=None):
        mapped = task.score(dataset="/in")(risk).expand(factor=[1, 2]).operator
    assert mapped.task_type == "ScoreRowsOperator"
