"""A drift result as a terse table for a task's log.

Invariants: a line a column, at most twenty of them, the worst first; no name breaks the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.drift.metrics.registry import all_metrics
from airflow_batch_inference.drift.rules.registry import rule_of
from airflow_batch_inference.wording.texts import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.records import ColumnDrift, DriftResult

_MOST_LINES = 20
_NAME_WIDTH = 32
_MOST_READ = 20
"""Times the characters that are shown."""


def drift_table(result: DriftResult) -> str:
    """Return the table; empty where no column was compared.

    Of the metrics there are those that have a heading. Outside is the share beyond the reference's range or in
    categories it never had.
    """
    columns = [column for column in result.columns if column.kind != "none" or column.checks]
    if not columns:
        return ""
    ordered = by_severity(columns, result)
    metrics = [metric for metric in all_metrics() if metric.heading]
    head = ("column", "status", *(metric.heading for metric in metrics), "missing", "outside")
    names = [metric.name for metric in metrics]
    rule = rule_of(result)
    rows = [head, *(_row(column, names, has_a_say=rule.has_a_say(column)) for column in ordered[:_MOST_LINES])]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    if len(ordered) > _MOST_LINES:
        lines.append(f"… and {len(ordered) - _MOST_LINES} more in the report")
    return "Drift by column:\n" + "\n".join(line.rstrip() for line in lines)


def performance_line(result: DriftResult) -> str:
    """Return what is expected of the predictions without labels, beside the reference; empty where nothing is known."""
    before = result.reference_performance
    return ", ".join(
        f"{name} {value:.3f} (reference {before[name]:.3f})" if name in before else f"{name} {value:.3f}"
        for name, value in result.performance.items()
    )


def by_severity(columns: Iterable[ColumnDrift], result: DriftResult) -> list[ColumnDrift]:
    """Return columns, the worst first: as the rule ranks them, then by the dataset's metrics, and ties by name."""
    rule = rule_of(result)

    def severity(column: ColumnDrift) -> tuple[tuple[float, ...], list[float], str]:
        return rule.rank(column), [-column.metrics.get(name, 0.0) for name in sorted(result.metrics)], column.name

    return sorted(columns, key=severity)


def _row(column: ColumnDrift, metrics: Iterable[str], *, has_a_say: bool) -> tuple[str, ...]:
    shown = without_secrets(column.name[: _MOST_READ * _NAME_WIDTH])  # cut within a login, it could not be told
    name = "".join(character if character.isprintable() else " " for character in shown[: 2 * _NAME_WIDTH])
    name = name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
    return (
        name,
        str(column.status) if has_a_say else "not judged",
        *(_number(column.metrics.get(metric)) for metric in metrics),
        _missing(column),
        _percent(column.out_of_range_fraction if column.kind == "numeric" else column.unseen_fraction),
    )


def _missing(column: ColumnDrift) -> str:
    now, before = column.current_missing_fraction, column.reference_missing_fraction
    return _percent(now) if before is None or before == now else f"{_percent(before)} -> {_percent(now)}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
