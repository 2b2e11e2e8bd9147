"""The command line: ``airflow batch-inference …`` (Airflow 3.3 and later) and ``python -m airflow_batch_inference …``.

Both entrances are made of one list of commands, each of which declares its arguments once.

Invariants: it is light to import, since Airflow reads it at every call of its own command line; and nothing but a
command's result goes to standard output.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_batch_inference.cli import alias, baseline, drift, inspect, preflight, score, sweep, verify
from airflow_batch_inference.wording.texts import said

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    score.COMMAND,
    preflight.COMMAND,
    inspect.COMMAND,
    drift.COMMAND,
    baseline.COMMAND,
    verify.COMMAND,
    alias.COMMAND,
    sweep.COMMAND,
)


def get_cli_commands() -> list[Any]:
    """Return the command group for Airflow's command line."""
    from airflow.cli import cli_config

    argument: Any = cli_config.Arg  # it has no annotations
    return [
        cli_config.GroupCommand(
            name="batch-inference",
            help="Score, look at and look after models, datasets, prediction sets and baselines",
            subcommands=tuple(
                cli_config.ActionCommand(
                    name=command.name,
                    help=command.help,
                    description=command.help,
                    epilog=command.epilog,
                    func=command,
                    args=tuple(argument((flag,), **options) for flag, options in command.arguments),
                )
                for command in COMMANDS
            ),
        )
    ]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(said(message))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line without Airflow's; what it parses has the command as ``run``."""
    parser = _Parser(prog="python -m airflow_batch_inference")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        own = commands.add_parser(command.name, help=command.help, description=command.help, epilog=command.epilog)
        for flag, options in command.arguments:
            own.add_argument(flag, **options)
        own.set_defaults(run=command)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command without Airflow's command line."""
    parsed = make_parser().parse_args(arguments)
    parsed.run(parsed)
