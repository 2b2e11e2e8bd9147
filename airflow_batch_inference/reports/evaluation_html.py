"""An evaluation as one self-contained HTML page, and its metrics as flat JSON.

Invariants: no script, no outside address, every name and value escaped (the page renders under ``default-src 'none';
style-src 'unsafe-inline'``), and a page stays under about 40 KB whatever was evaluated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_batch_inference.reports.evaluation_chart import figures, name
from airflow_batch_inference.reports.markup import escape
from airflow_batch_inference.reports.style import EVALUATION_STYLE
from airflow_batch_inference.wording.signs import visible_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.records import (
        ClassEvaluation,
        Confusion,
        EvaluationRecord,
        MetricVerdict,
        OutputEvaluation,
    )

_NONE = "\N{EN DASH}"
_MOST_CLASSES = 20
_MOST_OUTPUTS = 3
_MOST_HEAD = 24
_LIGHTEST, _DARKEST = 0.03, 0.62
"""The least opacity that is drawn; and that of a cell with all rows of its label, whose text stays readable."""
_MANY = 8
"""From so many classes on, a confusion matrix is drawn close together."""
_TINY = 1e-4
_DIGITS = ((10, 4), (1e3, 2), (1e7, 0))
"""Below a size, so many digits after the point."""
_TITLES = {
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "precision_macro": "Precision, mean of classes",
    "recall_macro": "Recall, mean of classes",
    "f1_macro": "F1, mean of classes",
    "precision_weighted": "Precision, weighted by rows",
    "recall_weighted": "Recall, weighted by rows",
    "f1_weighted": "F1, weighted by rows",
    "matthews_corrcoef": "Matthews correlation",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "r2": "R\N{SUPERSCRIPT TWO}",
    "mape": "Mean absolute percentage error",
}


def metrics_json(evaluation: EvaluationRecord) -> bytes:
    """Return the metrics as flat JSON: of the whole, and of each output; null where there is none."""
    document = {
        "passed": evaluation.passed,
        "problem": evaluation.problem,
        "rows": evaluation.rows,
        "metrics": evaluation.metrics,
        "outputs": {output.label_column: output.metrics for output in evaluation.outputs},
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def render_evaluation_report(evaluation: EvaluationRecord, *, provenance: Mapping[str, str]) -> str:
    """Return the page.

    Parameters
    ----------
    evaluation
        What to show.
    provenance
        Label to value, listed at the end; empty values are left out.
    """
    heading = ": ".join(filter(None, (_verdict(evaluation)[0], _place(provenance))))
    return visible_page(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{EVALUATION_STYLE}</style></head><body><main>"
        f"{evaluation_content(evaluation, provenance=provenance)}</main></body></html>\n",
        is_isolated=True,
    )


def evaluation_content(evaluation: EvaluationRecord, *, provenance: Mapping[str, str]) -> str:
    """Return what stands on the page; ``EVALUATION_STYLE`` goes with it.

    Parameters
    ----------
    evaluation, provenance
        As for :func:`render_evaluation_report`.
    """
    (title, kind), where = _verdict(evaluation), _place(provenance)
    place = f'<p class="w">{escape(where)}</p>' if where else ""
    is_one = len(evaluation.outputs) == 1
    shown = evaluation.outputs[:_MOST_OUTPUTS]
    matrix = _confusion(shown[0].confusion) if is_one else ""
    outputs = "".join(_output(output, is_one=is_one) for output in shown)
    more = len(evaluation.outputs) - len(shown)
    left = f'<p class="w">{more:,} more outputs are in the record only.</p>' if more else ""
    return (
        f'<header class="{kind}">{place}<h1>{title}</h1>{_reasons(evaluation)}</header>{_facts(evaluation)}'
        f'<div class="g two"><section>{_metrics(evaluation)}</section><section>{matrix}</section></div>'
        f"{outputs}{left}{_undefined(evaluation.undefined)}{_provenance(provenance)}"
    )


def _verdict(evaluation: EvaluationRecord) -> tuple[str, str]:
    """Return the page's title, and the class of its colour."""
    return ("Evaluated", "none") if not evaluation.verdicts else _TITLE[evaluation.passed]


def _place(provenance: Mapping[str, str]) -> str:
    return " \N{MIDDLE DOT} ".join(provenance[label] for label in ("Model", "DAG") if provenance.get(label))


_TITLE = {True: ("Passed", "good"), False: ("Not good enough", "bad")}


def _reasons(evaluation: EvaluationRecord) -> str:
    failed = [verdict.reason for verdict in evaluation.verdicts if not verdict.passed]
    if not evaluation.verdicts:
        failed = ["No thresholds were set: the metrics are shown, and nothing is judged."]
    elif not failed:
        number = len(evaluation.verdicts)
        failed = [f"All {number} limits are kept." if number > 1 else evaluation.verdicts[0].reason]
    return "".join(f"<p>{escape(text)}</p>" for text in (*failed[:_MOST_CLASSES], *evaluation.notes))


def _facts(evaluation: EvaluationRecord) -> str:
    first = evaluation.outputs[0]
    without = sum(output.rows_without_label for output in evaluation.outputs)
    facts = {
        "Rows": f"{evaluation.rows:,}",
        "Rejected": f"{evaluation.rows_rejected:,}" if evaluation.rows_rejected else "",
        "Without a label": f"{without:,}" if without else "",
        "Problem": evaluation.problem,
        "Outputs": str(len(evaluation.outputs)) if len(evaluation.outputs) > 1 else "",
        "Classes": f"{len(first.classes):,}" if first.classes and first.positive_class is None else "",
        "Positive class": name(first.positive_class) if first.positive_class is not None else "",
        "Decision threshold": "" if evaluation.decision_threshold is None else f"{evaluation.decision_threshold:g}",
    }
    shown = "".join(f"<span>{label} <b>{value}</b></span>" for label, value in facts.items() if value)
    return f'<div class="facts">{shown}</div>'


def title_of(metric: str) -> str:
    """Return a metric's name in words.

    Examples
    --------
    >>> title_of("average_precision"), title_of("r2")
    ('Average precision', 'R²')
    """
    return _TITLES.get(metric, metric.replace("_", " ").capitalize())


def _metrics(evaluation: EvaluationRecord) -> str:
    """Return the table of metrics: those with a limit first, each limit in a row of its own."""
    by_metric: dict[str, list[MetricVerdict]] = {}
    for verdict in evaluation.verdicts:
        by_metric.setdefault(verdict.metric, []).append(verdict)
    has_earlier, several = bool(evaluation.baseline_metrics), evaluation.outputs if len(evaluation.outputs) > 1 else ()
    several = several[:_MOST_OUTPUTS]
    heads = ["Value", *(name(output.label_column, 24) for output in several)]
    heads += ["Earlier model"] * has_earlier + ["Limit", "Verdict"] * bool(by_metric)
    rows = ""
    for metric in dict.fromkeys((*by_metric, *evaluation.metrics)):
        values = [evaluation.metrics.get(metric), *(output.metrics.get(metric) for output in several)]
        values += [evaluation.baseline_metrics.get(metric)] * has_earlier
        judged = by_metric.get(metric, [])
        rows += _row(metric, [_number(value) for value in values], judged, is_judged=bool(by_metric))
    named = "".join(f"<th>{head}" for head in heads)
    mean = '<p class="w">Values are means over the outputs.</p>' if several else ""
    return f'<div class="t"><table class="m"><thead><tr><th>Metric{named}</thead><tbody>{rows}</table></div>{mean}'


def _row(metric: str, values: list[str], judged: list[MetricVerdict], *, is_judged: bool) -> str:
    failed = any(not verdict.passed for verdict in judged)
    kind = "" if not judged else "bad" if failed else "good"
    cells = "".join(f"<td>{value}" for value in values)
    if is_judged:
        limits = "<br>".join(_limit(verdict) for verdict in judged)
        word = f"<b>{'fails' if failed else 'passes'}</b>" if judged else ""
        cells += f"<td>{limits}<td>{word}"
    return f'<tr class="{kind}"><td>{escape(title_of(metric))}{cells}'


def _limit(verdict: MetricVerdict) -> str:
    parts = [f"≥ {verdict.least:.5g}"] if verdict.least is not None else []
    parts += [f"≤ {verdict.most:.5g}"] if verdict.most is not None else []
    earlier = " <small>vs earlier</small>" if verdict.baseline is not None else ""
    return " and ".join(parts) + earlier if parts else "<small>earlier model unknown</small>"


def _undefined(undefined: Mapping[str, str]) -> str:
    shown = "".join(f"<dt>{escape(title_of(metric))}<dd>{escape(reason)}" for metric, reason in undefined.items())
    return f"<h2>Without a value</h2><dl>{shown}</dl>" if shown else ""


def _output(output: OutputEvaluation, *, is_one: bool) -> str:
    """Return one output's pictures and classes; of several outputs its matrix too."""
    drawn = "".join(figures(output))
    pictures = f'<div class="g">{drawn}</div>' if drawn else ""
    if is_one:
        return f"{pictures}{_classes(output)}"
    return f"<h2>{name(output.label_column)}</h2>{_confusion(output.confusion)}{pictures}{_classes(output)}"


def _confusion(confusion: Confusion | None) -> str:
    """Return the matrix, shaded by the share of each label's rows; errors in another colour."""
    if confusion is None:
        return ""
    names = [name(each, _MOST_HEAD) for each in confusion.classes]
    hints = [f' title="{name(each)}"' if len(each) > _MOST_HEAD else "" for each in confusion.classes]
    heads = "".join(f'<th scope="col"{hint}>{each}' for each, hint in zip(names, hints, strict=True))
    is_large = len(names) > _MANY
    rows = ""
    for place, counts in enumerate(confusion.counts):
        total = sum(counts)
        cells = "".join(
            _cell(count, count / total if total else 0.0, is_right=place == at, is_small=is_large)
            for at, count in enumerate(counts)
        )
        rows += f'<tr><th scope="row"{hints[place]}>{names[place]}{cells}'
    said = "Rows, shaded by" if is_large else "Rows, and"
    merged = "; the most confused classes, and all others as one" if confusion.merged else ""
    return (
        f'<h2>Confusion matrix</h2><p class="w">{said} their share of all rows with that label{merged}</p>'
        f'<div class="cm{" many" * is_large}"><table><thead><tr><th><th colspan="{len(names)}">predicted'
        f"<tr><th>actual{heads}</thead><tbody>{rows}</table></div>"
    )


def _cell(count: int, share: float, *, is_right: bool, is_small: bool) -> str:
    """Return a cell; a small one has no share, and where nothing was counted is left empty."""
    if is_small and not count:
        return "<td>"
    said = f"{count:,}" if is_small else f"{count:,}<small>{share:.1%}</small>"
    opacity = round(_DARKEST * share, 2)
    if opacity < _LIGHTEST:
        return f"<td>{said}"
    kind = "" if is_right else " class=x"
    return f"<td{kind}><s style=opacity:{opacity:g}></s><span>{said}</span>"


def _classes(output: OutputEvaluation) -> str:
    """Return the table of classes; of many, those with the lowest F1."""
    if not output.per_class:
        return ""
    worst = sorted(output.per_class, key=_worst_first)[:_MOST_CLASSES]
    shown = [each for each in output.per_class if each in worst]
    heads = list(dict.fromkeys(metric for each in shown for metric in each.metrics))
    named = "".join(f"<th>{escape(title_of(metric))}" for metric in heads)
    rows = "".join(
        f"<tr><td>{name(each.name)}<td>{each.rows:,}"
        + "".join(f"<td>{_number(each.metrics.get(metric))}" for metric in heads)
        for each in shown
    )
    more = len(output.per_class) - len(shown)
    left = f'<p class="w">The {len(shown)} with the lowest F1; {more:,} more are in the record.</p>' if more else ""
    return (
        f'<h2>Each class against the rest</h2>{left}<div class="t"><table class="m"><thead><tr><th>Class<th>Rows{named}'
        f"</thead><tbody>{rows}</table></div>"
    )


def _worst_first(each: ClassEvaluation) -> float:
    f1 = each.metrics.get("f1")
    return 2.0 if f1 is None else f1


def _number(value: float | None) -> str:
    if value is None:
        return _NONE
    digits = next((digits for limit, digits in _DIGITS if abs(value) < limit), None)
    return f"{value:.4g}" if digits is None or 0 < abs(value) < _TINY else f"{value:,.{digits}f}"


def _provenance(provenance: Mapping[str, str]) -> str:
    shown = "".join(f"<dt>{escape(label)}<dd>{escape(value)}" for label, value in provenance.items() if value)
    return f"<h2>Provenance</h2><dl>{shown}</dl>" if shown else ""
