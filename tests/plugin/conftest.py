"""An API server's surroundings: a database with runs, users with and without rights, and real results in the store."""

from __future__ import annotations

import hashlib

import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow_runs import OPERATORS, Results, Runs

from airflow_batch_inference.operators import (
    Challengers,
    DriftAnalysisOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    RowPolicy,
)


@pytest.fixture(scope="session")
def database(airflow_home):
    """The one database of the folder, in place of the deployment's."""
    from airflow.utils.db import initdb

    initdb()
    return airflow_home


@pytest.fixture
def runs(database):
    found = Runs()
    yield found
    found.forget()


@pytest.fixture(scope="session")
def server(database):
    """An API server of its auth manager and the plugin's application, as Airflow mounts it."""
    from airflow.api_fastapi.app import init_auth_manager
    from fastapi import FastAPI

    from airflow_batch_inference.plugin import BatchInferencePlugin

    main = FastAPI()
    init_auth_manager(main)
    for each in BatchInferencePlugin().fastapi_apps:
        main.mount(each["url_prefix"], each["app"])
    return main


@pytest.fixture
def client_of(server):
    """Return a client for a user of a role; None: of nobody."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    def client(role="viewer", name="somebody"):
        found = TestClient(server, raise_server_exceptions=True)
        if name is not None:
            user = SimpleAuthManagerUser(username=name, role=role)
            found.cookies.set("_token", get_auth_manager().generate_jwt(user))
        return found

    return client


@pytest.fixture
def viewer(client_of):
    return client_of("viewer")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The artifact root of the deployment."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(folder))
    return folder


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A model with hostile columns, its predictions with rejects and a challenger, drift, an evaluation, a log."""
    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(3)
    hostile = '<img src=x onerror="alert(1)">'
    frame = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    target = (frame["a"] + frame["b"] > 0).astype(int)
    parameters = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbose": -1, "seed": 0}
    text = lightgbm.train(parameters, lightgbm.Dataset(frame, target), num_boost_round=5).model_to_string()
    (folder / "model.txt").write_text(text)
    pin = hashlib.sha256(text.encode()).hexdigest()
    frame.assign(label=target).to_parquet(folder / "sample.parquet")
    rows = frame.assign(**{hostile: [f"</td><script>{i}</script>" for i in range(300)], "b": frame["b"].astype(object)})
    rows.loc[7, "b"] = "<script>alert(7)</script>"
    rows.astype({"b": str}).to_csv(folder / "batch.csv", index=False)
    found = Results(folder / "artifacts")
    uri = str(folder / "model.txt")
    model = found.run(
        LoadModelOperator(
            task_id="load", model_uri=uri, sha256=pin, sample_set=str(folder / "sample.parquet"), name=hostile[:20]
        )
    )
    scored = found.run(
        PredictOperator(
            task_id="predict",
            model=model,
            dataset=str(folder / "batch.csv"),
            passthrough_columns="all",
            rows=RowPolicy(error_threshold=5),
            compare=Challengers({"next": model}),
        )
    )
    drift = found.run(DriftAnalysisOperator(task_id="drift", dataset=scored))
    shifted = frame.assign(a=frame["a"] + 5)
    shifted.to_parquet(folder / "shifted.parquet")
    failing = DriftAnalysisOperator(
        task_id="drift_fails", dataset=str(folder / "shifted.parquet"), model=model, on_drift="fail"
    )
    found.run(failing, may_fail=True)
    found.run(
        EvaluateModelOperator(
            task_id="evaluate", model=model, dataset=str(folder / "sample.parquet"), label_columns=["label"]
        )
    )
    found.run(LogArtifactsOperator(task_id="log", artifacts=[scored, drift], publish_to=str(folder / "out")))
    return found


@pytest.fixture
def deployed(results, runs, monkeypatch):
    """The results as those of a run of the deployment."""
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(results.folder))
    runs.add()
    for task_id, values in results.xcoms.items():
        state = "failed" if task_id == "drift_fails" else "success"
        runs.task(task_id, values, operator=OPERATORS[task_id], state=state)
    return results
