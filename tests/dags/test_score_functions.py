"""Functions as scoring tasks in a run of a real DAG: a dataset by XCom, templates, mapped tasks, drift, a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airflow_batch_inference.storage.store import Storage

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAG = """
from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, task

from airflow_batch_inference.operators import DriftAnalysisOperator, LogArtifactsOperator, Processes

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 0


def clipped(values):
    return values.clip(lower=LIMIT)


with DAG("functions", schedule=None, params={{"factor": 2.0}}):

    @task
    def find() -> str:
        return "{folder}/in/*.parquet"

    @task.score(dataset=find(), engine=Processes(isolate=True), artifact_root="{folder}/artifacts")
    def risk(batch: pd.DataFrame, factor: str):
        return clipped(batch["a"]) * float(factor)

    predictions = risk(factor="{{{{ params.factor }}}}")
    drift = DriftAnalysisOperator(
        task_id="drift", dataset=predictions, sample_set="{folder}/in", artifact_root="{folder}/artifacts"
    )
    LogArtifactsOperator(
        task_id="log",
        artifacts=[predictions, drift.output],
        publish_to="{folder}/scores.parquet",
        artifact_root="{folder}/artifacts",
    )
    risk.override(task_id="each").expand(factor=[1, 3])
"""


@pytest.fixture
def run(load_dags, tmp_path, monkeypatch):
    """``run("name", text)``: runs the DAG of a file's text; it must succeed."""

    def run(name, text):
        (tmp_path / "dags").mkdir()
        (tmp_path / "dags" / f"{name}.py").write_text(text)
        bundle = {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(tmp_path / "dags")},
        }
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
        assert str(load_dags(tmp_path / "dags").dags[name].test().state) == "success"

    return run


def test_a_dag_of_functions_runs_whole(run, tmp_path):
    (tmp_path / "in").mkdir()
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=200)})
    frame.to_parquet(tmp_path / "in" / "1.parquet")
    run("functions", DAG.format(folder=tmp_path))
    assert pd.read_parquet(tmp_path / "scores.parquet")["predicted_label"].tolist() == [
        2 * max(0.0, value) for value in frame["a"]
    ]
    uris = [file.uri for file in Storage().list_files(str(tmp_path / "artifacts")) if "/_commits/" in file.uri]
    names = {(record.task.task_id, record.task.map_index): record for record in map(Storage().read_record, uris)}
    assert set(names) == {("risk", -1), ("each", 0), ("each", 1)}
    assert len({record.model_sha256 for record in names.values()}) == 3


def test_the_example_of_the_documentation_runs_as_it_stands_there(run, tmp_path):
    document = (Path(__file__).resolve().parents[2] / "docs" / "functions.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    (tmp_path / "loans").mkdir()
    loans = pd.DataFrame({"loan_id": range(100), "amount": np.linspace(0.0, 50_000.0, 100), "term": 12})
    loans.to_parquet(tmp_path / "loans" / "1.parquet")
    loans.to_parquet(tmp_path / "loans_of_last_year.parquet")
    run("expected_loss", example.replace('"/data/', f'"{tmp_path}/'))
    losses = pd.read_parquet(tmp_path / "losses.parquet")
    assert list(losses.columns) == ["loan_id", "amount", "loss", "is_large"]
    assert losses["loss"].tolist() == (loans["amount"] * 0.4).tolist()
