"""A drift result as one self-contained HTML page, and as MLRun's flat JSON.

What must not be relaxed: no script, no outside address, every name and value escaped (the page renders under
``default-src 'none'; style-src 'unsafe-inline'``), and a page stays small: about 1 KB a column.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_batch_inference.drift.rules import BAD
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.reports.drift_chart import HEIGHT, MOST_CATEGORIES, WIDTH, draw_column
from airflow_batch_inference.reports.drift_history import history_map
from airflow_batch_inference.reports.drift_text import by_severity, has_a_say
from airflow_batch_inference.reports.markup import escape
from airflow_batch_inference.reports.style import STYLE
from airflow_batch_inference.wording.signs import visible_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.records import Check, ColumnDrift, DriftResult, HistoryEntry

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


def features_drift_json(result: DriftResult) -> bytes:
    """Return MLRun's ``features_drift_results``: column to (TVD + Hellinger) / 2, labels included, null where none."""
    drift = {column.name: column.mlrun.drift if column.mlrun else None for column in result.columns}
    return json.dumps(drift, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


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
    return STYLE + _sizes(result)


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
    place = _place(provenance)
    above = f'<p class="w">{escape(place)}</p>' if place else ""
    reasons = "".join(f"<p>{escape(reason)}</p>" for reason in result.reasons)
    return (
        f'<header class="{_CLASSES[result.status]}">{above}<h1>{_TITLES[result.status]}</h1>{reasons}</header>'
        f"{_facts(result)}{_table(result, most_columns)}{history_map(result, previous)}"
        f"{_one_sided(result, most_names)}{_provenance(provenance)}"
    )


def _place(provenance: Mapping[str, str]) -> str:
    return " \N{MIDDLE DOT} ".join(provenance[label] for label in ("Model", "DAG", "Date") if provenance.get(label))


def _facts(result: DriftResult) -> str:
    facts = {
        "Current rows": f"{result.current_rows:,}",
        "Reference rows": _NONE if result.reference_rows is None else f"{result.reference_rows:,}",
        "Columns compared": str(sum(column.kind != "none" for column in result.columns)),
        "Rule": escape(result.rule),
        "MLRun's metric": _number(result.mlrun_metric),
        "Earlier runs": str(result.previous_runs) if result.previous_runs else "",
    }
    shown = "".join(f"<span>{label} <b>{value}</b></span>" for label, value in facts.items() if value)
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


def _sizes(result: DriftResult) -> str:
    """Return the style that depends on the result: where the two marks of a bar stand, and a drawing's size."""
    possible, drift = _marks(result)
    return f"main{{--p:{possible:.1%};--d:{drift:.1%}}}td svg{{width:{WIDTH}px;height:{HEIGHT}px}}"


def _marks(result: DriftResult) -> tuple[float, float]:
    """Return where the thresholds stand on a bar: MLRun's goes to 1, an effect's to twice its drift limit."""
    possible, drift = (float(result.parameters[name]) for name in ("possible_drift_threshold", "drift_threshold"))
    return (possible, drift) if result.rule == "mlrun" else (min(1.0, possible / (2 * drift or 1)), 0.5)


_SECTIONS = {"prediction": "Predictions", "input": "Inputs", "other": "Not taken by the model, and not judged"}
_HEADS = (
    ("W1/sd", "Wasserstein-1 distance in standard deviations of the reference"),
    ("JS", "Jensen-Shannon distance, what chance makes taken off"),
    ("KS", "Kolmogorov-Smirnov distance, at most"),
    ("MLRun", "(total variation + Hellinger) / 2 on MLRun's bins"),
    ("Missing", "share of missing values, and in the reference"),
    ("Outside", "share outside the reference's range, or in categories it never saw"),
)


def _table(result: DriftResult, most: int) -> str:
    if not result.columns:
        return ""
    heads = "".join(f'<th title="{hint}">{head}' for head, hint in _HEADS)
    ordered = by_severity(result.columns, result)
    shown, sections = ordered[:most], []
    present = [role for role in _SECTIONS if any(_section(column, result) == role for column in shown)]
    for role in present:
        rows = "".join(_row(column, result) for column in shown if _section(column, result) == role)
        label = f'<tr class="s"><th colspan="9">{_SECTIONS[role]}' if len(present) > 1 else ""
        sections.append(f"<tbody>{label}{rows}")
    more = len(ordered) - most
    cut = f"<span>{more:,} more columns with less drift are in features_drift_results</span>" if more > 0 else ""
    return (
        f"<table><thead><tr><th>Column<th>Distribution<th>Effect{heads}</thead>{''.join(sections)}</table>"
        f"{_key(result, cut)}"
    )


def _section(column: ColumnDrift, result: DriftResult) -> str:
    """Return which part of the table a column stands in: a watched one is judged, whatever the model takes."""
    return "input" if column.role == "other" and has_a_say(column, result) else column.role


def _key(result: DriftResult, cut: str) -> str:
    limits = [f"{float(result.parameters[name]):g}" for name in ("possible_drift_threshold", "drift_threshold")]
    floor = '<span><span class="n"></span>what chance alone makes of this many rows</span>' * (result.rule == "effect")
    return (
        '<div class="key"><span><svg width="14" height="10"><path class="r" d="M0 10V2h14v8z"/></svg>reference</span>'
        '<span><svg width="14" height="10"><path class="l" d="M0 5h14"/></svg>current</span>'
        '<span><svg width="14" height="10"><path class="t" d="M3 10V2h8v8z"/></svg>'
        "at the ends: beyond the reference's middle 99 %, or all further categories</span>"
        f"<span>marks on the bars: the limits, {limits[0]} and {limits[1]} in general</span>{floor}{cut}"
        "<span>p-values assume independent rows</span></div>"
    )


def _row(column: ColumnDrift, result: DriftResult) -> str:
    note = column.reason or ", ".join(f"{category} ({count:,})" for category, count in column.unseen[:3])
    label = "new: " if column.unseen and not column.reason else ""
    small = f"<small>{label}{_text(note)}</small>" if note else ""
    if column.importance is not None:
        small = f"<small>{_percent(column.importance)} of the model</small>{small}"
    outside = column.out_of_range_fraction if column.kind == "numeric" else column.unseen_fraction
    missing = _percent(column.current_missing_fraction)
    if column.reference_missing_fraction not in (None, column.current_missing_fraction):
        missing += f"<small>{_percent(column.reference_missing_fraction)} before</small>"
    metrics = column.metrics
    judged = "none" if _section(column, result) == "other" else _CLASSES[column.status]
    numbers = (
        metrics.w1_sd if metrics else None,
        metrics.js_corrected if metrics else None,
        metrics.ks[1] if metrics and metrics.ks else None,
        column.mlrun.drift if column.mlrun else None,
    )
    return (
        f'<tr class="{judged}"><td>{_text(column.name)}{small}'
        f"<td>{draw_column(column)}{_scale(column)}<td>{_effect(column, result)}"
        + "".join(f"<td>{_number(value)}" for value in numbers)
        + f"<td>{missing}<td>{_percent(outside)}"
    )


def _effect(column: ColumnDrift, result: DriftResult) -> str:
    word = f"<small>{_WORDS[column.status]}</small>" if column.status in _WORDS else ""
    if result.rule == "mlrun":
        return (
            _NONE
            if column.mlrun is None
            else f'<div class="v">{_bar(f"{column.mlrun.drift:.2f}", column.mlrun.drift)}{word}</div>'
        )
    check = leading(column)
    if check is None:
        return f'<div class="v">{word}</div>' if word else _NONE
    if check.name in ("type", "gone"):
        return f'<div class="v">{_bar("", 1.0)}{word}</div>'
    full = 2 * check.drift or 1.0
    marks = "" if check.name in ("distance", "divergence") and not _own(check, result) else _own_marks(check, full)
    value = _UNITS[check.name].format(check.value)
    return f'<div class="v"{marks}>{_bar(value, check.value / full, _noise(column, check, full))}{word}</div>'


_UNITS = {
    "distance": "{:.2g} sd",
    "divergence": "JS {:.2f}",
    "missing": "±{:.0%} missing",
    "infinite": "±{:.0%} infinite",
    "mean": "{:.2g} sd",
    "mix": "{:.0%} elsewhere",
    "range": "{:.0%} outside",
    "unseen": "{:.0%} new",
}


def leading(column: ColumnDrift) -> Check | None:
    """Return the check that says most about a column: the worst one, else the larger of its two distances."""
    checks = [check for check in column.checks if check.name in ("distance", "divergence", "mean", "mix")]
    bad = [check for check in column.checks if check.status in BAD]
    return max(bad or checks, key=lambda check: check.value / (check.drift or 1.0), default=None)


def _own(check: Check, result: DriftResult) -> bool:
    limits = (float(result.parameters["possible_drift_threshold"]), float(result.parameters["drift_threshold"]))
    return (check.possible, check.drift) != limits


def _own_marks(check: Check, full: float) -> str:
    return f' style="--p:{min(1.0, check.possible / full):.0%}"'


def _noise(column: ColumnDrift, check: Check, full: float) -> str:
    """Return the tick of what chance alone makes; the divergence has it taken off already."""
    floor = column.noise_floor.w1_sd if column.noise_floor and check.name == "distance" else None
    return "" if floor is None else f'<u style="left:{min(1.0, floor / full):.0%}"></u>'


def _bar(value: str, share: float, tick: str = "") -> str:
    return f'<b>{value}</b><div class="bar"><i style="width:{min(max(share, 0.0), 1.0):.0%}"></i>{tick}</div>'


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
