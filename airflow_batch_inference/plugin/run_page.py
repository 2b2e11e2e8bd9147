"""The tasks of one run, or the instances of one mapped task, as a list of links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.plugin.dag_page import date
from airflow_batch_inference.plugin.history import is_ours, is_scoring
from airflow_batch_inference.plugin.html import (
    address,
    crumbs,
    digest,
    duration,
    empty,
    heading,
    ident,
    link,
    more,
    number,
    page,
    section,
    state,
    table,
    text,
)
from airflow_batch_inference.plugin.runs import MOST_TASKS
from airflow_batch_inference.plugin.values import as_text

_MOST_BYTES = 64_000

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.plugin.artifacts import Artifacts
    from airflow_batch_inference.plugin.runs import Run, Task


def render(run: Run, artifacts: Artifacts) -> str:
    """Return the page of a run."""
    way, title = crumbs(run.dag_id, run.run_id), f"{run.run_id} of {run.dag_id}"
    tasks = [task for task in run.tasks if is_ours(task, artifacts.holds)]
    if not tasks:
        said = f"The run is {state(run.state)}. What its tasks load, score and find is shown here."
        return page(title, empty("Nothing of this provider's yet", said), way=way)
    head = heading(text(run.run_id), "none", f"{date(run.at)}, {state(run.state)}", place=text(run.dag_id))
    heads = ["Task", "Operator", "State", "#Took", "#Rows", "#Rejected", "Verdict", "Model"]
    rows = (
        [
            _link(task),
            text((task.operator or "").removesuffix("Operator"), 40),
            state(task.state),
            duration(task.seconds),
            number(task.values.get("rows")) if is_scoring(task) else "",
            number(task.values.get("rows_rejected", task.values.get("items_failed"))) if is_scoring(task) else "",
            _verdict(task),
            digest(as_text(task.values["model_sha256"])) if task.values.get("model_sha256") else "",
        ]
        for task in tasks[:MOST_TASKS]
    )
    more_tasks = "" if run.is_whole else '<p class="w">It has more tasks than are counted here.</p>'
    shown = table(heads, rows, of=len(tasks), kind="wide", most_bytes=_MOST_BYTES)
    return page(title, head + section("Tasks", f"{shown}{more_tasks}"), way=way)


def render_mapped(tasks: Sequence[Task]) -> str:
    """Return the page of a mapped task as a whole."""
    first = tasks[0]
    shown = tasks[:MOST_TASKS]
    rows = ([_link(task), state(task.state), duration(task.seconds)] for task in shown)
    head = heading(text(first.task_id), "none", "A mapped task: choose one of its instances.", place=text(first.run_id))
    left = more(1, "instance").replace("1 more instance", "more instances") if len(tasks) > len(shown) else ""
    content = f"{head}{table(['Instance', 'State', '#Took'], rows, most_bytes=_MOST_BYTES)}{left}"
    return page(f"{first.task_id} of {first.dag_id}", content, way=crumbs(first.dag_id, first.run_id, first.task_id))


def _link(task: Task) -> str:
    name = task.task_id if task.map_index < 0 else f"{task.task_id} [{task.map_index}]"
    where = address("task", dag_id=task.dag_id, run_id=task.run_id, task_id=task.task_id, map_index=task.map_index)
    return link(where, ident(name))


def _verdict(task: Task) -> str:
    if task.values.get("drift_status"):
        return state(as_text(task.values["drift_status"]))
    passed = task.values.get("passed")
    return state("passed" if passed else "not good enough") if isinstance(passed, bool) else ""
