"""The example DAGs, run whole by `dag.test` in this process, against a real (SQLite) metadata database."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAGS = Path(__file__).resolve().parents[2] / "dags"
FILES = sorted(path.stem for path in DAGS.glob("*.py"))
STARTED_BY_ASSETS = {"batch_inference_on_asset", "batch_inference_partitions"}
"""See test_event_driven.py."""
VARIANTS = {
    "batch_inference_deadline",
    "batch_inference_drift_alerts",
    "batch_inference_drift_fails",
    "batch_inference_every_30_minutes",
}
"""Of batch_inference_basic, in its file."""
NAMES = sorted({*FILES, *VARIANTS} - STARTED_BY_ASSETS)
BESIDE = {"batch_inference_retrain", "batch_inference_features", "batch_inference_daily_features"}
"""DAGs that share a file with another."""


@pytest.fixture(scope="module")
def dagbag(load_dags):
    return load_dags(DAGS)


def run(dagbag, name, conf=None, **arguments):
    dag = dagbag.dags[name]
    dag.deadline = None  # `DAG.test` of Airflow 3.1.8 and 3.3.2 fails on every DAG that has one
    dag_run = dag.test(run_conf=conf or {}, **arguments)
    return str(dag_run.state), {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def test_there_are_the_seven_examples_of_which_three_have_two_dags_and_one_has_five(dagbag):
    assert set(dagbag.dags) == {*FILES, *VARIANTS, *BESIDE}
    assert len(FILES) == 7


@pytest.mark.parametrize("name", NAMES)
def test_each_example_has_a_schedule_a_form_and_documentation(dagbag, name):
    dag = dagbag.dags[name]
    assert dag.schedule in ("@daily", "*/30 * * * *")
    assert dag.doc_md
    others = {"batch_inference_evaluate": "least_roc_auc", "batch_inference_challenger": "most_disagreements"}
    threshold = others.get(name, "drift_threshold")
    assert {"batch", "dataset", threshold} == set(dag.params)
    assert all(param.schema.get("type") for param in dag.params.values() if hasattr(param, "schema"))
    assert not dag.catchup


@pytest.mark.parametrize("name", NAMES)
def test_an_ordinary_batch_ends_green(dagbag, name):
    state, tasks = run(dagbag, name, {"batch": "ordinary"})
    assert state == "success", tasks


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("batch_inference_basic", "success"),
        ("batch_inference_drift_fails", "failed"),
        ("batch_inference_drift_alerts", "success"),
        ("batch_inference_deadline", "success"),
        ("batch_inference_every_30_minutes", "failed"),
        ("batch_inference_retraining", "success"),
    ],
)
def test_a_drifted_batch_ends_as_each_example_promises(dagbag, name, expected):
    state, tasks = run(dagbag, name, {"batch": "drifted"})
    assert state == expected, tasks
    assert tasks["log"] == "success"


def test_a_null_logical_date_is_no_obstacle(dagbag):
    state, tasks = run(dagbag, "batch_inference_drift_alerts", {"batch": "ordinary"}, logical_date=None)
    assert state == "success", tasks


def test_a_candidate_that_is_not_good_enough_scores_nothing(dagbag):
    state, tasks = run(dagbag, "batch_inference_evaluate", {"batch": "ordinary", "least_roc_auc": 1})
    assert state == "failed"
    assert (tasks["load"], tasks["evaluate"], tasks["predict"]) == ("success", "failed", "upstream_failed")


def test_a_challenger_that_disagrees_on_too_many_rows_fails_the_run_after_all_is_logged(dagbag):
    state, tasks = run(dagbag, "batch_inference_challenger", {"batch": "ordinary", "most_disagreements": 0})
    assert state == "failed"
    assert (tasks["predict"], tasks["log"], tasks["judge"]) == ("success", "success", "failed")
