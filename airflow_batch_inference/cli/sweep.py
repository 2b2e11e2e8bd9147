"""``sweep``: what dead processes have left in the artifact store and beside what was published."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_batch_inference.cli.command import ARTIFACT_ROOT, AS_JSON, Command, absolute, show_json, shown

if TYPE_CHECKING:
    import argparse


def _run(arguments: argparse.Namespace) -> int:
    """Print what is left; with ``--remove``, remove it, and this machine's temporary folders of dead processes."""
    from airflow_batch_inference.jobs.leftovers import leftovers, remove
    from airflow_batch_inference.operators.arguments import number
    from airflow_batch_inference.operators.stores import artifact_root, artifact_storage, storage_for
    from airflow_batch_inference.storage.temporary import sweep_temporary_folders

    hours = number("--older-than", arguments.older_than, low=1, high=24 * 366)
    storage = artifact_storage(arguments.conn_id)
    root = absolute(arguments.artifact_root) if arguments.artifact_root else artifact_root()
    targets = storage_for(None)
    places = tuple(absolute(place) for place in arguments.published or ())
    found = leftovers(root, storage, older_than_s=hours * 3600, published=places, targets=targets)
    if arguments.remove:
        remove(found, storage)
        sweep_temporary_folders()
    if arguments.as_json:
        files = [{"uri": each.uri, "size_bytes": each.size_bytes, "why": each.why} for each in found]
        show_json({"removed": bool(arguments.remove), "files": files})
        return 0
    for each in found:
        age = "unknown age" if each.modified is None else f"{(time.time() - each.modified) / 3600:,.1f} h old"
        said = "removed" if arguments.remove else "left   "
        print(f"{said}  {shown(each.uri)}  ({each.size_bytes:,} bytes, {age}: {each.why})")
    total = f"{len(found):,} file(s), {sum(each.size_bytes for each in found):,} bytes"
    print(f"{total} removed" if arguments.remove else f"{total}; --remove removes them")
    return 0


COMMAND = Command(
    name="sweep",
    help="list what dead processes left in the artifact store and beside published files; with --remove, remove it",
    arguments=(
        ("published", {"help": "files or folders that were published, to look beside them too", "nargs": "*"}),
        ("--remove", {"help": "remove what is listed; without it nothing is changed", "action": "store_true"}),
        (
            "--older-than",
            {"help": "hours after which nobody can be at work on a file any more (default: 72)", "default": "72"},
        ),
        ARTIFACT_ROOT,
        ("--conn-id", {"help": "Airflow connection that reaches the artifact store"}),
        AS_JSON,
    ),
    run=_run,
    epilog="Exit status: 0; 1, an error.",
)
