"""How challengers differ from their champion, as one self-contained HTML page.

Invariants: no script, no outside address, every name and value escaped (the page renders under ``default-src 'none';
style-src 'unsafe-inline'``), and a page stays under about 100 KB however many challengers, outputs and labels there
are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.records import OTHER_LABELS
from airflow_batch_inference.reports.axes import Axes
from airflow_batch_inference.reports.evaluation_chart import name, shaded_cells
from airflow_batch_inference.reports.markup import escape
from airflow_batch_inference.reports.style import EVALUATION_STYLE
from airflow_batch_inference.wording.signs import visible_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import (
        ChallengerResult,
        ChallengersRecord,
        DisagreeingRow,
        NumberDifferences,
        OutputDisagreements,
        UsedModel,
    )

_STYLE = (
    EVALUATION_STYLE
    + """
.e td{overflow-wrap:anywhere}.e td:nth-child(2){text-align:right;white-space:nowrap}
.e td:nth-child(n+3){max-width:260px}figcaption{max-width:none}.cm{margin-top:2px}.cm tbody th{max-width:130px}
.g figure{max-width:100%}.g table.e td:first-child{max-width:190px}.g table.e td,.g table.e th{padding-right:14px}
.no{color:var(--odd)}h2 small{margin-left:10px}
"""
)
_UNIT = (0.0, 1.0)
_NONE = "\N{EN DASH}"
_MOST_CHALLENGERS = 6
_MOST_OUTPUTS = 3
_MOST_LABELS = 10
_MOST_HEAD = 24
_LIGHTEST, _DARKEST = 0.03, 0.62
_DISAGREEMENT = 0.12
"""The least opacity of a cell with disagreements."""
_HEADS = {"labels": "Labels", "decisions": "Decisions", "numbers": "Numbers"}


def render_challengers(record: ChallengersRecord) -> str:
    """Return the page."""
    champion = " \N{RIGHTWARDS ARROW} ".join(model.name for model in record.champion)
    where = f"{champion} \N{MIDDLE DOT} {record.task.dag_id}"
    title = _title(record)
    shown = record.challengers[:_MOST_CHALLENGERS]
    left = len(record.challengers) - len(shown)
    more = f'<p class="w">{left:,} more challengers are in the record only.</p>' if left else ""
    sections = "".join(_section(each, record) for each in shown)
    return visible_page(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(f'{title}: {where}')}</title><style>{_STYLE}</style></head><body><main>"
        f'<header class="none"><p class="w">{escape(where)}</p><h1>{escape(title)}</h1>{_sentences(record)}</header>'
        f'<div class="facts"><span>Rows <b>{record.rows:,}</b></span><span>Champion <b>{name(champion)}</b></span>'
        f"<span>Challengers <b>{len(record.challengers):,}</b></span></div>"
        f"{_overview(shown)}{sections}{more}{_provenance(record)}</main></body></html>\n",
        is_isolated=True,
    )


def _title(record: ChallengersRecord) -> str:
    shares = [output.disagreement_fraction for each in record.challengers for output in each.outputs]
    known = [share for share in shares if share is not None]
    if not known:
        return "No challenger was compared"
    if len(record.challengers) == 1:
        return f"{record.challengers[0].name} differs in {_share(max(known))} of the rows"
    return f"Challengers differ in up to {_share(max(known))} of the rows"


def _sentences(record: ChallengersRecord) -> str:
    said = []
    for each in record.challengers[:_MOST_CHALLENGERS]:
        said += [
            f"{each.name}: {output.disagreements:,} of {output.rows:,} rows have {_meaning(output, record)}."
            for output in each.outputs[:_MOST_OUTPUTS]
        ]
        if each.not_compared is not None:
            said.append(f"{each.name} was not compared: {each.not_compared.rstrip('.')}.")
        elif each.rows_failed:
            said.append(
                f"{each.name} failed on {each.rows_failed:,} rows, which are null in its columns: {each.error or 'NaN'}"
            )
    return "".join(f"<p>{escape(text)}</p>" for text in said)


def _meaning(output: OutputDisagreements, record: ChallengersRecord) -> str:
    if output.kind == "decisions":
        return f"another decision (threshold {0.5 if record.threshold is None else record.threshold:g})"
    if output.kind == "numbers":
        return f"a number more than {_share(record.tolerance)} apart"
    return "another label"


def _overview(shown: Sequence[ChallengerResult]) -> str:
    heads = (
        "Scored",
        "Failed",
        "Compared",
        "Disagreements",
        "Share",
        "Correlation",
        "Mean distance",
        "Largest",
        "Seconds",
    )
    rows = ""
    for each in shown:
        for place, output in enumerate(each.outputs[:_MOST_OUTPUTS] or (None,)):
            is_first = not place
            title = name(each.name) if is_first else ""
            of = f"<small> {name(output.output)}</small>" if output is not None and len(each.outputs) > 1 else ""
            cells = [f"{each.rows:,}", f"{each.rows_failed:,}"] if is_first else ["", ""]
            cells += _numbers(output)
            cells.append(f"{each.seconds:.1f}" if is_first else "")
            rows += f"<tr><td>{title}{of}" + "".join(f"<td>{cell}" for cell in cells)
    named = "".join(f"<th>{head}" for head in heads)
    return f'<div class="t"><table class="m"><thead><tr><th>Challenger{named}</thead><tbody>{rows}</table></div>'


def _numbers(output: OutputDisagreements | None) -> list[str]:
    if output is None:
        return [_NONE] * 6
    found = [f"{output.rows:,}", f"{output.disagreements:,}"]
    found.append(_NONE if output.disagreement_fraction is None else f"<b>{_share(output.disagreement_fraction)}</b>")
    numbers = output.numbers
    if numbers is None:
        return [*found, _NONE, _NONE, _NONE]
    correlation = _NONE if numbers.correlation is None else f"{numbers.correlation:.4f}"
    return [*found, correlation, f"{numbers.mean_absolute:.4g}", f"{numbers.largest:.4g}"]


def _section(each: ChallengerResult, record: ChallengersRecord) -> str:
    outputs = "".join(_output(output, each, record) for output in each.outputs[:_MOST_OUTPUTS])
    left = len(each.outputs) - _MOST_OUTPUTS
    more = f'<p class="w">{left:,} more outputs are in the record only.</p>' if left > 0 else ""
    if not outputs:
        outputs = f'<p class="no">{escape(each.not_compared or "")}</p>'
    return f"<h2>{name(each.name)}</h2>{outputs}{more}"


def _output(output: OutputDisagreements, each: ChallengerResult, record: ChallengersRecord) -> str:
    drawn = [_matrix(output, each.name)]
    if output.numbers is not None:
        # Of numbers from 0 to 1 it is seen where they lie; their relative distance says little.
        drawn.append(_density(output.numbers, each.name, record) or _distances(output.numbers, record))
    drawn.append(_examples(output.examples, each.name))
    names = dict.fromkeys((name(output.challenger_output), name(output.output)))
    return f'<p class="w">{" against ".join(names)}</p><div class="g">{"".join(drawn)}</div>'


def _matrix(output: OutputDisagreements, challenger: str) -> str:
    """Return the labels of both, shaded by their share of the champion's label; disagreements in another colour."""
    if not output.labels:
        return ""
    labels, counts = _merged(output)
    labels = ["others" if label == OTHER_LABELS else label for label in labels]
    heads = "".join(f'<th scope="col">{name(label, _MOST_HEAD)}' for label in labels)
    rows = ""
    for place, label in enumerate(labels):
        total = sum(counts[place])
        cells = "".join(
            _cell(count, count / total if total else 0.0, is_disagreement=place != at)
            for at, count in enumerate(counts[place])
        )
        rows += f'<tr><th scope="row">{name(label, _MOST_HEAD)}{cells}'
    note = "rows, share of the line; disagreements in red"
    return (
        f"<figure><figcaption>{_HEADS[output.kind]} of both<small>{note}</small></figcaption>"
        f'<div class="cm"><table><thead><tr><th><th colspan="{len(labels)}">{name(challenger, _MOST_HEAD)}'
        f"<tr><th>champion{heads}</thead><tbody>{rows}</table></div></figure>"
    )


def _merged(output: OutputDisagreements) -> tuple[list[str], list[list[int]]]:
    """Return the labels with most disagreements, and all others as one."""
    number = len(output.labels)
    if number <= _MOST_LABELS:
        return [*output.labels], [[*row] for row in output.matrix]
    disagreements = [
        sum(output.matrix[i]) + sum(row[i] for row in output.matrix) - 2 * output.matrix[i][i] for i in range(number)
    ]
    others = OTHER_LABELS
    chosen = {
        i
        for i in sorted(range(number), key=lambda i: -disagreements[i])[: _MOST_LABELS - 1]
        if output.labels[i] != others
    }
    kept = [i for i in range(number) if i in chosen]
    place = {i: at for at, i in enumerate(kept)}
    counts = [[0] * (len(kept) + 1) for _ in range(len(kept) + 1)]
    for i, row in enumerate(output.matrix):
        for j, count in enumerate(row):
            counts[place.get(i, len(kept))][place.get(j, len(kept))] += count
    return [*(output.labels[i] for i in kept), others], counts


def _cell(count: int, share: float, *, is_disagreement: bool) -> str:
    said = f"{count:,}<small>{share:.1%}</small>" if count else "0"
    opacity = max(round(_DARKEST * share, 2), _DISAGREEMENT if is_disagreement and count else 0.0)
    if opacity < _LIGHTEST:
        return f"<td>{said}"
    kind = " class=x" if is_disagreement else ""
    return f"<td{kind}><s style=opacity:{opacity:g}></s><span>{said}</span>"


def _density(numbers: NumberDifferences, challenger: str, record: ChallengersRecord) -> str:
    """Draw how many rows lie where, of numbers from 0 to 1."""
    if not numbers.density:
        return ""
    axes = Axes(x=_UNIT, y=_UNIT, x_label="champion", y_label=name(challenger, _MOST_HEAD))
    cut = 0.5 if record.threshold is None else record.threshold
    lines = f"{axes.line((cut, cut), _UNIT)}{axes.line(_UNIT, (cut, cut))}" if 0 < cut < 1 else ""
    shapes = (
        f'{shaded_cells(axes, numbers.density, numbers.density_bins)}<path class="z" d="{axes.line(_UNIT, _UNIT)}"/>'
        f'<path class="a" style="stroke:var(--bad)" d="{lines}"/>'
    )
    note = "stronger colour, more rows; red lines: the threshold"
    title = f"Numbers of the champion and of {name(challenger)}"
    return f"<figure><figcaption>Both numbers<small>{note}</small></figcaption>{axes.drawing(shapes, title)}</figure>"


def _distances(numbers: NumberDifferences, record: ChallengersRecord) -> str:
    """Return how many rows lie how far apart, as a table with bars."""
    ends = numbers.bin_edges
    named = ["equal", *(f"up to {_share(end)}" for end in ends[1:]), f"over {_share(ends[-1])}"]
    lower = (0.0, 0.0, *ends[1:])
    total = sum(numbers.bins)
    rows = ""
    for label, count, low in zip(named, numbers.bins, lower, strict=True):
        share = count / total if total else 0.0
        is_over = label != "equal" and low >= record.tolerance
        colour = "bad" if is_over else "cur"
        rows += (
            f'<tr><td>{label}<td><svg width="130" height="10" role="img"><title>{count:,} rows</title>'
            f'<rect width="{130 * share:.4g}" height="10" style="fill:var(--{colour})"/></svg>'
            f"<td>{count:,}<td>{share:.1%}"
        )
    note = "relative to the larger number; red: beyond the tolerance"
    return (
        f'<figure><figcaption>Distance<small>{note}</small></figcaption><table class="m"><tbody>{rows}</table></figure>'
    )


def _examples(examples: Sequence[DisagreeingRow], challenger: str) -> str:
    if not examples:
        return ""
    rows = "".join(
        f"<tr><td>{name(each.uri, 120)}<td>{each.row:,}<td>{name(each.champion)}<td>{name(each.challenger)}"
        for each in examples
    )
    return (
        "<figure><figcaption>The first rows that differ<small>counted from 0 in their file</small></figcaption>"
        '<div class="t"><table class="e"><thead><tr><th>File<th>Row<th>champion'
        f"<th>{name(challenger, _MOST_HEAD)}</thead><tbody>{rows}</table></div></figure>"
    )


def _provenance(record: ChallengersRecord) -> str:
    entries = [("DAG", record.task.dag_id), ("Run", record.task.run_id), ("Batch", record.batch_id)]
    entries.append(("Dataset", ", ".join(record.dataset_uris)))
    models = [*record.champion, *(model for each in record.challengers[:_MOST_CHALLENGERS] for model in each.models)]
    entries += [
        (_described(model), f"{model.model_uri}, SHA-256 {model.model_sha256}") for model in models if model.model_uri
    ]
    shown = "".join(f"<dt>{escape(label)}<dd>{escape(value)}" for label, value in entries if value)
    return f"<h2>Provenance</h2><dl>{shown}</dl>"


def _described(model: UsedModel) -> str:
    step = f", step {model.step}" if model.step > 1 else ""
    return f"Champion {model.name}{step}" if model.role == "champion" else f"Challenger {model.name}{step}"


def _share(value: float) -> str:
    percent = 100 * value
    return "0 %" if not percent else f"{percent:.3g} %" if percent >= 0.01 else "under 0.01 %"
