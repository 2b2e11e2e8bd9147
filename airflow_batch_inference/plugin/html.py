"""The building blocks of the pages: text, tables, facts, links.

Invariants: everything that comes from data goes through :func:`text` or :func:`address`, is cut to a length, shows no
login or signature of a URI, and stands apart from the page's own direction of writing; no control character gets into a
page; a page stays under 100 KB whatever is shown.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow_batch_inference.plugin.style import STYLE
from airflow_batch_inference.plugin.values import as_text, number_in
from airflow_batch_inference.wording.signs import visible_page
from airflow_batch_inference.wording.texts import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NONE = "\N{EN DASH}"
MOST_CHARACTERS = 120
_MOST_TABLE_BYTES = 11_000
"""Eight of them fit on a page."""
_MOST_READ = 20
"""Times the characters that are shown: what is cut must not end within a login, which could not be told then."""
_LARGE, _TINY = 1e15, 1e-4
_MANY = 10_000
_MINUTE_S, _HOUR_S = 60, 3600


def text(value: object, most: int = MOST_CHARACTERS) -> str:
    """Return any value as text for the page: escaped, cut, in its own direction.

    Examples
    --------
    >>> text("<b>&"), text("abcdef", 4)
    ('<bdi>&lt;b&gt;&amp;</bdi>', '<bdi>abc…</bdi>')
    """
    return f"<bdi>{plain(value, most)}</bdi>"


def plain(value: object, most: int = MOST_CHARACTERS) -> str:
    """Return the same without an element around it, for a title or an attribute."""
    given = without_secrets(as_text(value)[: _MOST_READ * most])
    shown = given if len(given) <= most else f"{given[: most - 1]}…"
    return escape(shown)


def number(value: object) -> str:
    """Return a number in few digits; a dash where there is none, and the text of what is no number.

    Examples
    --------
    >>> number(1234567), number(0.123456), number(12345.678), number("many")
    ('1,234,567', '0.1235', '12,346', '<bdi>many</bdi>')
    """
    if value is None:
        return NONE
    value = number_in(given := value)
    if value is None:
        return text(given, 40)
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if size >= _LARGE or 0 < size < _TINY:
        return f"{value:.4g}"
    return f"{value:,.0f}" if size >= _MANY else f"{value:.4g}"


def share(part: float, whole: float) -> str:
    """Return a share in percent, in which a few of very many stay visible.

    Examples
    --------
    >>> share(1, 3), share(1, 100_000), share(0, 5)
    ('33.3 %', '&lt;0.1 %', '0 %')
    """
    part, whole = number_in(part) or 0, number_in(whole) or 0
    if not part or not whole:
        return "0 %"
    found = part / whole
    return "&lt;0.1 %" if found < 0.001 else f"{found:.1%}".replace("%", " %")


def duration(seconds: float | None) -> str:
    """Return seconds as a person would say them.

    Examples
    --------
    >>> duration(0.04), duration(75), duration(7260)
    ('0.04 s', '1 min 15 s', '2 h 1 min')
    """
    seconds = number_in(seconds)
    if seconds is None:
        return NONE
    if seconds < _MINUTE_S:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(value: int) -> str:
    """Return bytes in a readable unit.

    Examples
    --------
    >>> size(512), size(1_500_000)
    ('512 B', '1.5 MB')
    """
    amount = float(number_in(value) or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.4g} TB"


def address(page: str, **query: object) -> str:
    """Return the attribute's value of a link to another of these pages, relative to this one.

    Examples
    --------
    >>> address("run", dag_id="a", run_id="x+y")
    'run?dag_id=a&amp;run_id=x%2By'
    """
    given = {key: value for key, value in query.items() if value is not None}
    return escape(f"{page}?{urlencode(given)}" if given else page)


def link(href: str, label: str) -> str:
    """Return a link; ``href`` from :func:`address`, the label from :func:`text`."""
    return f'<a href="{href}">{label}</a>'


def digest(value: str | None) -> str:
    """Return the first digits of a SHA-256, all of them at a touch."""
    return NONE if value is None else f'<code title="{plain(value)}">{plain(value[:12], 12)}</code>'


def facts(values: Mapping[str, str]) -> str:
    """Return a line of labels with values (markup); those without a value are left out."""
    shown = "".join(f"<span>{escape(label)} <b>{value}</b></span>" for label, value in values.items() if value)
    return f'<div class="facts">{shown}</div>' if shown else ""


def details(values: Mapping[str, str]) -> str:
    """Return a list of labels with values (markup), one a line; those without a value are left out."""
    shown = "".join(f"<dt>{plain(label, 60)}<dd>{value}" for label, value in values.items() if value)
    return f"<dl>{shown}</dl>" if shown else ""


def section(title: str, content: str, note: str = "") -> str:
    """Return content (markup) under a heading; nothing where there is no content."""
    said = f'<p class="w">{note}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{said}{content}</section>" if content else ""


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    of: int | None = None,
    kind: str = "",
    most_bytes: int = _MOST_TABLE_BYTES,
) -> str:
    """Return a table of as many rows as fit, and how many more there are; nothing where there are no rows.

    Parameters
    ----------
    heads, rows
        Markup; a head that begins with ``#`` is that of a column of numbers.
    of
        How many rows there are in all, where more are known of than are given.
    kind
        The table's class.
    most_bytes
        So many may its rows take.
    """
    numeric = [head.startswith("#") for head in heads]
    named = "".join(
        f"<th{' class=n' if right else ''}>{head.removeprefix('#')}" for head, right in zip(heads, numeric, strict=True)
    )
    built, given, taken = [], 0, 0
    for cells in rows:
        given += 1
        row = "<tr>" + "".join(
            f"<td{' class=n' if right else ''}>{cell}" for cell, right in zip(cells, numeric, strict=True)
        )
        taken += len(row.encode(errors="replace"))
        if taken <= most_bytes:
            built.append(row)
    if not given:
        return ""
    return (
        f'<div class="t"><table class="{kind}"><thead><tr>{named}</thead><tbody>{"".join(built)}</table></div>'
        f"{more(max(given, of or 0) - len(built), 'row')}"
    )


def more(left: int, what: str) -> str:
    """Return a line that says how many are not shown; nothing where all are.

    Examples
    --------
    >>> more(1200, "column"), more(0, "row")
    ('<p class="w">… 1,200 more columns</p>', '')
    """
    return f'<p class="w">… {left:,} more {what}{"s" if left != 1 else ""}</p>' if left > 0 else ""


def names(values: Sequence[object], most: int = 20) -> str:
    """Return some names, one after the other, and how many more there are."""
    shown = ", ".join(text(value, 60) for value in islice(values, most))
    left = len(values) - most
    return f"{shown} and {left:,} more" if left > 0 else shown


def state(word: str | None) -> str:
    """Return a state or verdict in its colour."""
    label = (word or "none").replace("_", " ").lower()
    return f'<b class="s {STATES.get(word or "", "none")}">{plain(label, 40)}</b>'


STATES = {
    "success": "good",
    "NO_DRIFT": "good",
    "passed": "good",
    "failed": "bad",
    "not good enough": "bad",
    "upstream_failed": "bad",
    "DRIFT_DETECTED": "bad",
    "POSSIBLE_DRIFT": "odd",
    "INSUFFICIENT": "odd",
    "up_for_retry": "odd",
    "running": "run",
}
"""Word to the class of its colour."""


def ident(value: str) -> str:
    """Return an id in one line, whatever its length."""
    return f'<span class="id" title="{plain(value, 250)}">{text(value, 80)}</span>'


def crumbs(dag_id: str | None = None, run_id: str | None = None, task_id: str | None = None) -> str:
    """Return the way from the overview to this page; its last part is where the reader is."""
    steps = [(address("overview"), "Batch inference")]
    if dag_id is not None:
        steps.append((address("dag", dag_id=dag_id), text(dag_id, 60)))
    if run_id is not None:
        steps.append((address("run", dag_id=dag_id, run_id=run_id), text(run_id, 60)))
    if task_id is not None:
        steps.append(("", text(task_id, 60)))
    way = [link(href, label) for href, label in steps[:-1]] + [steps[-1][1]]
    return f"<nav>{'<i>/</i>'.join(way)}</nav>"


def page(title: str, content: str, *, way: str = "", style: str = STYLE) -> str:
    """Return a whole page.

    Parameters
    ----------
    title
        Any text.
    content, way
        Markup; the latter from :func:`crumbs`.
    style
        The style sheet.
    """
    whole = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{plain(title)}</title><style>{style}</style></head><body><main>{way}{content}</main></body></html>\n"
    )
    return visible_page(whole)


def heading(title: str, kind: str, *paragraphs: str, place: str = "") -> str:
    """Return what a page is about, in the colour of its verdict.

    Parameters
    ----------
    title, paragraphs, place
        Markup; the last stands small above the title.
    kind
        ``good``, ``odd``, ``bad`` or ``none``.
    """
    above = f'<p class="w">{place}</p>' if place else ""
    said = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs if paragraph)
    return f'<header class="{kind}">{above}<h1>{title}</h1>{said}</header>'


def empty(title: str, *paragraphs: str) -> str:
    """Return what stands where there is nothing to show."""
    said = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs if paragraph)
    return f'<div class="empty"><h1>{title}</h1>{said}</div>'
