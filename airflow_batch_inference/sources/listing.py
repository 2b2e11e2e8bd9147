"""From what a user names (file, folder, glob, list) to the files there are, in one fixed order."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.formats.table_folders import SIGN_FOLDERS, refuse_tables, with_parents
from airflow_batch_inference.sources.recorded import (
    prediction_set_at,
    refuse_records_among,
    require_kept,
    require_parquet,
    require_table,
    verified_part,
)
from airflow_batch_inference.storage.parallel import in_order, threads_for
from airflow_batch_inference.storage.tree import Entry, fixed_part, is_pattern, matching
from airflow_batch_inference.storage.uris import normalize_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.records import ColumnSpec, DataFile, PredictionSetRecord
    from airflow_batch_inference.storage.store import Storage

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file of a dataset, and the ``key=value`` folders between the dataset's root and the file."""

    file: DataFile
    partition: tuple[tuple[str, str | None], ...] = ()
    types: tuple[ColumnSpec, ...] = ()
    """Of its columns, where the commit of a scoring script's table says them and the format does not keep them."""
    is_nested: bool = False
    """Whether it is a prediction set's in which columns hold the fields of a parent."""


def list_dataset(
    dataset: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    storage: Storage,
    *,
    recursive: bool = True,
    tables: bool = True,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> tuple[ListedFile, ...]:
    """List a dataset's files, sorted by path within each given URI; a list keeps the order in which it was given.

    The URI of a prediction set means its parts, in their order, as its commit has them.

    In folders and globs, files and folders whose name starts with ``.`` or ``_`` (but ``_key=value``) are passed over.
    Local links are followed. Without ``recursive``, a folder is its own files, and not those of its sub-folders.
    Without ``tables``, a prediction set may be files that a scoring script has made in any form.

    Raises
    ------
    ArtifactNotFoundError
        A file or folder that was named does not exist. (An empty folder, or a glob that matches nothing, gives no
        files: whether that is an error is the caller's decision.)
    ConfigurationError
        A URI that is not allowed, one file named twice, or a record that is no data.
    ArtifactIntegrityError
        A prediction set's file was changed after it was committed.
    DataError
        The files of a table of Delta Lake, Iceberg or another format that only its log makes whole.
    """
    uris = [dataset] if isinstance(dataset, (str, os.PathLike)) else list(dataset)
    named = [normalize_uri(uri) for uri in uris]
    storage = storage.steady(named) if len(named) > 1 else storage
    threads = threads_for(storage.filesystem(named[0])[0]) if len(named) > 1 else 1
    listing = partial(_list_one, storage=storage, recursive=recursive, tables=tables)
    found = list(in_order(listing, named, threads=threads, raise_if_stopped=raise_if_stopped))
    listed = tuple(file for each in found for file in each.files)
    refuse_tables(
        storage,
        named=[each.root for each in found],
        seen=[entry.uri for each in found for entry in each.seen],
        taken=[file.file.uri for file in listed],
        linked=[f"file://{entry.target}" for each in found for entry in _links(each)],
    )
    _refuse_twice(listed)
    settled = storage.settled([found.file for found in listed])
    return tuple(replace(found, file=file) for found, file in zip(listed, settled, strict=True))


@dataclass(frozen=True, slots=True)
class _Found:
    """What one URI gives."""

    root: str
    """The folder that it starts from."""
    files: list[ListedFile]
    seen: list[Entry]
    """All that was seen on the way, hidden or not."""


def _list_one(uri: str, *, storage: Storage, recursive: bool, tables: bool) -> _Found:
    if storage.exists(uri):
        if storage.is_dir(uri):
            return _without_records(_below(uri, storage, recursive=recursive), storage, uri)
        file, path = storage.stat(uri), uri.removeprefix("file://")  # first, as reading a pipe never ends
        made = prediction_set_at(uri, storage)
        if made is not None:
            return _Found(uri.rsplit("/", 1)[0], _parts(made, uri, storage, tables), [])
        links = [Entry(uri, file, target=os.path.realpath(path))] if path != uri else []
        return _Found(uri.rsplit("/", 1)[0], [ListedFile(file=file)], links)
    if not is_pattern(uri):
        message = f"The dataset {uri} does not exist. Check the URI, or run the task that writes it first."
        raise ArtifactNotFoundError(message)
    root, depth = fixed_part(uri)
    seen = storage.tree(root, depth=depth, folders=True, enter=_is_entered)
    # By URI, since ** matches a folder and the files in it as well.
    listed: dict[str, ListedFile] = {}
    more = []
    for match in matching(uri, seen):
        if _hidden(match.uri, root):
            continue
        if match.is_folder:
            below = _below(match.uri, storage, root, recursive)
            listed |= {each.file.uri: each for each in below.files}
            more += below.seen
        else:
            listed[match.uri] = _listed(storage.taken(match), root)
    return _without_records(_Found(root, [listed[each] for each in sorted(listed)], [*seen, *more]), storage, uri)


def _without_records(found: _Found, storage: Storage, where: str) -> _Found:
    for each in found.files:
        refuse_records_among(each.file.uri, storage, where)
    return found


def _parts(made: PredictionSetRecord, uri: str, storage: Storage, tables: bool) -> list[ListedFile]:
    """Return a prediction set's files, verified; a script's text has no types: "007" must not come back as 7."""
    require_kept(made, uri)
    if made.items is None:
        require_parquet(made, uri)
    if tables:
        require_table(made, uri)
    types = made.columns if tables and made.output_format in ("csv", "jsonl") else ()
    parts = made.table if tables else made.parts
    storage = storage.steady(part.uri for part in parts)
    threads = threads_for(storage.filesystem(parts[0].uri)[0]) if len(parts) > 1 else 1
    files = in_order(partial(verified_part, storage=storage), parts, threads=threads)
    return [ListedFile(file=file, types=types, is_nested=made.is_nested) for file in files]


def _below(folder: str, storage: Storage, root: str | None = None, recursive: bool = True) -> _Found:
    root = root or folder
    # The folders of a local one too: a link may lead into a table.
    seen = storage.tree(folder, folders=folder.startswith("file://"), enter=_is_entered)
    files = [
        _listed(storage.taken(entry), root)
        for entry in seen
        if not entry.is_folder
        and not _hidden(entry.uri, root)
        and (recursive or len(_segments(entry.uri, folder)) == 1)
    ]
    return _Found(folder, files, seen)


def _links(found: _Found) -> list[Entry]:
    """Return the links that files of the dataset are reached by."""
    within = with_parents(listed.file.uri for listed in found.files)
    return [entry for entry in found.seen if entry.target is not None and entry.uri in within]


def _is_entered(name: str) -> bool:
    """Say whether to look into a folder: hidden ones hold no data, but some tell what the others are."""
    return not _is_hidden(name) or name in SIGN_FOLDERS


def _refuse_twice(listed: Sequence[ListedFile]) -> None:
    """Refuse files of which each row would be scored twice.

    Two names of one local file, by a link, count where they lie in the same partition: their rows are the same.

    Raises
    ------
    ConfigurationError
        Names both.
    """
    twice = [uri for uri, count in Counter(found.file.uri for found in listed).items() if count > 1]
    if twice:
        message = f"The dataset names {twice[0]} more than once: its rows would be scored twice. Name each file once."
        raise ConfigurationError(message)
    alike: dict[object, list[ListedFile]] = {}
    for found in listed:
        if found.file.uri.startswith("file://"):
            alike.setdefault((found.file.size_bytes, found.file.version, found.partition), []).append(found)
    for group in alike.values():
        known: dict[tuple[int, int], str] = {}
        for uri in (found.file.uri for found in group) if len(group) > 1 else ():
            status = Path(uri.removeprefix("file://")).stat()
            other = known.setdefault((status.st_dev, status.st_ino), uri)
            if other != uri:
                message = (
                    f"{other} and {uri} are two names of one file, so its rows would be scored twice. Remove the "
                    "link, or name the files by a glob that leaves one of them out."
                )
                raise ConfigurationError(message)


def _segments(uri: str, root: str) -> list[str]:
    return uri.removeprefix(root).strip("/").split("/")


def _hidden(uri: str, root: str) -> bool:
    return any(map(_is_hidden, _segments(uri, root)))


def _is_hidden(name: str) -> bool:
    """Say whether a name starts with ``.`` or ``_``, or marks a folder for Hadoop; ``_key=value`` is data."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("_$folder$")


def _listed(file: DataFile, root: str) -> ListedFile:
    pairs = [segment.split("=", 1) for segment in _segments(file.uri, root)[:-1] if "=" in segment]
    # Writers percent-encode blanks, slashes and the like in these names.
    partition = tuple((unquote(key), None if value == _NULL_PARTITION else unquote(value)) for key, value in pairs)
    return ListedFile(file=file, partition=partition)
