"""A prediction set: its rows and the proof of them, what was rejected and why, how long it took, its first rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.plugin.artifacts import NotShownError
from airflow_batch_inference.plugin.html import (
    NONE,
    address,
    details,
    digest,
    duration,
    facts,
    heading,
    link,
    more,
    number,
    section,
    share,
    size,
    state,
    table,
    text,
)
from airflow_batch_inference.plugin.preview import Preview, first_rows
from airflow_batch_inference.plugin.style import STYLE
from airflow_batch_inference.records import ChallengersRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.plugin.artifacts import Artifacts
    from airflow_batch_inference.plugin.runs import Task
    from airflow_batch_inference.records import Part, PredictionSetRecord

__all__ = ["STYLE", "content"]

_MOST_COLUMNS = 12
_MOST_LISTED = 60
_MOST_CELL = 60
_REJECTS_READ = 200
_WHY = ("_row", "_stage", "_error", "_file")
_BY_THE_CLOCK = {"plan": "planning", "score": "scoring"}
_STAGES = {
    "read": "in its file",
    "schema": "as an input of the model",
    "predict": "in the model",
    "check": "as a prediction",
}


def content(record: PredictionSetRecord, task: Task, artifacts: Artifacts, *, rows: int) -> str:
    """Return the page's content.

    Parameters
    ----------
    record
        What to show.
    task
        That has made it.
    artifacts
        The store, as the reader may see it.
    rows
        At most so many rows of data are shown; 0: none.
    """
    left = f"{_heading(record)}{_accounts(record)}{_facts(record)}"
    return (
        f"{left}{_rejected(record, artifacts, rows)}{_first(record, artifacts, rows)}{_checks(record)}"
        f"{_models(record, rows)}{_challengers(record, task, artifacts)}"
        f'<div class="two">{_phases(record)}{_proof(record)}</div>{_columns(record)}{_provenance(record)}'
    )


def _heading(record: PredictionSetRecord) -> str:
    items = record.items
    if items is not None:
        kind = "odd" if items.files_failed else "good"
        said = f"{items.files_in:,} files in {items.mini_batches:,} mini-batches, each in exactly one."
        return heading(f"{items.files_succeeded:,} files scored", kind, said, place=text(record.name))
    kind = "odd" if record.rows_rejected or any(check.is_exceeded for check in record.checks) else "good"
    said = "Every input row is in the output or among the rejected rows, exactly once."
    kept = "" if record.kept else "The rows themselves were not kept (log_result_set)."
    rejected = f", {record.rows_rejected:,} rejected" if record.rows_rejected else ""
    return heading(f"{record.rows_out:,} rows scored{rejected}", kind, said, kept, place=text(record.name))


def _accounts(record: PredictionSetRecord) -> str:
    """Return the sum that adds up, in large numbers."""
    items = record.items
    if items is not None:
        boxes = [(items.files_in, "files in", ""), (items.files_succeeded, "scored", "")]
        boxes += [(items.files_failed, "failed", "odd" if items.files_failed else "")]
    else:
        boxes = [(record.rows_in, "rows in", ""), (record.rows_out, "scored", "")]
        boxes += [(record.rows_rejected, "rejected", "odd" if record.rows_rejected else "")]
    shown = [f'<div class="{kind}"><b>{value:,}</b><span>{label}</span></div>' for value, label, kind in boxes]
    return f'<div class="sum">{shown[0]}<i>=</i>{shown[1]}<i>+</i>{shown[2]}</div>'


def _facts(record: PredictionSetRecord) -> str:
    seconds = record.seconds.get("score") or None
    per_second = number(round(record.rows_out / seconds)) if seconds and record.rows_out else ""
    return facts(
        {
            "Rows a second": per_second,
            "Model": f"{text(record.model_flavor)} {digest(record.model_sha256)}",
            "Method": text(", ".join(record.predict_methods), 60),
            "Format": text(record.output_format),
            "Files": f"{len(record.parts):,} ({size(sum(part.size_bytes for part in record.parts))})",
            "Returned": number(record.items.returned) if record.items is not None else "",
            "Batch": f"<code>{text(record.batch_id, 40)}</code>",
        }
    )


def _proof(record: PredictionSetRecord) -> str:
    certificate = record.certificate
    if certificate is None:
        if record.items is None:
            return ""
        hashes = {"Files in": record.items.file_hash_in, "Files given to mini-batches": record.items.file_hash_done}
        return section("Certificate", details({name: f"<code>{text(value)}</code>" for name, value in hashes.items()}))
    lines = [
        ("In", certificate.rows_in, certificate.row_hash_in),
        ("Out", certificate.rows_out, certificate.row_hash_out),
        ("Rejected", certificate.rows_rejected, certificate.row_hash_rejected),
    ]
    rows = ([name, f"{count:,}", f"<code>{text(value, 20)}</code>"] for name, count, value in lines)
    note = "Rows add up, and so do the sums of their hashes (modulo 2<sup>64</sup>)."
    return section("Certificate", table(["", "#Rows", "Hash"], rows), note)


def _phases(record: PredictionSetRecord) -> str:
    """Return a bar for each phase: the whole by the clock first, then what the workers did in it."""
    phases = sorted(record.seconds.items(), key=lambda pair: (pair[0] not in _BY_THE_CLOCK, -pair[1]))[:10]
    if not phases:
        return ""
    most = max(seconds for _, seconds in phases) or 1.0
    bars = "".join(
        f"<span>{_BY_THE_CLOCK.get(name) or text(name.replace('_', ' '), 30)}</span>"
        f'<i style="width:{max(seconds, 0.0) / most:.1%}"></i><b>{duration(seconds)}</b>'
        for name, seconds in phases
    )
    note = "Planning and scoring by the clock; below, what the workers did, summed over them."
    return section("Where the time went", f'<div class="bars">{bars}</div>', note)


def _rejected(record: PredictionSetRecord, artifacts: Artifacts, rows: int) -> str:
    if not record.quarantine:
        return ""
    said = f"{record.rows_rejected:,} of {record.rows_in:,} ({share(record.rows_rejected, record.rows_in)})"
    if record.rows_set_aside:
        said += f", of which {record.rows_set_aside:,} were scored and set aside by a check"
    where = details({"Quarantine": f"<code>{text(record.quarantine[0].uri, 300)}</code>"})
    why = _preview(record.quarantine[0], _WHY, max(_REJECTS_READ, rows) if rows else 0, artifacts)
    if why is None or not set(_WHY) <= set(why.columns):
        return section("Rejected rows", f"{where}{_left_out(why)}", f"{said}.")
    at = {name: why.columns.index(name) for name in _WHY}
    reasons = Counter((row[at["_stage"]], str(row[at["_error"]])) for row in why.rows)
    is_all = len(why.rows) == record.rows_rejected
    whose = "" if is_all else f" among the first {len(why.rows):,}"
    counted = table(
        [f"#Rows{whose}", "Where", "Why"],
        ([f"{count:,}", _stage(stage), text(error, 240)] for (stage, error), count in reasons.most_common(8)),
        kind="wide",
    )
    shown = _rejected_rows(record, why.names, artifacts, rows)
    return section("Rejected rows", f"{counted}{shown}{where}", f"{said}.")


def _rejected_rows(record: PredictionSetRecord, names: Sequence[str], artifacts: Artifacts, rows: int) -> str:
    others = [name for name in names if name not in _WHY]
    wanted = ["_file", "_row", *others[: _MOST_COLUMNS - len(_WHY)]]
    found = _preview(record.quarantine[0], wanted, rows, artifacts)
    if found is None or "_file" not in found.columns:
        return _left_out(found)
    left = more(len(others) - len(wanted) + 2, "column")
    shown = _data(_with_short_names(found, found.columns.index("_file")), found.columns, rows)
    return f"{shown}{_left_out(found)}{left}"


def _left_out(found: Preview | None) -> str:
    """Say which columns are not shown because reading them would take too much."""
    if found is None or not found.left_out:
        return ""
    names = ", ".join(text(name, 40) for name in found.left_out[:_MOST_COLUMNS])
    return f'<p class="w">Not shown, since the first rows are too large to be read for a page: {names}.</p>'


def _with_short_names(found: Preview, place: int) -> Preview:
    """Return rows with the file's name alone in the place of its URI."""
    rows = tuple((*row[:place], str(row[place]).rsplit("/", 1)[-1], *row[place + 1 :]) for row in found.rows)
    return replace(found, rows=rows)


def _stage(stage: Any) -> str:  # noqa: ANN401  # whatever the file holds
    return text(_STAGES.get(str(stage), str(stage)), 40)


def _checks(record: PredictionSetRecord) -> str:
    rows = (
        [
            text(check.name, 60),
            f"<code>{text(check.expression, 160)}</code>",
            f"{check.rows:,}",
            share(check.rows, record.rows_in),
            NONE if check.max_rate is None else f"{check.max_rate:.4g}",
            state("failed") if check.is_exceeded else state("passed"),
        ]
        for check in record.checks[:_MOST_LISTED]
    )
    heads = ["Check", "Expression", "#Rows", "#Share", "#At most", "Verdict"]
    return section("Checks", table(heads, rows, of=len(record.checks), kind="wide"))


def _models(record: PredictionSetRecord, rows: int) -> str:
    """Return the table of several models; an error may quote a value, and stands there where rows may be shown."""
    if not record.models:
        return ""
    listed = (
        [
            text(model.name, 60),
            f"{model.role} {model.step}" if model.role == "step" else model.role,
            text(model.model_flavor or NONE, 40),
            digest(model.model_sha256),
            f"{model.rows:,}",
            f"{model.rows_failed:,}",
            text(model.error or "", 160) if rows else "",
        ]
        for model in record.models[:_MOST_LISTED]
    )
    heads = ["Model", "Role", "Flavor", "SHA-256", "#Rows", "#Failed", "First error"]
    return section("Models", table(heads, listed, of=len(record.models), kind="wide"))


def _challengers(record: PredictionSetRecord, task: Task, artifacts: Artifacts) -> str:
    """Return how often challengers differ from the champion, and where the whole comparison is."""
    if record.challengers_uri is None:
        return ""
    try:
        found = artifacts.record(record.challengers_uri)
    except NotShownError as error:
        return section("Challengers", f'<p class="w">{text(error, 200)}</p>')
    if not isinstance(found, ChallengersRecord):
        return ""
    rows = (
        [
            text(each.name, 60),
            text(output.output, 60),
            output.kind,
            f"{output.disagreements:,}",
            NONE if output.disagreement_fraction is None else share(output.disagreement_fraction, 1),
        ]
        for each in found.challengers[:_MOST_LISTED]
        for output in each.outputs[:3]
    )
    shown = table(["Challenger", "Output", "Compared", "#Disagreements", "#Share of rows"], rows)
    identity = {"dag_id": task.dag_id, "run_id": task.run_id, "task_id": task.task_id, "map_index": task.map_index}
    whole = f"<p>{link(address('report', **identity), 'The whole comparison')}</p>" if found.report_uri else ""
    return section("Challengers", f"{shown}{whole}")


def _first(record: PredictionSetRecord, artifacts: Artifacts, rows: int) -> str:
    if not record.table or not record.rows_out or (record.items is not None and not record.items.has_header):
        return ""
    wanted = _most_telling(record)
    found = _preview(record.table[0], wanted, rows, artifacts)
    if found is None or not (found.rows or found.left_out):
        return ""
    left = more(len(record.columns) - len(found.columns) - len(found.left_out), "column")
    note = f"{len(found.rows):,} of {record.rows_out:,}, from the first file."
    shown = _data(found, found.columns, rows, set(record.label_columns)) if found.rows else ""
    return section("First rows", f"{shown}{_left_out(found)}{left}", note)


def _most_telling(record: PredictionSetRecord) -> list[str]:
    """Return the columns to show: some of those that go through, the predictions, and as many features as fit."""
    features, labels = set(record.feature_columns), set(record.label_columns)
    every = [column.name for column in record.columns]
    through = [name for name in every if name not in features | labels][:3]
    predictions = [name for name in every if name in labels][:4]
    others = [name for name in every if name in features][: _MOST_COLUMNS - len(through) - len(predictions)]
    return [*through, *predictions, *others]


def _preview(part: Part, columns: Sequence[str] | None, rows: int, artifacts: Artifacts) -> Preview | None:
    try:
        artifacts.require(part.uri, most_bytes=None)
    except NotShownError:
        return None
    return first_rows(part.uri, columns, rows, artifacts.storage)


def _data(found: Preview, columns: Sequence[str], rows: int, marked: Iterable[str] = ()) -> str:
    places = [found.columns.index(name) for name in columns]
    kinds = [_is_numeric([row[place] for row in found.rows[:rows]]) for place in places]
    marks = set(marked)
    heads = [
        f"{'#' * is_number}{text(name, 40)}{'<small>prediction</small>' if name in marks else ''}"
        for name, is_number in zip(columns, kinds, strict=True)
    ]
    cells = ([_cell(row[place]) for place in places] for row in found.rows[:rows])
    return table(heads, cells, kind="rows")


def _is_numeric(values: Sequence[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in there)


def _cell(value: Any) -> str:  # noqa: ANN401  # whatever a file holds
    if value is None:
        return "<small>null</small>"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (bytes, bytearray)):
        return f"<small>{len(value):,} bytes</small>"
    if isinstance(value, list):
        shown = ", ".join("…" if each is Ellipsis else _short(each) for each in value)
        return text(f"[{shown}]", _MOST_CELL)
    return text(value, _MOST_CELL)


def _short(value: Any) -> str:  # noqa: ANN401  # as above
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:_MOST_CELL]


def _columns(record: PredictionSetRecord) -> str:
    features, labels = set(record.feature_columns), set(record.label_columns)
    added = set(record.added_columns)
    rows = (
        [
            text(column.name, 80),
            f"<code>{text(column.type, 60)}</code>",
            "prediction"
            if column.name in labels
            else "input"
            if column.name in features
            else "added"
            if column.name in added
            else "passed through",
            number(record.nulled[column.name]) if record.nulled.get(column.name) else "",
        ]
        for column in record.columns[:_MOST_LISTED]
    )
    heads = ["Column", "Type", "Role", "#Made null"]
    return section("Columns", table(heads, rows, of=len(record.columns)))


def _provenance(record: PredictionSetRecord) -> str:
    data = ", ".join(record.dataset_uris[:3]) or ", ".join(file.uri for file in record.dataset[:3])
    left = len(record.dataset)
    script = record.script
    return section(
        "Provenance",
        details(
            {
                "Dataset": f"<code>{text(data, 300)}</code> ({left:,} file{'s' if left != 1 else ''})" if data else "",
                "Model": f"<code>{text(record.model_uri, 300)}</code>",
                "Model SHA-256": f"<code>{text(record.model_sha256)}</code>",
                "Script": f"<code>{text(script.uri, 300)}</code> {digest(script.sha256)}" if script else "",
                "Baseline": f"<code>{text(record.baseline_uri, 300)}</code>" if record.baseline_uri else "",
                "Threshold": number(record.decision_threshold) if record.decision_threshold is not None else "",
                "Tree ensembles": text("; ".join(record.trees_by), 300),
                "Versions": text(", ".join(f"{name} {value}" for name, value in record.versions.items()), 300),
            }
        ),
    )
