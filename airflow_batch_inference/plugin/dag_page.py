"""The last runs of a DAG beside one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.plugin.history import Outcome, is_ours, outcome
from airflow_batch_inference.plugin.html import (
    NONE,
    STATES,
    address,
    crumbs,
    digest,
    empty,
    heading,
    ident,
    link,
    number,
    page,
    section,
    share,
    state,
    table,
    text,
)
from airflow_batch_inference.plugin.lines import bars, line
from airflow_batch_inference.plugin.style import HISTORY_STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_batch_inference.plugin.artifacts import Artifacts
    from airflow_batch_inference.plugin.runs import Run

_KEY = (("good", "no drift"), ("odd", "possible drift, or too few rows"), ("bad", "drift detected"))


def render(dag_id: str, found: Sequence[Run], artifacts: Artifacts) -> str:
    """Return the page; runs oldest first."""
    way, title = crumbs(dag_id), f"Batch inference: {dag_id}"
    runs = [outcome(run) for run in found if any(is_ours(task, artifacts.holds) for task in run.tasks)]
    left = left_out(sum(not run.is_whole for run in found), "run")
    if not runs:
        known = "None of its runs has loaded a model, scored or analysed anything yet." if found else "It has no runs."
        return page(title, empty("No runs of this provider's tasks", "" if left else known) + left, way=way)
    content = f"{_heading(dag_id, runs)}{left}{_multiples(runs)}{section('Runs', _table(runs))}"
    return page(title, content, way=way, style=HISTORY_STYLE)


def left_out(number_of: int, what: str) -> str:
    """Say that something is not shown because there are too many values to read all of it; nothing where none is."""
    if not number_of:
        return ""
    several = "s are" if number_of > 1 else " is"
    said = "tasks have pushed more values than are read for a page"
    return f'<p class="w">{number_of:,} {what}{several} left out: {said}. None is summed up in part.</p>'


def _heading(dag_id: str, runs: Sequence[Outcome]) -> str:
    last = runs[-1]
    kind = STATES.get(last.drift_status or "", "none")
    said = f"{number(last.rows)} rows in the last run" if last.rows is not None else ""
    if last.rows_rejected:
        said += f", {number(last.rows_rejected)} rejected"
    drift = f"drift: {state(last.drift_status)}" if last.drift_status else ""
    sentence = " \N{MIDDLE DOT} ".join(filter(None, (said, drift, f"{date(last.at)}, {state(last.state)}")))
    return heading(text(dag_id), kind if kind != "run" else "none", sentence, place=f"The last {len(runs):,} runs")


def _multiples(runs: Sequence[Outcome]) -> str:
    changed = changes(runs)
    rejected = [_share_rejected(run) for run in runs]
    shown = [
        _multiple("Rows", number(runs[-1].rows), bars([run.rows for run in runs], "Rows a run", changes=changed))
        if any(run.rows is not None for run in runs)
        else "",
        _multiple(
            "Rows a second",
            number(_rounded(runs[-1].rows_per_second)),
            line([run.rows_per_second for run in runs], "Rows a second", changes=changed),
        )
        if any(run.rows_per_second is not None for run in runs)
        else "",
        _multiple(
            "Rejected",
            share(runs[-1].rows_rejected or 0, (runs[-1].rows or 0) + (runs[-1].rows_rejected or 0)),
            line(
                [None if value is None else 100 * value for value in rejected],
                "Percent of the rows that were rejected",
                changes=changed,
                unit=" %",
            ),
        )
        if any(rejected)
        else "",
        _multiple(
            "Drift",
            number(runs[-1].drift_metric),
            line(
                [run.drift_metric for run in runs],
                "Drift metric",
                changes=changed,
                dots=[_dot(run.drift_status) for run in runs],
            ),
        )
        if any(run.drift_metric is not None for run in runs)
        else "",
    ]
    drawn = "".join(filter(None, shown))
    return f"<div>{drawn}</div>{_key(runs, changed)}" if drawn else ""


def _multiple(title: str, last: str, drawing: str) -> str:
    return f'<div class="m"><div><h2>{title}</h2><p><b>{last}</b></p></div>{drawing}</div>'


def _key(runs: Sequence[Outcome], changed: Sequence[int]) -> str:
    has_drift = any(run.drift_status for run in runs)
    dots = "".join(f'<span><i class="{kind}"></i>{label}</span>' for kind, label in _KEY) if has_drift else ""
    marks = "<span><u></u>another model from here on</span>" if changed else ""
    ends = f"<span>{date(runs[0].at)} to {date(runs[-1].at)}, one step a run</span>"
    return f'<div class="key">{ends}{marks}{dots}</div>'


def changes(runs: Sequence[Outcome]) -> list[int]:
    """Return the places of runs with other models than the last run before them that had any."""
    found, before = [], None
    for place, run in enumerate(runs):
        if not run.models:
            continue
        if before is not None and run.models != before:
            found.append(place)
        before = run.models
    return found


def _table(runs: Sequence[Outcome]) -> str:
    heads = ["Run", "Date", "State", "#Rows", "#Rows/s", "#Rejected", "Verdict", "#Drift", "Model"]
    changed = set(changes(runs))
    rows = (
        [
            link(address("run", dag_id=run.dag_id, run_id=run.run_id), ident(run.run_id)),
            date(run.at),
            state(run.state),
            number(run.rows),
            number(_rounded(run.rows_per_second)),
            number(run.rows_rejected),
            verdicts(run),
            number(run.drift_metric),
            ", ".join(map(digest, run.models[:3])) + ("<small> new</small>" if place in changed else ""),
        ]
        for place, run in reversed(list(enumerate(runs)))
    )
    return table(heads, rows, kind="wide", most_bytes=64_000)


def verdicts(run: Outcome) -> str:
    """Return what was said of a run's drift, and of its evaluations."""
    said = [state(run.drift_status)] if run.drift_status is not None else []
    if run.passed is not None:
        said.append(state("passed" if run.passed else "not good enough"))
    return ", ".join(said) or NONE


def _dot(status: str | None) -> str | None:
    return None if status is None else STATES.get(status, "none")


def _share_rejected(run: Outcome) -> float | None:
    if run.rows is None or run.rows_rejected is None:
        return None
    return run.rows_rejected / ((run.rows + run.rows_rejected) or 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value)


def date(at: datetime | None) -> str:
    """Return a run's date in UTC, and its time where it is not midnight."""
    if at is None:
        return NONE
    return f"<time>{at:%Y-%m-%d %H:%M}</time>".replace(" 00:00<", "<")
