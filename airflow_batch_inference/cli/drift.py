"""``drift``: a dataset or a prediction set against a reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.cli.command import (
    ARTIFACT_ROOT,
    AS_JSON,
    CSV_OPTIONS,
    Command,
    absolute,
    absolutes,
    listed,
    show_json,
)
from airflow_batch_inference.cli.descriptions import show_drift
from airflow_batch_inference.cli.scoring import artifact_store
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.storage.uris import is_record_uri, normalize_uri

if TYPE_CHECKING:
    import argparse

    from airflow_batch_inference.drift.rules.base import Rule
    from airflow_batch_inference.operators.drift_data import DriftData
    from airflow_batch_inference.records import BaselineRecord, DriftResult
    from airflow_batch_inference.storage.store import Storage

DRIFTED = 3
"""Exit status of a verdict ``DRIFT_DETECTED``; 2 is that of arguments that cannot be parsed."""


def _run(arguments: argparse.Namespace) -> int:
    """Compare, print the verdict, and write the report where one is asked for."""
    from airflow_batch_inference.drift.monitor import monitor
    from airflow_batch_inference.records import DriftStatus

    root, storage = artifact_store(arguments)
    rule = _rule(arguments)
    data, baseline, baseline_uri = _data(arguments, root, storage)
    monitored = monitor(data.current(baseline, baseline_uri), baseline, rule=rule)
    if monitored.problem is not None:
        raise ConfigurationError(monitored.problem)
    result = monitored.result
    result = data.with_provenance(result, baseline_uri)
    if arguments.html:
        result = _with_report(result, absolute(arguments.html), storage)
    if arguments.as_json:
        show_json(result.to_dict())
    else:
        show_drift(result)
    return DRIFTED if result.status == DriftStatus.DRIFT_DETECTED else 0


def _rule(arguments: argparse.Namespace) -> Rule:
    from airflow_batch_inference.drift.rules.registry import make_rule
    from airflow_batch_inference.operators.arguments import number, whole_number

    def limit(name: str) -> float | None:
        value = getattr(arguments, name)
        return None if value is None else number(f"--{name.replace('_', '-')}", value, low=0)

    return make_rule(
        arguments.rule,
        drift_threshold=limit("drift_threshold"),
        possible_drift_threshold=limit("possible_drift_threshold"),
        edges=arguments.edges,  # the rule refuses other words
        min_rows=whole_number("--min-rows", arguments.min_rows, low=0),
        watch=tuple(listed(arguments.watch_columns) or ()),
        ignore=tuple(listed(arguments.ignore_columns) or ()),
    )


def _data(arguments: argparse.Namespace, root: str, storage: Storage) -> tuple[DriftData, BaselineRecord, str | None]:
    """Return the data, the reference, and where the reference is stored, if it is.

    Raises
    ------
    ConfigurationError
        The reference is a record of something else, or a model without a baseline.
    """
    from airflow_batch_inference.compat.mlrun.statistics import holds_statistics, read_statistics
    from airflow_batch_inference.operators.arguments import csv_options
    from airflow_batch_inference.operators.drift_data import DriftData, with_targets
    from airflow_batch_inference.operators.inputs import resolve_model
    from airflow_batch_inference.records import BaselineRecord, ModelRecord, PredictionSetRecord

    given = resolve_model(absolute(arguments.reference), None, root=root, storage=storage)
    record = storage.read_record(given) if is_record_uri(given) else None
    sample: object = None
    if record is None and holds_statistics(given, storage):
        record, given = read_statistics(given, storage), ""
    elif record is None or (isinstance(record, PredictionSetRecord) and record.kept):
        sample = given
    elif not isinstance(record, (BaselineRecord, ModelRecord)):
        message = (
            f"The reference {given} is neither a dataset, a prediction set whose rows were kept, a baseline nor a "
            "model. Give one of them."
        )
        raise ConfigurationError(message)
    data = DriftData.of(
        absolutes(arguments.current),
        model_uri=given if isinstance(record, ModelRecord) else None,
        sample_set=sample,
        storage=storage,
        data_storage=storage,
        csv=csv_options(arguments.csv_options),
    )
    baseline, uri = (record, given or None) if isinstance(record, BaselineRecord) else data.reference()
    baseline = with_targets(baseline, listed(arguments.target_column) or ())
    if baseline is None:
        message = f"The model {given} has no baseline to compare with. Load it with a sample_set, or give a dataset."
        raise ConfigurationError(message)
    return data, baseline, uri


def _with_report(result: DriftResult, place: str, storage: Storage) -> DriftResult:
    from airflow_batch_inference.reports.drift_html import render_drift_report

    uri = normalize_uri(place)
    provenance = {"Model": result.model_name or "", "Dataset": result.dataset_uri or ""}
    provenance |= {"Batch": result.batch_id or "", "Baseline": result.baseline_uri or ""}
    storage.put(uri, render_drift_report(result, provenance=provenance).encode())
    return replace(result, report_uri=uri)


COMMAND = Command(
    name="drift",
    help="compare a dataset or a prediction set with a reference, and say whether it has drifted",
    arguments=(
        ("reference", {"help": "baseline (or MLRun's statistics), model record or alias, prediction set, or dataset"}),
        ("current", {"help": "prediction set, or files, folder or glob of a dataset", "nargs": "+"}),
        ("--html", {"help": "write the report to this file"}),
        ("--rule", {"help": "effect or mlrun (effect)", "default": "effect"}),
        ("--drift-threshold", {"help": "DRIFT_DETECTED at or over it (effect 0.2, mlrun 0.7)"}),
        ("--possible-drift-threshold", {"help": "POSSIBLE_DRIFT at or over it (effect 0.1, mlrun 0.5)"}),
        ("--edges", {"help": "of mlrun's numbers: padded or open (padded)", "default": "padded"}),
        ("--watch-columns", {"help": "columns whose drift alone is the dataset's, separated by commas"}),
        ("--ignore-columns", {"help": "columns that are not judged, separated by commas"}),
        ("--target-column", {"help": "columns of true labels in the reference, which the data rightly lack"}),
        ("--min-rows", {"help": "below this number of rows nothing is said (30)", "default": 30}),
        CSV_OPTIONS,
        ARTIFACT_ROOT,
        ("--conn-id", {"help": "Airflow connection that reaches them"}),
        AS_JSON,
    ),
    run=_run,
    epilog=f"Exit status: 0, no drift, possible drift or too few rows; 1, an error; {DRIFTED}, drift detected.",
)
