"""Whether an analysis could see anything at all: data and reference that have nothing to do with each other.

Invariants: few rows of data are nobody's mistake, and a verdict says so; but a reference that can never
give a verdict is, and nobody may believe that such data are watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.drift.rules.base import Rule
    from airflow_batch_inference.records import BaselineRecord, ColumnDrift, DriftResult

_SHOWN = 8
_FEW = 0.5


def compared(result: DriftResult, rule: Rule) -> list[ColumnDrift]:
    """Return the columns of which something was found: a distance, or another kind of values."""
    found = [column for column in result.columns if column.kind != "none" or _has_changed(column)]
    return [column for column in found if rule.has_a_say(column)]


def _has_changed(column: ColumnDrift) -> bool:
    return any(check.name == "type" for check in column.checks)


def _is_gone(column: ColumnDrift) -> bool:
    return any(check.name == "gone" for check in column.checks)


def expected(baseline: BaselineRecord, inputs: Sequence[str] | None, rule: Rule) -> list[str]:
    """Return the reference's columns that data should have: what the model takes, all where that is not known."""
    names = [*(column.profile.name for column in baseline.columns), *baseline.skipped]
    left_out = {*rule.ignore, *baseline.targets, *baseline.predictions}
    return [name for name in names if name not in left_out and (inputs is None or name in inputs or name in rule.watch)]


def few_compared(result: DriftResult, baseline: BaselineRecord, inputs: Sequence[str] | None, rule: Rule) -> str:
    """Say so where less than half of the columns that should be there were compared; else nothing."""
    wanted = expected(baseline, inputs, rule)
    there = {column.name for column in compared(result, rule)}
    number = sum(name in there for name in wanted)
    if not result.current_rows or number >= _FEW * len(wanted):
        return ""
    return f"Only {number} of the reference's {len(wanted)} columns {'was' if number == 1 else 'were'} compared."


def problem(result: DriftResult, baseline: BaselineRecord, column_names: Sequence[str], rule: Rule) -> str | None:
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
