"""From a dataset's files to mini-batches: a pure function of the files and the size, whoever runs them.

Invariants: each file is in exactly one mini-batch, and the plan depends neither on the number of workers nor on the
order in which they run.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, EmptyDatasetError
from airflow_batch_inference.ledger.accounting import row_hash
from airflow_batch_inference.scripts.contracts import contracts
from airflow_batch_inference.sources.listing import list_dataset
from airflow_batch_inference.storage.uris import plain_uris

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True)
class Item:
    """One file that is scored, and its path within the dataset."""

    file: DataFile
    name: str


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """The files that one ``run()`` is given."""

    index: int
    items: tuple[Item, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(item.file.size_bytes for item in self.items)

    def describe(self) -> str:
        """Return the number and the files, for messages."""
        return f"mini-batch {self.index} ({self.some_files()})"

    def some_files(self) -> str:
        """Return the first files, and how many more there are."""
        shown = ", ".join(item.file.uri for item in self.items[:3])
        return f"{shown} and {len(self.items) - 3} more" if len(self.items) > 3 else shown


def list_items(dataset: object, storage: Storage, *, recursive: bool, on_empty: str) -> tuple[Item, ...]:
    """List the files that are to be scored, sorted by path within each given URI.

    Parameters
    ----------
    dataset
        A file, folder, glob or prediction set, or a list of them.
    storage
        Reaches them.
    recursive
        Whether the files of sub-folders belong to a folder.
    on_empty
        ``"fail"`` where there must be a file.

    Raises
    ------
    ConfigurationError
        Inline records, or a URI that is not allowed.
    ArtifactNotFoundError
        What was named does not exist.
    EmptyDatasetError
        No file, and ``on_empty="fail"``.
    """
    dataset = plain_uris(dataset)
    given = [dataset] if isinstance(dataset, str) else dataset
    if not isinstance(given, (list, tuple)) or not all(isinstance(uri, str) for uri in given):
        message = "A scoring script gets files: give dataset a file, a folder, a glob, or a list of URIs."
        raise ConfigurationError(message)
    files: Sequence[DataFile] = [each.file for each in list_dataset(given, storage, recursive=recursive, tables=False)]
    for contract in contracts():
        files = contract.listed(files, storage)
    if not files and on_empty == "fail":
        below = "" if recursive else " (files of sub-folders count with recursive=True)"
        message = (
            f"{', '.join(given) or 'The dataset'} has no files to score{below}. Check the task that writes them, or "
            "set on_empty to 'skip' or 'succeed' if an empty batch is right."
        )
        raise EmptyDatasetError(message)
    return named_items(files)


def named_items(files: Sequence[DataFile]) -> tuple[Item, ...]:
    """Give each file its path below the folder that all of them have in common.

    Examples
    --------
    >>> from airflow_batch_inference.records import DataFile
    >>> files = [DataFile(uri=f"file:///in/{name}", size_bytes=1, version="") for name in ("a/x.csv", "b/x.csv")]
    >>> [item.name for item in named_items(files)]
    ['a/x.csv', 'b/x.csv']
    """
    paths = [file.uri.split("://", 1) for file in files]
    is_one_store = len({scheme for scheme, _ in paths}) == 1
    common = posixpath.commonpath([posixpath.dirname(path) for _, path in paths]) if is_one_store else ""
    return tuple(
        Item(file, path.removeprefix(common).lstrip("/")) for file, (_, path) in zip(files, paths, strict=True)
    )


def plan_mini_batches(items: Sequence[Item], size: int, *, most_bytes: int | None = None) -> tuple[MiniBatch, ...]:
    """Cut the files into mini-batches, in input order.

    Parameters
    ----------
    items
        The files.
    size
        How many of them a mini-batch has.
    most_bytes
        How many bytes it may have, in the place of a number of files; a file that is larger is one by itself.

    Examples
    --------
    >>> from airflow_batch_inference.records import DataFile
    >>> items = [Item(DataFile(uri=f"file:///in/{i}", size_bytes=1, version=""), str(i)) for i in range(23)]
    >>> [len(batch.items) for batch in plan_mini_batches(items, 10)]
    [10, 10, 3]
    """
    if most_bytes is None:
        starts = range(0, len(items), size)
        return tuple(MiniBatch(index, tuple(items[start : start + size])) for index, start in enumerate(starts))
    groups: list[list[Item]] = []
    left = 0
    for item in items:
        if not groups or item.file.size_bytes > left:
            groups.append([])
            left = most_bytes
        groups[-1].append(item)
        left -= item.file.size_bytes
    return tuple(MiniBatch(index, tuple(group)) for index, group in enumerate(groups))


def file_hash(items: Iterable[Item]) -> int:
    """Return the summed hash of some files, each as if it were one row."""
    return sum(row_hash(item.file.uri, 0, 1) for item in items)
