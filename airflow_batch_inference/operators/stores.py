"""Where artifacts and data lie, and through which connections they are reached: what Airflow's config says of it."""

from __future__ import annotations

import base64
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseHook, conf

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.storage.digests import parse_sha256
from airflow_batch_inference.storage.origins import AIRFLOW
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.storage.web import WebFiles
from airflow_batch_inference.wording.secrets import on_secret
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CONFIG_SECTION = "batch_inference"
_PROVIDERS = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
}
"""Whose connections reach which stores."""
_MLFLOW = ("models:/", "runs:/")


def _mask(secret: str) -> None:
    """Have Airflow's own masker hide a secret too: in rendered templates, and in what other code logs."""
    from airflow.sdk.log import mask_secret

    mask_secret(secret)


on_secret(_mask)


def artifact_root() -> str:
    """Return the artifact store: ``[batch_inference] artifact_root``, else a folder in AIRFLOW_HOME."""
    configured = conf.get(CONFIG_SECTION, "artifact_root", fallback=None)
    if configured:
        return normalize_uri(str(configured))
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute()
    return normalize_uri(str(home / "batch_inference"))


def environments_folder() -> Path:
    """Return where environments of scripts are kept: ``[batch_inference] environments``, else in AIRFLOW_HOME.

    Raises
    ------
    ConfigurationError
        It is no local folder.
    """
    configured = str(conf.get(CONFIG_SECTION, "environments", fallback=None) or "")
    if "://" in configured:
        message = f"[batch_inference] environments is {configured!r}; it must be a folder of this machine."
        raise ConfigurationError(message)
    if configured:
        return Path(configured).expanduser().absolute()
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute()
    return home / "batch_inference_environments"


def trusted_digests() -> frozenset[str]:
    """Return the digests of models that may run code: ``[batch_inference] trusted_sha256``.

    Raises
    ------
    ConfigurationError
        One of them is no SHA-256.
    """
    configured = str(conf.get(CONFIG_SECTION, "trusted_sha256", fallback=None) or "")
    return frozenset(parse_sha256(text) for text in configured.replace(",", " ").split())


def _filesystem(protocol: str, *, conn_id: str | None) -> AbstractFileSystem:
    import fsspec
    from airflow.sdk.io import get_fs, has_fs

    if has_fs(protocol):
        return get_fs(protocol, conn_id)
    if conn_id is not None:
        package = _PROVIDERS.get(protocol, "the Airflow provider of that store")
        message = (
            f"The connection {conn_id!r} cannot reach {protocol}://, for no Airflow provider that is installed knows "
            f"such a store. Install {package}; or leave the connection out, and let the environment say how it is "
            "reached."
        )
        raise ConfigurationError(message)
    return fsspec.filesystem(protocol)


def _allowed_roots() -> list[str]:
    allowed = str(conf.get(CONFIG_SECTION, "allowed_roots", fallback=None) or "")
    return [root.strip() for root in allowed.split(",") if root.strip()]


def storage_for(conn_id: str | None) -> Storage:
    """Return a storage that reaches remote file systems through an Airflow connection (None: fsspec's defaults).

    It reaches nothing outside ``[batch_inference] allowed_roots`` and the artifact store.
    """
    allowed = _allowed_roots()
    folders = tuple(normalize_uri(root) for root in allowed if not root.startswith(_MLFLOW))
    roots = (*folders, artifact_root()) if allowed else ()
    return Storage(
        filesystem_for=functools.partial(_filesystem, conn_id=conn_id),
        roots=roots,
        web=None if conn_id is None else WebFiles(functools.partial(_web_headers, conn_id), roots=roots),
        origin=AIRFLOW if conn_id is None else f"{AIRFLOW}:{conn_id}",
    )


def _web_headers(conn_id: str, host: str) -> dict[str, str]:
    """Return what a connection of type HTTP sends to be let in: to its own host, and to no other."""
    connection = BaseHook.get_connection(conn_id)
    own = str(connection.host or "").partition("://")[2] or str(connection.host or "")
    names = {own.partition("/")[0].lower(), f"{own.partition('/')[0]}:{connection.port}".lower()}
    if connection.conn_type != "http" or host.lower() not in names:
        return {}
    headers = {name: value for name, value in connection.extra_dejson.get("headers", {}).items() if value}
    if connection.login or connection.password:
        pair = f"{connection.login or ''}:{connection.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return {str(name): str(value) for name, value in headers.items()}


def artifact_storage(conn_id: str | None = None) -> Storage:
    """Return what reaches the artifact store, by default through ``[batch_inference] artifact_conn_id``."""
    return storage_for(conn_id or conf.get(CONFIG_SECTION, "artifact_conn_id", fallback=None) or None)


def require_mlflow_allowed(uri: str) -> None:
    """Refuse a model of MLflow's, whose files may lie anywhere, where ``allowed_roots`` does not name its kind.

    Raises
    ------
    ConfigurationError
        Says what to add.
    """
    allowed = _allowed_roots()
    if allowed and not any(uri.startswith(root) for root in allowed if root.startswith(_MLFLOW)):
        kind = uri.partition("/")[0]
        message = (
            f"{redact(uri)} is a model of MLflow's, whose files may lie anywhere, and allowed_roots in the "
            f"[batch_inference] section of Airflow's config does not name it. Have {kind}/ added there, or "
            f"{kind}/<name> for one model."
        )
        raise ConfigurationError(message)
