"""``score``: a dataset, scored and published by hand, with the engine's guarantees."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_batch_inference.cli.command import AS_JSON, Command, show, show_json, shown
from airflow_batch_inference.cli.scoring import (
    OUTPUT,
    SCORING_ARGUMENTS,
    artifact_store,
    resources_of,
    scoring_request,
    target_of,
)

if TYPE_CHECKING:
    import argparse

    from airflow_batch_inference.records import PredictionSetRecord


def _run(arguments: argparse.Namespace) -> int:
    """Score, publish, and print the counts and where the output lies."""
    from airflow_batch_inference.sinks.base import PublishRequest
    from airflow_batch_inference.sinks.manifest import Publisher
    from airflow_batch_inference.sinks.registry import publish
    from airflow_batch_inference.workflows.score import score_dataset

    started, began = time.monotonic(), datetime.now(UTC).isoformat(timespec="microseconds")
    _, storage = artifact_store(arguments)
    targets = target_of(arguments)
    request, resources = scoring_request(arguments), resources_of(arguments)
    uri, record = score_dataset(request, storage=storage, resources=resources, targets=targets)
    by = Publisher(began=began)
    (published,) = [publish(PublishRequest(record=record, target=to, storage=storage, publisher=by)) for to in targets]
    _show(arguments, record, uri, published, time.monotonic() - started)
    return 0


def _show(arguments: argparse.Namespace, record: PredictionSetRecord, uri: str, published: str, seconds: float) -> None:
    if arguments.as_json:
        show_json(
            {
                "rows": record.rows_out,
                "rows_rejected": record.rows_rejected,
                "quarantine": [part.uri for part in record.quarantine],
                "label_columns": record.label_columns,
                "tree_kernel": record.tree_kernel,
                "seconds": round(seconds, 3),
                "output": published,
                "prediction_set": uri,
            }
        )
        return
    show(
        {
            "rows": f"{record.rows_out:,}",
            "rejected": f"{record.rows_rejected:,} of {record.rows_in:,}",
            "quarantine": [shown(part.uri) for part in record.quarantine],
            "predictions": ", ".join(record.label_columns),
            "tree ensembles": record.trees_by,
            "seconds": f"{seconds:.1f}",
            "output": shown(published),
            "prediction set": shown(uri),
        }
    )


COMMAND = Command(
    name="score",
    help="score a dataset and publish the predictions: a file, or a folder of files, replaced in one step",
    arguments=(
        *SCORING_ARGUMENTS,
        ("--output", {"help": OUTPUT, "required": True}),
        AS_JSON,
    ),
    run=_run,
    epilog="Exit status: 0, published; 1, an error, and nothing is published; 130, stopped by Ctrl-C.",
)
