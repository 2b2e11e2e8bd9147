"""A verdict in words: what decided it, which columns stand out, and what the distances do not show.

What must not be relaxed: no column is left out of an analysis without being counted here, and the text stays short
however many columns there are.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from airflow_batch_inference.drift.rules import BAD, SEVERITY, is_judged
from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.drift.history import Guards
    from airflow_batch_inference.drift.rules import DriftRule
    from airflow_batch_inference.records import Check, ColumnDrift, DriftResult, HistoryEntry

_MOST_NAMED = 5
_MOST_CHARACTERS = 60
_WORTH_SAYING = 0.05


def reasons(result: DriftResult, rule: DriftRule) -> tuple[str, ...]:
    """Return the verdict's reasons, the deciding one first.

    Parameters
    ----------
    result
        The analysis; its own ``reasons`` are not read.
    rule
        That it was judged by.
    """
    judged = [column for column in result.columns if is_judged(column, rule)]
    if rule.name == "mlrun":
        decided = [_mlrun_verdict(result, rule), _highest(result.columns, rule)]
        decided += _oddities(result.columns)
    else:
        decided = [_verdict(result, judged, rule), *_found(judged), _more(judged)]
    known = {column.name for column in result.columns if column.checks}
    gone = (
        result.missing_columns if rule.name == "mlrun" else [name for name in result.missing_columns if name in known]
    )
    sentences = [
        *decided,
        _named("Not compared", (f"{_short(c.name)} ({_short(c.reason or '')})" for c in _without_number(judged))),
        _named("Ignored", map(_short, (name for name in rule.ignore))),
        _named("Gone from the data", map(_short, gone)),
        _named("New, not in the reference", map(_short, result.extra_columns)),
    ]
    return tuple(sentence for sentence in sentences if sentence)


def reasons_without_values(result: DriftResult) -> tuple[str, ...]:
    """Return the reasons without the categories that they quote, for whoever may not see the data."""
    quoted = [f" ({_unseen(column)})" for column in result.columns if column.unseen]
    told = list(result.reasons)
    for each in quoted:
        told = [sentence.replace(each, "") for sentence in told]
    return tuple(told)


def _unseen(column: ColumnDrift) -> str:
    return ", ".join(_short(category) for category, _ in column.unseen[:3])


def _insufficient(result: DriftResult, rule: DriftRule) -> str:
    few = result.current_rows < rule.min_rows
    side = f"{result.current_rows} current" if few else f"{result.reference_rows} reference"
    if min(result.current_rows, result.reference_rows or 0) >= rule.min_rows:
        return "No column has enough values to be judged."
    return f"Only {side} rows: below {rule.min_rows} no verdict is given."


def _verdict(result: DriftResult, judged: Sequence[ColumnDrift], rule: DriftRule) -> str:
    if result.status == DriftStatus.INSUFFICIENT:
        return _insufficient(result, rule)
    statuses = [column.status for column in judged]
    compared = sum(status != DriftStatus.NOT_ANALYSED for status in statuses)
    if not compared:
        return "No column can be compared: the data and the reference share none that has values and the same kind."
    drifted = statuses.count(DriftStatus.DRIFT_DETECTED)
    possible = statuses.count(DriftStatus.POSSIBLE_DRIFT)
    if not drifted and not possible:
        return f"{_of(compared, compared)} within {'its' if compared == 1 else 'their'} limits."
    if not drifted:
        return f"{possible} of {_columns(compared)} may have drifted."
    said = f"{drifted} of {_columns(compared)} {_have(drifted)} drifted"
    return f"{said}{f', {possible} may have' if possible else ''}{_cause(result, judged, rule)}."


def _cause(result: DriftResult, judged: Sequence[ColumnDrift], rule: DriftRule) -> str:
    """Say what makes the columns' drift the dataset's, where that is not plain."""
    drifted = [column for column in judged if column.status == DriftStatus.DRIFT_DETECTED]
    if result.status != DriftStatus.DRIFT_DETECTED:
        return "; none of them matters much to the model"
    if any(column.role == "prediction" for column in drifted):
        return "; the predictions are among them"
    if not any(column.is_important for column in drifted):
        return f": more than {rule.max_drifted_fraction:.0%}"
    matter = [_short(column.name) for column in drifted if column.is_important]
    if all(column.is_important for column in judged) or len(matter) > _MOST_NAMED:
        return ""
    return f"; {', '.join(matter)} {'matters' if len(matter) == 1 else 'matter'} to the model"


def _of(number: int, total: int) -> str:
    return "The one column that can be compared is" if total == 1 else f"All {number} columns are"


def _columns(number: int) -> str:
    return f"{number} column{'s' * (number != 1)}"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _found(judged: Sequence[ColumnDrift]) -> Iterable[str]:
    """Say of the worst columns what has happened to them."""
    bad = sorted((column for column in judged if column.status in BAD), key=_severity)
    for column in bad[:_MOST_NAMED]:
        checks = [check for check in column.checks if check.status in BAD]
        # The two shape checks say the same thing twice: the stronger one speaks.
        shapes = sorted(
            (c for c in checks if c.name in ("distance", "divergence")), key=lambda c: -c.value / (c.drift or 1)
        )
        facts = [check for check in checks if check not in shapes]
        said = [*facts, *shapes[:1]] if facts else shapes[:1]
        words = ", ".join(_words(check, column) for check in said) or column.reason or ""
        yield f"{_short(column.name)}: {words}."


def _severity(column: ColumnDrift) -> tuple[float, float, str]:
    return -SEVERITY[column.status], -(column.effect or 0.0), column.name


def _more(judged: Sequence[ColumnDrift]) -> str:
    bad = sorted((column for column in judged if column.status in BAD), key=_severity)[_MOST_NAMED:]
    return _named("Further", (_short(column.name) for column in bad))


def _words(check: Check, column: ColumnDrift) -> str:
    missing = (column.current_missing_fraction, column.reference_missing_fraction)
    infinite = (column.current_inf_fraction, column.reference_inf_fraction)
    top = _unseen(column)
    return {
        "distance": f"moved by {check.value:.2g} standard deviations",
        "divergence": f"its distribution changed (Jensen-Shannon {check.value:.2f})",
        "missing": f"{_percent(missing[0])} missing, was {_percent(missing[1])}",
        "infinite": f"{_percent(infinite[0])} infinite, was {_percent(infinite[1])}",
        "range": f"{_percent(check.value)} outside the reference's range",
        "unseen": f"{_percent(check.value)} in categories it never had{f' ({top})' if top else ''}",
        "type": column.reason or "its type changed",
        "gone": "gone from the data",
    }[check.name]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _mlrun_verdict(result: DriftResult, rule: DriftRule) -> str:
    number = sum(column.mlrun is not None for column in result.columns)
    if result.status == DriftStatus.INSUFFICIENT:
        given = "" if result.drift_metric is None else f" The drift metric is {result.drift_metric:.3f}."
        return f"{_insufficient(result, rule)}{given}"
    if result.drift_metric is None:
        return "No column can be compared: the data and the reference share none that has values and the same kind."
    possible, drift = rule.thresholds()
    over = {
        DriftStatus.DRIFT_DETECTED: f"at or over the drift threshold of {drift:g}",
        DriftStatus.POSSIBLE_DRIFT: (
            f"at or over the possible-drift threshold of {possible:g}, under the drift threshold of {drift:g}"
        ),
    }.get(result.status, f"under the thresholds of {possible:g} and {drift:g}")
    return f"The mean drift of {_columns(number)} is {result.drift_metric:.3f}, {over}."


def _highest(columns: Sequence[ColumnDrift], rule: DriftRule) -> str:
    pairs = [(column.name, column.mlrun.drift) for column in columns if column.mlrun and column.mlrun.drift]
    drifted = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    over = sum(column.status == DriftStatus.DRIFT_DETECTED for column in columns)
    named = _named("Highest", (f"{_short(name)} {drift:.2f}" for name, drift in drifted[:_MOST_NAMED]))
    if not over or not named:
        return named
    are = "is" if over == 1 else "are"
    return f"{over} of {len(columns)} columns {are} at or over {rule.thresholds()[1]:g} alone. {named}"


def _oddities(columns: Sequence[ColumnDrift]) -> list[str]:
    """Say what the distance of MLRun's histograms does not show."""
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
            unseen.append(f"{name} {column.unseen_fraction:.1%} ({_unseen(column)})")
        if column.mlrun is not None and column.reason:
            other.append(f"{name} ({column.reason})")
    return [
        _named("Missing values", missing),
        _named("Infinite values", infinite),
        _named("Outside the reference's range", outside),
        _named("Categories that the reference never had", unseen),
        _named("With reserve", other),
    ]


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
        said += [f"{_short(name)} {_history_words(check)}" for check in checks if check.status in BAD]
    return [_named(f"Unlike the last {len(previous)} runs", said)] if said else []


def _history_words(check: Check) -> str:
    return {
        "missing": f"has a share of missing values {check.value:.1%} off",
        "mean": f"has a mean {check.value:.2g} standard deviations off",
        "mix": f"has {check.value:.0%} of its rows in other categories",
        "unseen": f"has {check.value:.1%} in new categories",
        "gone": "is gone",
        "type": "has values of another kind",
    }[check.name]


def _without_number(columns: Sequence[ColumnDrift]) -> Iterable[ColumnDrift]:
    return (
        column for column in columns if (column.kind == "none" or column.mlrun is None) and column.status not in BAD
    )


def _named(label: str, items: Iterable[str]) -> str:
    named = list(items)
    if not named:
        return ""
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"{label}: {', '.join(named[:_MOST_NAMED])}{more}."


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
