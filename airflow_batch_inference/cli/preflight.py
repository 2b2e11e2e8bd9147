"""``preflight``: all that can be known of a scoring job before it runs; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.cli.command import AS_JSON, Command, absolutes, show_json
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


def _run(arguments: argparse.Namespace) -> int:
    """Look at the model and the dataset, score some rows, and print what was found; 1 where something is wrong."""
    from airflow_batch_inference.operators.arguments import csv_options
    from airflow_batch_inference.workflows.preflight import preflight

    _, storage = artifact_store(arguments)
    found = preflight(
        lambda: scoring_request(arguments),
        dataset=absolutes(arguments.dataset),
        storage=storage,
        resources=resources_of(arguments),
        csv=csv_options(arguments.csv_options),
        targets=target_of(arguments),
    )
    if arguments.as_json:
        show_json(found.to_dict())
    else:
        print(found.text())
    return 0 if found.is_ready else 1


COMMAND = Command(
    name="preflight",
    help="try out a scoring job: load the model, check the dataset, score some rows, estimate; nothing is written",
    arguments=(*SCORING_ARGUMENTS, ("--output", {"help": f"{OUTPUT}: looked at, and not written"}), AS_JSON),
    run=_run,
    epilog="Exit status: 0, ready; 1, there are problems, or an error.",
)
