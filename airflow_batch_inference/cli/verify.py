"""``verify``: a committed prediction set, checked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.cli.command import Command, absolute
from airflow_batch_inference.wording.texts import said

if TYPE_CHECKING:
    import argparse


def _run(arguments: argparse.Namespace) -> int:
    """Print what holds and what does not; 1 where something does not."""
    from airflow_batch_inference.operators.stores import storage_for
    from airflow_batch_inference.workflows.verify import verify

    storage = storage_for(arguments.conn_id)
    found = verify(absolute(arguments.uri), storage, inputs=storage if arguments.inputs else None)
    for check in found.checks:
        print(f"ok       {said(check)}")
    for problem in found.problems:
        print(f"PROBLEM  {said(problem)}")
    return 1 if found.problems else 0


COMMAND = Command(
    name="verify",
    help="check a committed prediction set again: digests, rows, certificate, and its inputs",
    arguments=(
        ("uri", {"help": "URI of the commit, as PredictOperator returns it"}),
        (
            "--inputs",
            {
                "help": "read the inputs again too, and compare them with the output, row by row",
                "action": "store_true",
            },
        ),
        ("--conn-id", {"help": "Airflow connection that reaches the artifact store"}),
    ),
    run=_run,
    epilog="Exit status: 0, all holds; 1, something does not, or an error.",
)
