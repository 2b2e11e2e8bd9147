"""Rendered arguments: a template turns numbers and booleans into text; here they are parsed strictly."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_batch_inference.records import CsvOptions

_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})
_DATA_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_NONE = frozenset({"", "none", "null"})


def is_known(value: object) -> bool:
    """Say whether a value is what it will be when the task runs: no template in it, and nothing of another task's.

    Examples
    --------
    >>> is_known({"age": {"drift_threshold": 3}}), is_known("{{ params.rule }}")
    (True, False)
    """
    if isinstance(value, str):
        return re.search(r"\{[{%#]", value) is None
    if isinstance(value, Mapping):
        return all(is_known(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return all(map(is_known, value))
    return value is None or isinstance(value, (bool, int, float))


def number(name: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a finite number within limits, also from text.

    Raises
    ------
    ConfigurationError
        It is none.

    Examples
    --------
    >>> number("drift_threshold", "0.7", low=0, high=1)
    0.7
    """
    try:
        parsed = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # refused below
    except (TypeError, ValueError):
        parsed = math.nan
    if not math.isfinite(parsed) or not low <= parsed <= high:
        message = f"{name} is {value!r}; it must be a number from {low} to {high}."
        raise ConfigurationError(message)
    return parsed


def whole_number(name: str, value: object, *, low: int) -> int:
    """Return a whole number of at least ``low``, also from text.

    Raises
    ------
    ConfigurationError
        It is none.

    Examples
    --------
    >>> whole_number("max_workers", "2", low=1)
    2
    """
    parsed = number(name, value, low=low)
    if parsed != int(parsed):
        message = f"{name} is {value!r}; it must be a whole number of at least {low}."
        raise ConfigurationError(message)
    return int(parsed)


def optional_number(name: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> float | None:
    """Return a number within limits, or None for None and the words that a template makes of it."""
    return None if optional_text(value) is None else number(name, value, low=low, high=high)


def optional_whole_number(name: str, value: object, *, low: int) -> int | None:
    """Return a whole number, or None for None and the words that a template makes of it."""
    return None if optional_text(value) is None else whole_number(name, value, low=low)


def byte_size(name: str, value: object) -> int:
    """Return a number of bytes, also from text with a unit (kB, MB, GB; KiB, MiB, GiB).

    Raises
    ------
    ConfigurationError
        It is none, or less than a byte.

    Examples
    --------
    >>> byte_size("max_memory", "1.5GiB"), byte_size("max_memory", 500)
    (1610612736, 500)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", str(value).lower())
    unit = match.group(2) or "" if match else ""
    size = float(match.group(1)) * (1024 if "i" in unit else 1000) ** "_kmgt".index(unit[:1] or "_") if match else 0
    if size < 1 or isinstance(value, bool):
        message = f"{name} is {value!r}; it must be a number of bytes, such as 2000000000 or '2GiB'."
        raise ConfigurationError(message)
    return int(size)


def optional_byte_size(name: str, value: object) -> int | None:
    """Return a number of bytes, or None for None and the words that a template makes of it."""
    return None if optional_text(value) is None else byte_size(name, value)


def boolean(name: str, value: object) -> bool:
    """Return a boolean, also from the words true, false, yes, no, 1 and 0.

    Raises
    ------
    ConfigurationError
        Any other word.
    """
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    message = f"{name} is {value!r}; it must be true or false."
    raise ConfigurationError(message)


def optional_boolean(name: str, value: object) -> bool | None:
    """Return a boolean, or None for None and the words none and null."""
    return None if value is None or str(value).strip().lower() in _NONE else boolean(name, value)


def optional_text(value: object) -> str | None:
    """Return text, or None for None and the words that a template makes of it."""
    return None if value is None or str(value).strip().lower() in _NONE else str(value)


def moment(name: str, value: object) -> datetime | None:
    """Return a time with its zone (UTC where it has none), also from ISO 8601 text; None for None and such words.

    Raises
    ------
    ConfigurationError
        It is no time.

    Examples
    --------
    >>> moment("as_of", "2026-11-20").isoformat()
    '2026-11-20T00:00:00+00:00'
    """
    text = optional_text(value)
    if text is None:
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{name} is {value!r}; it must be a time such as 2026-11-20T06:00:00+00:00."
        raise ConfigurationError(message) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return one of a few words.

    Raises
    ------
    ConfigurationError
        Another word.
    """
    if not isinstance(value, str) or value not in allowed:
        there = ", ".join(map(repr, sorted(allowed)))
        message = f"{name} is {value!r}; it must be one of {there}{did_you_mean(str(value), allowed)}."
        raise ConfigurationError(message)
    return str(value)


def optional_choice(name: str, value: object, allowed: Collection[str]) -> str | None:
    """Return one of a few words, or None for None and the words that a template makes of it."""
    return None if optional_text(value) is None else choice(name, value, allowed)


def callables(name: str, value: Any) -> list[Any]:  # noqa: ANN401  # what a DAG gives
    """Return a list of what can be called, such as notifiers; one alone is a list too.

    Raises
    ------
    ConfigurationError
        Something in it cannot be called.
    """
    items = list(value) if isinstance(value, (list, tuple)) else [value] if value is not None else []
    for item in items:
        if not callable(item):
            message = f"{name} holds {item!r}, which cannot be called; give Airflow notifiers."
            raise ConfigurationError(message)
    return items


def names(name: str, value: Any) -> tuple[str, ...] | None:  # noqa: ANN401  # what a DAG or a template gives
    """Return column names from a name, a list, or the text of a list; None for None."""
    items = columns(name, value)
    if any(not isinstance(item, str) for item in items):
        message = f"{name} is {value!r}; it must be a column name or a list of names."
        raise ConfigurationError(message)
    return tuple(str(item) for item in items) or None


def columns(name: str, value: Any) -> tuple[str | int, ...]:  # noqa: ANN401  # what a DAG or a template gives
    """Return columns by name or position from one, a list, or the text of a list; () for None."""
    value = structure(value)
    if value is None or value == "":
        return ()
    items = [value] if isinstance(value, (str, int)) else value
    if not isinstance(items, (list, tuple)) or any(
        isinstance(item, bool) or not isinstance(item, (str, int)) for item in items
    ):
        message = f"{name} is {value!r}; it must be a column (name, or position from 0) or a list of columns."
        raise ConfigurationError(message)
    return tuple(items)


def mapping(name: str, value: Any) -> dict[str, Any]:  # noqa: ANN401  # what a DAG or a template gives
    """Return keyword arguments from a dict, or the text of one; {} for None."""
    value = structure(value)
    if value is None:
        return {}
    if not isinstance(value, dict) or any(not isinstance(key, str) for key in value):
        message = f"{name} is {value!r}; it must be a dict with names as keys."
        raise ConfigurationError(message)
    return value


def given_names(name: str, given: dict[str, Any], allowed: Collection[str]) -> dict[str, Any]:
    """Return a dict that has no other keys than some.

    Raises
    ------
    ConfigurationError
        It has one.
    """
    for key in given:
        if key not in allowed:
            message = f"{name} has {key!r}{did_you_mean(key, allowed)}; it takes {', '.join(allowed)}."
            raise ConfigurationError(message)
    return given


def worker_variables(name: str, value: object) -> dict[str, str]:
    """Return the worker processes' own environment variables; numbers are text there.

    Raises
    ------
    ConfigurationError
        A name or a value can be no environment variable's.

    Examples
    --------
    >>> worker_variables("environment_variables", {"FACTOR": 2})
    {'FACTOR': '2'}
    """
    from airflow_batch_inference.processes.surroundings import require_variables

    found = {
        key: str(each) if isinstance(each, (int, float)) and not isinstance(each, bool) else each
        for key, each in mapping(name, value).items()
    }
    require_variables(found)
    return found


def words(name: str, value: Any) -> dict[str, str]:  # noqa: ANN401  # what a DAG or a template gives
    """Return a dict of names to words from a dict, or the text of one; {} for None.

    Raises
    ------
    ConfigurationError
        It is none, or a value in it is no text.

    Examples
    --------
    >>> words("on_mismatch", "{'age': 'null'}"), words("on_mismatch", None)
    ({'age': 'null'}, {})
    """
    found = mapping(name, value)
    for key, word in found.items():
        if not isinstance(word, str):
            message = f"{name} is {word!r} for {key!r}; it must be a word, in quotes."
            raise ConfigurationError(message)
    return found


def csv_options(value: Any) -> CsvOptions:  # noqa: ANN401  # what a DAG or a template gives
    """Return what CSV files look like, from a dict or the text of one.

    Raises
    ------
    ConfigurationError
        It is none, or holds what is not known.
    """
    from airflow_batch_inference.formats.csv.options import parse_csv_options

    return parse_csv_options(mapping("csv_options", value))


def require_csv_options(name: str, value: object) -> CsvOptions:  # noqa: ARG001  # a parser
    """Return what CSV files look like, as :func:`csv_options` does."""
    return csv_options(value)


def given_data(name: str, value: object) -> object:
    """Return what a DAG gives as data as an operator keeps it: frames are looked at while the DAG is read.

    Raises
    ------
    ConfigurationError
        A frame that can never be scored: too large, or no frame.
    """
    if type(value).__module__.partition(".")[0] not in _DATA_LIBRARIES:
        return value  # templates, lists and dicts are looked at when they are used; nothing heavy is imported for them
    from airflow_batch_inference.sources.inline import for_a_dag

    return for_a_dag(name, value)


def structure(value: Any) -> Any:  # noqa: ANN401  # what a DAG or a template gives
    """Return a list or dict that a template turned into text (JSON, or Python's own form); all else as it is.

    Raises
    ------
    ConfigurationError
        It begins like a list or dict and is neither.

    Examples
    --------
    >>> structure("['a', 1]"), structure('{"a": true}'), structure("/data"), structure("None")
    (['a', 1], {'a': True}, '/data', None)
    """
    if not isinstance(value, str):
        # What a mapped task returned comes as a sequence of its own kind, which reads one value at a time.
        is_lazy = isinstance(value, Sequence) and not isinstance(value, (list, tuple, bytes))
        return list(value) if is_lazy else value
    if value[:1] not in ("[", "{"):
        return optional_text(value)
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        message = f"{value[:300]!r} begins like a list or a dict, but is neither JSON nor Python ({error})."
        raise ConfigurationError(message) from error
