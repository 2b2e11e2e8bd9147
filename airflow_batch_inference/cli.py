"""The command line: ``airflow batch-inference …`` (Airflow 3.2 and later) and ``python -m airflow_batch_inference …``.

Light to import: Airflow reads it at every call of its own command line.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERIFY = "check a committed prediction set again: digests, rows, certificate, and its inputs"
_URI = "URI of the commit, as PredictOperator returns it"
_INPUTS = "read the inputs again too, and compare them with the output, row by row"
_CONN = "Airflow connection that reaches the artifact store"
_ALIAS = "show what an alias of a model means and has meant; with a model record, let it mean that one from now on"
_ALIAS_ARGUMENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reference", {"help": "models/<name>@<alias>"}),
    ("--set", {"help": "URI of a model record, as LoadModelOperator returns it", "dest": "record"}),
    ("--since", {"help": "when that version went live, such as 2026-11-20T06:00:00+00:00 (now)"}),
    ("--artifact-root", {"help": "the artifact store (artifact_root of the config)"}),
    ("--conn-id", {"help": "Airflow connection that reaches the artifact store"}),
)
_BASELINE = "count a training set once, as what later data are compared with; print the baseline's URI"
_BASELINE_ARGUMENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dataset", {"help": "file, folder or glob of Parquet, CSV, Arrow or JSON lines"}),
    ("--output", {"help": "folder or bucket path that the baseline is written to", "required": True}),
    ("--model", {"help": "model file; it scores the training set, so that predictions can be compared too"}),
    ("--sha256", {"help": "digest that the model file must have (pickle and joblib need it)"}),
    ("--label-columns", {"help": "names of the prediction columns, separated by commas"}),
    ("--target-column", {"help": "column of true labels, of two classes, from which performance is estimated later"}),
    ("--decision-threshold", {"help": "the positive class is predicted from this probability on (0.5)", "type": float}),
    ("--predict-method", {"help": "predict, predict_proba or decision_function (predict)"}),
    ("--conn-id", {"help": "Airflow connection that reaches the dataset, the model and the output"}),
)


def get_cli_commands() -> list[Any]:
    """Return the command group for Airflow's command line."""
    from airflow.cli import cli_config
    from airflow.cli.cli_config import ActionCommand, GroupCommand, lazy_load_command

    argument: Any = cli_config.Arg  # it has no annotations
    return [
        GroupCommand(
            name="batch-inference",
            help="Look after prediction sets, baselines and aliases of models",
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
                ActionCommand(
                    name="baseline",
                    help=_BASELINE,
                    func=lazy_load_command("airflow_batch_inference.cli.baseline_command"),
                    args=tuple(argument((flag,), **options) for flag, options in _BASELINE_ARGUMENTS),
                ),
                ActionCommand(
                    name="alias",
                    help=_ALIAS,
                    func=lazy_load_command("airflow_batch_inference.cli.alias_command"),
                    args=tuple(argument((flag,), **options) for flag, options in _ALIAS_ARGUMENTS),
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
        found = verify(_absolute(arguments.uri), storage, inputs=storage if arguments.inputs else None)
    except BatchInferenceError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for check in found.checks:
        print(f"ok       {check}")
    for problem in found.problems:
        print(f"PROBLEM  {problem}")
    if found.problems:
        sys.exit(1)


def _absolute(place: str) -> str:
    """Return a path of the shell's as an absolute one; a URI as it is."""
    return place if "://" in place else str(Path(place).expanduser().absolute())


def _require_model(arguments: argparse.Namespace) -> None:
    """Refuse options that say something of a model where none is given."""
    from airflow_batch_inference.exceptions import ConfigurationError

    given = ("sha256", "label_columns", "target_column", "decision_threshold", "predict_method")
    for option in () if arguments.model else given:
        if getattr(arguments, option) is not None:
            message = f"--{option.replace('_', '-')} says something of a model, and none is given. Add --model."
            raise ConfigurationError(message)


def baseline_command(arguments: argparse.Namespace) -> None:
    """Make a baseline, store it, and print its URI; exit with 1 where that cannot be done."""
    from airflow_batch_inference.exceptions import BatchInferenceError
    from airflow_batch_inference.loading import TrustRequest
    from airflow_batch_inference.operators.arguments import names, number
    from airflow_batch_inference.operators.base import storage_for
    from airflow_batch_inference.reference import ReferenceOptions
    from airflow_batch_inference.registration import ModelRequest, register_baseline

    storage = storage_for(arguments.conn_id)
    labels = [name.strip() for name in arguments.label_columns.split(",")] if arguments.label_columns else None
    try:
        _require_model(arguments)
        model = None
        if arguments.model:
            model = ModelRequest(
                model_uri=_absolute(arguments.model),
                trust=TrustRequest(sha256=arguments.sha256),
                label_columns=names("label_columns", labels),
            )
        decision = 0.5 if arguments.decision_threshold is None else arguments.decision_threshold
        options = ReferenceOptions(
            target_column=arguments.target_column,
            decision_threshold=number("--decision-threshold", decision, low=0, high=1),
            predict_method=arguments.predict_method or "predict",
        )
        uri, baseline = register_baseline(
            _absolute(arguments.dataset), model, options=options, folder=_absolute(arguments.output), storage=storage
        )
    except (BatchInferenceError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(f"{baseline.rows:,} rows, {len(baseline.columns)} columns", file=sys.stderr)
    for name, reason in baseline.skipped.items():
        print(f"left out {name}: {reason}", file=sys.stderr)
    print(uri)


def alias_command(arguments: argparse.Namespace) -> None:
    """Print the history of an alias, newest first; with a record, set it first."""
    from airflow_batch_inference.aliases import alias_history, parse_alias, resolve_alias, set_alias
    from airflow_batch_inference.exceptions import BatchInferenceError, ConfigurationError
    from airflow_batch_inference.operators.arguments import moment
    from airflow_batch_inference.operators.base import artifact_root, storage_for

    storage = storage_for(arguments.conn_id)
    root = _absolute(arguments.artifact_root) if arguments.artifact_root else artifact_root()
    try:
        found = parse_alias(arguments.reference)
        if found is None:
            message = f"{arguments.reference!r} is no alias; write models/<name>@<alias>."
            raise ConfigurationError(message)
        if arguments.record:
            since = moment("--since", arguments.since)
            set_alias(
                *found, _absolute(arguments.record), root=root, storage=storage, set_by=getpass.getuser(), since=since
            )
        resolve_alias(*found, root=root, storage=storage)
        history = alias_history(*found, root=root, storage=storage)
    except BatchInferenceError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for entry in reversed(history):
        print(f"{entry.since}  {entry.model_sha256[:12]}  {entry.model_record_uri}  (set by {entry.set_by})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command without Airflow's command line."""
    parser = argparse.ArgumentParser(prog="python -m airflow_batch_inference")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("verify", help=_VERIFY, description=_VERIFY)
    command.add_argument("uri", help=_URI)
    command.add_argument("--inputs", help=_INPUTS, action="store_true")
    command.add_argument("--conn-id", help=_CONN)
    command.set_defaults(run=verify_command)
    command = commands.add_parser("baseline", help=_BASELINE, description=_BASELINE)
    for flag, options in _BASELINE_ARGUMENTS:
        command.add_argument(flag, **options)
    command.set_defaults(run=baseline_command)
    command = commands.add_parser("alias", help=_ALIAS, description=_ALIAS)
    for flag, options in _ALIAS_ARGUMENTS:
        command.add_argument(flag, **options)
    command.set_defaults(run=alias_command)
    parsed = parser.parse_args(arguments)
    parsed.run(parsed)
