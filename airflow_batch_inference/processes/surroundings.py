"""The environment variables of child processes: what they need, and no secret of the task's own.

Invariants: a variable is passed on because it is known to be needed, never because nobody has thought of it; and a
value that lets somebody into a store is in no child's environment, but comes by the pipe, is used to connect, and is
gone before a model or a script is loaded.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_NEEDED: Final = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TZDIR", "TERM", "HOSTNAME"),
        *("TMPDIR", "TEMP", "TMP", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "JAVA_HOME", "R_HOME"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"),
        # A function's module may import Airflow, which would make a home where it is told of none.
        *("AIRFLOW_HOME", "AIRFLOW_CONFIG"),
        *("PYTHONHASHSEED", "PYTHONUNBUFFERED", "PYTHONWARNINGS", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONMALLOC"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONNOUSERSITE", "PYTHONUSERBASE", "PYTHONHOME"),
        *("PYTHONFAULTHANDLER", "PYTHONOPTIMIZE", "PYTHONPATH", "__PYVENV_LAUNCHER__"),
        *("LOKY_MAX_CPU_COUNT", "TOKENIZERS_PARALLELISM", "TBB_NUM_THREADS", "JOBLIB_TEMP_FOLDER"),
        *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_CACHE"),
        *("TRANSFORMERS_OFFLINE", "NLTK_DATA", "TIKTOKEN_CACHE_DIR", "MPLBACKEND", "MPLCONFIGDIR", "SPARK_HOME"),
    )
)
_NEEDED_BEGINNINGS: Final = (
    *("LC_", "XDG_", "LD_", "DYLD_", "MALLOC_", "MIMALLOC_", "JEMALLOC_", "GLIBC_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "NUMEXPR_", "NUMBA_", "NPY_", "ARROW_"),
    *("POLARS_", "RAYON_", "CUDA_", "CUDNN_", "NVIDIA_", "NCCL_", "HIP_", "ROCM_", "ROCR_", "HSA_", "TF_", "XLA_"),
    *("KERAS_", "TORCH_", "TORCHINDUCTOR_", "PYTORCH_", "TRITON_", "ORT_", "ONNX_", "XGBOOST_", "LIGHTGBM_", "JAX_"),
)
_PROXIES: Final = frozenset(
    name for each in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY") for name in (each, each.lower())
)
_PLACES: Final = frozenset(
    (
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"),
        *("AWS_DEFAULTS_MODE", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
        *("AWS_SDK_LOAD_CONFIG", "AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CONFIG"),
        *("CLOUDSDK_CORE_PROJECT", "STORAGE_EMULATOR_HOST", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"),
        *("AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_CERTIFICATE_PATH"),
        *("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CONFIG_DIR", "IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT"),
        *("HADOOP_HOME", "HADOOP_CONF_DIR", "HADOOP_USER_NAME", "CLASSPATH", "KRB5_CONFIG", "KRB5CCNAME"),
        *("KRB5_KTNAME", "LIBHDFS_OPTS", "FSSPEC_CONFIG_DIR"),
    )
)
"""Where a store is, and where its credentials lie; libraries look them up again when credentials run out."""
_PLACES_BEGINNINGS: Final = ("AWS_EC2_METADATA_", "AWS_METADATA_SERVICE_", "AWS_ENDPOINT_URL", "GCE_METADATA_")
_STORES: Final = ("AWS_", "S3_", "GOOGLE_", "GCS_", "CLOUDSDK_", "AZURE_", "FSSPEC_")
_SECRETS_OF_STORES: Final = frozenset(("IDENTITY_HEADER", "MSI_SECRET"))
_OF_PIP: Final = ("PIP_", "UV_", "CARGO_", "RUSTUP_", "CMAKE_", "PKG_CONFIG_")
_OF_BUILDS: Final = frozenset(
    (
        *("CC", "CXX", "CPP", "FC", "LD", "AR", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "FFLAGS", "MAKEFLAGS"),
        *("ARCHFLAGS", "NETRC", "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "SOURCE_DATE_EPOCH"),
    )
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOGIN = re.compile(r"//.*@", re.DOTALL)
_SECRET = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|PRIVATE|AUTH|KEY|^TF_VAR_|_PAT$")


def require_variables(variables: Mapping[str, str]) -> None:
    """Refuse what cannot be an environment variable.

    Raises
    ------
    ConfigurationError
        Names it.
    """
    for name, value in variables.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name) or not isinstance(value, str) or "\0" in value:
            message = f"environment_variables has {name!r}: names and values must be text; put numbers in quotes."
            raise ConfigurationError(message)


def needed() -> dict[str, str]:
    """Return what any program needs of this process's environment: paths, languages, threads, accelerators."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name in _NEEDED or name in _PROXIES or (name.startswith(_NEEDED_BEGINNINGS) and not _SECRET.search(name)))
        and not _has_login(name, value)
    }


def needed_by_pip() -> dict[str, str]:
    """Return what installing packages needs: also pip's own settings and proxies, with their logins, and compilers."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name in _PROXIES or name in _OF_BUILDS or name.startswith(_OF_PIP)
    }
    return needed() | own


def places_of_stores() -> dict[str, str]:
    """Return what says where remote stores and their credentials lie; no secret is among it."""
    return {name: value for name, value in os.environ.items() if _is_place(name, value)}


def secrets_of_stores() -> dict[str, str]:
    """Return what lets this process into remote stores: keys, tokens, and proxies that ask for a login."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name.startswith(_STORES) or name in _SECRETS_OF_STORES or (name in _PROXIES and _has_login(name, value)))
        and not _is_place(name, value)
    }


def _is_place(name: str, value: str) -> bool:
    is_one = name in _PLACES or name.startswith(_PLACES_BEGINNINGS)
    return is_one and not _has_login(name, value) and not value.lstrip().startswith("{")  # the credentials themselves


def _has_login(name: str, value: str) -> bool:
    """Say whether a value holds an address with a user's name; that of a proxy may have no scheme."""
    return "@" in value if name in _PROXIES else _LOGIN.search(value) is not None


def withheld(given: Mapping[str, str]) -> frozenset[str]:
    """Return the names of this process's variables that a child is not given, but for those that libraries look up."""
    return frozenset(
        name
        for name in os.environ
        if name not in given and name not in _PROXIES and not name.startswith(("AIRFLOW__", *_STORES))
    )


class _Watched(os._Environ):  # type: ignore[type-arg]  # noqa: SLF001  # the one class of os.environ
    """An environment that says once which variables code looks for that it was not given."""

    withheld: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> str:
        try:
            return super().__getitem__(name)  # type: ignore[no-any-return]  # text
        except KeyError:
            if name in self.withheld:
                type(self).withheld -= {name}
                log.warning(
                    "The environment variable %s is set for the task, but not in its worker processes, where something "
                    "looks for it now. If the model, the function or the script needs it, give it by "
                    "environment_variables",
                    name,
                )
            raise


def watch(names: frozenset[str]) -> None:
    """From now on, warn of code that looks for variables that this worker process was not given: it may go on without.

    Parameters
    ----------
    names
        Of the variables (:func:`withheld`).
    """
    _Watched.withheld = names
    os.environ.__class__ = _Watched  # it adds nothing to the instance


def is_remote(*storages: Storage | None) -> bool:
    """Say whether some storages may reach more than the local disk."""
    return any(
        storage is not None and (_is_remote(storage.filesystem_for) or is_remote(storage.artifacts))
        for storage in storages
    )


def _is_remote(filesystem_for: object) -> bool:
    found = getattr(filesystem_for, "filesystems", None)
    return found is None or any(protocol not in ("file", "local") for protocol in found)


@contextlib.contextmanager
def lent(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block, and afterwards put back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def connect(*storages: Storage | None, alone: bool = False) -> None:
    """Let file systems log in now, with the variables that are there now; they keep what they have found.

    Parameters
    ----------
    storages
        Those of a worker process.
    alone
        Whether file systems that are made afterwards, by a script, log in for themselves.
    """
    for storage in storages:
        if storage is None:
            continue
        for fs in _filesystems(storage):
            if "s3" in fs.protocol:  # the others have done it when they were made
                fs.connect()
            if alone:
                type(fs).clear_instance_cache()
        connect(storage.artifacts, alone=alone)


def _filesystems(storage: Storage) -> list[Any]:
    return list(getattr(storage.filesystem_for, "filesystems", {}).values())
