"""A message as plain text, Markdown, HTML, Slack's blocks, and JSON.

Invariants: names and values are data in each of them and can make no markup, link or mention; an HTML message loads
nothing; and each fits where it is sent (a section of Slack's takes 3,000 characters, a header 150, a line of an
e-mail's head no line break).
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_batch_inference.reports.messages import Message

MOST_OF_A_SECTION = 3000
MOST_OF_A_HEADER = 150
_MORE = "Open in Airflow"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$@-])")
_STYLE = "font-family:sans-serif;font-size:14px;line-height:1.4"


def subject(message: Message) -> str:
    """Return the title as the subject of an e-mail: one line, at most 150 characters."""
    return _cut(" ".join(message.title.split()), MOST_OF_A_HEADER)


def as_text(message: Message) -> str:
    """Return plain text.

    Examples
    --------
    >>> from airflow_batch_inference.reports.messages import Place, run_message
    >>> print(as_text(run_message("timed_out", Place(dag_id="nightly", run_id="r1"))))
    A run has failed: nightly
    <BLANKLINE>
    Airflow says: timed out.
    <BLANKLINE>
    DAG: nightly
    Run: r1
    """
    facts = "\n".join(f"{label}: {value}" for label, value in message.facts)
    parts = [message.title, *message.sentences, facts, message.url or ""]
    return "\n\n".join(part for part in parts if part)


def as_markdown(message: Message) -> str:
    """Return CommonMark, in which no name or value is markup."""
    facts = "\n".join(f"- {label}: {_escaped(value)}" for label, value in message.facts)
    more = f"[{_MORE}](<{_target(message.url)}>)" if message.url else ""
    parts = [f"**{_escaped(message.title)}**", *map(_escaped, message.sentences), facts, more]
    return "\n\n".join(part for part in parts if part)


def as_html(message: Message) -> str:
    """Return a fragment of HTML for an e-mail, which loads nothing."""
    sentences = "".join(f"<p>{escape(each)}</p>" for each in message.sentences)
    rows = "".join(
        f'<tr><td style="padding-right:1em;color:#666">{escape(label)}</td><td>{escape(value)}</td></tr>'
        for label, value in message.facts
    )
    more = f'<p><a href="{escape(_target(message.url))}">{_MORE}</a></p>' if message.url else ""
    return f'<div style="{_STYLE}"><p><b>{escape(message.title)}</b></p>{sentences}<table>{rows}</table>{more}</div>'


def as_slack_blocks(message: Message) -> list[dict[str, Any]]:
    """Return Slack's Block Kit: a header, the sentences, the facts and the link; names and values as plain text."""
    bodies = ["\n".join(message.sentences), "\n".join(f"{label}: {value}" for label, value in message.facts)]
    texts = [_plain(_cut(body, MOST_OF_A_SECTION)) for body in bodies if body]
    if message.url:
        texts.append({"type": "mrkdwn", "text": f"<{_ampersands(_target(message.url))}|{_MORE}>"})
    return [
        {"type": "header", "text": _plain(subject(message))},
        *({"type": "section", "text": text} for text in texts),
    ]


def as_slack_text(message: Message) -> str:
    """Return what Slack shows where it shows no blocks, such as in a notification."""
    return _ampersands(subject(message)).replace("<", "&lt;").replace(">", "&gt;")


def as_json(message: Message) -> dict[str, Any]:
    """Return plain JSON types for a webhook: ``text``, which chat programs show, and its parts for whoever reads it."""
    return {
        "text": as_text(message),
        "markdown": as_markdown(message),
        "kind": message.kind,
        "title": message.title,
        "sentences": list(message.sentences),
        "facts": dict(message.facts),
        "url": message.url,
    }


def _target(url: str | None) -> str:
    """Return a URL that ends where it ends, in each of the formats."""
    return re.sub(r"[\s<>|\"']", lambda found: f"%{ord(found.group()):02X}", url or "")


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _ampersands(text: str) -> str:
    return text.replace("&", "&amp;")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
