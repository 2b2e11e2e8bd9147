"""The settings of a scoring script, with the defaults of batch endpoints, checked once.

Invariants: ``max_attempts`` counts attempts, not retries, and the thresholds hold for the whole input.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, require_one_of
from airflow_batch_inference.formats.names import COMPRESSIONS, OUTPUT_SUFFIXES, SUFFIXES
from airflow_batch_inference.processes.surroundings import require_variables
from airflow_batch_inference.scripts.contracts import model_variables, output_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUT_ACTIONS = ("append_row", "summary_only")
LOGGING_LEVELS = ("warning", "info", "debug")
UNLIMITED = -1
MODEL, OUTPUT = "${model}", "${output}"
"""What stands for the paths of the model and of the output folder in ``program_arguments``."""
_PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSettings:
    """How a scoring script is run.

    Attributes
    ----------
    mini_batch_size
        Files given to one ``run()``.
    max_concurrency_per_instance
        Worker processes.
    error_threshold
        How many files may fail, over the whole input; -1: any number.
    max_attempts
        How often a mini-batch is tried in all.
    mini_batch_timeout_s
        Seconds that one ``run()`` may take; then its process is killed.
    output_action
        ``append_row``: what ``run()`` returns goes to one file; ``summary_only``: it is counted, and the files that the
        script writes are the output.
    output_file_name
        The file of ``append_row``; its suffix says the format, and what is no known suffix is CSV.
    header
        Whether a CSV file begins with the names of its columns.
    logging_level
        Of the root logger in the worker processes.
    environment_variables
        Set in every worker process.
    mini_batch_error_threshold
        How many mini-batches may fail; -1: any number.
    allowed_failed_percent
        Which percentage of the mini-batches may fail; asked once all are given out.
    progress_timeout_s
        After so many seconds in which no mini-batch ended, the job fails; None: never.
    label_columns
        Names of the columns of what has none: lists and arrays.
    program_arguments
        What stands in ``sys.argv`` behind the script's path; ``${model}`` and ``${output}`` in it are the paths of the
        model's copy and of the output folder.
    mini_batch_bytes
        Bytes of files given to one ``run()``, in the place of their number: as many files as stay within it, and at
        least one; None: ``mini_batch_size`` counts.
    """

    mini_batch_size: int = 10
    max_concurrency_per_instance: int = 1
    error_threshold: int = UNLIMITED
    max_attempts: int = 3
    mini_batch_timeout_s: float = 30.0
    output_action: str = "append_row"
    output_file_name: str = "predictions.csv"
    header: bool = True
    logging_level: str = "info"
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    mini_batch_error_threshold: int = UNLIMITED
    allowed_failed_percent: float = float(_PERCENT)
    progress_timeout_s: float | None = None
    label_columns: tuple[str, ...] | None = None
    program_arguments: tuple[str, ...] = ()
    mini_batch_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that can never work.

        Raises
        ------
        ConfigurationError
            Names the setting, the value and what it may be.
        """
        for name, low in (
            ("mini_batch_size", 1),
            ("max_concurrency_per_instance", 1),
            ("max_attempts", 1),
            ("error_threshold", UNLIMITED),
            ("mini_batch_error_threshold", UNLIMITED),
        ):
            _require_at_least(name, getattr(self, name), low)
        _require_seconds("mini_batch_timeout_s", self.mini_batch_timeout_s)
        if self.progress_timeout_s is not None:
            _require_seconds("progress_timeout_s", self.progress_timeout_s)
        if not 0 <= self.allowed_failed_percent <= _PERCENT:
            message = f"allowed_failed_percent is {self.allowed_failed_percent!r}; it must be a number from 0 to 100."
            raise ConfigurationError(message)
        require_one_of("output_action", self.output_action, OUTPUT_ACTIONS)
        require_one_of("logging_level", self.logging_level, LOGGING_LEVELS)
        table_format(self.output_file_name)
        require_script_variables(self.environment_variables)
        if any(not isinstance(each, str) or "\0" in each for each in self.program_arguments):
            message = f"program_arguments is {list(self.program_arguments)!r}; all of them must be text."
            raise ConfigurationError(message)

    @property
    def keeps_rows(self) -> bool:
        """Whether what ``run()`` returns is the output."""
        return self.output_action == "append_row"

    @property
    def table_format(self) -> str:
        """The format of the output file."""
        return table_format(self.output_file_name)

    @property
    def mini_batch_limit(self) -> str:
        """What a mini-batch may be at most, in words."""
        return str(self.mini_batch_size) if self.mini_batch_bytes is None else f"{self.mini_batch_bytes:,} bytes"

    @property
    def has_header(self) -> bool:
        """Whether the output file begins with the names of its columns."""
        return self.header or self.table_format != "csv"


def table_format(name: str) -> str:
    """Return the format that an output file's name means; CSV where its suffix says nothing.

    Raises
    ------
    ConfigurationError
        It is no plain file name, or one of a file that is only read: compressed, or ``.arrows``.

    Examples
    --------
    >>> table_format("predictions.parquet"), table_format("parallel_run_step.txt")
    ('parquet', 'csv')
    """
    if not isinstance(name, str) or name in ("", ".", "..") or re.search(r"[/\\\0\r\n]", name):
        message = f"output_file_name is {name!r}; it must be a file's name without a folder, such as 'predictions.csv'."
        raise ConfigurationError(message)
    if name.lower().endswith((*COMPRESSIONS, ".arrows")):
        known = ", ".join(OUTPUT_SUFFIXES.values())
        message = f"output_file_name is {name!r}, a compressed file or a stream. End it with one of {known}."
        raise ConfigurationError(message)
    return next((kind for suffix, kind in SUFFIXES.items() if name.lower().endswith(suffix)), "csv")


def _require_at_least(name: str, value: Any, low: int) -> None:  # noqa: ANN401  # what a caller gives
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        unlimited = ", or -1 for any number" if low == UNLIMITED else ""
        message = f"{name} is {value!r}; it must be a whole number of at least {max(low, 0)}{unlimited}."
        raise ConfigurationError(message)


def _require_seconds(name: str, value: float) -> None:
    if isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        message = f"{name} is {value!r}; it must be a number of seconds above 0."
        raise ConfigurationError(message)


def require_script_variables(variables: Mapping[str, str]) -> None:
    """Refuse environment variables that no process can have, or that tell a script its folders.

    Raises
    ------
    ConfigurationError
        Names one.
    """
    require_variables(variables)
    reserved = {*model_variables(), *output_variables()} if variables else set()
    for name in variables:
        if name in reserved:
            message = f"environment_variables sets {name}, which tells the script its folders. Leave it out."
            raise ConfigurationError(message)
