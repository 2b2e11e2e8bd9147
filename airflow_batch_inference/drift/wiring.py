"""Whether an analysis could see anything at all: data and reference that have nothing to do with each other.

What must not be relaxed: few rows of data are nobody's mistake, and a verdict says so; but a reference that can never
give a verdict is, and nobody may believe that such data are watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import CategoricalBaseline
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.drift.rules import DriftRule
    from airflow_batch_inference.records import BaselineRecord, ColumnBaseline, ColumnDrift, DriftResult

_SHOWN = 8
_FEW = 0.5


def require_reachable(rule: DriftRule, baseline: BaselineRecord) -> None:
    """Refuse a column's threshold that nothing could ever be over, now that the column's kind is known.

    Raises
    ------
    ConfigurationError
        Names the column, the threshold, and the most that it may be.
    """
    if rule.name == "mlrun":
        return
    for column in baseline.columns:
        name = column.profile.name
        drift = rule.limits.get(name, {}).get("drift_threshold")
        if drift is None or drift <= 1:
            continue
        most = max(1.0, _farthest(column))
        if drift > most:
            what = (
                "it holds categories, whose Jensen-Shannon distance ends at 1"
                if isinstance(column, CategoricalBaseline)
                else f"its values can move by {most:.3g} standard deviations of the reference at most"
            )
            message = (
                f"drift_threshold of column {name!r} is {drift:g}, and nothing would ever be over it: {what}. Give a "
                "smaller one, or leave the column out with ignore_columns."
            )
            raise ConfigurationError(message)


def _farthest(column: ColumnBaseline) -> float:
    """Return how far numbers can move, in standard deviations: a range outside the reference's range; 0 for others."""
    profile = column.profile
    if isinstance(column, CategoricalBaseline) or profile.kind != "numeric":
        return 0.0
    low, high, mean, std = profile.min, profile.max, profile.mean, profile.std
    if low is None or high is None or mean is None or not std:
        return 0.0
    wide = high - low
    with np.errstate(over="ignore"):
        return float(max(mean - (low - wide), (high + wide) - mean) / std)


def compared(result: DriftResult, rule: DriftRule) -> list[ColumnDrift]:
    """Return the columns of which something was found: a distance, or another kind of values."""
    found = [column for column in result.columns if column.kind != "none" or _has_changed(column)]
    return found if rule.name == "mlrun" else [column for column in found if column.is_judged]


def _has_changed(column: ColumnDrift) -> bool:
    return any(check.name == "type" for check in column.checks)


def _is_gone(column: ColumnDrift) -> bool:
    return any(check.name == "gone" for check in column.checks)


def expected(baseline: BaselineRecord, inputs: Sequence[str] | None, rule: DriftRule) -> list[str]:
    """Return the reference's columns that data should have: what the model takes, all where that is not known."""
    names = [*(column.profile.name for column in baseline.columns), *baseline.skipped]
    left_out = {*rule.ignore, *baseline.targets, *baseline.predictions}
    return [name for name in names if name not in left_out and (inputs is None or name in inputs or name in rule.watch)]


def few_compared(result: DriftResult, baseline: BaselineRecord, inputs: Sequence[str] | None, rule: DriftRule) -> str:
    """Say so where less than half of the columns that should be there were compared; else nothing."""
    wanted = expected(baseline, inputs, rule)
    there = {column.name for column in compared(result, rule)}
    number = sum(name in there for name in wanted)
    if not result.current_rows or number >= _FEW * len(wanted):
        return ""
    return f"Only {number} of the reference's {len(wanted)} columns {'was' if number == 1 else 'were'} compared."


def problem(result: DriftResult, baseline: BaselineRecord, column_names: Sequence[str], rule: DriftRule) -> str | None:
    """Say why no verdict can ever come of this wiring, and what to do; None where one can.

    Parameters
    ----------
    result
        The analysis.
    baseline
        The reference.
    column_names
        All columns of the data.
    rule
        How it was judged.
    """
    if baseline.rows < rule.min_rows:
        return (
            f"The reference has {baseline.rows:,} rows, and below {rule.min_rows} (min_rows) no verdict is ever given, "
            "whatever the data are. Give a larger sample_set, or set min_rows."
        )
    names = [*(column.profile.name for column in baseline.columns), *baseline.skipped]
    is_disjoint = bool(column_names) and not set(names) & set(map(known_names(names), column_names))
    if compared(result, rule) or not (result.current_rows or is_disjoint):
        return None
    odd = [column for column in result.columns if column.reason and not _is_gone(column)] if result.current_rows else []
    why = [f"{column.name} ({column.reason})" for column in odd]
    if is_disjoint and not why:
        return (
            "The data and the reference share no column, so nothing was compared. The data have "
            f"{_some(column_names)}; the reference has {_some(names)}. Give data that have the reference's columns, or "
            "the reference of these data (sample_set, or the model's)."
        )
    return (
        f"No column of the reference could be compared with the data: {_some(why) or 'all are ignored'}. Keep the "
        "model's inputs with the predictions (passthrough_columns, or profile=True), or give another reference."
    )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def is_same_data(result_source: Sequence[object], baseline: BaselineRecord) -> bool:
    """Say whether data and reference are the very same files."""
    return bool(baseline.source) and tuple(result_source) == tuple(baseline.source)
