"""Models and records as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.cli.command import show, show_table, shown
from airflow_batch_inference.wording.texts import said, without_secrets
from airflow_batch_inference.workflows.findings import in_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_batch_inference.records import (
        BaselineRecord,
        DriftResult,
        EvaluationRecord,
        PredictionSetRecord,
        Record,
        UsedModel,
    )

_SHOWN = 12
_MOST_CHARACTERS = 60
_TRUST = {
    "data": "data: the format cannot hold code",
    "allow-list": "allow-list: all types in it are known to be harmless",
    "sha256": "code: its digest is pinned",
    "config": "code: its digest is in trusted_sha256 of the config",
    "signature": "signed",
}


def show_model(model: Mapping[str, Any]) -> None:
    """Print what is known of a model, and what it would take to load one that was not."""
    refused = not model["is_loaded"] and model["trust"] is None
    trust = "code: it can run anything when it is loaded, so it was not loaded" if refused else _TRUST[model["trust"]]
    by = f" (by {model['trusted_by']})" if model.get("trusted_by") else ""
    show(
        {
            "model": model["name"],
            "file": shown(model["model_uri"]),
            "flavor": f"{model['flavor']} ({model['format']})",
            "trust": f"{trust}{by}",
            "would import": _some(model.get("imports", ())),
            "to load it": [f"--sha256 {model['sha256']}", f"or save it {model['safer']}"] if refused else None,
            "sha256": model["sha256"],
            "size": in_bytes(model["size_bytes"]),
            "methods": _joined(model.get("methods")),
            "outputs": _joined(model.get("label_columns") or model.get("output_names")),
            "classes": _joined(model.get("classes")),
            "class names": _joined(model.get("class_names")),
            "load options": _pairs(model.get("load_options") or {}),
            "versions": _pairs(model.get("versions") or {}),
            "baseline": _place(model.get("baseline_uri")),
            "golden set": _place(model.get("golden_uri")),
            "tag": model.get("tag"),
            "record": _place(model.get("record_uri")),
        }
    )
    if not refused:
        _show_inputs(model)


def _show_inputs(model: Mapping[str, Any]) -> None:
    inputs = model["inputs"]
    if inputs is None:
        number = model["n_features"]
        print(f"\ninputs: {'any number of' if number is None else number} columns by position, without names")
        return
    contract = {column["name"]: column for column in model["contract"]}
    print(f"\ninputs: {len(inputs)}")
    rows = [(spec["name"], spec["type"], *_limits(contract.get(spec["name"]))) for spec in inputs]
    if contract:
        show_table(("name", "type", "in training", "null"), rows)
    else:
        show_table(("name", "type"), [row[:2] for row in rows])


def _limits(column: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return what values of an input were like in training, and which share of them was null."""
    if column is None:
        return "", ""
    low, high = column["minimum"], column["maximum"]
    if column["categories"] is not None:
        seen = _cut(", ".join(column["categories"]))
    else:
        seen = "" if low is None and high is None else f"{_number(low)} to {_number(high)}"
    return seen, f"{column['null_fraction']:.1%}"


def show_record(record: Record) -> None:
    """Print a record in readable form; one of a kind that has none of its own as its plain values."""
    kind = str(getattr(record, "kind", "record"))
    own: dict[str, Callable[[Any], None]] = {
        "prediction-set": _show_predictions,
        "drift": show_drift,
        "evaluation": _show_evaluation,
        "baseline": _show_baseline,
    }
    if kind in own:
        own[kind](record)
        return
    plain = {name: value for name, value in record.to_dict().items() if isinstance(value, (str, int, float, bool))}
    show({"record": kind, **{name: value for name, value in plain.items() if name not in ("kind", "schema_version")}})


def _show_predictions(record: PredictionSetRecord) -> None:
    task = record.task
    show(
        {
            "prediction set": record.name,
            "rows": f"{record.rows_out:,} of {record.rows_in:,}; {record.rows_rejected:,} rejected"
            if record.items is None
            else None,
            **_files(record),
            "written by": f"{task.dag_id}, run {task.run_id}, task {task.task_id}",
            "batch": record.batch_id,
            "model": f"{shown(record.model_uri)} ({record.model_flavor}, sha256 {record.model_sha256})",
            "model record": _place(record.model_record_uri),
            "models": [_used(model) for model in record.models],
            "challengers": _place(record.challengers_uri),
            "checks": [
                f"{check.name}: {check.rows:,} rows{' (over its max_rate)' if check.is_exceeded else ''}"
                for check in record.checks
            ],
            "baseline": _place(record.baseline_uri),
            "dataset": _some(record.dataset_uris) or "inline records",
            "methods": _joined(record.predict_methods),
            "output": f"{len(record.parts)} part(s) of {record.output_format}, "
            f"{in_bytes(sum(part.size_bytes for part in record.parts))}"
            if record.kept
            else "not kept (log_result_set=False)",
            "parts": _some([shown(part.uri) for part in record.parts]),
            "quarantine": _some([shown(part.uri) for part in record.quarantine]),
            "made null": _pairs(record.nulled),
            "tree ensembles": record.trees_by,
            "seconds": _pairs(record.seconds),
            "versions": _pairs(record.versions),
        }
    )
    print(f"\ncolumns: {len(record.columns)}")
    roles = dict.fromkeys(record.feature_columns, "input") | dict.fromkeys(record.label_columns, "prediction")
    show_table(
        ("name", "type", ""), [(column.name, column.type, roles.get(column.name, "")) for column in record.columns]
    )


def _files(record: PredictionSetRecord) -> dict[str, object]:
    """Return what became of the files of a scoring script."""
    items = record.items
    if items is None:
        return {}
    return {
        "files": f"{items.files_succeeded:,} of {items.files_in:,}; {items.files_failed:,} failed",
        "returned": f"{items.returned:,} elements",
        "mini-batches": f"{items.mini_batches:,}; {items.mini_batches_failed:,} failed",
        "each of them": _place(record.mini_batches_uri),
    }


def _used(model: UsedModel) -> str:
    failed = f", {model.rows_failed:,} failed: {_cut(model.error or '')}" if model.rows_failed or model.error else ""
    return f"{model.role} {model.name}: {model.rows:,} rows{failed}"


def show_drift(result: DriftResult) -> None:
    """Print a drift analysis: the verdict, why, and every column's numbers."""
    from airflow_batch_inference.reports.drift_text import drift_table, performance_line

    show(
        {
            "verdict": str(result.status),
            "because": list(result.reasons),
            "rows": f"{result.current_rows:,}"
            + ("" if result.reference_rows is None else f" against {result.reference_rows:,}"),
            "rule": f"{result.rule}, {_number(result.drift_metric)}",
            "dataset": _place(result.dataset_uri),
            "baseline": _place(result.baseline_uri),
            "model": result.model_name,
            "without labels": performance_line(result),
            "missing columns": _joined(result.missing_columns),
            "new columns": _joined(result.extra_columns),
            "report": _place(result.report_uri),
        }
    )
    table = drift_table(result)
    if table:
        print("", *map(said, table.split("\n")), sep="\n")


def _show_evaluation(record: EvaluationRecord) -> None:
    show(
        {
            "evaluation": "passed" if record.passed else "NOT GOOD ENOUGH",
            "limits": [f"{'ok' if each.passed else 'MISSED':<6}  {each.reason}" for each in record.verdicts],
            "model": f"{record.model_name} ({shown(record.model_uri)}, sha256 {record.model_sha256})",
            "dataset": _some(record.dataset_uris),
            "rows": f"{record.rows:,}; {record.rows_rejected:,} rejected",
            "predictions": shown(record.predictions_uri),
            "notes": list(record.notes),
            "report": _place(record.report_uri),
        }
    )
    print(f"\nmetrics of this {record.problem}:")
    earlier = record.baseline_metrics
    head = ("metric", "value", "earlier") if earlier else ("metric", "value")
    rows = [(name, _number(value), _number(earlier.get(name))) for name, value in record.metrics.items()]
    show_table(head, [row[: len(head)] for row in rows])


def _show_baseline(record: BaselineRecord) -> None:
    show(
        {
            "baseline": f"{record.rows:,} rows, {len(record.columns)} columns",
            "made from": _some([shown(file.uri) for file in record.source]),
            "model sha256": record.model_sha256,
            "predictions": _joined(record.predictions),
            "predicted by": record.predict_method,
            "true labels": record.calibration.target_column if record.calibration else None,
            "left out": [f"{name}: {reason}" for name, reason in record.skipped.items()],
        }
    )
    print("\ncolumns:")
    rows = []
    for column in record.columns:
        profile = column.profile
        if column.kind == "numeric":
            seen = (
                f"{_number(column.profile.min)} to {_number(column.profile.max)}, mean {_number(column.profile.mean)}"
            )
        else:
            seen = f"{column.distinct} categories: {_cut(', '.join(column.categories[:_SHOWN]))}"
        rows.append((profile.name, profile.type, seen, f"{profile.missing / max(1, profile.rows):.1%}"))
    show_table(("name", "type", "values", "null"), rows)


def _joined(values: Iterable[object] | None) -> str:
    return ", ".join(map(str, values or ()))


def _some(values: Iterable[str]) -> list[str]:
    """Return the first few, and how many more there are."""
    found = list(values)
    more = [f"… and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [*found[:_SHOWN], *more]


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _place(uri: str | None) -> str | None:
    return None if uri is None else shown(uri)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _cut(text: str) -> str:
    text = without_secrets(text)  # cut within a login, it could not be told
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
