"""The command line: ``airflow batch-inference …`` (Airflow 3.2 and later) and ``python -m airflow_batch_inference …``.

Light to import: Airflow reads it at every call of its own command line.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERIFY = "check a committed prediction set again: digests, rows, certificate, and its inputs"
_URI = "URI of the commit, as PredictOperator returns it"
_INPUTS = "read the inputs again too, and compare them with the output, row by row"
_CONN = "Airflow connection that reaches the artifact store"


def get_cli_commands() -> list[Any]:
    """Return the command group for Airflow's command line."""
    from airflow.cli import cli_config
    from airflow.cli.cli_config import ActionCommand, GroupCommand, lazy_load_command

    argument: Any = cli_config.Arg  # it has no annotations
    return [
        GroupCommand(
            name="batch-inference",
            help="Look after prediction sets",
            subcommands=(
                ActionCommand(
                    name="verify",
                    help=_VERIFY,
                    func=lazy_load_command("airflow_batch_inference.cli.verify_command"),
                    args=(
                        argument(("uri",), help=_URI),
                        argument(("--inputs",), help=_INPUTS, action="store_true"),
                        argument(("--conn-id",), help=_CONN),
                    ),
                ),
            ),
        )
    ]


def verify_command(arguments: argparse.Namespace) -> None:
    """Print what holds and what does not; exit with 1 where something does not."""
    from airflow_batch_inference.exceptions import BatchInferenceError
    from airflow_batch_inference.operators.base import storage_for
    from airflow_batch_inference.scoring.verify import verify

    storage = storage_for(arguments.conn_id)
    try:
        found = verify(arguments.uri, storage, inputs=storage if arguments.inputs else None)
    except BatchInferenceError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for check in found.checks:
        print(f"ok       {check}")
    for problem in found.problems:
        print(f"PROBLEM  {problem}")
    if found.problems:
        sys.exit(1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command without Airflow's command line."""
    parser = argparse.ArgumentParser(prog="python -m airflow_batch_inference")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("verify", help=_VERIFY, description=_VERIFY)
    command.add_argument("uri", help=_URI)
    command.add_argument("--inputs", help=_INPUTS, action="store_true")
    command.add_argument("--conn-id", help=_CONN)
    command.set_defaults(run=verify_command)
    parsed = parser.parse_args(arguments)
    parsed.run(parsed)
