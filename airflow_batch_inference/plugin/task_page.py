"""One task instance: which page its result has, and what stands there where it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.plugin import model_page, prediction_page, verdict_page
from airflow_batch_inference.plugin.artifacts import NotShownError
from airflow_batch_inference.plugin.html import (
    crumbs,
    details,
    digest,
    duration,
    empty,
    heading,
    number,
    page,
    section,
    state,
    text,
)
from airflow_batch_inference.plugin.values import as_text, number_in
from airflow_batch_inference.records import (
    ChallengersRecord,
    DriftResult,
    EvaluationRecord,
    LoggedArtifactsRecord,
    ModelRecord,
    PredictionSetRecord,
)
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    from airflow_batch_inference.plugin.artifacts import Artifacts
    from airflow_batch_inference.plugin.runs import Task
    from airflow_batch_inference.records import Record

OPERATORS = frozenset(
    {
        "LoadModelOperator",
        "PredictOperator",
        "PreflightOperator",
        "ScoringScriptOperator",
        "EvaluateModelOperator",
        "DriftAnalysisOperator",
        "DriftGateOperator",
        "LogArtifactsOperator",
        "ScoreRowsOperator",
        "ScoreFilesOperator",
    }
)
_UNFINISHED = frozenset({None, "scheduled", "queued", "running", "restarting", "deferred", "awaiting_input"})
_LABELS = {
    "rows": "Rows",
    "rows_rejected": "Rejected rows",
    "items": "Files",
    "items_failed": "Failed files",
    "batch_id": "Batch",
    "flavor": "Flavor",
    "drift_metric": "Drift metric",
    "published_uri": "Published to",
    "disagreement_fraction": "Disagreements",
}


def render(task: Task, artifacts: Artifacts, *, rows: int) -> str:
    """Return the page of a task instance.

    Parameters
    ----------
    task
        With what it has pushed.
    artifacts
        The store, as the reader may see it.
    rows
        At most so many rows of data are shown.
    """
    way = crumbs(task.dag_id, task.run_id, _name(task))
    title = f"{task.task_id} of {task.dag_id}"
    uri = task.record_uri
    if not artifacts.holds(uri):
        return page(title, _without_record(task, is_elsewhere=is_record_uri(uri)), way=way)
    try:
        record = artifacts.record(str(uri))
    except NotShownError as error:
        return page(title, _not_shown(task, str(error)), way=way)
    content, style = content_of(record, task, artifacts, rows)
    return page(title, f"{_failed(task)}{content}", way=way, style=style)


def report(task: Task, artifacts: Artifacts) -> bytes:
    """Return the HTML report that a task's result names.

    Raises
    ------
    NotShownError
        There is none, or it must not be shown.
    """
    uri = task.record_uri
    if not artifacts.holds(uri):
        message = "The task has left no result that has a report."
        raise NotShownError(message)
    record = artifacts.record(str(uri))
    if isinstance(record, PredictionSetRecord) and record.challengers_uri is not None:
        record = artifacts.record(record.challengers_uri)
    if isinstance(record, (DriftResult, EvaluationRecord, ChallengersRecord)) and record.report_uri is not None:
        return artifacts.report(record.report_uri)
    message = "Its result has no report of its own."
    raise NotShownError(message)


def content_of(record: Record, task: Task, artifacts: Artifacts, rows: int) -> tuple[str, str]:
    """Return the content and the style sheet that go with a record; arguments as for :func:`render`."""
    if isinstance(record, ModelRecord):
        return model_page.content(record), model_page.STYLE
    if isinstance(record, PredictionSetRecord):
        return prediction_page.content(record, task, artifacts, rows=rows), prediction_page.STYLE
    if isinstance(record, DriftResult):
        return verdict_page.drift(record, task), verdict_page.drift_sheet(record)
    if isinstance(record, EvaluationRecord):
        return verdict_page.evaluation(record, task), verdict_page.EVALUATION_STYLE
    if isinstance(record, LoggedArtifactsRecord):
        return verdict_page.logged(record, artifacts.root), verdict_page.STYLE
    kind = text(getattr(record, "kind", "record"))
    return empty("Nothing to draw", f"The task has returned a record of the kind {kind}."), verdict_page.STYLE


def _name(task: Task) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id} [{task.map_index}]"


def _failed(task: Task) -> str:
    """Return a line above what a failed task has left."""
    if task.state not in ("failed", "up_for_retry", "upstream_failed"):
        return ""
    return f'<p class="w">The task is {state(task.state)}; this is what it recorded before. Its log says why.</p>'


def _without_record(task: Task, *, is_elsewhere: bool) -> str:
    """Return what is known of a task that has no record in the store."""
    known = _known(task)
    if task.values.get("model_sha256"):
        known["Model"] = digest(as_text(task.values["model_sha256"]))
    if task.values.get("drift_status"):
        known["Drift"] = state(as_text(task.values["drift_status"]))
    if is_elsewhere:
        return _told(
            "Its result lies elsewhere",
            "The record lies outside of the artifact root that the UI reads ([batch_inference] artifact_root).",
            task,
            known,
        )
    if task.operator not in OPERATORS and not {"batch_id", "drift_status"} & set(task.values):
        return empty("Not a task of this provider", "This tab shows models, prediction sets, drift and evaluations.")
    if task.state in _UNFINISHED:
        return empty("Nothing yet", f"The task is {state(task.state)}. Its result is shown here when it has ended.")
    if task.state == "success":
        return _told("No result was recorded", "It may have tried things out, or found nothing to do.", task, known)
    if task.state == "skipped":
        return empty("Skipped", "The task was skipped, and has recorded nothing.")
    reason = "It ended before it committed a result: nothing of its output is visible anywhere. Its log says why."
    return _told("No result", f"The task is {state(task.state)}. {reason}", task, known)


def _not_shown(task: Task, reason: str) -> str:
    return _told("The result cannot be shown", text(reason, 300), task, _known(task))


def _known(task: Task) -> dict[str, str]:
    """Return what the task has pushed of numbers and names, by label."""
    return {label: _value(task.values[key]) for key, label in _LABELS.items() if task.values.get(key) is not None}


def _told(title: str, said: str, task: Task, known: dict[str, str]) -> str:
    """Return a heading, a sentence, and what the task has pushed."""
    known = {**known, "Ran for": duration(task.seconds) if task.seconds is not None else ""}
    return heading(title, "bad" if task.state == "failed" else "none", said) + section("What it told", details(known))


def _value(value: object) -> str:
    return text(value, 300) if number_in(value) is None else number(value)
