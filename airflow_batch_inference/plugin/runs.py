"""What Airflow's database knows of runs: states, times, and the small values that tasks have pushed.

The one module of the pages that asks the database. What must not be relaxed: the number of queries does not grow with
the runs, and a value is taken as plain JSON: no class is made from it.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import func, select

from airflow_batch_inference.operators.base import RECORD_URI
from airflow_batch_inference.storage import is_record_uri

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

RETURN_VALUE = "return_value"
KEYS = (
    RETURN_VALUE,
    RECORD_URI,
    "rows",
    "rows_rejected",
    "items",
    "items_failed",
    "batch_id",
    "model_sha256",
    "flavor",
    "drift_status",
    "drift_metric",
    "passed",
    "published_uri",
    "flip_fraction",
)
"""What the operators push, as far as the pages use it."""
TELLING_KEYS = ("model_sha256", "drift_status")
"""Every run of a pipeline pushes one of them."""
MOST_TASKS = 200
_MOST_VALUES = 20_000
_MOST_PIPELINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task instance, and what it has pushed."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    operator: str | None = None
    state: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def record_uri(self) -> object:
        """What may be the URI of its record: what it returned, or told before it failed."""
        return self.values.get(RETURN_VALUE) or self.values.get(RECORD_URI)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A DAG run, and its tasks that have pushed something of use."""

    dag_id: str
    run_id: str
    state: str | None
    at: datetime | None
    """Its logical date, or when it was due."""
    tasks: tuple[Task, ...] = ()


def task_instances(dag_id: str, run_id: str, task_id: str, session: Session, map_index: int) -> list[Task]:
    """Return one instance of a task in a run; where that is not mapped and the task is, all of them."""
    query = _tasks().where(
        TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id == task_id
    )
    found = session.execute(query.where(TaskInstance.map_index == map_index)).all()
    if not found and map_index < 0:
        found = session.execute(query.order_by(TaskInstance.map_index).limit(MOST_TASKS + 1)).all()
    return [_task(row) for row in found]


def with_values(task: Task, session: Session) -> Task:
    """Return a task instance with what it has pushed."""
    query = XComModel.get_many(
        run_id=task.run_id, dag_ids=task.dag_id, task_ids=task.task_id, map_indexes=task.map_index
    )
    values = _values(query.where(XComModel.key.in_(KEYS)), session)
    return _joined(task, values)


def run_of(dag_id: str, run_id: str, session: Session) -> Run | None:
    """Return one run with those of its tasks that have pushed values, with their states and times."""
    found = session.execute(_runs().where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).first()
    if found is None:
        return None
    values = _values(_pushed([found.id]), session)
    instances = select_instances(dag_id, [run_id], {key[1] for key in values}, session)
    return _run(found, [_joined(task, values) for task in instances])


def last_runs(dag_id: str, most: int, session: Session) -> list[Run]:
    """Return the last runs of a DAG, oldest first, with their tasks that have pushed values: three queries."""
    at = func.coalesce(DagRun.logical_date, DagRun.run_after)
    found = session.execute(_runs().where(DagRun.dag_id == dag_id).order_by(at.desc()).limit(most)).all()
    if not found:
        return []
    wanted = [row.run_id for row in found]
    values = _values(_pushed([row.id for row in found]), session)
    instances = select_instances(dag_id, wanted, {key[1] for key in values}, session)
    by_run: dict[str, list[Task]] = defaultdict(list)
    for task in instances:
        by_run[task.run_id].append(_joined(task, values))
    return [_run(row, by_run[row.run_id]) for row in reversed(found)]


def select_instances(dag_id: str, run_ids: Collection[str], task_ids: Collection[str], session: Session) -> list[Task]:
    """Return the instances of some tasks in some runs."""
    if not task_ids:
        return []
    rows = session.execute(
        _tasks()
        .where(
            TaskInstance.dag_id == dag_id,
            TaskInstance.run_id.in_(run_ids),
            TaskInstance.task_id.in_(task_ids),
        )
        .order_by(TaskInstance.start_date, TaskInstance.task_id, TaskInstance.map_index)
        .limit(_MOST_VALUES)
    )
    return [_task(row) for row in rows]


def pipelines(dag_ids: Iterable[str], session: Session) -> list[tuple[Run, Run]]:
    """Return of each DAG that has ever scored the last run, and the last run that has told something: four queries.

    Parameters
    ----------
    dag_ids
        Those that the reader may see.
    """
    told = session.execute(
        select(XComModel.dag_id, func.max(XComModel.dag_run_id))
        .where(XComModel.key.in_(TELLING_KEYS), XComModel.dag_id.in_(list(dag_ids)))
        .group_by(XComModel.dag_id)
        .order_by(XComModel.dag_id)
        .limit(_MOST_PIPELINES)
    ).all()
    if not told:
        return []
    newest = session.execute(
        select(func.max(DagRun.id)).where(DagRun.dag_id.in_([dag_id for dag_id, _ in told])).group_by(DagRun.dag_id)
    ).scalars()
    rows = session.execute(_runs().where(DagRun.id.in_([*(run for _, run in told), *newest]))).all()
    by_id = {row.id: row for row in rows}
    last = {row.dag_id: row for row in sorted(rows, key=lambda row: row.id)}
    tasks: dict[str, list[Task]] = defaultdict(list)
    for (run_id, task_id, map_index, dag_id), values in _values(_pushed([run for _, run in told]), session).items():
        tasks[dag_id].append(Task(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, values=values))
    return [(_run(last[dag_id], []), _run(by_id[run], tasks[dag_id])) for dag_id, run in told]


def _runs() -> Any:  # noqa: ANN401  # SQLAlchemy's own types say nothing more here
    return select(DagRun.id, DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.logical_date, DagRun.run_after)


def _run(row: Any, tasks: Iterable[Task]) -> Run:  # noqa: ANN401  # a row
    state = None if row.state is None else str(getattr(row.state, "value", row.state))
    return Run(
        dag_id=row.dag_id, run_id=row.run_id, state=state, at=row.logical_date or row.run_after, tasks=tuple(tasks)
    )


def _tasks() -> Any:  # noqa: ANN401  # as above
    return select(
        TaskInstance.dag_id,
        TaskInstance.run_id,
        TaskInstance.task_id,
        TaskInstance.map_index,
        TaskInstance.operator,
        TaskInstance.state,
        TaskInstance.start_date,
        TaskInstance.end_date,
    )


def _task(row: Any) -> Task:  # noqa: ANN401  # a row
    return Task(
        dag_id=row.dag_id,
        run_id=row.run_id,
        task_id=row.task_id,
        map_index=row.map_index,
        operator=row.operator,
        state=None if row.state is None else str(getattr(row.state, "value", row.state)),
        started_at=row.start_date,
        ended_at=row.end_date,
    )


def _joined(task: Task, values: dict[tuple[str, str, int, str], dict[str, Any]]) -> Task:
    return replace(task, values=values.get((task.run_id, task.task_id, task.map_index, task.dag_id), {}))


def _values(query: Any, session: Session) -> dict[tuple[str, str, int, str], dict[str, Any]]:  # noqa: ANN401
    """Return the values of (run, task, map index, DAG), by key."""
    columns = query.with_only_columns(
        XComModel.run_id, XComModel.task_id, XComModel.map_index, XComModel.dag_id, XComModel.key, XComModel.value
    ).limit(_MOST_VALUES)
    found: dict[tuple[str, str, int, str], dict[str, Any]] = defaultdict(dict)
    for row in session.execute(columns):
        found[row.run_id, row.task_id, row.map_index, row.dag_id][row.key] = _plain(row)
    return dict(found)


def _pushed(ids: Iterable[int]) -> Any:  # noqa: ANN401  # as above
    """Return the question for what runs have pushed, by the numbers that the table's own index begins with.

    ``XComModel.get_many`` takes one run, or all before it, each row of which it then compares dates for.
    """
    return select(XComModel).where(XComModel.dag_run_id.in_(list(ids)), XComModel.key.in_(KEYS))


def _plain(row: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    """Return a value as JSON has it; a place where the deployment's own XCom backend has put it is followed."""
    value = row.value
    if not isinstance(value, str):
        return value
    with contextlib.suppress(ValueError):  # a URI is no JSON, and is itself
        value = json.loads(value)
    if not isinstance(value, str) or "://" not in value or is_record_uri(value):
        return value
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time.xcom import XCom

    return value if XCom is BaseXCom else XCom.deserialize_value(row)
