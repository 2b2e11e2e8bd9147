"""Statuses of columns over the last runs, as a small map.

Invariants: only runs with the same reference are shown, for others are not comparable; a dozen columns at
most, so that the page stays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.drift.rules.registry import rule_of
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.reports.drift_text import by_severity
from airflow_batch_inference.reports.markup import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import DriftResult, HistoryEntry

_MOST_COLUMNS = 12
_MOST_RUNS = 14
_NAME_WIDTH = 28
_CLASSES = {DriftStatus.NO_DRIFT: "h1", DriftStatus.POSSIBLE_DRIFT: "h2", DriftStatus.DRIFT_DETECTED: "h3"}


def history_map(result: DriftResult, previous: Sequence[HistoryEntry]) -> str:
    """Return the map of the worst judged columns over earlier runs and this one; empty where there are none."""
    runs = [entry for entry in previous if entry.baseline_sha256 == result.baseline_sha256][-_MOST_RUNS:]
    columns = list(filter(rule_of(result).has_a_say, by_severity(result.columns, result)))
    if not runs or not columns:
        return ""
    earlier = [{column.name: column.status for column in entry.columns} for entry in runs]
    heads = "".join(f"<th>{escape(entry.at[5:10])}" for entry in runs)
    rows = "".join(
        f"<tr><th>{escape(_short(column.name))}"
        + "".join(_cell(statuses.get(column.name)) for statuses in [*earlier, {column.name: column.status}])
        for column in columns[:_MOST_COLUMNS]
    )
    key = "".join(f'<span><i class="{name}"></i>{label}</span>' for name, label in _KEY)
    return (
        f'<h2>Over the last runs</h2><table class="h"><tr><th>{heads}<th>now{rows}</table><div class="key">{key}</div>'
    )


_KEY = (("h1", "no drift"), ("h2", "possible drift"), ("h3", "drift"))


def _cell(status: DriftStatus | None) -> str:
    name = _CLASSES.get(status) if status is not None else None
    return f'<td class="{name}">' if name else "<td>"


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
