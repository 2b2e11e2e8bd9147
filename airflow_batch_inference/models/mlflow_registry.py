"""Models in MLflow's registry or runs (``models:/churn@champion``, ``models:/churn/3``, ``runs:/<id>/model``).

An MLflow URI is resolved once: the files are copied into the artifact store under their digest, and every later task
loads that copy.

Invariants: an alias that is moved while a run goes on changes nothing for that run, and tasks that score need no MLflow
server.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.flavors.base import require
from airflow_batch_inference.models.local_copy import tree_digest
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import encode_segment, join_uri, model_folder
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_SCHEMES = ("models:/", "runs:/")
_ADDED_BY_CLIENT = "registered_model_meta"
_NAME_DIGITS = 16
_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


def is_mlflow_uri(uri: str) -> bool:
    """Say whether a URI is one that only MLflow can resolve."""
    return uri.startswith(_SCHEMES)


def import_from_mlflow(uri: str, *, root: str, storage: Storage, tracking_uri: str | None = None) -> tuple[str, str]:
    """Copy a model from MLflow into the artifact store.

    Parameters
    ----------
    uri
        ``models:/<name>@<alias>``, ``models:/<name>/<version>`` or ``runs:/<run>/<path>``.
    root
        The artifact store.
    storage
        Reaches it.
    tracking_uri
        MLflow's server or database; None: as ``MLFLOW_TRACKING_URI`` says.

    Returns
    -------
    tuple
        The URI of the copy, a folder; and the model's name.

    Raises
    ------
    FlavorNotInstalledError
        ``mlflow`` (``mlflow-skinny`` will do) is not installed.
    ConfigurationError
        Neither the argument nor the environment says where MLflow is.
    ArtifactNotFoundError
        MLflow has no such model, version or alias, or cannot be reached.
    """
    mlflow = require("mlflow", extra="mlflow")
    require("mlflow.artifacts", extra="mlflow")
    if tracking_uri is None and not mlflow.is_tracking_uri_set():
        message = (
            f"{redact(uri)} is a model of MLflow's, but nothing says where MLflow is. Give mlflow_tracking_uri, or set "
            "MLFLOW_TRACKING_URI."
        )
        raise ConfigurationError(message)
    name = uri.split(":/", 1)[1].strip("/").split("/")[0].split("@")[0]
    with private_folder() as folder, _reached(mlflow, tracking_uri):
        try:
            found = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))
        except Exception as error:
            message = (
                f"MLflow cannot give {redact(uri)}: {type(error).__name__}: {error}. Check the name, version or alias."
            )
            raise ArtifactNotFoundError(message) from error
        if found.is_file():  # a run's single artifact
            alone = folder / ".alone" / found.name
            alone.parent.mkdir()
            found = Path(shutil.move(found, alone)).parent
            return f"{_copied(found, name, root, storage)}/{alone.name}", name
        return _copied(found, name, root, storage), name


@contextlib.contextmanager
def _reached(mlflow: ModuleType, tracking_uri: str | None) -> Iterator[None]:
    """Let the client look in one place: some of its calls know the process's setting only, whatever they are given."""
    if tracking_uri is None:
        yield
        return
    # Setting them also sets the environment, which must be as it was for whatever comes after.
    environment = {name: os.environ.get(name) for name in _VARIABLES}
    was_set, before = mlflow.is_tracking_uri_set(), mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(environment["MLFLOW_REGISTRY_URI"] or tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before if was_set else None)
        mlflow.set_registry_uri(environment["MLFLOW_REGISTRY_URI"] or "")
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _copied(model: Path, name: str, root: str, storage: Storage) -> str:
    """Put the files into the artifact store, under their digest; files that lie there already are left as they are."""
    (model / _ADDED_BY_CLIENT).unlink(missing_ok=True)
    files = {path.relative_to(model).as_posix(): path for path in sorted(model.rglob("*")) if path.is_file()}
    digest = tree_digest((relative, sha256_of(path)) for relative, path in files.items())
    folder = join_uri(model_folder(root, name), f"{encode_segment(name)}-{digest[:_NAME_DIGITS]}")
    for relative, path in files.items():
        target = join_uri(folder, *relative.split("/"))
        if not storage.exists(target):
            with storage.writing(target) as local:
                local.write_bytes(path.read_bytes())
    log.info("MLflow's model %s: %d files, sha256 %s, copied to %s", name, len(files), digest, folder)
    return folder
