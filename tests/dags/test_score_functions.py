"""Functions as scoring tasks in a run of a real DAG: a dataset by XCom, templates, mapped tasks, drift, a file."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from airflow_batch_inference.storage import Storage

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAG = """
from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, task

from airflow_batch_inference.operators import DriftAnalysisOperator, LogArtifactsOperator

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 0


def clipped(values):
    return values.clip(lower=LIMIT)


with DAG("functions", schedule=None, params={{"factor": 2.0}}):

    @task
    def find() -> str:
        return "{folder}/in/*.parquet"

    @task.score(dataset=find(), isolate=True, artifact_root="{folder}/artifacts")
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


def test_a_dag_of_functions_runs_whole(load_dags, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=200)})
    frame.to_parquet(tmp_path / "in" / "1.parquet")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "functions.py").write_text(DAG.format(folder=tmp_path))
    bundle = {
        "name": "functions",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    run = load_dags(tmp_path / "dags").dags["functions"].test()
    assert str(run.state) == "success"
    assert pd.read_parquet(tmp_path / "scores.parquet")["predicted_label"].tolist() == [
        2 * max(0.0, value) for value in frame["a"]
    ]
    uris = [file.uri for file in Storage().list_files(str(tmp_path / "artifacts")) if "/_commits/" in file.uri]
    names = {(record.task.task_id, record.task.map_index): record for record in map(Storage().read_record, uris)}
    assert set(names) == {("risk", -1), ("each", 0), ("each", 1)}
    assert len({record.model_sha256 for record in names.values()}) == 3
