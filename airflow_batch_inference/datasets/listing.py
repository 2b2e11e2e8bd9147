"""From what a user names (file, folder, glob, list) to the files there are, in one fixed order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_batch_inference.datasets.recorded import (
    prediction_set_at,
    refuse_records_among,
    require_kept,
    require_table,
    verified_part,
)
from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.uris import normalize_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import ColumnSpec, DataFile, PredictionSetRecord
    from airflow_batch_inference.storage import Storage

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file of a dataset, and the ``key=value`` folders between the dataset's root and the file."""

    file: DataFile
    partition: tuple[tuple[str, str | None], ...] = ()
    types: tuple[ColumnSpec, ...] = ()
    """Of its columns, where a prediction set's commit says them and the format does not keep them."""


def list_dataset(
    dataset: str | Sequence[str], storage: Storage, *, recursive: bool = True, tables: bool = True
) -> tuple[ListedFile, ...]:
    """List a dataset's files, sorted by path within each given URI; a list keeps the order in which it was given.

    The URI of a prediction set means its parts, in their order, as its commit has them.

    In folders and globs, files and folders whose name starts with ``.`` or ``_`` (but ``_key=value``) are passed over.
    Without ``recursive``, a folder is its own files, and not those of its sub-folders. Without ``tables``, a prediction
    set may be files that a scoring script has made in any form.

    Raises
    ------
    ArtifactNotFoundError
        A file or folder that was named does not exist. (An empty folder, or a glob that matches nothing, gives no
        files: whether that is an error is the caller's decision.)
    ConfigurationError
        A URI that is not allowed, one file named twice, or a record that is no data.
    ArtifactIntegrityError
        A prediction set's file was changed after it was committed.
    """
    uris = [dataset] if isinstance(dataset, str) else list(dataset)
    listed = [found for uri in uris for found in _list_one(normalize_uri(uri), storage, recursive, tables)]
    twice = [uri for uri, count in Counter(found.file.uri for found in listed).items() if count > 1]
    if twice:
        message = f"The dataset names {twice[0]} more than once: its rows would be scored twice. Name each file once."
        raise ConfigurationError(message)
    return tuple(listed)


def _list_one(uri: str, storage: Storage, recursive: bool, tables: bool) -> list[ListedFile]:
    if storage.exists(uri):
        if storage.is_dir(uri):
            return _without_records(_below(uri, storage, recursive=recursive), storage, uri)
        made = prediction_set_at(uri, storage)
        return [ListedFile(file=storage.stat(uri))] if made is None else _parts(made, uri, storage, tables)
    if not any(mark in uri for mark in "*?["):
        message = f"The dataset {uri} does not exist. Check the URI, or run the task that writes it first."
        raise ArtifactNotFoundError(message)
    root = uri[: min(uri.find(mark) for mark in "*?[" if mark in uri)].rsplit("/", 1)[0]
    # By URI, since ** matches a folder and the files in it as well.
    listed: dict[str, ListedFile] = {}
    for match in storage.glob(uri):
        if _hidden(match, root):
            continue
        is_folder = storage.is_dir(match)
        found = _below(match, storage, root, recursive) if is_folder else [_listed(storage.stat(match), root)]
        listed |= {each.file.uri: each for each in found}
    return _without_records([listed[each] for each in sorted(listed)], storage, uri)


def _without_records(listed: list[ListedFile], storage: Storage, where: str) -> list[ListedFile]:
    for each in listed:
        refuse_records_among(each.file.uri, storage, where)
    return listed


def _parts(made: PredictionSetRecord, uri: str, storage: Storage, tables: bool) -> list[ListedFile]:
    """Return a prediction set's files, verified; text formats do not keep types: "007" must not come back as 7."""
    require_kept(made, uri)
    if tables:
        require_table(made, uri)
    types = made.columns if tables and made.output_format in ("csv", "jsonl") else ()
    return [
        ListedFile(file=verified_part(part, storage), types=types) for part in (made.table if tables else made.parts)
    ]


def _below(folder: str, storage: Storage, root: str | None = None, recursive: bool = True) -> list[ListedFile]:
    root = root or folder
    return [
        _listed(file, root)
        for file in storage.list_files(folder)
        if not _hidden(file.uri, root) and (recursive or len(_segments(file.uri, folder)) == 1)
    ]


def _segments(uri: str, root: str) -> list[str]:
    return uri.removeprefix(root).strip("/").split("/")


def _hidden(uri: str, root: str) -> bool:
    """Say whether a segment starts with ``.`` or ``_``; ``_key=value`` is data, as for Spark."""
    return any(
        segment.startswith(".") or (segment.startswith("_") and "=" not in segment) for segment in _segments(uri, root)
    )


def _listed(file: DataFile, root: str) -> ListedFile:
    pairs = [segment.split("=", 1) for segment in _segments(file.uri, root)[:-1] if "=" in segment]
    # Writers percent-encode blanks, slashes and the like in these names.
    partition = tuple((unquote(key), None if value == _NULL_PARTITION else unquote(value)) for key, value in pairs)
    return ListedFile(file=file, partition=partition)
