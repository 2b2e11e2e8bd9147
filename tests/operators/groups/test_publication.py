"""Where a set is published is refused when the DAG is parsed, or before the first row, as soon as it is known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, task

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    PreflightOperator,
)
from airflow_batch_inference.operators.groups.publication import targets_behind
from airflow_batch_inference.storage.store import Storage


@pytest.fixture
def nested(tmp_path, rng_frame):
    """A dataset with a column that CSV cannot hold."""
    path = tmp_path / "nested.parquet"
    rng_frame.assign(tags=[["x"]] * len(rng_frame)).to_parquet(path)
    return str(path)


@pytest.fixture
def model(runner, model_file, digest):
    return runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))


@pytest.fixture
def make_dag(model, nested):
    """``make_dag(publish_to, ...)``: the tasks of a DAG that scores and publishes, by their names."""

    def make(publish_to, dataset=nested, **how):
        with DAG("nightly", schedule=None) as dag:
            arguments = {"model": model, "dataset": dataset}
            predict = PredictOperator(task_id="predict", **arguments)
            preflight = PreflightOperator(task_id="preflight", **arguments)
            preflight >> predict
            LogArtifactsOperator(task_id="log", artifacts=[predict.output], publish_to=publish_to, **how)
        return dag.task_dict

    return make


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"output_format": "csv"}, "output_format is 'csv', and nothing is published.*always Parquet.*Give publish_to"),
        ({"output_format": "csv", "publish_to": "/x.parquet"}, "The target is /x.parquet, but the format is csv"),
        ({"output_format": "parqet", "publish_to": "/x"}, "output_format is 'parqet'.*did you mean 'parquet'"),
        ({"if_exists": "fial", "publish_to": "/x"}, "if_exists is 'fial'.*did you mean 'fail'"),
    ],
)
def test_what_can_never_work_is_refused_while_the_dag_is_parsed(arguments, match):
    with pytest.raises(ConfigurationError, match=match):
        LogArtifactsOperator(task_id="log", artifacts=["file:///x.json"], **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"output_format": "parquet"},
        {"output_format": None},
        {"output_format": "{{ params.format }}"},
        {"output_format": "csv", "publish_to": "{{ params.place }}"},
        {"output_format": "csv", "publish_to": "/x.csv"},
    ],
)
def test_what_may_work_is_taken(arguments):
    LogArtifactsOperator(task_id="log", artifacts=["file:///x.json"], **arguments)


def test_a_task_that_scores_has_no_format():
    with pytest.raises(ConfigurationError, match=r"output_format is no argument of the task 'p'.*LogArtifactsOperator"):
        PredictOperator(task_id="p", model="/m", dataset="/in", output_format="csv")

    @task.score(dataset="/in", output_format="csv")
    def risk(batch: pd.DataFrame):
        return batch["a"]

    with DAG("d", schedule=None), pytest.raises(ConfigurationError, match="always Parquet"):
        risk()


@pytest.mark.parametrize("name", ["predict", "preflight"])
@pytest.mark.parametrize(
    ("place", "how"),
    [
        ("x.csv", {}),
        ("x", {"output_format": "csv"}),
        ("{{ params.name }}.csv", {}),
        ("x", {"output_format": "{{ 'csv' }}"}),
    ],
)
def test_a_column_that_the_target_cannot_hold_fails_before_the_first_row(runner, make_dag, tmp_path, name, place, how):
    runner.params = {"name": "x"}
    tasks = make_dag(f"{tmp_path}/{place}", **how)
    with pytest.raises(AirflowFailException, match=r"CSV cannot hold the column 'tags', a list"):
        runner(tasks[name])
    assert not list(Path(runner.root).rglob("data/**/*.parquet"))


def test_somebody_elses_file_fails_before_the_first_row(runner, make_dag, tmp_path):
    (tmp_path / "x.parquet").write_text("somebody's")
    with pytest.raises(AirflowFailException, match=r"ArtifactConflictError.*no manifest says"):
        runner(make_dag(f"{tmp_path}/x.parquet")["predict"])
    assert not list(Path(runner.root).rglob("data/**/*.parquet"))


@pytest.mark.parametrize(
    "place",
    ["{{ ti.xcom_pull('first') }}.csv", "{{ task.task_id }}.csv", "{{ params.absent.name }}.csv", None, "{{ none }}"],
)
def test_what_is_not_known_yet_is_not_checked(runner, make_dag, tmp_path, place):
    tasks = make_dag(place if place is None or "none" in place else f"{tmp_path}/{place}")
    assert Storage().read_record(runner(tasks["predict"])).rows_out == 400


def test_a_task_that_publishes_what_another_one_makes_is_not_asked(runner, make_dag, tmp_path, model, batch):
    tasks = make_dag(f"{tmp_path}/x.csv", dataset=str(batch))
    with tasks["predict"].dag:
        other = PredictOperator(task_id="other", model=model, dataset=str(batch))
        LogArtifactsOperator(task_id="theirs", artifacts={"x": other.output}, publish_to=f"{tmp_path}/other.jsonl")
        LogArtifactsOperator(task_id="twice", artifacts=tasks["predict"].output, publish_to=f"{tmp_path}/two.arrow")
    names = {
        name: sorted(Path(target.name).name for target in targets_behind(tasks[name], {"params": {}}))
        for name in ("predict", "preflight")
    }
    assert names == {"predict": ["two.arrow", "x.csv"], "preflight": []}
    assert [target.name for target in targets_behind(other, {})] == [f"{tmp_path}/other.jsonl"]
    uri = runner(tasks["predict"])
    for name in ("log", "twice"):
        tasks["predict"].dag.get_task(name).artifacts = [uri]
        runner(tasks["predict"].dag.get_task(name))
    assert len(pd.read_csv(tmp_path / "x.csv")) == len(pd.read_feather(tmp_path / "two.arrow")) == 400


def test_an_operator_by_itself_has_no_targets():
    assert targets_behind(PredictOperator(task_id="p", model="/m", dataset="/in"), {}) == ()
