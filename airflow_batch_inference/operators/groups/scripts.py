"""How files are scored by a script or a function: its mini-batches, its error limits, its Python."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import (
    boolean,
    byte_size,
    choice,
    number,
    optional_number,
    optional_text,
    optional_whole_number,
    structure,
    whole_number,
    worker_variables,
)
from airflow_batch_inference.operators.groups.base import ArgumentGroup
from airflow_batch_inference.scripts.settings import (
    LOGGING_LEVELS,
    OUTPUT_ACTIONS,
    UNLIMITED,
    require_script_variables,
    table_format,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _mini_batch_size(name: str, value: object) -> tuple[int, int | None]:
    """Return how many files a mini-batch has, and how many bytes instead, where a unit says so.

    Examples
    --------
    >>> _mini_batch_size("mini_batch_size", "10"), _mini_batch_size("mini_batch_size", "1kB")
    ((10, None), (1, 1000))
    """
    if isinstance(value, str) and value.strip().lower().endswith("b"):
        return 1, byte_size(name, value)
    return whole_number(name, value, low=1), None


def _output_file_name(name: str, value: object) -> str:  # noqa: ARG001  # a parser
    table_format(str(value))  # refuses what is no file's name
    return str(value)


def _logging_level(name: str, value: object) -> str:
    return choice(name, str(value).lower(), LOGGING_LEVELS)


def _variables(name: str, value: object) -> dict[str, str]:
    found = worker_variables(name, value)
    require_script_variables(found)
    return found


def _python(name: str, value: object) -> str | None:  # noqa: ARG001  # a parser
    return optional_text(value)


def _requirements(name: str, value: object) -> str | tuple[str, ...] | None:
    required = structure(os.fspath(value) if isinstance(value, os.PathLike) else value)
    if isinstance(required, (list, tuple)):
        return tuple(str(line) for line in required)
    if required is not None and not isinstance(required, str):
        message = f"{name} is {required!r}; it must be the path of a requirements file, or a list of its lines."
        raise ConfigurationError(message)
    return required


@dataclass(frozen=True, kw_only=True)
class ScriptSettings(ArgumentGroup):
    """How a script or a function is given its files, and what becomes of what it returns.

    :param mini_batch_size: files given to one call; or, with a unit, their bytes (``"10MB"``): as many files as stay
        within it, and at least one. (templated)
    :param max_concurrency_per_instance: worker processes of this task. (templated)
    :param output_action: ``append_row``: what is returned goes to one file; ``summary_only``: it is counted, and the
        files that the script writes to ``AZUREML_BI_OUTPUT_PATH`` are the prediction set. (templated)
    :param output_file_name: the file of ``append_row``; its suffix says the format (CSV if none). (templated)
    :param header: whether a CSV file begins with its columns' names; Azure's do not. (templated)
    :param logging_level: of the worker processes: ``warning``, ``info`` or ``debug``. (templated)
    :param environment_variables: set in every worker process before the script or the model is loaded. A worker gets
        none of the task's own variables but those that programs need: no connections, no Airflow settings, no keys.
        (templated)
    """

    mini_batch_size: int | str = 10
    max_concurrency_per_instance: int | str = 1
    output_action: str = "append_row"
    output_file_name: str = "predictions.csv"
    header: bool | str = True
    logging_level: str = "info"
    environment_variables: Mapping[str, str] | None = None

    parsers: ClassVar[Mapping[str, Any]] = {
        "mini_batch_size": _mini_batch_size,
        "max_concurrency_per_instance": partial(whole_number, low=1),
        "output_action": partial(choice, allowed=OUTPUT_ACTIONS),
        "output_file_name": _output_file_name,
        "header": boolean,
        "logging_level": _logging_level,
        "environment_variables": _variables,
    }


@dataclass(frozen=True, kw_only=True)
class ErrorLimits(ArgumentGroup):
    """How often and how long a mini-batch of files is tried, and how many may fail.

    :param error_threshold: how many files may fail, over the whole input; -1: any number. None: any number of a
        script's, as in Azure ML, and none of a function's. (templated)
    :param mini_batch_error_threshold: how many mini-batches may fail; -1: any number. (templated)
    :param allowed_failed_percent: which percentage of the mini-batches may fail. (templated)
    :param max_attempts: how often a mini-batch is tried in all; Azure's ``retry_settings.max_retries``. (templated)
    :param mini_batch_timeout_s: seconds that one call may take; past them its process is killed, and the attempt
        counts. (templated)
    :param progress_timeout_s: after so many seconds in which no mini-batch ended, the task fails; None: never.
        (templated)
    """

    error_threshold: int | str | None = None
    mini_batch_error_threshold: int | str = UNLIMITED
    allowed_failed_percent: float | str = 100
    max_attempts: int | str = 3
    mini_batch_timeout_s: float | str = 30
    progress_timeout_s: float | str | None = None

    parsers: ClassVar[Mapping[str, Any]] = {
        "error_threshold": partial(optional_whole_number, low=UNLIMITED),
        "mini_batch_error_threshold": partial(whole_number, low=UNLIMITED),
        "allowed_failed_percent": partial(number, low=0, high=100),
        "max_attempts": partial(whole_number, low=1),
        "mini_batch_timeout_s": partial(number, low=0.001),
        "progress_timeout_s": partial(optional_number, low=0.001),
    }


@dataclass(frozen=True, kw_only=True)
class ScriptEnvironment(ArgumentGroup):
    """The Python that a script runs in.

    :param python: its interpreter, such as ``/opt/envs/score/bin/python``: Python 3.8 or later, with packages of its
        own; None: the worker's. With ``requirements``, the one that the environment is made with. (templated)
    :param requirements: a requirements file (path or URI), or a list of its lines: the script runs in a virtual
        environment of them, which is built once and kept in ``[batch_inference] environments``. (templated)
    """

    python: str | None = field(default=None, kw_only=False)
    requirements: str | Sequence[str] | None = None

    parsers: ClassVar[Mapping[str, Any]] = {"python": _python, "requirements": _requirements}
