"""A notifier that tells people of drift, failed checks, rejected rows, failures and missed deadlines; not too often.

Invariants: the constructor only assigns; a channel that cannot be reached keeps no other from being told; only what
reached somebody starts the cooldown.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.notifications.channels import Email, SlackChannel, SlackWebhook, Webhook
from airflow_batch_inference.notifications.cooldown import MessageCooldown
from airflow_batch_inference.notifications.subject import message_of
from airflow_batch_inference.operators.alerts import MOST_SECONDS
from airflow_batch_inference.operators.arguments import names, number, optional_text
from airflow_batch_inference.operators.stores import artifact_root, artifact_storage
from airflow_batch_inference.wording.errors import harmless

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.notifications.channels import Channel
    from airflow_batch_inference.reports.messages import Message


class BatchInferenceNotifier(BaseNotifier):
    """Tell people by e-mail, Slack or a webhook what has happened, in a short message without secrets.

    Give it to ``notifiers=`` of an operator, as ``on_failure_callback`` of a task or a DAG, as ``on_success_callback``
    of a task that rejects rows, or as the callback of a deadline:
    ``AsyncCallback(BatchInferenceNotifier, kwargs={"slack_conn_id": "slack", "slack_channel": "#scoring"})``.

    :param email_to: one address or several; needs ``apache-airflow-providers-smtp``. (templated)
    :param email_from: the sender; None: as the connection says. (templated)
    :param smtp_conn_id: connection of the mail server.
    :param slack_channel: a channel such as ``#scoring``; needs ``apache-airflow-providers-slack``. (templated)
    :param slack_conn_id: connection with the token of Slack's API.
    :param slack_webhook_conn_id: connection of a webhook of Slack's, in the place of channel and token.
    :param webhook_conn_id: connection of a server that takes JSON by POST; needs ``apache-airflow-providers-http``.
    :param webhook_endpoint: the path there, if the connection has none. (templated)
    :param cooldown_s: for so many seconds no second message of the same kind about the same task is sent, in whatever
        run; 0: every time. Kinds are the verdicts of drift, each class of error, each reason why a run failed, rejected
        rows, a missed deadline. The instances of a mapped task are told of one by one.
    :param artifact_root: the artifact store, in which the cooldown is kept; None: as configured. (templated)
    :param artifact_conn_id: connection that reaches it; None: as configured.
    """

    template_fields: Sequence[str] = ("email_to", "email_from", "slack_channel", "webhook_endpoint", "artifact_root")

    def __init__(
        self,
        *,
        email_to: str | Sequence[str] | None = None,
        email_from: str | None = None,
        smtp_conn_id: str = "smtp_default",
        slack_channel: str | None = None,
        slack_conn_id: str = "slack_api_default",
        slack_webhook_conn_id: str | None = None,
        webhook_conn_id: str | None = None,
        webhook_endpoint: str | None = None,
        cooldown_s: float | str = 0,
        artifact_root: str | None = None,
        artifact_conn_id: str | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseNotifier's own
    ) -> None:
        super().__init__(**kwargs)
        self.email_to = email_to
        self.email_from = email_from
        self.smtp_conn_id = smtp_conn_id
        self.slack_channel = slack_channel
        self.slack_conn_id = slack_conn_id
        self.slack_webhook_conn_id = slack_webhook_conn_id
        self.webhook_conn_id = webhook_conn_id
        self.webhook_endpoint = webhook_endpoint
        self.cooldown_s = cooldown_s
        self.artifact_root = artifact_root
        self.artifact_conn_id = artifact_conn_id

    def __call__(self, *args: Any) -> None:  # noqa: ANN401  # as Airflow calls it
        """Send what a context tells, with templates rendered for it; one object may serve many tasks."""
        # Airflow renders in place: a second task would be told what was rendered for the first.
        super(BatchInferenceNotifier, copy.copy(self)).__call__(*args)

    def __await__(self) -> Generator[Any, Any, Any]:
        """Do the same in the triggerer."""
        return super(BatchInferenceNotifier, copy.copy(self)).__await__()

    def notify(self, context: Context) -> None:
        """Send what the context tells, if it tells anything and was not told just before."""
        channels, cooldown = self.channels(), self._cooldown()
        told = message_of(context)
        if told is None:
            self.log.info("There is nothing to tell of")
            return
        message, place = told
        if cooldown.holds_back(message, place):
            return
        self._send(message, channels)
        cooldown.start(message, place)

    async def async_notify(self, context: Context) -> None:
        """Do the same in a thread, which Airflow's triggerer lets reach connections."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.notify)(context)

    def channels(self) -> list[Channel]:
        """Return where messages go.

        Raises
        ------
        ConfigurationError
            Nowhere.
        """
        channels: list[Channel] = []
        addresses = names("email_to", self.email_to)
        if addresses:
            channels.append(Email(to=addresses, sender=optional_text(self.email_from), conn_id=self.smtp_conn_id))
        channel = optional_text(self.slack_channel)
        if channel:
            channels.append(SlackChannel(channel=channel, conn_id=self.slack_conn_id))
        if self.slack_webhook_conn_id:
            channels.append(SlackWebhook(conn_id=self.slack_webhook_conn_id))
        if self.webhook_conn_id:
            channels.append(Webhook(conn_id=self.webhook_conn_id, endpoint=optional_text(self.webhook_endpoint)))
        if not channels:
            message = (
                "The notifier has nobody to tell: give email_to, slack_channel, slack_webhook_conn_id or "
                "webhook_conn_id."
            )
            raise ConfigurationError(message)
        return channels

    def _cooldown(self) -> MessageCooldown:
        return MessageCooldown(
            storage=artifact_storage(self.artifact_conn_id),
            root=optional_text(self.artifact_root) or artifact_root(),
            seconds=number("cooldown_s", self.cooldown_s, low=0, high=MOST_SECONDS),
        )

    def _send(self, message: Message, channels: Sequence[Channel]) -> None:
        """Send by all channels; an error where none could be reached."""
        errors: list[Exception] = []
        for channel in channels:
            try:
                channel.send(message)
            except Exception as error:
                harmless(error)  # a library's own may quote an address with its token
                self.log.exception("%s was not told: %s", type(channel).__name__, message.title)
                errors.append(error)
        if len(errors) == len(channels):
            raise errors[0]
