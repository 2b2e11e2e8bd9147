"""Where messages go: e-mail, Slack and webhooks, each by Airflow's own provider, which is imported when it is used.

Invariants: what a message says is never rendered as a template, and where a message goes, with what secret, is in an
Airflow connection.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.reports.messages import Message

TIMEOUT_S = 30
"""How long a webhook may take to answer, in seconds."""


class Channel(Protocol):
    """Takes a message to people."""

    def send(self, message: Message) -> None:
        """Send it, or raise."""


@contextlib.contextmanager
def _provider(package: str, what: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        message = f"{what} needs the package {package}, which cannot be imported ({error}). Install it."
        raise ConfigurationError(message) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """E-mail by SMTP: HTML, with the title as its subject."""

    to: Sequence[str]
    sender: str | None
    conn_id: str

    def send(self, message: Message) -> None:
        """Send it."""
        from airflow_batch_inference.reports.message_formats import as_html, subject

        with _provider("apache-airflow-providers-smtp", "An e-mail"):
            from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        # Not called but told to notify: a call would render the message as a template.
        SmtpNotifier(
            to=list(self.to),
            from_email=self.sender,
            subject=subject(message),
            html_content=as_html(message),
            smtp_conn_id=self.conn_id,
        ).notify({})


def _slack(message: Message) -> dict[str, Any]:
    """Return the arguments that both of Slack's notifiers take."""
    from airflow_batch_inference.reports.message_formats import as_slack_blocks, as_slack_text

    return {
        "text": as_slack_text(message),
        "blocks": as_slack_blocks(message),
        "unfurl_links": False,
        "unfurl_media": False,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChannel:
    """A channel of Slack's, by a bot's token."""

    channel: str
    conn_id: str

    def send(self, message: Message) -> None:
        """Send it."""
        with _provider("apache-airflow-providers-slack", "A message to Slack"):
            from airflow.providers.slack.notifications.slack import SlackNotifier

        SlackNotifier(slack_conn_id=self.conn_id, channel=self.channel, **_slack(message)).notify({})


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackWebhook:
    """A channel of Slack's, by an incoming webhook."""

    conn_id: str

    def send(self, message: Message) -> None:
        """Send it."""
        with _provider("apache-airflow-providers-slack", "A message to Slack"):
            from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

        SlackWebhookNotifier(slack_webhook_conn_id=self.conn_id, **_slack(message)).notify({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Any server that takes JSON by POST (:func:`~airflow_batch_inference.reports.message_formats.as_json`)."""

    conn_id: str
    endpoint: str | None

    def send(self, message: Message) -> None:
        """Send it; an answer that says of an error raises."""
        from airflow_batch_inference.reports.message_formats import as_json

        with _provider("apache-airflow-providers-http", "A webhook"):
            from airflow.providers.http.hooks.http import HttpHook

        hook = HttpHook(method="POST", http_conn_id=self.conn_id)
        hook.run(endpoint=self.endpoint, json=as_json(message), extra_options={"timeout": TIMEOUT_S})
