"""A drift result as one self-contained HTML page.

Invariants: no script, no outside address, every name and value escaped (the page renders under
``default-src 'none'; style-src 'unsafe-inline'``), and a page stays small: about 1 KB a column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.drift.metrics.registry import all_metrics
from airflow_batch_inference.drift.rules.registry import rule_of
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.reports.drift_chart import HEIGHT, MOST_CATEGORIES, WIDTH, draw_column
from airflow_batch_inference.reports.drift_history import history_map
from airflow_batch_inference.reports.drift_text import by_severity
from airflow_batch_inference.reports.markup import escape
from airflow_batch_inference.reports.style import STYLE
from airflow_batch_inference.wording.signs import visible_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.drift.metrics.base import Metric
    from airflow_batch_inference.drift.rules.base import Bar, Rule
    from airflow_batch_inference.records import ColumnDrift, DriftResult, HistoryEntry

_MOST_COLUMNS = 500
_MOST_NAMES = 200
_MOST_CHARACTERS = 100
_NONE = "\N{EN DASH}"
_TITLES = {
    DriftStatus.DRIFT_DETECTED: "Drift detected",
    DriftStatus.POSSIBLE_DRIFT: "Possible drift",
    DriftStatus.NO_DRIFT: "No drift",
    DriftStatus.INSUFFICIENT: "Not enough data to judge",
    DriftStatus.NOT_ANALYSED: "Not analysed",
}
_CLASSES = {
    DriftStatus.DRIFT_DETECTED: "bad",
    DriftStatus.POSSIBLE_DRIFT: "odd",
    DriftStatus.NO_DRIFT: "good",
    DriftStatus.INSUFFICIENT: "odd",
    DriftStatus.NOT_ANALYSED: "none",
}

_WORDS = {
    DriftStatus.DRIFT_DETECTED: "drift",
    DriftStatus.POSSIBLE_DRIFT: "possible drift",
    DriftStatus.INSUFFICIENT: "too few values",
}


def render_drift_report(
    result: DriftResult, *, provenance: Mapping[str, str], previous: Sequence[HistoryEntry] = ()
) -> str:
    """Return the page.

    Parameters
    ----------
    result
        The analysis.
    provenance
        Label to value, listed at the end; empty values are left out.
    previous
        Earlier runs, oldest first.
    """
    heading = ": ".join(filter(None, (_TITLES[result.status], _place(provenance))))
    return visible_page(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{drift_style(result)}</style></head><body><main>"
        f"{drift_content(result, provenance=provenance, previous=previous)}</main></body></html>\n",
        is_isolated=True,
    )


def drift_style(result: DriftResult) -> str:
    """Return the style sheet that goes with a result."""
    return STYLE + _sizes(result, _shown(all_metrics()))


def drift_content(
    result: DriftResult,
    *,
    provenance: Mapping[str, str],
    previous: Sequence[HistoryEntry] = (),
    most_columns: int = _MOST_COLUMNS,
    most_names: int = _MOST_NAMES,
) -> str:
    """Return what stands on the page; of very many columns those with most drift.

    Parameters
    ----------
    result, provenance, previous
        As for :func:`render_drift_report`.
    most_columns, most_names
        At most so many in the table, and of those that one side has alone.
    """
    place, metrics = _place(provenance), all_metrics()
    above = f'<p class="w">{escape(place)}</p>' if place else ""
    reasons = "".join(f"<p>{escape(reason)}</p>" for reason in result.reasons)
    return (
        f'<header class="{_CLASSES[result.status]}">{above}<h1>{_TITLES[result.status]}</h1>{reasons}</header>'
        f"{_facts(result, metrics)}{_table(result, _shown(metrics), most_columns)}{history_map(result, previous)}"
        f"{_one_sided(result, most_names)}{_provenance(provenance)}"
    )


def _place(provenance: Mapping[str, str]) -> str:
    return " \N{MIDDLE DOT} ".join(provenance[label] for label in ("Model", "DAG", "Date") if provenance.get(label))


def _facts(result: DriftResult, metrics: Sequence[Metric]) -> str:
    facts = {
        "Current rows": f"{result.current_rows:,}",
        "Reference rows": _NONE if result.reference_rows is None else f"{result.reference_rows:,}",
        "Columns compared": str(sum(column.kind != "none" for column in result.columns)),
        "Rule": escape(result.rule),
        **{metric.overall_heading: _number(result.metrics.get(metric.name)) for metric in metrics},
        "Earlier runs": str(result.previous_runs) if result.previous_runs else "",
    }
    shown = "".join(f"<span>{label} <b>{value}</b></span>" for label, value in facts.items() if label and value)
    return f'<div class="facts">{shown}</div>{_performance(result)}'


def _performance(result: DriftResult) -> str:
    """Return what is expected of the predictions, without labels."""
    if not result.performance:
        return ""
    names = {"roc_auc": "ROC AUC", "accuracy": "Accuracy", "f1": "F1"}
    shown = "".join(
        f"<span>{label} <b>{result.performance[name]:.3f}</b> "
        f"(reference {_number(result.reference_performance.get(name))})</span>"
        for name, label in names.items()
        if name in result.performance
    )
    return f'<div class="facts"><span>Estimated without labels:</span>{shown}</div>'


def _sizes(result: DriftResult, metrics: Sequence[Metric]) -> str:
    """Return the style that depends on the result: a bar's two marks, a drawing's size, a narrow table's headings."""
    possible, drift = rule_of(result).marks(*_limits(result))
    heads = "".join(
        f'td:nth-child({place}):before{{content:"{_css(head)} "}}'
        for place, (head, _) in enumerate(_heads(metrics), _PLACE)
    )
    return (
        f"main{{--p:{possible:.1%};--d:{drift:.1%}}}td svg{{width:{WIDTH}px;height:{HEIGHT}px}}"
        f"@media(max-width:720px){{{heads}}}"
    )


def _css(text: str) -> str:
    """Return a heading for a style sheet's string: signs that could end it are left out."""
    return "".join(character for character in text if character not in '"\\<>\n\r')


def _limits(result: DriftResult) -> tuple[float, float]:
    return float(result.parameters["possible_drift_threshold"]), float(result.parameters["drift_threshold"])


_SECTIONS = {"prediction": "Predictions", "input": "Inputs", "other": "Not taken by the model, and not judged"}
_PLACE = 4
"""Of the first metric in the table."""


def _shown(metrics: Sequence[Metric]) -> list[Metric]:
    """Return the metrics that stand in the table."""
    return [metric for metric in metrics if metric.heading]


def _heads(metrics: Sequence[Metric]) -> list[tuple[str, str]]:
    """Return what stands over the numbers, with its meaning."""
    return [
        *((metric.heading, metric.hint) for metric in metrics),
        ("Missing", "share of missing values, and in the reference"),
        ("Outside", "share outside the reference's range, or in categories it never saw"),
    ]


def _table(result: DriftResult, metrics: Sequence[Metric], most: int) -> str:
    if not result.columns:
        return ""
    rule, names, heads = rule_of(result), [metric.name for metric in metrics], _heads(metrics)
    ordered = by_severity(result.columns, result)
    shown, sections = ordered[:most], []
    present = [role for role in _SECTIONS if any(_section(column, rule) == role for column in shown)]
    for role in present:
        rows = "".join(_row(column, names, result, rule) for column in shown if _section(column, rule) == role)
        label = f'<tr class="s"><th colspan="{_PLACE - 1 + len(heads)}">{_SECTIONS[role]}' if len(present) > 1 else ""
        sections.append(f"<tbody>{label}{rows}")
    more = len(ordered) - most
    cut = f"<span>{more:,} more columns with less drift are in features_drift_results</span>" if more > 0 else ""
    titles = "".join(f'<th title="{escape(hint)}">{escape(head)}' for head, hint in heads)
    return (
        f"<table><thead><tr><th>Column<th>Distribution<th>Effect{titles}</thead>{''.join(sections)}</table>"
        f"{_key(result, rule, cut)}"
    )


def _section(column: ColumnDrift, rule: type[Rule]) -> str:
    """Return which part of the table a column stands in: a watched one is judged, whatever the model takes."""
    return "input" if column.role == "other" and rule.has_a_say(column) else column.role


def _key(result: DriftResult, rule: type[Rule], cut: str) -> str:
    limits = [f"{limit:g}" for limit in _limits(result)]
    floor = '<span><span class="n"></span>what chance alone makes of this many rows</span>' * rule.shows_noise
    return (
        '<div class="key"><span><svg width="14" height="10"><path class="r" d="M0 10V2h14v8z"/></svg>reference</span>'
        '<span><svg width="14" height="10"><path class="l" d="M0 5h14"/></svg>current</span>'
        '<span><svg width="14" height="10"><path class="t" d="M3 10V2h8v8z"/></svg>'
        "at the ends: beyond the reference's middle 99 %, or all further categories</span>"
        f"<span>marks on the bars: the limits, {limits[0]} and {limits[1]} in general</span>{floor}{cut}"
        "<span>p-values assume independent rows</span></div>"
    )


def _row(column: ColumnDrift, metrics: Sequence[str], result: DriftResult, rule: type[Rule]) -> str:
    note = column.reason or ", ".join(f"{category} ({count:,})" for category, count in column.unseen[:3])
    label = "new: " if column.unseen and not column.reason else ""
    small = f"<small>{label}{_text(note)}</small>" if note else ""
    if column.importance is not None:
        small = f"<small>{_percent(column.importance)} of the model</small>{small}"
    outside = column.out_of_range_fraction if column.kind == "numeric" else column.unseen_fraction
    missing = _percent(column.current_missing_fraction)
    if column.reference_missing_fraction not in (None, column.current_missing_fraction):
        missing += f"<small>{_percent(column.reference_missing_fraction)} before</small>"
    judged = "none" if _section(column, rule) == "other" else _CLASSES[column.status]
    numbers = "".join(f"<td>{_number(column.metrics.get(metric))}" for metric in metrics)
    return (
        f'<tr class="{judged}"><td>{_text(column.name)}{small}'
        f"<td>{draw_column(column)}{_scale(column)}<td>{_effect(column, rule.bar(column, _limits(result)))}"
        f"{numbers}<td>{missing}<td>{_percent(outside)}"
    )


def _effect(column: ColumnDrift, bar: Bar | None) -> str:
    word = f"<small>{_WORDS[column.status]}</small>" if column.status in _WORDS else ""
    if bar is None:
        return f'<div class="v">{word}</div>' if word else _NONE
    mark = "" if bar.mark is None else f' style="--p:{bar.mark:.0%}"'
    noise = "" if bar.noise is None else f'<u style="left:{bar.noise:.0%}"></u>'
    width = min(max(bar.share, 0.0), 1.0)
    drawn = f'<b>{escape(bar.text)}</b><div class="bar"><i style="width:{width:.0%}"></i>{noise}</div>'
    return f'<div class="v"{mark}>{drawn}{word}</div>'


def _scale(column: ColumnDrift) -> str:
    """Return what stands under a drawing: the ends of what is drawn, or the categories."""
    if column.histogram is not None:
        low, high = column.histogram.low, column.histogram.high
        return f'<small class="x"><span>{_axis(low)}</span><span>{_axis(high)}</span></small>'
    shown = ", ".join(column.categories[:MOST_CATEGORIES])
    return f'<small class="k">{_text(shown, _MOST_CHARACTERS // 2)}</small>' if shown else ""


def _axis(value: float) -> str:
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e10 else f"{value:.4g}"


def _text(value: str, most: int = _MOST_CHARACTERS) -> str:
    return escape(value if len(value) <= most else f"{value[: most - 1]}…")


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    if value is None:
        return _NONE
    return "0" if value == 0 else "&lt;0.1%" if value < 0.001 else f"{value:.1%}"


def _one_sided(result: DriftResult, most: int) -> str:
    rows = {"Gone from the data": result.missing_columns, "Not in the reference": result.extra_columns}
    shown = "".join(f"<dt>{label}<dd>{_names(names, most)}" for label, names in rows.items() if names)
    return f"<h2>Columns on one side only</h2><dl>{shown}</dl>" if shown else ""


def _names(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(_text(name) for name in names[:most]) + more


def _provenance(provenance: Mapping[str, str]) -> str:
    shown = "".join(f"<dt>{escape(label)}<dd>{escape(value)}" for label, value in provenance.items() if value)
    return f"<h2>Provenance</h2><dl>{shown}</dl>" if shown else ""
