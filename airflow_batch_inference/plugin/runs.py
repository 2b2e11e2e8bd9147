"""What Airflow's database knows of runs: states, times, and the small values that tasks have pushed.

The one module of the pages that asks the database.

Invariants: the number of queries does not grow with the runs; of runs that are summed up, all that a run has pushed is
read, or none of it; and a value is taken as plain JSON: no class is made from it.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import case, func, select

from airflow_batch_inference.operators.base import RECORD_URI
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    _Values = dict[tuple[str, str, int, str], dict[str, Any]]

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
    "disagreement_fraction",
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
    is_whole: bool = True
    """Whether all that its tasks have pushed was read: there is a limit, for the database's sake."""


def dags_beginning(beginning: str, session: Session) -> list[str]:
    """Return the ids of all DAGs that begin so."""
    found = session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.startswith(beginning, autoescape=True)))
    return [str(each) for each in found]


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
    values = _values(session.execute(_of_values(query.where(XComModel.key.in_(KEYS)))))
    return _joined(task, values)


def run_of(dag_id: str, run_id: str, session: Session) -> Run | None:
    """Return one run with those of its tasks that have pushed values, with their states and times."""
    found = session.execute(_runs().where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).first()
    if found is None:
        return None
    values, whole = _pushed([found], session, keep_parts=True)
    instances, _ = _instances([found], {key[1] for key in values}, session, keep_parts=True)
    return replace(_run(found, [_joined(task, values) for task in instances]), is_whole=bool(whole))


def last_runs(dag_id: str, most: int, session: Session) -> list[Run]:
    """Return the last runs of a DAG, oldest first, with their tasks that have pushed values: three queries.

    Runs before those that fill the limit are without their tasks, and say that they are not whole.
    """
    query = _runs().where(DagRun.dag_id == dag_id).order_by(_at().desc(), DagRun.id.desc()).limit(most)
    found = session.execute(query).all()
    values, whole = _pushed(found, session)
    instances, whole = _instances(whole, {key[1] for key in values}, session)
    known = {row.run_id for row in whole}
    by_run: dict[str, list[Task]] = defaultdict(list)
    for task in instances:
        by_run[task.run_id].append(_joined(task, values))
    return [replace(_run(row, by_run[row.run_id]), is_whole=row.run_id in known) for row in reversed(found)]


def _instances(
    runs: Sequence[Any], task_ids: Collection[str], session: Session, *, keep_parts: bool = False
) -> tuple[list[Task], Sequence[Any]]:
    """Return the instances of some tasks in the first of some runs of a DAG, and those runs; as :func:`_pushed`."""
    if not task_ids or not runs:
        return [], runs
    run_ids = [row.run_id for row in runs]
    rows = session.execute(
        _tasks()
        .where(
            TaskInstance.dag_id == runs[0].dag_id,
            TaskInstance.run_id.in_(run_ids),
            TaskInstance.task_id.in_(task_ids),
        )
        .order_by(
            _place(TaskInstance.run_id, run_ids), TaskInstance.start_date, TaskInstance.task_id, TaskInstance.map_index
        )
        .limit(_MOST_VALUES + 1)
    ).all()
    whole = runs if len(rows) <= _MOST_VALUES else runs[: run_ids.index(rows[-1].run_id)]
    known = {row.run_id for row in whole}
    return [_task(row) for row in rows if keep_parts or row.run_id in known], whole


def pipelines(dag_ids: Iterable[str], session: Session) -> list[tuple[Run, Run]]:
    """Return of each DAG that has ever scored the last run, and the last run that has told something: three queries.

    Parameters
    ----------
    dag_ids
        Those that the reader may see.
    """
    tells = XComModel.key.in_(TELLING_KEYS) & XComModel.dag_id.in_(list(dag_ids))
    last_told = (
        select(DagRun.dag_id, func.max(_at()).label("at"))
        .join(XComModel, XComModel.dag_run_id == DagRun.id)
        .where(tells)
        .group_by(DagRun.dag_id)
        .order_by(DagRun.dag_id)
        .limit(_MOST_PIPELINES)
    ).subquery()
    # Two runs of one date are told apart by their numbers, as in a DAG's own list.
    told = {
        row.dag_id: row
        for row in session.execute(
            _runs()
            .join(last_told, (DagRun.dag_id == last_told.c.dag_id) & (_at() == last_told.c.at))
            .where(DagRun.id.in_(select(XComModel.dag_run_id).where(tells)))
            .order_by(DagRun.dag_id, DagRun.id)
        )
    }
    if not told:
        return []
    last_at = (
        select(DagRun.dag_id, func.max(_at()).label("at")).where(DagRun.dag_id.in_(told)).group_by(DagRun.dag_id)
    ).subquery()
    newest = _runs().join(last_at, (DagRun.dag_id == last_at.c.dag_id) & (_at() == last_at.c.at)).order_by(DagRun.id)
    last = {row.dag_id: row for row in session.execute(newest)}
    tasks: dict[str, list[Task]] = defaultdict(list)
    values, whole = _pushed(list(told.values()), session)
    for (run_id, task_id, map_index, dag_id), found in values.items():
        tasks[dag_id].append(Task(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, values=found))
    known = {row.dag_id for row in whole}
    return [
        (_run(last[dag_id], []), replace(_run(row, tasks[dag_id]), is_whole=dag_id in known))
        for dag_id, row in told.items()
    ]


def _at() -> Any:  # noqa: ANN401  # SQLAlchemy's own types say nothing more here
    """Return what runs are ordered by: the logical date, as they may be made long after it."""
    return func.coalesce(DagRun.logical_date, DagRun.run_after)


def _place(column: Any, order: Sequence[Any]) -> Any:  # noqa: ANN401  # as above
    return case({value: place for place, value in enumerate(order)}, value=column)


def _runs() -> Any:  # noqa: ANN401  # as above
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


def _joined(task: Task, values: _Values) -> Task:
    return replace(task, values=values.get((task.run_id, task.task_id, task.map_index, task.dag_id), {}))


def _pushed(runs: Sequence[Any], session: Session, *, keep_parts: bool = False) -> tuple[_Values, Sequence[Any]]:
    """Return what the first of some runs have pushed, and those runs: of each all of it.

    It is asked by the numbers that the table's own index begins with. ``XComModel.get_many`` takes one run, or all
    before it, each row of which it then compares dates for.

    Parameters
    ----------
    runs
        Rows of them.
    keep_parts
        Give what was read of a run that is not read to its end, too.
    """
    if not runs:
        return {}, runs
    ids = [row.id for row in runs]
    query = select(XComModel).where(XComModel.dag_run_id.in_(ids), XComModel.key.in_(KEYS))
    order = (_place(XComModel.dag_run_id, ids), XComModel.task_id, XComModel.map_index)
    rows = session.execute(_of_values(query).order_by(*order).limit(_MOST_VALUES + 1)).all()
    whole = runs if len(rows) <= _MOST_VALUES else runs[: ids.index(rows[-1].dag_run_id)]
    known = {row.id for row in whole}
    return _values(row for row in rows if keep_parts or row.dag_run_id in known), whole


def _of_values(query: Any) -> Any:  # noqa: ANN401  # as above
    return query.with_only_columns(
        XComModel.dag_run_id,
        XComModel.run_id,
        XComModel.task_id,
        XComModel.map_index,
        XComModel.dag_id,
        XComModel.key,
        XComModel.value,
    )


def _values(rows: Iterable[Any]) -> _Values:
    """Return the values of (run, task, map index, DAG), by key."""
    found: _Values = defaultdict(dict)
    for row in rows:
        found[row.run_id, row.task_id, row.map_index, row.dag_id][row.key] = _plain(row)
    return dict(found)


def _plain(row: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    """Return a value as JSON has it; a place where the deployment's own XCom backend has put it is followed."""
    value = row.value
    if not isinstance(value, str):
        return value
    with contextlib.suppress(ValueError, RecursionError):  # a URI is no JSON, and is itself
        value = json.loads(value)
    if not isinstance(value, str) or "://" not in value or is_record_uri(value):
        return value
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time.xcom import XCom

    return value if XCom is BaseXCom else XCom.deserialize_value(row)
