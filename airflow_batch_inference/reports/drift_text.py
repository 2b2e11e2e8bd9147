"""A drift result as a terse table for a task's log.

What must not be relaxed: a line a column, at most twenty of them, the worst first; no name breaks the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.drift.rules import SEVERITY
from airflow_batch_inference.wording.texts import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.records import ColumnDrift, DriftResult

_MOST_LINES = 20
_NAME_WIDTH = 32
_MOST_READ = 20
"""Times the characters that are shown."""
_HEAD = ("column", "status", "W1/sd", "JS", "KS", "missing", "outside", "MLRun")


def drift_table(result: DriftResult) -> str:
    """Return the table; empty where no column was compared.

    W1/sd is the Wasserstein-1 distance in standard deviations of the reference, JS the Jensen-Shannon distance with
    its noise taken off, KS the upper end of its interval, outside the share beyond the reference's range or in
    categories it never had, MLRun (TVD + Hellinger) / 2.
    """
    columns = [column for column in result.columns if column.kind != "none" or column.checks]
    if not columns:
        return ""
    ordered = by_severity(columns, result)
    rows = [_HEAD, *(_row(column, result) for column in ordered[:_MOST_LINES])]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
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


def has_a_say(column: ColumnDrift, result: DriftResult) -> bool:
    """Say whether a column has a say in the verdict; under MLRun's rule every one has."""
    return column.is_judged or result.rule == "mlrun"


def by_severity(columns: Iterable[ColumnDrift], result: DriftResult) -> list[ColumnDrift]:
    """Return columns, the worst first: by status and effect, or under ``mlrun`` by its drift; ties by name."""

    def severity(column: ColumnDrift) -> tuple[float, float, float, str]:
        drift = column.mlrun.drift if column.mlrun else 0.0
        if result.rule == "mlrun":
            return -drift, -(column.effect or 0.0), float(column.mlrun is None), column.name
        rank = SEVERITY[column.status] if has_a_say(column, result) else 0
        return -rank, -(column.effect or 0.0), -drift, column.name

    return sorted(columns, key=severity)


def _row(column: ColumnDrift, result: DriftResult) -> tuple[str, ...]:
    shown = without_secrets(column.name[: _MOST_READ * _NAME_WIDTH])  # cut within a login, it could not be told
    name = "".join(character if character.isprintable() else " " for character in shown[: 2 * _NAME_WIDTH])
    name = name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
    metrics = column.metrics
    return (
        name,
        str(column.status) if has_a_say(column, result) else "not judged",
        _number(metrics.w1_sd if metrics else None),
        _number(metrics.js_corrected if metrics else None),
        _number(metrics.ks[1] if metrics and metrics.ks else None),
        _missing(column),
        _percent(column.out_of_range_fraction if column.kind == "numeric" else column.unseen_fraction),
        _number(column.mlrun.drift if column.mlrun else None),
    )


def _missing(column: ColumnDrift) -> str:
    now, before = column.current_missing_fraction, column.reference_missing_fraction
    return _percent(now) if before is None or before == now else f"{_percent(before)} -> {_percent(now)}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
