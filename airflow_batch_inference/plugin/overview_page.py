"""Every pipeline and every model, with how they did last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.plugin.dag_page import date, left_out, verdicts
from airflow_batch_inference.plugin.history import is_ours, outcome
from airflow_batch_inference.plugin.html import (
    NONE,
    address,
    digest,
    empty,
    heading,
    ident,
    link,
    number,
    page,
    section,
    state,
    table,
    text,
)
from airflow_batch_inference.plugin.values import as_text
from airflow_batch_inference.storage.uris import beginning_of, decode_segment

_MOST_BYTES = 40_000

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.plugin.artifacts import Artifacts
    from airflow_batch_inference.plugin.runs import Run, Task


def render(found: Sequence[tuple[Run, Run]], artifacts: Artifacts) -> str:
    """Return the page.

    Parameters
    ----------
    found
        Of each DAG its last run, and the last one that has told something.
    artifacts
        The store, as the reader may see it.
    """
    pipelines = [pair for pair in found if any(is_ours(task, artifacts.holds) for task in pair[1].tasks)]
    left = left_out(sum(not told.is_whole for _, told in found), "pipeline")
    if not pipelines and not left:
        said = "A DAG appears here once one of its runs has loaded a model or scored a dataset."
        return page("Batch inference", empty("No pipelines yet", said))
    models = _models(pipelines, artifacts)
    what = f"{len(pipelines):,} pipeline{'s' * (len(pipelines) > 1)}, {len(models):,} model{'s' * (len(models) != 1)}"
    content = heading("Batch inference", "none", what) + left + section("Pipelines", _pipelines(pipelines))
    heads = ["Model", "Flavor", "SHA-256", "Pipeline", "Last run", "Verdict"]
    return page(
        "Batch inference", content + section("Models", table(heads, models, kind="wide", most_bytes=_MOST_BYTES))
    )


def _pipelines(found: Sequence[tuple[Run, Run]]) -> str:
    heads = ["Pipeline", "Last run", "State", "#Rows", "#Rejected", "Verdict", "#Drift", "Model"]
    rows = []
    for last, told in found:
        numbers = outcome(told)
        is_older = "" if last.run_id == told.run_id else f"<small>numbers of {date(told.at)}</small>"
        rows.append(
            [
                link(address("dag", dag_id=last.dag_id), ident(last.dag_id)),
                f"{date(last.at)}{is_older and ' '}{is_older}",
                state(last.state),
                number(numbers.rows),
                number(numbers.rows_rejected),
                verdicts(numbers),
                number(numbers.drift_metric),
                ", ".join(map(digest, numbers.models[:3])) or NONE,
            ]
        )
    return table(heads, rows, kind="wide", most_bytes=_MOST_BYTES)


def _models(found: Sequence[tuple[Run, Run]], artifacts: Artifacts) -> list[list[str]]:
    """Return a row for each model that a pipeline has loaded in its last run."""
    rows = []
    for _, run in found:
        numbers = outcome(run)
        for task in run.tasks:
            name = _model_name(task, artifacts)
            if name is None:
                continue
            where = address(
                "task", dag_id=task.dag_id, run_id=task.run_id, task_id=task.task_id, map_index=task.map_index
            )
            rows.append(
                [
                    link(where, ident(name)),
                    text(task.values.get("flavor") or NONE, 40),
                    digest(as_text(task.values["model_sha256"])) if task.values.get("model_sha256") else NONE,
                    link(address("dag", dag_id=run.dag_id), ident(run.dag_id)),
                    date(run.at),
                    verdicts(numbers),
                ]
            )
    return rows


def _model_name(task: Task, artifacts: Artifacts) -> str | None:
    """Return the name of the model that a task has loaded, as its record's folder has it."""
    uri = task.record_uri
    if not artifacts.holds(uri):
        return None
    folder, _, rest = str(uri).removeprefix(f"{artifacts.root}/").partition("/")
    name = rest.partition("/")[0]
    if folder != "models" or not name:
        return None
    return decode_segment(name) or f"{beginning_of(name)}…"
