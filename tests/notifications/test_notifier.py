"""The notifier: whom it tells, of what, how often; by fakes of Airflow's providers, and a mail server that is real."""

from __future__ import annotations

import asyncio
import json
import socketserver
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.notifications import BatchInferenceNotifier
from airflow_batch_inference.notifications.cooldown import MessageCooldown, SentMessageRecord
from airflow_batch_inference.notifications.subject import message_of
from airflow_batch_inference.reports.message_formats import as_text
from airflow_batch_inference.reports.messages import Place, run_message
from airflow_batch_inference.storage.store import Storage

DRIFT = {
    "status": "DRIFT_DETECTED",
    "metric": 2.0,
    "summary": "{{ a }} has moved.",
    "report_uri": "s3://b/r",
    "batch_id": "b",
}
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


@dataclass
class TaskInstance:
    """What the notifier reads of a task instance."""

    dag_id: str = "nightly"
    run_id: str = "run 1"
    task_id: str = "gate"
    map_index: int = -1
    state: str | None = "failed"
    xcoms: dict = field(default_factory=dict)

    def xcom_pull(self, *, task_ids, key, map_indexes):
        assert task_ids == self.task_id
        assert map_indexes == self.map_index
        return self.xcoms.get(key)


@dataclass
class Inbox:
    """What was sent, by which of the providers' classes and with what; it refuses for as long as it is told to."""

    sent: list = field(default_factory=list)
    refuses: tuple = ()

    def take(self, name, arguments):
        if name in self.refuses:
            raise ConnectionError(name)
        self.sent.append((name, arguments))

    def __iter__(self):
        return iter(name for name, _ in self.sent)


@pytest.fixture
def inbox(monkeypatch):
    """Fakes of the classes that the providers have, where the notifier looks for them."""
    found = Inbox()

    class Notifier:
        name = ""

        def __init__(self, **arguments):
            self.arguments = arguments

        def notify(self, context):
            found.take(self.name, self.arguments)

    class HttpHook:
        def __init__(self, **arguments):
            self.arguments = arguments

        def run(self, **arguments):
            found.take("webhook", self.arguments | arguments)

    places = {
        "smtp.notifications.smtp": {"SmtpNotifier": type("SmtpNotifier", (Notifier,), {"name": "email"})},
        "slack.notifications.slack": {"SlackNotifier": type("SlackNotifier", (Notifier,), {"name": "slack"})},
        "slack.notifications.slack_webhook": {
            "SlackWebhookNotifier": type("SlackWebhookNotifier", (Notifier,), {"name": "slack webhook"})
        },
        "http.hooks.http": {"HttpHook": HttpHook},
    }
    for path, names in places.items():
        parts = path.split(".")
        for end in range(1, len(parts) + 1):
            full = ".".join(["airflow.providers", *parts[:end]])
            if end == len(parts) or full not in sys.modules:
                monkeypatch.setitem(sys.modules, full, ModuleType(full))
        vars(sys.modules[f"airflow.providers.{path}"]).update(names)
    return found


@pytest.fixture
def notifier(tmp_path):
    def make(**arguments):
        arguments = arguments or {"email_to": "a@x.example"}
        return BatchInferenceNotifier(artifact_root=str(tmp_path / "artifacts"), **arguments)

    return make


def drift_context(run_id="run 1", status="DRIFT_DETECTED", **ti):
    return {"ti": TaskInstance(run_id=run_id, **ti), "drift": {**DRIFT, "status": status}}


def test_each_channel_gets_the_message_with_its_own_connection(inbox, notifier):
    notifier(
        email_to=["a@x.example", "b@x.example"],
        email_from="us@x.example",
        slack_channel="#scoring",
        slack_conn_id="bot",
        slack_webhook_conn_id="hook",
        webhook_conn_id="pager",
        webhook_endpoint="/events",
    )(drift_context())
    sent = dict(inbox.sent)
    assert set(sent) == {"email", "slack", "slack webhook", "webhook"}
    assert sent["email"]["to"] == ["a@x.example", "b@x.example"]
    assert (sent["email"]["from_email"], sent["email"]["smtp_conn_id"]) == ("us@x.example", "smtp_default")
    assert sent["email"]["subject"] == "Drift detected: nightly.gate"
    assert "{{ a }} has moved." in sent["email"]["html_content"]  # never rendered
    assert (sent["slack"]["channel"], sent["slack"]["slack_conn_id"]) == ("#scoring", "bot")
    assert sent["slack"]["blocks"] == sent["slack webhook"]["blocks"]
    assert sent["slack webhook"]["slack_webhook_conn_id"] == "hook"
    assert (sent["webhook"]["http_conn_id"], sent["webhook"]["endpoint"]) == ("pager", "/events")
    assert json.loads(json.dumps(sent["webhook"]["json"]))["kind"] == "drift_detected"


def test_arguments_are_templates_with_the_context(inbox, notifier):
    notifier(slack_channel="#{{ params.team }}")({**drift_context(), "params": {"team": "risk"}})
    assert inbox.sent[0][1]["channel"] == "#risk"


def test_with_nobody_to_tell_or_an_impossible_cooldown_it_says_so(inbox, notifier):
    with pytest.raises(ConfigurationError, match="nobody to tell: give email_to"):
        notifier(cooldown_s=1)(drift_context())
    with pytest.raises(ConfigurationError, match="cooldown_s is 'soon'"):
        notifier(email_to="a@x.example", cooldown_s="soon")(drift_context())


@pytest.mark.parametrize(
    ("arguments", "package"),
    [
        ({"email_to": "a@x.example"}, "apache-airflow-providers-smtp"),
        ({"slack_channel": "#c"}, "apache-airflow-providers-slack"),
        ({"slack_webhook_conn_id": "c"}, "apache-airflow-providers-slack"),
        ({"webhook_conn_id": "c"}, "apache-airflow-providers-http"),
    ],
)
def test_a_provider_that_is_not_installed_is_named(monkeypatch, notifier, arguments, package):
    for name in ("smtp", "slack", "http"):
        for module in [*sys.modules]:
            if module.startswith(f"airflow.providers.{name}"):
                monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, f"airflow.providers.{name}", None)
    with pytest.raises(ConfigurationError, match=f"needs the package {package}"):
        notifier(**arguments)(drift_context())


def test_one_that_cannot_be_reached_keeps_no_other_from_being_told(inbox, notifier):
    inbox.refuses = ("email",)
    notifier(email_to="a@x.example", slack_channel="#c", cooldown_s=60)(drift_context())
    assert list(inbox) == ["slack"]
    notifier(email_to="a@x.example", slack_channel="#c", cooldown_s=60)(drift_context("run 2"))
    assert list(inbox) == ["slack"]  # somebody knows


def test_where_nobody_could_be_told_it_raises_and_the_next_run_tries_again(inbox, notifier):
    inbox.refuses = ("email", "slack")
    with pytest.raises(ConnectionError):
        notifier(email_to="a@x.example", slack_channel="#c", cooldown_s=60)(drift_context())
    inbox.refuses = ()
    notifier(email_to="a@x.example", cooldown_s=60)(drift_context("run 2"))
    assert list(inbox) == ["email"]


def test_within_a_cooldown_the_same_is_told_once_and_anything_else_at_once(inbox, notifier):
    def tell(**context):
        notifier(email_to="a@x.example", cooldown_s="3600")(drift_context(**context))
        return len(inbox.sent)

    assert tell() == 1
    assert tell(run_id="run 2") == 1
    assert tell(status="POSSIBLE_DRIFT") == 2
    assert tell(task_id="other") == 3
    assert tell(dag_id="other") == 4
    assert tell(run_id="run 3") == 4


def test_each_class_of_error_each_instance_and_each_reason_has_a_cooldown_of_its_own(inbox, notifier):
    def told(**context):
        before = len(inbox.sent)
        notifier(email_to="a@x.example", cooldown_s="3600")(context)
        return len(inbox.sent) > before

    class FarTooLongError(Exception):
        pass

    FarTooLongError.__name__ = "\u00e9" * 300
    errors = [KeyError("a"), MemoryError(), ConnectionError("c"), FarTooLongError("d"), ArtifactNotFoundError("e")]
    contexts = [{"ti": TaskInstance(), "exception": error} for error in errors]
    contexts += [{"ti": TaskInstance(state=None)}]  # killed
    contexts += [{"ti": TaskInstance(map_index=index), "exception": KeyError("a")} for index in (0, 1)]
    run = SimpleNamespace(dag_id="nightly", run_id="r")
    contexts += [{"dag_run": run, "reason": reason} for reason in ("timed_out", "task_failure")]
    for context in contexts:
        assert told(**context)
    for context in contexts:
        assert not told(**context)


def test_without_a_cooldown_everything_is_told(inbox, notifier):
    for _ in range(2):
        notifier()(drift_context())
    assert list(inbox) == ["email", "email"]


def test_it_can_be_awaited_as_a_deadlines_callback_with_the_context_given_to_it(inbox, tmp_path):
    run = {"dag_id": "nightly", "dag_run_id": "run 1", "state": "running"}
    context = {"dag_run": run, "deadline": {"id": "1", "deadline_time": "2026-01-01T06:00:00Z"}}

    async def missed():
        await BatchInferenceNotifier(email_to="a@x.example", artifact_root=str(tmp_path), context=context)

    asyncio.run(missed())
    assert inbox.sent[0][1]["subject"] == "A deadline was missed: nightly"
    assert "run 1" in inbox.sent[0][1]["html_content"]


def test_a_deadline_accepts_it_as_its_callback():
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

    callback = AsyncCallback(BatchInferenceNotifier, kwargs={"email_to": "a@x.example"})
    alert = DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1), callback=callback)
    assert alert.callback.path == "airflow_batch_inference.notifications.notifier.BatchInferenceNotifier"


def kind_and_place(**context):
    found = message_of(context)
    return None if found is None else (found[0].kind, found[1].name)


def test_what_a_context_tells():
    error = AirflowFailException("EvaluationFailedError: roc_auc is 0.6: too low.\nSee there.")
    check = {"name": "c", "rows": 1, "of": 2, "max_rate": 0.1, "expression": "e"}
    assert kind_and_place(ti=TaskInstance(), exception=error) == ("evaluation_failed", "nightly.gate")
    assert kind_and_place(ti=TaskInstance(), exception=ArtifactNotFoundError("gone"))[0] == "artifact_not_found"
    assert kind_and_place(ti=TaskInstance(), exception=OSError("secret"))[0] == "failed"
    assert kind_and_place(ti=TaskInstance(), exception="WorkerError: died")[0] == "worker"
    assert kind_and_place(ti=TaskInstance(), checks=[check])[0] == "check_failed"
    assert kind_and_place(ti=TaskInstance(), reason="task_failure") == ("run_failed", "")
    run = SimpleNamespace(dag_id="nightly", run_id="r")
    assert kind_and_place(ti=TaskInstance(), dag_run=run, reason="timed_out") == ("run_failed", "nightly")
    assert kind_and_place(ti=TaskInstance(state="success"), reason="success") is None


@pytest.mark.parametrize("name", ["CheckFailedError", "AirflowFailException"])
def test_an_error_from_elsewhere_is_not_quoted_for_bearing_a_name_that_is_known(name):
    foreign = type(name, (Exception,), {"__module__": "elsewhere"})
    message, _ = message_of({"ti": TaskInstance(), "exception": foreign("CheckFailedError: John Doe, card 4111")})
    assert "John Doe" not in as_text(message)
    assert name in message.sentences[0]
    assert message.kind.startswith("failed")


def test_a_task_that_was_killed_is_told_without_an_error_and_one_that_is_tried_again_says_so():
    assert kind_and_place(ti=TaskInstance(state=None))[0] == "failed"
    context = {"ti": TaskInstance(state="up_for_retry"), "exception": OSError("x")}
    message, _ = message_of(context)
    assert (message.kind, message.title) == ("failed_retried", "A task has failed: nightly.gate (is tried again)")


@pytest.mark.parametrize(("state", "rejected"), [("success", 0), ("success", None), ("skipped", 5), ("running", 5)])
def test_a_task_that_went_well_has_nothing_to_tell(inbox, notifier, state, rejected):
    ti = TaskInstance(state=state, xcoms={"rows_rejected": rejected, "rows": 10})
    notifier()({"ti": ti})
    assert not inbox.sent


def test_a_task_that_succeeds_with_rejected_rows_tells_how_many(inbox, notifier):
    notifier()({"ti": TaskInstance(state="success", map_index=2, xcoms={"rows_rejected": 3, "rows": 97})})
    assert "3 of 100 rows" in inbox.sent[0][1]["html_content"]


def test_a_message_links_the_page_of_the_task_where_the_server_is_known(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/x")
    (message, _) = message_of(drift_context())
    assert message.url.startswith("https://airflow.example/x/batch-inference/task?dag_id=nightly&run_id=run%201")


class BrokenStorage(Storage):
    """A store that cannot be reached."""

    def read_bytes(self, uri):
        raise ConnectionError

    def put(self, uri, data):
        raise ConnectionError


MESSAGE = run_message("timed_out", Place(dag_id="a/b", run_id="r"))
PLACE = Place(dag_id="a/b", run_id="r", task_id="..")


def test_the_cooldown_ends_in_time_and_a_clock_that_was_set_back_holds_nothing_back(tmp_path):
    now = [START]
    cooldown = MessageCooldown(storage=Storage(), root=str(tmp_path), seconds=60, now=lambda: now[0])
    assert not cooldown.holds_back(MESSAGE, PLACE)
    cooldown.start(MESSAGE, PLACE)
    for seconds, held in ((0, True), (59, True), (60, False), (-1, False)):
        now[0] = START + timedelta(seconds=seconds)
        assert cooldown.holds_back(MESSAGE, PLACE) is held


def test_what_was_sent_lies_under_the_names_of_dag_task_and_kind(tmp_path):
    cooldown = MessageCooldown(storage=Storage(), root=str(tmp_path), seconds=60)
    cooldown.start(MESSAGE, PLACE)
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert path.relative_to(tmp_path).as_posix() == "notifications/a~2Fb/task=~2E~2E/run_failed-timed_out.json"
    record = SentMessageRecord.from_json(path.read_bytes(), where=str(path))
    assert (record.title, record.run_id) == (MESSAGE.title, "r")


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"sent_at": 1}'])
def test_where_there_is_doubt_the_message_goes_out(tmp_path, damage):
    cooldown = MessageCooldown(storage=Storage(), root=str(tmp_path), seconds=60)
    cooldown.start(MESSAGE, PLACE)
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(damage)
    assert not cooldown.holds_back(MESSAGE, PLACE)
    broken = MessageCooldown(storage=BrokenStorage(), root=str(tmp_path), seconds=60)
    assert not broken.holds_back(MESSAGE, PLACE)
    broken.start(MESSAGE, PLACE)


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as takes one mail."""

    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            if line.upper().startswith("DATA"):
                self.say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                self.server.mails.append("".join(lines))
            self.say("250 fine")

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


def test_an_e_mail_goes_out_by_airflows_own_provider(monkeypatch, tmp_path):
    import email

    pytest.importorskip("airflow.providers.smtp.notifications.smtp")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        server.mails, server.daemon_threads = [], True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        extra = {"from_email": "us@x.example", "disable_ssl": True, "disable_tls": True}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.server_address[1], "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        BatchInferenceNotifier(email_to="a@x.example", artifact_root=str(tmp_path))(drift_context())
        server.shutdown()
    mail = email.message_from_string(server.mails[0])
    assert (mail["To"], mail["From"]) == ("a@x.example", "us@x.example")
    assert mail["Subject"] == "Drift detected: nightly.gate"
    (part,) = mail.get_payload()
    assert part.get_content_type() == "text/html"
    assert "{{ a }} has moved." in part.get_payload(decode=True).decode()


@pytest.mark.parametrize("odd", ["many", "", None, True, float("nan"), float("inf"), -1, [1], {"rows": 1}, "9" * 5000])
def test_what_another_task_pushed_in_place_of_a_number_keeps_no_message_back(odd):
    for rows, rejected, told in ((odd, 3, "3 rows could not"), ("7", "3", "3 of 10 rows could not"), (7, odd, None)):
        ended = TaskInstance(state="success", xcoms={"rows": rows, "rows_rejected": rejected})
        found = message_of({"ti": ended})
        assert found is None if told is None else told in found[0].sentences[0]
