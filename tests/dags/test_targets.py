"""A target that cannot take the predictions fails the task that scores, in a run of a real DAG."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_batch_inference.storage.digests import sha256_of

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAG = """
from airflow.sdk import DAG
from airflow_batch_inference.operators import LoadModelOperator, LogArtifactsOperator, PredictOperator

for name, dataset in (("taken", "plain"), ("refused", "nested")):
    with DAG(name, schedule=None, params={{"name": "scores"}}):
        load = LoadModelOperator(task_id="load", model_uri="{folder}/model.joblib", sha256="{digest}")
        predict = PredictOperator(task_id="predict", model=load.output, dataset=f"{folder}/{{dataset}}.parquet")
        LogArtifactsOperator(
            task_id="log", artifacts=[predict.output], publish_to="{folder}/{{{{ params.name }}}}.csv"
        )
        for task in (load, predict):
            task.artifact_root = "{folder}/artifacts"
"""


def test_the_task_that_scores_asks_where_its_set_will_be_published(load_dags, tmp_path, monkeypatch):
    import joblib

    x = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    joblib.dump(LogisticRegression().fit(x, x["a"] > 0), tmp_path / "model.joblib")
    x.to_parquet(tmp_path / "plain.parquet")
    x.assign(tags=[["x"]] * 60).to_parquet(tmp_path / "nested.parquet")
    (tmp_path / "dags").mkdir()
    text = DAG.format(folder=tmp_path, digest=sha256_of(tmp_path / "model.joblib"))
    (tmp_path / "dags" / "targets.py").write_text(text)
    bundle = {
        "name": "targets",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    dags = load_dags(tmp_path / "dags").dags
    run = dags["refused"].test()
    states = {each.task_id: str(each.state) for each in run.get_task_instances()}
    assert states == {"load": "success", "predict": "failed", "log": "upstream_failed"}
    assert not list((tmp_path / "artifacts").rglob("_commits/*.json"))
    assert str(dags["taken"].test().state) == "success"
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 60
