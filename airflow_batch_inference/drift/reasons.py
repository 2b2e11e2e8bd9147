"""A verdict in words: what decided it, which columns stand out, and what the distances do not show.

What must not be relaxed: no column is left out of an analysis without being counted here, and the text stays short
however many columns there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.drift.rules import DriftRule
    from airflow_batch_inference.records import ColumnDrift, DriftResult

_MOST_NAMED = 5
_MOST_CHARACTERS = 60
_WORTH_SAYING = 0.05


def reasons(result: DriftResult, rule: DriftRule) -> tuple[str, ...]:
    """Return the verdict's reasons, the deciding one first.

    Parameters
    ----------
    result
        The analysis; its own ``reasons`` are not read.
    """
    if result.reference_rows is None:
        return ("There is nothing to compare with, or the analysis was switched off.",)
    sentences = [
        _verdict(result, rule),
        _highest(result.columns, rule),
        *_oddities(result.columns),
        _named("Not compared", (f"{_short(c.name)} ({_short(c.reason or '')})" for c in _without_number(result))),
        _named("Gone from the data", map(_short, result.missing_columns)),
        _named("New, not in the reference", map(_short, result.extra_columns)),
    ]
    return tuple(sentence for sentence in sentences if sentence)


def _verdict(result: DriftResult, rule: DriftRule) -> str:
    number = sum(column.drift is not None for column in result.columns)
    if result.status == DriftStatus.INSUFFICIENT:
        few = result.current_rows < rule.min_rows
        side = f"{result.current_rows} current" if few else f"{result.reference_rows} reference"
        given = "" if result.drift_metric is None else f" The drift metric is {result.drift_metric:.3f}."
        return f"Only {side} rows: below {rule.min_rows} no verdict is given.{given}"
    if result.drift_metric is None:
        return "No column can be compared: the data and the reference share none that has values and the same kind."
    over = {
        DriftStatus.DRIFT_DETECTED: f"at or over the drift threshold of {rule.drift_threshold:g}",
        DriftStatus.POSSIBLE_DRIFT: (
            f"at or over the possible-drift threshold of {rule.possible_drift_threshold:g}, "
            f"under the drift threshold of {rule.drift_threshold:g}"
        ),
    }.get(result.status, f"under the thresholds of {rule.possible_drift_threshold:g} and {rule.drift_threshold:g}")
    return f"The mean drift of {number} column{'s' * (number != 1)} is {result.drift_metric:.3f}, {over}."


def _highest(columns: Sequence[ColumnDrift], rule: DriftRule) -> str:
    drifted = sorted((c for c in columns if c.drift), key=lambda column: (-(column.drift or 0.0), column.name))
    over = sum(column.status == DriftStatus.DRIFT_DETECTED for column in columns)
    named = _named("Highest", (f"{_short(column.name)} {column.drift:.2f}" for column in drifted[:_MOST_NAMED]))
    if not over or not named:
        return named
    are = "is" if over == 1 else "are"
    return f"{over} of {len(columns)} columns {are} at or over {rule.drift_threshold:g} alone. {named}"


def _oddities(columns: Sequence[ColumnDrift]) -> list[str]:
    """Say what the distance of the histograms does not show."""
    missing, infinite, outside, unseen, other = [], [], [], [], []
    for column in columns:
        name = _short(column.name)
        now, before = column.current_missing_fraction, column.reference_missing_fraction
        if now is not None and before is not None and abs(now - before) >= _WORTH_SAYING:
            missing.append(f"{name} {now:.0%} (was {before:.0%})")
        if column.current_inf_fraction:
            infinite.append(f"{name} {column.current_inf_fraction:.2%}")
        if (column.out_of_range_fraction or 0) >= _WORTH_SAYING:
            outside.append(f"{name} {column.out_of_range_fraction:.0%}")
        if column.unseen_fraction:
            top = ", ".join(_short(category) for category, _ in column.unseen[:3])
            unseen.append(f"{name} {column.unseen_fraction:.1%} ({top})")
        if column.drift is not None and column.reason:
            other.append(f"{name} ({column.reason})")
    return [
        _named("Missing values", missing),
        _named("Infinite values", infinite),
        _named("Outside the reference's range", outside),
        _named("Categories that the reference never had", unseen),
        _named("With reserve", other),
    ]


def _without_number(result: DriftResult) -> Iterable[ColumnDrift]:
    return (column for column in result.columns if column.drift is None)


def _named(label: str, items: Iterable[str]) -> str:
    named = list(items)
    if not named:
        return ""
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"{label}: {', '.join(named[:_MOST_NAMED])}{more}."


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
