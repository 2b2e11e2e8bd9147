"""A drift result as one self-contained HTML page, and as MLRun's flat JSON.

What must not be relaxed: no script, no outside address, every name and value escaped (the page renders under
``default-src 'none'; style-src 'unsafe-inline'``), and a page stays small: about 1 KB a column.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.reports.drift_chart import HEIGHT, MOST_CATEGORIES, WIDTH, draw_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.records import ColumnDrift, DriftResult

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

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b2530;--dim:#5b6875;--line:#e3e7eb;--ref:#c5ced6;--cur:#0b62c4;
--good:#1a7f4b;--odd:#9a6400;--bad:#c0262d;--none:#5b6875}
@media(prefers-color-scheme:dark){:root{--bg:#12171d;--fg:#e4e9ee;--dim:#93a0ac;--line:#2a323b;--ref:#46525e;
--cur:#6cb2ff;--good:#4cc38a;--odd:#e0a93b;--bad:#ff7373;--none:#93a0ac}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 40px}
.good{--c:var(--good)}.odd{--c:var(--odd)}.bad{--c:var(--bad)}.none{--c:var(--none)}
header{border-left:6px solid var(--c);padding:2px 0 4px 16px;margin-bottom:20px}
h1{font-size:24px;line-height:1.2;margin:0 0 8px;color:var(--c)}header p{margin:2px 0;max-width:960px}
header p,dd,td:first-child{overflow-wrap:anywhere}header h1+p{font-size:16px}header p+p{color:var(--dim)}
.facts{display:flex;flex-wrap:wrap;align-items:center;gap:6px 28px;margin:0 0 20px;color:var(--dim)}
.facts b,dd{color:var(--fg)}h2{font-size:14px;margin:0 0 6px}dl+h2{margin-top:22px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--dim);font-size:12px;white-space:nowrap}
th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--line)}
th:nth-child(n+4),td:nth-child(n+4){text-align:right;white-space:nowrap}td:nth-child(2){min-width:196px}
td:first-child{max-width:230px;font-weight:600;unicode-bidi:isolate}
small{display:block;font-size:12px;font-weight:400;color:var(--dim)}
td svg{display:block;border-bottom:1px solid var(--dim)}
.k{padding-left:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;width:184px;font-size:11px;line-height:1.2}
.x{display:flex;justify-content:space-between;gap:8px;width:184px;padding:1px 12px 0;font-size:11px;line-height:1.2}
.r{fill:var(--ref)}.t{fill:var(--cur);opacity:.75}.l{fill:none;stroke:var(--cur);stroke-width:1.6}
.v small{color:var(--c)}.v b{width:36px;color:var(--c)}
.v{display:flex;flex-wrap:wrap;align-items:center;gap:0 8px;width:150px}.v small{padding-left:44px;line-height:1.2}
.bar{position:relative;width:104px;height:8px;border-radius:4px;background:var(--line)}
.bar i{position:absolute;left:0;top:0;height:8px;border-radius:4px;background:var(--c)}
.bar:before,.bar:after{content:"";position:absolute;left:var(--p);top:-3px;width:2px;height:14px;background:var(--fg);
box-shadow:0 0 0 1px var(--bg)}.bar:after{left:var(--d)}
.key{display:flex;flex-wrap:wrap;gap:4px 22px;color:var(--dim);font-size:12px;margin:10px 0 26px}
.key svg{display:inline-block;vertical-align:-1px;margin-right:5px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0;font-size:12px;color:var(--dim)}dd{margin:0}
@media(max-width:720px){main{padding:16px 14px}thead{display:none}td{border:0;padding:2px 0}
tr{display:flex;flex-wrap:wrap;align-items:center;gap:2px 12px;padding:10px 0;border-bottom:1px solid var(--line)}
td:first-child{max-width:none;flex:0 0 100%}td:nth-child(2){min-width:0}
td:nth-child(n+4){flex:1 0 28%;text-align:left;font-size:12px}
td:nth-child(n+4):before{color:var(--dim)}td:nth-child(4):before{content:"TVD "}
td:nth-child(5):before{content:"Hellinger "}td:nth-child(6):before{content:"KLD "}
td:nth-child(7):before{content:"Missing "}td:nth-child(8):before{content:"Outside "}
td:nth-child(n+4) small{display:inline;margin-left:4px}}
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
        f"<title>{title}</title><style>{_STYLE}{_sizes(result)}</style></head><body><main>"
        f'<header class="{_CLASSES[result.status]}"><h1>{title}</h1>{reasons}</header>'
        f"{_facts(result)}{_table(ordered, result)}"
        f"{_one_sided(result)}{_provenance(provenance)}</main></body></html>\n"
    )


def _facts(result: DriftResult) -> str:
    facts = {
        "Current rows": f"{result.current_rows:,}",
        "Reference rows": _NONE if result.reference_rows is None else f"{result.reference_rows:,}",
        "Columns compared": str(sum(column.drift is not None for column in result.columns)),
        "Rule": escape(result.rule),
    }
    metric = ""
    if result.drift_metric is not None:
        metric = f'<span class="v {_CLASSES[result.status]}">{_bar(result.drift_metric)}</span>'
    shown = "".join(f"<span>{k} <b>{v}</b></span>" for k, v in facts.items())
    return f'<div class="facts"><span>Drift metric</span>{metric or _NONE}{shown}</div>'


def _limits(result: DriftResult) -> tuple[float, float]:
    possible, drift = (float(result.parameters[name]) for name in ("possible_drift_threshold", "drift_threshold"))
    return possible, drift


def _sizes(result: DriftResult) -> str:
    """Return the style that depends on the result: where the two marks of a drift bar stand, and a drawing's size."""
    possible, drift = _limits(result)
    return f"main{{--p:{possible:.1%};--d:{drift:.1%}}}td svg{{width:{WIDTH}px;height:{HEIGHT}px}}"


def _table(columns: Sequence[ColumnDrift], result: DriftResult) -> str:
    if not columns:
        return ""
    limits = _limits(result)
    heads = "".join(
        f'<th title="{hint}">{head}</th>'
        for head, hint in (
            ("TVD", "total variation distance"),
            ("Hellinger", "Hellinger distance"),
            ("KLD", "symmetric Kullback-Leibler divergence"),
            ("Missing", "share of missing values, and in the reference"),
            ("Outside", "share outside the reference's range, or in categories it never saw"),
        )
    )
    rows = "".join(_row(column) for column in columns[:_MOST_COLUMNS])
    more = len(columns) - _MOST_COLUMNS
    cut = f"<span>{more:,} more columns with less drift are in features_drift_results only</span>" if more > 0 else ""
    return (
        "<table><thead><tr><th>Column<th>Distribution<th>Drift"
        f"{heads}</tr></thead><tbody>{rows}</tbody></table>"
        '<div class="key"><span><svg width="14" height="10"><path class="r" d="M0 10V2h14v8z"/></svg>reference</span>'
        '<span><svg width="14" height="10"><path class="l" d="M0 5h14"/></svg>current</span>'
        f"<span>marks on the drift bar: the thresholds {limits[0]:g} and {limits[1]:g}</span>"
        '<span><svg width="14" height="10"><path class="t" d="M3 10V2h8v8z"/></svg>'
        f"at the ends: outside the reference's range, or all further categories</span>{cut}</div>"
    )


def _row(column: ColumnDrift) -> str:
    note = column.reason or ", ".join(f"{category} ({count:,})" for category, count in column.unseen[:3])
    label = "new: " if column.unseen and not column.reason else ""
    small = f"<small>{label}{_text(note)}</small>" if note else ""
    outside = column.out_of_range_fraction if column.kind == "numeric" else column.unseen_fraction
    missing = _percent(column.current_missing_fraction)
    if column.reference_missing_fraction != column.current_missing_fraction:
        missing += f"<small>{_percent(column.reference_missing_fraction)} before</small>"
    word = f"<small>{_WORDS[column.status]}</small>" if column.status in _WORDS else ""
    drift = _NONE if column.drift is None else f'<div class="v">{_bar(column.drift)}{word}</div>'
    return (
        f'<tr class="{_CLASSES[column.status]}"><td>{_text(column.name)}{small}'
        f"<td>{draw_column(column)}{_scale(column)}<td>{drift}"
        + "".join(f"<td>{_number(value)}" for value in (column.tvd, column.hellinger, column.kld))
        + f"<td>{missing}<td>{_percent(outside)}</tr>"
    )


def _bar(drift: float) -> str:
    return f'<b>{drift:.2f}</b><div class="bar"><i style="width:{min(max(drift, 0.0), 1.0):.1%}"></i></div>'


def _scale(column: ColumnDrift) -> str:
    """Return what stands under a drawing: the ends of the reference's range, or its categories."""
    if column.edges:
        return f'<small class="x"><span>{column.edges[0]:.4g}</span><span>{column.edges[-1]:.4g}</span></small>'
    shown = ", ".join(column.categories[:MOST_CATEGORIES])
    return f'<small class="k">{_text(shown, _MOST_CHARACTERS // 2)}</small>' if shown else ""


def _text(value: str, most: int = _MOST_CHARACTERS) -> str:
    return escape(value if len(value) <= most else f"{value[: most - 1]}…")


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    if value is None:
        return _NONE
    return "0" if value == 0 else "&lt;0.1%" if value < 0.001 else f"{value:.1%}"


def _one_sided(result: DriftResult) -> str:
    rows = {"Gone from the data": result.missing_columns, "Not in the reference": result.extra_columns}
    shown = "".join(f"<dt>{label}<dd>{_names(names)}" for label, names in rows.items() if names)
    return f"<h2>Columns on one side only</h2><dl>{shown}</dl>" if shown else ""


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(_text(name) for name in names[:_MOST_NAMES]) + more


def _provenance(provenance: Mapping[str, str]) -> str:
    shown = "".join(f"<dt>{escape(label)}<dd>{escape(value)}" for label, value in provenance.items() if value)
    return f"<h2>Provenance</h2><dl>{shown}</dl>" if shown else ""
