"""How a process that was handed no storage makes one: by the name of an Airflow connection, or of its own environment.

Invariants: a name says where keys are found, and is none; what was made by hand in a process has no name.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Final

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.storage.access import ENVIRONMENT

if TYPE_CHECKING:
    from airflow_batch_inference.storage.store import Storage

AIRFLOW: Final = "airflow"
_MAKERS: Final = {
    ENVIRONMENT: "airflow_batch_inference.storage.store:environment_storage",
    AIRFLOW: "airflow_batch_inference.operators.stores:storage_for",
}
"""What makes a storage, by the first word of an origin; it gets the rest (None: there is none)."""


def storage_of(origin: str | None) -> Storage:
    """Return a storage that reaches in this process what another one reached.

    Parameters
    ----------
    origin
        ``"environment"``, ``"airflow"``, or ``"airflow:<connection>"``; None: it was made by hand.

    Raises
    ------
    ConfigurationError
        It was, or there is no such connection here.
    """
    kind, _, name = (origin or "").partition(":")
    if kind not in _MAKERS:
        message = (
            "A store of this job is reached by a file system that was made by hand in the process of the task. Other "
            "processes need to be told how: by an Airflow connection (conn_id), or by their environment."
        )
        raise ConfigurationError(message)
    module, _, function = _MAKERS[kind].partition(":")
    made: Storage = getattr(importlib.import_module(module), function)(name or None)
    return made


def storage_at(uri: str) -> Storage:
    """Return what reaches an artifact store in a process that was told nothing but a URI within it.

    Where Airflow is installed, that is ``[batch_inference] artifact_conn_id`` of its config; else the environment.
    """
    if uri.startswith(("file:", "/")) or importlib.util.find_spec("airflow") is None:
        return storage_of(ENVIRONMENT)
    made: Storage = importlib.import_module("airflow_batch_inference.operators.stores").artifact_storage()
    return made


def connection_of(storage: Storage) -> str:
    """Return the name of the Airflow connection that a storage reaches its stores by; empty: of none."""
    return (storage.known_origin or "").partition(":")[2]
