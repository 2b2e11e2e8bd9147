"""An API server's surroundings: a database with runs, users with and without rights, and real results in the store."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)

DAG, RUN = "nightly", "scheduled__2026-01-01T00:00:00+00:00"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def database(airflow_home):
    """The one database of the folder, in place of the deployment's."""
    from airflow.utils.db import initdb

    initdb()
    return airflow_home


class Runs:
    """Puts DAGs, runs, task instances and what they pushed into the database."""

    def dag(self, dag_id):
        from airflow.models.dag import DagModel
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session

        with create_session() as session:
            if session.get(DagBundleModel, "tests") is None:
                session.add(DagBundleModel(name="tests"))
                session.flush()
            if session.get(DagModel, dag_id) is None:
                session.add(DagModel(dag_id=dag_id, bundle_name="tests", relative_fileloc="x.py", fileloc="x.py"))

    def add(self, dag_id=DAG, run_id=RUN, state="success", at=START):
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.types import DagRunType
        from sqlalchemy import select

        self.dag(dag_id)
        with create_session() as session:
            known = select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
            if session.scalar(known) is None:
                run = DagRun(dag_id=dag_id, run_id=run_id, run_type=DagRunType.MANUAL, logical_date=at, state=state)
                run.run_after = at
                session.add(run)

    def task(self, task_id, values=None, *, dag_id=DAG, run_id=RUN, map_index=-1, operator="", state="success", s=10):
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import insert

        row = {
            "id": uuid.uuid4(),
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "map_index": map_index,
            "operator": operator,
            "state": state,
            "start_date": START,
            "end_date": START + timedelta(seconds=s),
            "pool": "default_pool",
        }
        with create_session() as session:
            session.execute(insert(TaskInstance.__table__).values(**row))
            for key, value in (values or {}).items():
                XComModel.set(
                    key=key,
                    value=value,
                    dag_id=dag_id,
                    run_id=run_id,
                    task_id=task_id,
                    map_index=map_index,
                    serialize=False,
                    session=session,
                )

    def forget(self):
        from airflow.models.dag import DagModel
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import delete

        with create_session() as session:
            for model in (XComModel, TaskInstance, DagRun, DagModel):
                session.execute(delete(model.__table__))


@pytest.fixture
def runs(database):
    found = Runs()
    found.forget()
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


@dataclass
class FakeTaskInstance:
    task_id: str
    dag_id: str = DAG
    run_id: str = RUN
    map_index: int = -1
    try_number: int = 1
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key, value):
        self.xcoms[key] = value


class FakeEvents(dict):
    def __missing__(self, asset):
        raise AssertionError("no outlets here")


@dataclass
class Results:
    """What the operators left in a store: task to its XComs, those of failed tasks too."""

    folder: Any
    xcoms: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, operator, may_fail=False):
        ti = FakeTaskInstance(task_id=operator.task_id)
        operator.artifact_root = str(self.folder)
        context = {"ti": ti, "outlet_events": FakeEvents(), "params": {}, "run_id": ti.run_id, "logical_date": START}
        operator.render_template_fields(context)
        self.xcoms[operator.task_id] = ti.xcoms
        try:
            ti.xcoms["return_value"] = operator.execute(
                context, **{f"{type(operator).__name__}__sentinel": ExecutorSafeguard.sentinel_value}
            )
        except Exception:
            if not may_fail:
                raise
        return ti.xcoms.get("return_value")


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A model with hostile columns, its predictions with rejects and a challenger, drift, an evaluation, and the log."""
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
            error_threshold=5,
            output_format="parquet",
            challengers={"next": model},
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
