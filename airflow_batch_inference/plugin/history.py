"""What a run comes to, over all its tasks: the numbers that runs are compared by.

Invariants: nothing is read from the store here, so that a hundred runs cost what one does; a number that a run did not
tell stays unknown, and is never drawn as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.plugin.values import as_text, number_in
from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from airflow_batch_inference.plugin.runs import Run, Task

_WORST = (
    DriftStatus.NOT_ANALYSED,
    DriftStatus.NO_DRIFT,
    DriftStatus.INSUFFICIENT,
    DriftStatus.POSSIBLE_DRIFT,
    DriftStatus.DRIFT_DETECTED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The numbers of a run; None where it told none."""

    dag_id: str
    run_id: str
    state: str | None
    at: datetime | None
    rows: int | None
    """Scored, by all its scoring tasks."""
    rows_rejected: int | None
    rows_per_second: float | None
    """Of the scoring tasks that have ended: their rows by their seconds from start to end."""
    drift_status: str | None
    """The worst."""
    drift_metric: float | None
    """The largest."""
    models: tuple[str, ...]
    """Digests of the models that scored; of a run that only loads or evaluates, those of that."""
    passed: bool | None
    """Whether all its evaluations did."""


def outcome(run: Run) -> Outcome:
    """Return what a run's tasks have told, together."""
    scoring = [task for task in run.tasks if is_scoring(task)]
    ended = [task for task in scoring if task.seconds]
    seconds = sum(task.seconds or 0.0 for task in ended)
    statuses = [as_text(task.values["drift_status"]) for task in run.tasks if task.values.get("drift_status")]
    known = [status for status in _WORST if status in statuses]
    verdicts = [task.values["passed"] for task in run.tasks if isinstance(task.values.get("passed"), bool)]
    return Outcome(
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=run.state,
        at=run.at,
        rows=_total(scoring, "rows"),
        rows_rejected=_total(scoring, "rows_rejected"),
        rows_per_second=(_total(ended, "rows") or 0) / seconds if seconds else None,
        drift_status=str(known[-1]) if known else None,
        drift_metric=max(_numbers(run.tasks, "drift_metric"), default=None),
        models=_digests(scoring or run.tasks),
        passed=all(verdicts) if verdicts else None,
    )


def is_scoring(task: Task) -> bool:
    """Say whether a task has scored rows or files, and did not only pass on how many."""
    return "rows" in task.values and "batch_id" in task.values


def is_ours(task: Task, holds: Callable[[object], bool]) -> bool:
    """Say whether a task is one of this provider's, by what it has pushed.

    Parameters
    ----------
    holds
        Whether a value is the URI of a record in the store.
    """
    values = task.values
    return holds(task.record_uri) or is_scoring(task) or {"drift_status", "drift_metric"} <= set(values)


def _numbers(tasks: Iterable[Task], key: str) -> list[float]:
    found = (number_in(task.values.get(key)) for task in tasks)
    return [value for value in found if value is not None]


def _total(tasks: Iterable[Task], key: str) -> int | None:
    found = _numbers(tasks, key)
    return int(sum(found)) if found else None


def _digests(tasks: Iterable[Task]) -> tuple[str, ...]:
    found = [task.values.get("model_sha256") for task in tasks]
    return tuple(sorted({value for value in found if isinstance(value, str) and value}))
