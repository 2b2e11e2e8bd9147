"""What metrics must reach: thresholds, and how much worse than an earlier evaluation they may be.

Invariants: a metric that has no value keeps within no limit, since a gate must not open for what nobody has measured.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.evaluation.names import greater_is_better
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import MetricVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ROUNDING = 1e-12
"""Of a limit's size: what adding and subtracting numbers may change in their last digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The least and the most that a metric may be; with ``max_regression`` both come from an earlier evaluation."""

    metric: str
    least: float | None = None
    most: float | None = None
    max_regression: float | None = None


def parse_thresholds(thresholds: Mapping[str, object]) -> tuple[Limit, ...]:
    """Return limits from numbers, dicts of ``min`` and ``max``, and text such as ``">=0.9"``.

    A bare number is the least value of a metric of which more is better, and the most of a loss or an error.

    Raises
    ------
    ConfigurationError
        A value is none of these, or no number lies within it.

    Examples
    --------
    >>> [(limit.metric, limit.least, limit.most) for limit in parse_thresholds({"roc_auc": 0.8, "mae": 3})]
    [('roc_auc', 0.8, None), ('mae', None, 3.0)]
    """
    return tuple(_threshold(metric, value) for metric, value in thresholds.items())


def parse_regressions(regressions: Mapping[str, object]) -> tuple[Limit, ...]:
    """Return limits from metric to how much worse it may be than in the earlier evaluation.

    Raises
    ------
    ConfigurationError
        A value is no number of at least 0.
    """
    found = []
    for metric, value in regressions.items():
        by = _number("max_regression", metric, value)
        if by < 0:
            message = f"max_regression of {metric!r} is {value!r}; it must be at least 0: how much worse it may be."
            raise ConfigurationError(message)
        found.append(Limit(metric=metric, max_regression=by))
    return tuple(found)


def _threshold(metric: str, value: object) -> Limit:
    if isinstance(value, dict):
        bounds = {key: _number("thresholds", metric, bound) for key, bound in value.items()}
        if not bounds or set(bounds) - {"min", "max"}:
            message = f"thresholds of {metric!r} is {value!r}; a dict must have the keys 'min', 'max' or both."
            raise ConfigurationError(message)
        limit = Limit(metric=metric, least=bounds.get("min"), most=bounds.get("max"))
    else:
        limit = _bare(metric, value)
    if limit.least is not None and limit.most is not None and limit.least > limit.most:
        message = f"thresholds of {metric!r} is {value!r}: no value is at least {limit.least} and at most {limit.most}."
        raise ConfigurationError(message)
    return limit


def _bare(metric: str, value: object) -> Limit:
    compared = re.fullmatch(r"\s*(>=|<=)\s*(.+)", value) if isinstance(value, str) else None
    number = _number("thresholds", metric, compared.group(2) if compared else value)
    is_least = compared.group(1) == ">=" if compared else greater_is_better(metric)
    return Limit(metric=metric, least=number) if is_least else Limit(metric=metric, most=number)


def _number(argument: str, metric: str, value: object) -> float:
    try:
        parsed = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # refused below
    except (TypeError, ValueError):
        parsed = math.nan
    if not math.isfinite(parsed):
        forms = "a number" if argument == "max_regression" else "a number, {'min': …, 'max': …}, '>=…' or '<=…'"
        message = f"{argument} of {metric!r} is {value!r}; it must be {forms}."
        raise ConfigurationError(message)
    return parsed


def judge(
    limits: Iterable[Limit],
    metrics: Mapping[str, float | None],
    undefined: Mapping[str, str],
    baseline: Mapping[str, float | None],
) -> tuple[MetricVerdict, ...]:
    """Return a verdict for each limit.

    Parameters
    ----------
    limits
        The thresholds, and what an earlier evaluation allows.
    metrics, undefined
        The metrics' values, and why some have none.
    baseline
        The earlier evaluation's values.
    """
    return tuple(_judged(limit, metrics, undefined, baseline) for limit in limits)


def _judged(
    limit: Limit,
    metrics: Mapping[str, float | None],
    undefined: Mapping[str, str],
    baseline: Mapping[str, float | None],
) -> MetricVerdict:
    value, before, least, most = metrics.get(limit.metric), None, limit.least, limit.most
    name, against = limit.metric, ""
    if limit.max_regression is not None:
        before = baseline.get(name)
        if before is None:
            reason = f"{name} cannot be compared: the earlier evaluation has no value for it."
            return _verdict(limit, value, None, passed=False, reason=reason)
        by = limit.max_regression
        least, most = (before - by, None) if greater_is_better(name) else (None, before + by)
        against = f" ({before:.6g} before, {by:g} worse allowed)"
    bounded = Limit(metric=name, least=least, most=most)
    if value is None:
        reason = f"{name} has no value: {undefined.get(name, 'it was not measured')}"
        return _verdict(bounded, None, before, passed=False, reason=reason)
    slack = 0.0 if before is None else _ROUNDING * max(abs(value), 1.0)
    if least is not None and value < least - slack:
        reason = f"{name} is {value:.6g}, below {least:.6g}{against}."
        return _verdict(bounded, value, before, passed=False, reason=reason)
    if most is not None and value > most + slack:
        reason = f"{name} is {value:.6g}, over {most:.6g}{against}."
        return _verdict(bounded, value, before, passed=False, reason=reason)
    return _verdict(bounded, value, before, passed=True, reason=f"{name} is {value:.6g}{against}.")


def _verdict(limit: Limit, value: float | None, baseline: float | None, *, passed: bool, reason: str) -> MetricVerdict:
    return MetricVerdict(
        metric=limit.metric,
        value=value,
        least=limit.least,
        most=limit.most,
        baseline=baseline,
        passed=passed,
        reason=reason,
    )
