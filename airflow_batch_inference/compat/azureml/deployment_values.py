"""What the values of a deployment's file may be, so that one that can never work is refused where it is read."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean
from airflow_batch_inference.scripts.settings import LOGGING_LEVELS, OUTPUT_ACTIONS, table_format

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOWEST = {
    "mini_batch_size": 1,
    "max_concurrency_per_instance": 1,
    "max_retries": 1,
    "error_threshold": -1,
    "mini_batch_error_threshold": -1,
}
_WHY = {
    "max_retries": " It counts the attempts in all, as Azure's engine does: 1 is no second one.",
    "error_threshold": " -1 is any number of files.",
    "mini_batch_error_threshold": " -1 is any number of mini-batches.",
}
_SECONDS = ("timeout", "progress_update_timeout")
_PERCENT = 100
_WORDS: dict[str, Sequence[str]] = {"output_action": OUTPUT_ACTIONS, "logging_level": LOGGING_LEVELS}
PARTITIONS = (
    " Give the rows of each key files of their own, and map the task over them: "
    "ScoringScriptOperator.partial(…).expand(dataset=[…])."
)
"""What to do in the place of ``partition_keys``."""
_BYTES = re.compile(r"\s*\d+(\.\d+)?\s*[kmgt]i?b\s*", re.IGNORECASE)


def check(key: str, value: object) -> str | None:
    """Return what is wrong with the value of a key, in words; None where nothing is.

    Examples
    --------
    >>> check("timeout", 60) is None
    True
    >>> check("timeout", -1)
    'it must be a number of seconds above 0.'
    """
    if key in _LOWEST:
        return _whole(key, value, _LOWEST[key])
    if key in _SECONDS:
        number = _number(value)
        return None if number is not None and number > 0 else "it must be a number of seconds above 0."
    if key == "allowed_failed_percent":
        number = _number(value)
        return None if number is not None and 0 <= number <= _PERCENT else "it must be a number from 0 to 100."
    if key in _WORDS:
        known = _WORDS[key]
        return None if value in known else f"it must be one of {', '.join(known)}{did_you_mean(str(value), known)}."
    return _name(value) if key == "output_file_name" else None


def is_bytes(value: object) -> bool:
    """Say whether a size is one in bytes, such as ``10kb``."""
    return isinstance(value, str) and _BYTES.fullmatch(value) is not None


def _whole(key: str, value: object, low: int) -> str | None:
    number = _number(value)
    if number is not None and number == int(number) and number >= low:
        return None
    if key == "mini_batch_size" and is_bytes(value):
        return (
            "in a deployment it is the number of files that one run() gets. For mini-batches by their bytes give it "
            f"beside the file: from_azure_deployment(…, mini_batch_size={str(value)!r})."
        )
    return f"it must be a whole number of at least {low}.{_WHY.get(key, '')}"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _name(value: object) -> str | None:
    try:
        table_format(value)  # type: ignore[arg-type]  # it refuses what is no text
    except ConfigurationError as error:
        return str(error).partition("; ")[2] or str(error)
    return None
