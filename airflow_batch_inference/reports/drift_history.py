"""Effects of columns over the last runs, as a small heat map.

What must not be relaxed: only runs with the same reference are shown, for others are not comparable; a dozen columns at
most, so that the page stays small.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from airflow_batch_inference.reports.drift_text import by_severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import DriftResult, HistoryEntry

_MOST_COLUMNS = 12
_MOST_RUNS = 14
_NAME_WIDTH = 28
_STEPS = (0.0, 0.5, 1.0, 2.0)
"""Effects, in units of the drift limit, from which a cell is one step darker."""


def history_map(result: DriftResult, previous: Sequence[HistoryEntry]) -> str:
    """Return the heat map of the worst columns over earlier runs and this one; empty where there are none."""
    runs = [entry for entry in previous if entry.baseline_sha256 == result.baseline_sha256][-_MOST_RUNS:]
    columns = [column for column in by_severity(result.columns, result) if column.effect is not None]
    if not runs or not columns or result.baseline_sha256 is None:
        return ""
    earlier = [{column.name: column.effect for column in entry.columns} for entry in runs]
    heads = "".join(f"<th>{escape(entry.at[5:10])}" for entry in runs)
    rows = "".join(
        f"<tr><th>{escape(_short(column.name))}"
        + "".join(_cell(effects.get(column.name)) for effects in [*earlier, {column.name: column.effect}])
        for column in columns[:_MOST_COLUMNS]
    )
    return f'<h2>Over the last runs</h2><table class="h"><tr><th>{heads}<th>now{rows}</table>'


def _cell(effect: float | None) -> str:
    if effect is None:
        return "<td>"
    step = sum(effect >= least for least in _STEPS[1:]) + (effect > 0)
    return f'<td class="h{step}">' if step else '<td class="h0">'


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
