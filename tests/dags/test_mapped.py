"""A dataset for each mapped task, by `expand`, in a run of a real DAG."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAG = """
from airflow.sdk import DAG
from airflow_batch_inference.operators import LoadModelOperator, PredictOperator

with DAG("mapped", schedule=None):
    load = LoadModelOperator(task_id="load", model_uri="{folder}/model.joblib", sha256="{digest}")
    PredictOperator.partial(task_id="predict", model=load.output, artifact_root="{folder}/artifacts").expand(
        dataset=["{folder}/1.parquet", "{folder}/2.parquet", "{folder}/3.parquet"]
    )
"""


def test_each_mapped_task_scores_its_own_dataset(load_dags, tmp_path, monkeypatch):
    import joblib

    x = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    joblib.dump(LogisticRegression().fit(x, x["a"] > 0), tmp_path / "model.joblib")
    for number in (1, 2, 3):
        x.head(10 * number).to_parquet(tmp_path / f"{number}.parquet")
    (tmp_path / "dags").mkdir()
    text = DAG.format(folder=tmp_path, digest=sha256_of(tmp_path / "model.joblib"))
    (tmp_path / "dags" / "mapped.py").write_text(text)
    # Airflow 3.1 runs only DAGs of its bundles.
    bundle = {
        "name": "mapped",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    run = load_dags(tmp_path / "dags").dags["mapped"].test()
    assert str(run.state) == "success"
    uris = [file.uri for file in Storage().list_files(str(tmp_path / "artifacts")) if "/_commits/" in file.uri]
    assert [uri.split("map_index=")[1][0] for uri in uris] == ["0", "1", "2"]
    assert [Storage().read_record(uri).rows_out for uri in uris] == [10, 20, 30]
