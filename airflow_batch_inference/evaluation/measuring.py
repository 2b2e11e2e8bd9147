"""Calling scikit-learn's metrics: a number, or the reason why there is none; never a NaN and never an exception."""

from __future__ import annotations

import functools
import math
import warnings
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.evaluation.names import function_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_batch_inference.records import OutputEvaluation

Functions = dict[str, "Callable[[], Any]"]
"""Metric to what measures it."""

Measured = tuple[dict[str, float | None], dict[str, str]]
"""Metric to its value, and to the reason where it has none."""

_MOST_CHARACTERS = 300


class UndefinedMetricError(ValueError):
    """A metric has no meaning for these rows; the message says why."""


def measure(functions: Functions, wanted: Iterable[str]) -> Measured:
    """Call the functions of the wanted metrics; those without a function say so."""
    metrics: dict[str, float | None] = {}
    undefined: dict[str, str] = {}
    for name in wanted:
        value, reason = _measured(functions[name]) if name in functions else (None, "It is none of this model's.")
        metrics[name] = value
        if value is None:
            undefined[name] = reason
    return metrics, undefined


def number(function: Callable[[], Any]) -> float | None:
    """Return one metric's value, or None where it has none."""
    return _measured(function)[0]


def _measured(function: Callable[[], Any]) -> tuple[float | None, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = float(function())
        except (ValueError, TypeError, ZeroDivisionError) as error:
            return None, _sentence(str(error))
    if math.isfinite(value):
        return value, ""
    return None, _sentence(str(caught[0].message) if caught else "scikit-learn gives no finite number for these rows")


def _sentence(said: str) -> str:
    line = " ".join(said.split())[:_MOST_CHARACTERS]
    return line if line.endswith(".") else f"{line}."


def named_functions(names: Iterable[str], actual: Any, predicted: Any) -> Functions:  # noqa: ANN401  # arrays of any type
    """Return what calls the functions of ``sklearn.metrics`` that are among the names."""
    found = {name: function_of(name) for name in names}
    return {
        name: functools.partial(function, actual, predicted) for name, function in found.items() if function is not None
    }


def mean_of(outputs: Iterable[OutputEvaluation], wanted: Iterable[str]) -> Measured:
    """Return the means over outputs; a metric that one of them lacks has none."""
    listed = list(outputs)
    metrics: dict[str, float | None] = {}
    undefined: dict[str, str] = {}
    for name in wanted:
        values = {output.label_column: output.metrics.get(name) for output in listed}
        without = [column for column, value in values.items() if value is None]
        present = [value for value in values.values() if value is not None]
        metrics[name] = None if without else math.fsum(present) / len(present)
        if without:
            undefined[name] = _why(listed, without[0], name)
    return metrics, undefined


def _why(outputs: Iterable[OutputEvaluation], column: str, name: str) -> str:
    reasons: Mapping[str, str] = next(output.undefined for output in outputs if output.label_column == column)
    reason = reasons.get(name, "it was not measured.")
    return f"Output {column!r}: {reason}"
