"""TensorFlow and PyTorch, imported with the settings that make their predictions repeatable; several flavors need them.

Invariants: the number of threads is set before the first operation, because a framework keeps it from then on and sums
in another order with another number; and a GPU's memory is taken as it is needed, not all at once, because other tasks
of the worker need it too.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_batch_inference.exceptions import FlavorNotInstalledError
from airflow_batch_inference.flavors.base import require
from airflow_batch_inference.processes.threads import native_threads

if TYPE_CHECKING:
    from types import ModuleType

FrameworkObject: TypeAlias = Any
"""A model, tensor or the like of a framework whose types are not known where it is not installed."""

_LEAST_TORCH = "2.10"  # earlier ones: CVE-2025-32434 and CVE-2026-24747, code and memory errors in weights_only


def tensorflow_runtime() -> ModuleType:
    """Import TensorFlow without its notes on the processor, with our number of threads.

    Raises
    ------
    FlavorNotInstalledError
        It is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    tensorflow = require("tensorflow", extra="tensorflow")
    with contextlib.suppress(RuntimeError):  # its pools run already: they keep the number of threads that they have
        tensorflow.config.threading.set_intra_op_parallelism_threads(native_threads())
        tensorflow.config.threading.set_inter_op_parallelism_threads(native_threads())
    return tensorflow


def torch_runtime() -> ModuleType:
    """Import PyTorch with our number of threads.

    Raises
    ------
    FlavorNotInstalledError
        It is not installed, or too old to read a file that nobody vouches for.
    """
    torch = require("torch", extra="torch")
    require_version("torch", torch.__version__, _LEAST_TORCH, extra="torch")
    if torch.get_num_threads() != native_threads():
        torch.set_num_threads(native_threads())
    return torch


def require_version(package: str, installed: str, least: str, *, extra: str) -> None:
    """Refuse a framework whose known faults the checks of a flavor do not cover.

    Raises
    ------
    FlavorNotInstalledError
        An older one is installed; the message has the pip command.

    Examples
    --------
    >>> require_version("torch", "2.13.0+cpu", "2.10", extra="torch")
    """
    if version_numbers(installed) < version_numbers(least):
        message = (
            f"{package} {installed} is installed, but models are loaded with {least} or later only: earlier ones have "
            f"known security faults in loading. Run: pip install --upgrade 'airflow-batch-inference[{extra}]'."
        )
        raise FlavorNotInstalledError(message)


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, which compare as versions do.

    Examples
    --------
    >>> version_numbers("2.13.0+cpu")
    (2, 13, 0)
    """
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in leading.group().split(".")) if leading else ()
