"""The gate among real tasks: what Airflow makes of its choice, and that a choice it would ignore is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAGS = """
from airflow.sdk import DAG, task
from airflow_batch_inference.operators import DriftAnalysisOperator, DriftGateOperator

ARGUMENTS = {{"sample_set": "{folder}/reference.parquet", "artifact_root": "{folder}/artifacts"}}
BRANCHES = {{"DRIFT_DETECTED": "quarantine", "NO_DRIFT": "publish"}}

@task
def quarantine(uri):
    return uri

@task
def publish(uri):
    return uri

with DAG("gate_branches", schedule=None):
    drift = DriftAnalysisOperator(task_id="drift", dataset="{folder}/drifted.parquet", **ARGUMENTS)
    gate = DriftGateOperator(
        task_id="gate", drift=drift.output, branches=BRANCHES, artifact_root=ARGUMENTS["artifact_root"]
    )
    [quarantine(gate.output), publish(gate.output)]

for name, branches in {{"gate_mapped": None, "gate_mapped_branches": BRANCHES}}.items():
    with DAG(name, schedule=None):
        drift = DriftAnalysisOperator.partial(task_id="drift", **ARGUMENTS).expand(
            dataset=["{folder}/reference.parquet", "{folder}/drifted.parquet"]
        )
        gate = DriftGateOperator.partial(
            task_id="gate", branches=branches, on_drift="skip", artifact_root=ARGUMENTS["artifact_root"]
        ).expand(drift=drift.output)
        gate >> [quarantine(""), publish("")]
"""


@pytest.fixture
def dags(load_dags, tmp_path, monkeypatch):
    reference = pd.DataFrame({"a": np.random.default_rng(0).normal(size=200)})
    reference.to_parquet(tmp_path / "reference.parquet")
    (reference + 100).to_parquet(tmp_path / "drifted.parquet")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "gates.py").write_text(DAGS.format(folder=tmp_path))
    # Airflow 3.1 runs only DAGs of its bundles.
    bundle = {
        "name": "gates",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    return load_dags(tmp_path / "dags").dags


def states(dag_run):
    found = {}
    for ti in sorted(dag_run.get_task_instances(), key=lambda ti: ti.map_index):
        found.setdefault(ti.task_id, []).append(str(ti.state))
    return found


def test_the_chosen_task_runs_with_the_gates_return_value_and_the_other_is_skipped(dags):
    dag_run = dags["gate_branches"].test()
    ran = states(dag_run)
    assert (ran["gate"], ran["quarantine"], ran["publish"]) == (["success"], ["success"], ["skipped"])
    (task,) = [ti for ti in dag_run.get_task_instances() if ti.task_id == "quarantine"]
    assert task.xcom_pull(task_ids="quarantine") == task.xcom_pull(task_ids="drift")


def test_a_mapped_gate_judges_each_of_its_drift_results(dags):
    assert states(dags["gate_mapped"].test())["gate"] == ["success", "skipped"]


def test_a_mapped_gate_that_branches_fails_before_airflow_runs_all_branches(dags):
    ran = states(dags["gate_mapped_branches"].test())
    assert ran["gate"] == ["failed", "failed"]
    assert (ran["quarantine"], ran["publish"]) == (["upstream_failed"], ["upstream_failed"])
