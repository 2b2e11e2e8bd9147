"""A drift result as one self-contained HTML page, and as MLRun's flat JSON.

What must not be relaxed: no script, no outside address, every name and value escaped (the page renders under
``default-src 'none'; style-src 'unsafe-inline'``), and a page stays small: about 1 KB a column.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.records import ColumnDrift, DriftResult

_WIDTH, _HEIGHT = 168, 36
_MOST_CATEGORIES = 12
_MOST_COLUMNS = 500
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

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b2530;--dim:#5b6875;--line:#e1e6eb;--ref:#c9d1d9;--cur:#0b62c4;
--good:#1a7f4b;--odd:#9a6400;--bad:#c0262d;--none:#5b6875}
@media(prefers-color-scheme:dark){:root{--bg:#12171d;--fg:#e4e9ee;--dim:#93a0ac;--line:#2b343d;--ref:#45515d;
--cur:#6cb2ff;--good:#4cc38a;--odd:#e0a93b;--bad:#ff6b6b;--none:#93a0ac}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 40px}
.good{--c:var(--good)}.odd{--c:var(--odd)}.bad{--c:var(--bad)}.none{--c:var(--none)}
header{border-left:6px solid var(--c);padding:2px 0 4px 16px;margin-bottom:20px}
h1{font-size:24px;margin:0 0 4px;color:var(--c)}header p{margin:2px 0;max-width:80ch}header p+p{color:var(--dim)}
.facts{display:flex;flex-wrap:wrap;gap:6px 28px;margin:0 0 20px;color:var(--dim)}.facts b{color:var(--fg)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--dim);font-size:12px;white-space:nowrap}
th,td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:middle}
th.n,td.n{text-align:right}td.n{white-space:nowrap}td:first-child{max-width:220px;overflow-wrap:anywhere;font-weight:600}
td small{display:block;font-weight:400;color:var(--dim)}svg{display:block}
.r{fill:var(--ref)}.l{fill:none;stroke:var(--cur);stroke-width:1.5}.a{stroke:var(--dim);stroke-width:1;opacity:.5}
.bar{position:relative;width:110px;height:8px;border-radius:4px;background:var(--line)}
.bar i{position:absolute;left:0;top:0;height:8px;border-radius:4px;background:var(--c)}
.bar u{position:absolute;top:-3px;width:2px;height:14px;background:var(--fg);opacity:.55}
.v{display:flex;align-items:center;gap:10px}.v b{width:38px;text-align:right;color:var(--c)}
.key{display:flex;flex-wrap:wrap;gap:4px 22px;color:var(--dim);font-size:12px;margin:10px 0 26px}
.key svg{display:inline-block;vertical-align:-1px;margin-right:5px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0;font-size:12px;color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere;color:var(--fg)}h2{font-size:14px;margin:0 0 8px}
"""


def features_drift_json(result: DriftResult) -> bytes:
    """Return MLRun's ``features_drift_results``: column to (TVD + Hellinger) / 2, labels included, null where none."""
    drift = {column.name: column.drift for column in result.columns}
    return json.dumps(drift, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def render_drift_report(result: DriftResult, *, provenance: Mapping[str, str]) -> str:
    """Return the page.

    Parameters
    ----------
    result
        The analysis.
    provenance
        Label to value, listed at the end; empty values are left out.
    """
    ordered = sorted(result.columns, key=lambda column: (column.drift is None, -(column.drift or 0.0), column.name))
    title = _TITLES[result.status]
    reasons = "".join(f"<p>{escape(reason)}</p>" for reason in result.reasons)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>"
        f'<header class="{_CLASSES[result.status]}"><h1>{title}</h1>{reasons}</header>'
        f"{_facts(result)}{_table(ordered, result)}{_provenance(provenance)}</main></body></html>\n"
    )


def _facts(result: DriftResult) -> str:
    facts = {
        "Drift metric": _number(result.drift_metric),
        "Current rows": f"{result.current_rows:,}",
        "Reference rows": _NONE if result.reference_rows is None else f"{result.reference_rows:,}",
        "Columns compared": str(sum(column.drift is not None for column in result.columns)),
        "Rule": escape(result.rule),
    }
    return '<div class="facts">' + "".join(f"<span>{k} <b>{v}</b></span>" for k, v in facts.items()) + "</div>"


def _table(columns: Sequence[ColumnDrift], result: DriftResult) -> str:
    if not columns:
        return ""
    limits = [float(result.parameters[name]) for name in ("possible_drift_threshold", "drift_threshold")]
    heads = "".join(
        f'<th class="n" title="{hint}">{head}</th>'
        for head, hint in (
            ("TVD", "total variation distance"),
            ("Hellinger", "Hellinger distance"),
            ("KLD", "symmetric Kullback-Leibler divergence"),
            ("Missing", "share of missing values, and in the reference"),
            ("Outside", "share outside the reference's range, or in categories it never saw"),
        )
    )
    rows = "".join(_row(column, limits) for column in columns[:_MOST_COLUMNS])
    more = len(columns) - _MOST_COLUMNS
    cut = f"<span>{more:,} more columns with less drift are in features_drift_results only</span>" if more > 0 else ""
    return (
        '<div class="wide"><table><thead><tr><th>Column<th>Distribution<th>Drift'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        '<div class="key"><span><svg width="14" height="10"><path class="r" d="M0 10V2h14v8z"/></svg>reference</span>'
        '<span><svg width="14" height="10"><path class="l" d="M0 5h14"/></svg>current</span>'
        f"<span>marks on the drift bar: the thresholds {limits[0]:g} and {limits[1]:g}</span>"
        f"<span>first and last bin: below and above the reference's range</span>{cut}</div>"
    )


def _row(column: ColumnDrift, limits: Sequence[float]) -> str:
    note = column.reason or ", ".join(f"{category} ({count:,})" for category, count in column.unseen[:3])
    label = "new: " if column.unseen and not column.reason else ""
    small = f"<small>{label}{escape(note)}</small>" if note else ""
    outside = column.out_of_range_fraction if column.kind == "numeric" else column.unseen_fraction
    missing = _percent(column.current_missing_fraction)
    if column.reference_missing_fraction != column.current_missing_fraction:
        missing += f"<small>{_percent(column.reference_missing_fraction)} before</small>"
    return (
        f'<tr class="{_CLASSES[column.status]}"><td>{escape(column.name)}{small}<td>{_histogram(column)}'
        f"<td>{_bar(column.drift, limits)}"
        + "".join(f'<td class="n">{_number(value)}' for value in (column.tvd, column.hellinger, column.kld))
        + f'<td class="n">{missing}<td class="n">{_percent(outside)}</tr>'
    )


def _bar(drift: float | None, limits: Sequence[float]) -> str:
    if drift is None:
        return _NONE
    ticks = "".join(f'<u style="left:{limit:.0%}"></u>' for limit in limits)
    width = min(max(drift, 0.0), 1.0)
    return f'<div class="v"><b>{drift:.2f}</b><div class="bar"><i style="width:{width:.1%}"></i>{ticks}</div></div>'


def _histogram(column: ColumnDrift) -> str:
    """Draw the reference as an area and the current data as a line, on one axis, as shares."""
    reference, current = list(column.reference_counts), list(column.current_counts)
    if len(reference) > _MOST_CATEGORIES and column.kind == "categorical":
        largest = sorted(range(len(reference)), key=lambda i: -max(reference[i], current[i]))[: _MOST_CATEGORIES - 1]
        kept = set(largest)
        rest = [i for i in range(len(reference)) if i not in kept]
        reference, current = (
            [*(counts[i] for i in sorted(kept)), sum(counts[i] for i in rest)] for counts in (reference, current)
        )
    shares = [[count / (sum(counts) or 1) for count in counts] for counts in (reference, current)]
    top = max((share for side in shares for share in side), default=0.0)
    if not top:
        return ""
    area, line = (_steps([share / top for share in side]) for side in shares)
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true">'
        f'<path class="r" d="{area}V{_HEIGHT}H0z"/><path class="l" d="{line}"/>'
        f'<path class="a" d="M0 {_HEIGHT - 0.5}h{_WIDTH}"/></svg>'
    )


def _steps(heights: Sequence[float]) -> str:
    """Return a stair through the tops of bars of the given heights, in [0, 1]."""
    width = _WIDTH / len(heights)
    path, previous = "M0", None
    for position, height in enumerate(heights, start=1):
        y = f"{_HEIGHT - 1 - height * (_HEIGHT - 3):.3g}"
        if previous is None:
            path += f" {y}"
        elif y != previous:
            path += f"V{y}"
        path += f"H{position * width:.4g}"
        previous = y
    return path


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    if value is None:
        return _NONE
    return "0" if value == 0 else f"{value:.1%}"


def _provenance(provenance: Mapping[str, str]) -> str:
    shown = "".join(f"<dt>{escape(label)}<dd>{escape(value)}" for label, value in provenance.items() if value)
    return f"<h2>Provenance</h2><dl>{shown}</dl>" if shown else ""
