"""What a callback's context says has happened, as a message; nothing where there is nothing to tell."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference import exceptions
from airflow_batch_inference.links import page_url
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.reports.messages import (
    Place,
    checks_message,
    deadline_message,
    drift_message,
    failure_message,
    rejected_message,
    run_message,
)

_MOST_DIGITS = 19

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.reports.messages import Message


def message_of(context: Mapping[str, Any]) -> tuple[Message, Place] | None:
    """Return what a context tells, and of what; None for what needs no message, such as a success without rejects.

    The most telling comes first: a drift verdict and failed checks, which operators hand to their ``notifiers``; a
    task's error; a missed deadline; a failed run; rows that a task that succeeded has rejected.
    """
    task = _task_place(context)
    if task is not None and context.get("drift"):
        return drift_message(context["drift"], task), task
    if task is not None and context.get("checks"):
        return checks_message(context["checks"], task), task
    if task is not None and context.get("exception"):
        return _failure(context, task), task
    run = _run_place(context)
    if context.get("deadline"):
        return deadline_message(str(context["deadline"].get("deadline_time", "")), run), run
    if context.get("reason"):
        reason = str(context["reason"])
        return None if reason == "success" else (run_message(reason, run), run)
    return None if task is None else _ended(context, task)


def _failure(context: Mapping[str, Any], task: Place) -> Message:
    message = failure_message(*_error(context.get("exception")), task)
    if getattr(context["ti"], "state", None) != "up_for_retry":
        return message
    # Of a kind of its own, or its cooldown would hold back what is told of the last try.
    return replace(message, kind=f"{message.kind}_retried", title=f"{message.title} (is tried again)")


def _ended(context: Mapping[str, Any], task: Place) -> tuple[Message, Place] | None:
    """Return what is told of a task that ended without an error that Airflow knows of."""
    ti = context["ti"]
    state = getattr(ti, "state", None)
    if state in (None, "failed", "up_for_retry"):  # none: the DAG processor tells of a task that was killed
        return _failure(context, task), task
    if state != "success":
        return None
    identity = {"task_ids": task.task_id, "map_indexes": ti.map_index}
    rejected = _count(ti.xcom_pull(**identity, key="rows_rejected"))
    if not rejected:
        return None
    return rejected_message(rejected, _count(ti.xcom_pull(**identity, key="rows")), task), task


def _count(value: object) -> int | None:
    """Return a number of rows that a task has pushed, as text too; None for all else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _MOST_DIGITS:
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def _error(error: object) -> tuple[str, str]:
    """Return the class of an error and what it says; the operators put this package's classes before the text.

    A class from elsewhere that bears the name of one of this package's is told with its module: it may quote anything.
    """
    if error is None:
        return "", ""
    text = str(error)
    named = re.match(r"(\w+Error): (.*)", text, re.DOTALL)
    if named and isinstance(error, (str, AirflowFailException)):
        return named.group(1), named.group(2)
    if isinstance(error, str):
        return "", text
    kind = type(error)
    is_foreign = hasattr(exceptions, kind.__name__) and kind.__module__ != exceptions.__name__
    return f"{kind.__module__}.{kind.__name__}" if is_foreign else kind.__name__, text


def _task_place(context: Mapping[str, Any]) -> Place | None:
    ti = context.get("ti") or context.get("task_instance")
    if ti is None:
        return None
    key = TaskKey.of(ti)
    return Place(**asdict(key), url=page_url(key, is_absolute=True) or None)


def _run_place(context: Mapping[str, Any]) -> Place:
    """Return the run; of a missed deadline Airflow gives it as plain JSON."""
    run = context.get("dag_run")
    told = run if isinstance(run, dict) else {name: getattr(run, name, None) for name in ("dag_id", "run_id")}
    dag_id = told.get("dag_id") or getattr(context.get("dag"), "dag_id", None)
    run_id = told.get("run_id") or told.get("dag_run_id") or context.get("run_id")
    return Place(dag_id=str(dag_id or ""), run_id=str(run_id or ""))
