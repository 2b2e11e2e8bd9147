"""``alias``: which version of a model an alias means, and has meant."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from airflow_batch_inference.cli.command import ARTIFACT_ROOT, Command, absolute
from airflow_batch_inference.wording.texts import said

if TYPE_CHECKING:
    import argparse


def _run(arguments: argparse.Namespace) -> int:
    """Print the history of an alias, newest first; with a record, set it first."""
    from airflow_batch_inference.exceptions import ConfigurationError
    from airflow_batch_inference.models.aliases import alias_history, parse_alias, resolve_alias, set_alias
    from airflow_batch_inference.operators.arguments import moment
    from airflow_batch_inference.operators.stores import artifact_root, storage_for

    storage = storage_for(arguments.conn_id)
    root = absolute(arguments.artifact_root) if arguments.artifact_root else artifact_root()
    found = parse_alias(arguments.reference)
    if found is None:
        message = f"{arguments.reference!r} is no alias; write models/<name>@<alias>."
        raise ConfigurationError(message)
    if arguments.record:
        since = moment("--since", arguments.since)
        set_alias(*found, absolute(arguments.record), root=root, storage=storage, set_by=getpass.getuser(), since=since)
    resolve_alias(*found, root=root, storage=storage)
    for entry in reversed(alias_history(*found, root=root, storage=storage)):
        told = (entry.since, said(entry.model_sha256)[:12], entry.model_record_uri, f"(set by {entry.set_by})")
        print("  ".join(map(said, told)))
    return 0


COMMAND = Command(
    name="alias",
    help="show what an alias of a model means and has meant; with a model record, let it mean that one from now on",
    arguments=(
        ("reference", {"help": "models/<name>@<alias>"}),
        ("--set", {"help": "URI of a model record, as LoadModelOperator returns it", "dest": "record"}),
        ("--since", {"help": "when that version went live, such as 2026-11-20T06:00:00+00:00 (now)"}),
        ARTIFACT_ROOT,
        ("--conn-id", {"help": "Airflow connection that reaches the artifact store"}),
    ),
    run=_run,
)
