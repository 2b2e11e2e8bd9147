"""The files that a worker process gives to a script, and the code that it runs: as they were when the job was planned.

Invariants: a result counts only where the files and the code are those that were planned, before and after it was made.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactIntegrityError, InputChangedError
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.tree import local_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.scripts.plan import Item, MiniBatch
    from airflow_batch_inference.storage.store import Storage


@contextlib.contextmanager
def local_files(batch: MiniBatch, storage: Storage) -> Iterator[list[str]]:
    """Give the local paths of a mini-batch's files; remote ones are copied into a private folder for the while."""
    remote = [item for item in batch.items if not item.file.uri.startswith("file://")]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(private_folder()) if remote else None
        yield [_local_path(item, folder, storage) for item in batch.items]


def _local_path(item: Item, folder: Path | None, storage: Storage) -> str:
    if folder is None or item.file.uri.startswith("file://"):
        return item.file.uri.removeprefix("file://")
    target = folder.joinpath(*item.name.split("/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    retrying(item.file.uri, lambda: storage.copy_to_local(item.file.uri, target))
    return str(target)


def require_unchanged(batch: MiniBatch, storage: Storage) -> None:
    """Refuse files that are not those that were planned.

    Raises
    ------
    InputChangedError
        Names the file.
    """
    for item in batch.items:
        planned, now = item.file, retrying(item.file.uri, lambda item=item: storage.versioned(item.file.uri))  # type: ignore[misc]  # mypy: defaults in a lambda
        if now != planned:
            message = (
                f"{planned.uri} was changed while it was being scored ({planned.size_bytes} bytes, version "
                f"{planned.version}; now {now.size_bytes}, {now.version}). Run the task again when its writer is done."
            )
            raise InputChangedError(message)


def require_same_code(files: Sequence[DataFile]) -> None:
    """Refuse what a script gave that may have imported or read other files than those that were hashed.

    Raises
    ------
    ArtifactIntegrityError
        Names the file.
    """
    for file in files:
        path = file.uri.removeprefix("file://")
        try:
            is_same = local_file(file.uri, Path(path).stat()) == file
        except OSError:
            is_same = False
        if not is_same:
            message = (
                f"{path} was changed since the job began, and it lies in code. Run the task again; what the script "
                "itself writes must lie elsewhere."
            )
            raise ArtifactIntegrityError(message)
