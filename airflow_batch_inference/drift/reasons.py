"""Verdicts in words: what the rules' sentences share, and what is unlike earlier runs.

Invariants: no column is left out of an analysis without being counted here, and the text stays short however many
columns there are.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from airflow_batch_inference.drift.statuses import BAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.drift.history import Guards
    from airflow_batch_inference.drift.rules.base import Context, Rule
    from airflow_batch_inference.records import Check, ColumnDrift, DriftResult, HistoryEntry

MOST_NAMED = 5
NOTHING_COMPARED = "No column can be compared: the data and the reference share none that has values and the same kind."
_MOST_CHARACTERS = 60


def insufficient(rule: Rule, context: Context) -> str:
    """Say of what there is too little for a verdict."""
    few = context.rows < rule.min_rows
    side = f"{context.rows} current" if few else f"{context.baseline.rows} reference"
    if rule.has_enough(context):
        return "No column has enough values to be judged."
    return f"Only {side} rows: below {rule.min_rows} no verdict is given."


def left_out(judged: Iterable[ColumnDrift], rule: Rule, context: Context, gone: Iterable[str]) -> list[str]:
    """Name the columns that are not compared, and why.

    Parameters
    ----------
    judged
        Columns that have a say.
    rule, context
        That they were judged by.
    gone
        Columns to be told of as gone from the data.
    """
    without = [c for c in judged if (c.kind == "none" or not c.metrics) and c.status not in BAD]
    return [
        named("Not compared", (f"{short(c.name)} ({short(c.reason or '')})" for c in without)),
        named("Ignored", map(short, rule.ignore)),
        named("Gone from the data", map(short, gone)),
        named("New, not in the reference", map(short, context.extra_columns)),
    ]


def reasons_without_values(result: DriftResult) -> tuple[str, ...]:
    """Return the reasons without the categories that they quote, for whoever may not see the data."""
    quoted = [f" ({new_categories(column)})" for column in result.columns if column.unseen]
    told = list(result.reasons)
    for each in quoted:
        told = [sentence.replace(each, "") for sentence in told]
    return tuple(told)


def new_categories(column: ColumnDrift) -> str:
    """Return some of the categories that the reference never had."""
    return ", ".join(short(category) for category, _ in column.unseen[:3])


def number_of_columns(number: int) -> str:
    """Return a number of columns in words.

    Examples
    --------
    >>> number_of_columns(1), number_of_columns(2)
    ('1 column', '2 columns')
    """
    return f"{number} column{'s' * (number != 1)}"


def percent(share: float | None) -> str:
    """Return a share as text; a dash where it is not known."""
    return "-" if share is None else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def named(label: str, items: Iterable[str]) -> str:
    """Return a sentence that names the first items; nothing where there are none."""
    listed = list(items)
    if not listed:
        return ""
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return f"{label}: {', '.join(listed[:MOST_NAMED])}{more}."


def short(text: str) -> str:
    """Cut a name that would make a sentence long."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def history_reasons(found: Guards, rows: int, previous: Sequence[HistoryEntry]) -> list[str]:
    """Say what is unusual against the previous runs.

    Parameters
    ----------
    found
        What the guards say.
    rows
        Of the batch.
    previous
        The runs that it was compared with.
    """
    usual = statistics.median(entry.rows for entry in previous) if previous else 0
    said = [f"{rows:,} rows, usually {usual:,.0f}" for check in found.batch if check.status in BAD]
    for name, checks in found.columns.items():
        said += [f"{short(name)} {_history_words(check)}" for check in checks if check.status in BAD]
    return [named(f"Unlike the last {len(previous)} runs", said)] if said else []


def _history_words(check: Check) -> str:
    return {
        "missing": f"has a share of missing values {check.value:.1%} off",
        "mean": f"has a mean {check.value:.2g} standard deviations off",
        "mix": f"has {check.value:.0%} of its rows in other categories",
        "unseen": f"has {check.value:.1%} in new categories",
        "gone": "is gone",
        "type": "has values of another kind",
    }[check.name]
