"""The pages of verdicts: drift, an evaluation, and what was logged and published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.plugin.html import (
    address,
    details,
    digest,
    facts,
    heading,
    link,
    number,
    state,
    table,
    text,
)
from airflow_batch_inference.plugin.style import NAVIGATION, STYLE
from airflow_batch_inference.reports.drift_html import drift_content, drift_style
from airflow_batch_inference.reports.evaluation_html import evaluation_content
from airflow_batch_inference.reports.style import EVALUATION_STYLE as _EVALUATION_STYLE

if TYPE_CHECKING:
    from airflow_batch_inference.plugin.runs import Task
    from airflow_batch_inference.records import DriftResult, EvaluationRecord, LoggedArtifactsRecord

__all__ = ["EVALUATION_STYLE", "STYLE", "drift", "drift_sheet", "evaluation", "logged"]

EVALUATION_STYLE = _EVALUATION_STYLE + NAVIGATION
_MOST_REASONS, _MOST_NAMES, _MOST_CHARACTERS = 8, 20, 300
MOST_COLUMNS = 30
"""Of a drift analysis; the whole report has them all."""


def drift_sheet(result: DriftResult) -> str:
    """Return the style sheet of a drift analysis."""
    return drift_style(result) + NAVIGATION


def drift(result: DriftResult, task: Task) -> str:
    """Return the content of the page of a drift analysis: its report's own, without the columns that drift least."""
    provenance = {
        "Model": result.model_name or "",
        "DAG": task.dag_id,
        "Run": task.run_id,
        "Batch": result.batch_id or "",
        "Dataset": result.dataset_uri or "",
        "Model SHA-256": result.model_sha256 or "",
        "Baseline": result.baseline_uri or "",
    }
    shown = replace(result, reasons=tuple(_short(reason) for reason in result.reasons[:_MOST_REASONS]))
    return drift_content(
        shown, provenance=_cut(provenance), most_columns=MOST_COLUMNS, most_names=_MOST_NAMES
    ) + _report(task, result.report_uri)


def evaluation(found: EvaluationRecord, task: Task) -> str:
    """Return the content of the page of an evaluation: its report's own."""
    provenance = {
        "Model": found.model_name,
        "DAG": found.task.dag_id,
        "Run": found.task.run_id,
        "Batch": found.batch_id,
        "Dataset": ", ".join(found.dataset_uris[:3]),
        "Model file": found.model_uri,
        "Model SHA-256": found.model_sha256,
        "Predictions": found.predictions_uri,
        "Earlier evaluation": found.baseline_evaluation_uri or "",
    }
    return evaluation_content(found, provenance=_cut(provenance)) + _report(task, found.report_uri)


def _cut(provenance: dict[str, str]) -> dict[str, str]:
    return {label: _short(value) for label, value in provenance.items()}


def _short(value: str) -> str:
    return value if len(value) <= _MOST_CHARACTERS else f"{value[: _MOST_CHARACTERS - 1]}…"


def _report(task: Task, uri: str | None) -> str:
    if uri is None:
        return ""
    where = address("report", **_identity(task))
    return f'<p class="w" style="margin-top:18px">{link(where, "The whole report, as it was stored")}</p>'


def _identity(task: Task) -> dict[str, object]:
    return {"dag_id": task.dag_id, "run_id": task.run_id, "task_id": task.task_id, "map_index": task.map_index}


def logged(record: LoggedArtifactsRecord, root: str) -> str:
    """Return the content of the page of what a run registered and published; places in the store without its root."""
    rows = "" if record.rows is None else f"{record.rows:,} rows"
    if record.published_uri is not None:
        title = f"{rows} published" if rows else "Published"
        said = f"To <code>{text(record.published_uri, 300)}</code>"
    else:
        title, said = f"{len(record.entries):,} artifacts logged", "Nothing was published."
    told = facts(
        {
            "Rows": number(record.rows) if record.rows is not None else "",
            "Tag": text(record.tag) if record.tag else "",
            "Model": digest(record.model_sha256) if record.model_sha256 else "",
            "Drift": state(str(record.drift_status)) if record.drift_status else "",
            "Drift metric": number(record.drift_metric) if record.drift_metric is not None else "",
        }
    )
    entries = (
        [text(name, 80), f"<code>{text(uri.removeprefix(f'{root}/'), 300)}</code>"]
        for name, uri in record.entries.items()
    )
    task = details(
        {
            "DAG": text(record.task.dag_id),
            "Run": text(record.task.run_id),
            "Artifact root": f"<code>{text(root, 300)}</code>",
        }
    )
    listed = table(["Name", "Where it lies"], entries, kind="wide", most_bytes=40_000)
    return (
        f"{heading(title, 'none', said, place='Artifacts')}{told}<section><h2>Artifacts</h2>{listed}</section>"
        f"<section><h2>Provenance</h2>{task}</section>"
    )
