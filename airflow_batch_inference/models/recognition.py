"""What a model file is, told without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.flavors.construction import find_format
from airflow_batch_inference.flavors.registry import get_flavor
from airflow_batch_inference.flavors.sandbox.load import recognise_in_subprocess
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.base import Trust
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """What a model file is, told without loading it.

    Attributes
    ----------
    flavor, format, trust
        What the file is, by name, and what such a file can do when it is loaded.
    sha256, size_bytes
        Of its bytes.
    imports
        What it would import, as far as that can be told; of files that can run code only.
    safer
        How else such a model is saved.
    """

    flavor: str
    format: str
    trust: Trust
    sha256: str
    size_bytes: int
    imports: tuple[str, ...]
    safer: str


def look_at(uri: str, *, storage: Storage, flavor: str | None = None) -> FoundModel:
    """Tell what a model file or folder is without loading it: nothing in it is run.

    Parameters
    ----------
    uri, storage, flavor
        As for :func:`~.loading.load_model`.

    Raises
    ------
    ArtifactError, FlavorNotFoundError, FlavorNotInstalledError
        As :func:`~.loading.load_model` says.
    """
    with private_copy(uri, storage) as copy:
        where = redact(normalize_uri(uri))
        told = recognise_in_subprocess(copy.path, flavor=flavor, where=where)
        return FoundModel(
            flavor=told.flavor,
            format=told.format,
            trust=find_format(told.flavor, told.format, where=where).trust,
            sha256=copy.sha256,
            size_bytes=copy.size_bytes,
            imports=told.imports,
            safer=get_flavor(told.flavor).safer,
        )
