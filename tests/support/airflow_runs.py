"""Runs in Airflow's database, and operators run on their own: what the plugin's tests are made of."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.bases.operator import ExecutorSafeguard

DAG, RUN = "nightly", "scheduled__2026-01-01T00:00:00+00:00"
START = datetime(2026, 1, 1, tzinfo=UTC)


OPERATORS = {
    "load": "LoadModelOperator",
    "predict": "PredictOperator",
    "drift": "DriftAnalysisOperator",
    "drift_fails": "DriftAnalysisOperator",
    "evaluate": "EvaluateModelOperator",
    "log": "LogArtifactsOperator",
}


def _id_for(column_type):
    """Return an id as the version of Airflow at hand keeps it: text before 3.2."""
    found = uuid.uuid4()
    return found if column_type.python_type is uuid.UUID else str(found)


class Runs:
    """Puts DAGs, runs, task instances and what they pushed into the database, and takes them out again."""

    def __init__(self):
        self.dag_ids = set()

    def dag(self, dag_id):
        from airflow.models.dag import DagModel
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session

        self.dag_ids.add(dag_id)
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
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import insert, select

        row = {
            "id": _id_for(TaskInstance.__table__.c.id.type),
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
            found = select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
            dag_run_id = session.scalar(found)
            for key, value in (values or {}).items():
                session.add(
                    XComModel(
                        dag_run_id=dag_run_id,
                        key=key,
                        value=value,
                        dag_id=dag_id,
                        run_id=run_id,
                        task_id=task_id,
                        map_index=map_index,
                    )
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
                session.execute(delete(model.__table__).where(model.__table__.c.dag_id.in_(self.dag_ids)))


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
