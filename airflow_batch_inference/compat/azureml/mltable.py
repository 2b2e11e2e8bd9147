"""Azure ML's ``MLTable`` files among the files of a dataset: they say which files there are, and are none of them.

Invariants: such a file is never scored; and where its folder is given, what it names is what is scored.
"""

from __future__ import annotations

import logging
import posixpath
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.sources.listing import list_dataset
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

NAME = "MLTable"
_KINDS = ("file", "folder", "pattern")
_INSTEAD = "Give dataset the files themselves, such as a glob."


def without_mltables(files: Sequence[DataFile], storage: Storage) -> list[DataFile]:
    """Return the files, with what each ``MLTable`` names in the place of all that lies in its folder.

    Raises
    ------
    ConfigurationError
        It cannot be read, names what only Azure ML resolves, or describes a table of Delta Lake.
    """
    found = list(files)
    for table in [file for file in files if posixpath.basename(file.uri) == NAME]:
        folder = posixpath.dirname(table.uri)
        named = _named(table.uri, folder, storage)
        there = [at for at, file in enumerate(found) if file.uri.startswith(f"{folder}/")]
        if not there:  # one above it has spoken
            continue
        kept = {file.uri for file in named}
        log.info(
            "%s says which files there are: %d are scored, %d others in its folder are not. What it says of columns is "
            "not for scripts",
            *(table.uri, len(named), sum(found[at].uri not in kept for at in there) - 1),
        )
        outside = [file for at, file in enumerate(found) if at not in set(there) and file.uri not in kept]
        before = sum(at not in set(there) and found[at].uri not in kept for at in range(there[0]))
        found = [*outside[:before], *named, *outside[before:]]
    return found


def _named(uri: str, folder: str, storage: Storage) -> list[DataFile]:
    """Return the files that it names, without other such files."""
    entries = _paths(uri, storage)
    places = [place if "://" in place or place.startswith("/") else _below(folder, place) for place in entries]
    for place in places:
        if place.startswith("azureml://"):
            message = f"{uri} names {place}, which only Azure ML resolves. {_INSTEAD}"
            raise ConfigurationError(message)
    listed = list_dataset(places, storage) if places else ()
    return [each.file for each in listed if posixpath.basename(each.file.uri) != NAME]


def _below(folder: str, place: str) -> str:
    scheme, _, path = join_uri(folder, place).partition("://")
    return f"{scheme}://{posixpath.normpath(path)}"


def _paths(uri: str, storage: Storage) -> list[str]:
    import yaml

    try:
        document: Any = yaml.safe_load(storage.read_bytes(uri))
        entries = [entry[kind] for entry in document["paths"] for kind in _KINDS if kind in entry]
        steps = [name for step in document.get("transformations") or () for name in (step or ())]
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = f"{uri} cannot be read as an MLTable file ({type(error).__name__}: {error}). {_INSTEAD}"
        raise ConfigurationError(message) from error
    if "read_delta_lake" in steps:
        message = f"{uri} describes a table of Delta Lake, whose folder holds more than its rows. {_INSTEAD}"
        raise ConfigurationError(message)
    return [str(entry) for entry in entries]
