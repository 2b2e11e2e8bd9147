"""Messages: what is told, without secrets and at bounded length, in each format; names and values are data."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference import exceptions
from airflow_batch_inference.reports.message_formats import (
    as_html,
    as_json,
    as_markdown,
    as_slack_blocks,
    as_slack_text,
    as_text,
    subject,
)
from airflow_batch_inference.reports.messages import (
    Message,
    Place,
    checks_message,
    clean,
    deadline_message,
    drift_message,
    failure_message,
    rejected_message,
    run_message,
)

PLACE = Place(dag_id="nightly", run_id="scheduled__2026-01-01", task_id="gate", url="https://a.example/p?a=1&b=2")
DRIFT = {
    "status": "DRIFT_DETECTED",
    "metric": 2.345,
    "reasons": "mean_radius has moved by 1.2 standard deviations. city: 3% in categories it never had (hunter2).",
    "summary": "mean_radius has moved by 1.2 standard deviations.",
    "report_uri": "s3://bucket/report.html",
    "batch_id": "b1",
    "drifted_columns": ["mean_radius", "<b>"],
}
TEXT = """\
Drift detected: nightly.gate

mean_radius has moved by 1.2 standard deviations.

Drift metric: 2.35
Drifted columns: mean_radius, <b>
Batch: b1
Report: s3://bucket/report.html
DAG: nightly
Task: gate
Run: scheduled__2026-01-01

https://a.example/p?a=1&b=2"""
MARKDOWN = r"""
**Drift detected: nightly.gate**

mean\_radius has moved by 1.2 standard deviations.

- Drift metric: 2.35
- Drifted columns: mean\_radius, \<b\>
- Batch: b1
- Report: s3://bucket/report.html
- DAG: nightly
- Task: gate
- Run: scheduled\_\_2026\-01\-01

[Open in Airflow](<https://a.example/p?a=1&b=2>)""".strip()


def test_a_drift_verdict_in_text_and_markdown():
    message = drift_message(DRIFT, PLACE)
    assert message.kind == "drift_detected"
    assert as_text(message) == TEXT
    assert as_markdown(message) == MARKDOWN


def test_a_drift_verdict_in_html():
    html = as_html(drift_message(DRIFT, PLACE))
    assert "<p><b>Drift detected: nightly.gate</b></p>" in html
    assert "<td>mean_radius, &lt;b&gt;</td>" in html
    assert '<a href="https://a.example/p?a=1&amp;b=2">Open in Airflow</a>' in html


def test_a_drift_verdict_for_slack():
    header, told, facts, more = as_slack_blocks(drift_message(DRIFT, PLACE))
    assert header == {
        "type": "header",
        "text": {"type": "plain_text", "text": "Drift detected: nightly.gate", "emoji": False},
    }
    assert told["text"]["text"] == DRIFT["summary"]
    assert "Drifted columns: mean_radius, <b>\n" in facts["text"]["text"]
    assert more["text"] == {"type": "mrkdwn", "text": "<https://a.example/p?a=1&amp;b=2|Open in Airflow>"}


def test_a_webhook_gets_the_text_and_its_parts_as_json():
    document = json.loads(json.dumps(as_json(drift_message(DRIFT, PLACE))))
    assert document["text"] == TEXT
    assert document["facts"]["Drift metric"] == "2.35"
    assert (document["kind"], document["url"]) == ("drift_detected", PLACE.url)


@pytest.mark.parametrize(
    ("message", "kind", "title", "sentence"),
    [
        (
            checks_message([{"name": "high", "rows": 3, "of": 10, "max_rate": 0.1, "expression": "out.y > 1"}], PLACE),
            "check_failed",
            "A check has failed: nightly.gate",
            "high marks 3 of 10 rows (at most 10.00%): out.y > 1",
        ),
        (
            rejected_message(2, 98, PLACE),
            "rejected_rows",
            "Rows were rejected: nightly.gate",
            "2 of 100 rows could not be scored. They lie in the quarantine, each with its error.",
        ),
        (
            failure_message("EvaluationFailedError", "roc_auc is 0.6.", PLACE),
            "evaluation_failed",
            "A model is not good enough: nightly.gate",
            "roc_auc is 0.6.",
        ),
        (
            failure_message("OperationalError", "postgres://u:hunter2@db is away", PLACE),
            "failed",
            "A task has failed: nightly.gate",
            "The error is OperationalError; its message is in the task's log.",
        ),
        (
            failure_message("", "", PLACE),
            "failed",
            "A task has failed: nightly.gate",
            "What happened is in the task's log.",
        ),
        (
            run_message("task_failure", Place(dag_id="nightly", run_id="r")),
            "run_failed",
            "A run has failed: nightly",
            "Airflow says: task failure.",
        ),
        (
            deadline_message("2026-01-01T06:00:00Z", Place(dag_id="nightly", run_id="r")),
            "deadline_missed",
            "A deadline was missed: nightly",
            "The run was to have ended by 2026-01-01T06:00:00Z.",
        ),
    ],
)
def test_each_trouble_has_its_kind_its_title_and_its_words(message, kind, title, sentence):
    assert (message.kind, message.title, message.sentences) == (kind, title, (sentence,))


def test_every_error_of_the_package_has_a_kind_of_its_own_and_only_some_are_quoted():
    names = [name for name in vars(exceptions) if name.endswith("Error")]
    kinds = {failure_message(name, "It is so.", PLACE).kind for name in names}
    assert len(kinds) == len(names)
    assert all(re.fullmatch(r"[a-z_]+", kind) for kind in kinds)
    quoted = {name for name in names if failure_message(name, "It is so.", PLACE).sentences == ("It is so.",)}
    assert {"ArtifactNotFoundError", "CheckFailedError", "EvaluationFailedError", "UntrustedModelError"} < quoted
    unsaid = ("DriftDetectedError", "TooManyRejectedRowsError", "PredictionError", "ScriptError", "ConfigurationError")
    assert not quoted & {*unsaid}
    for name in unsaid:
        assert f"The error is {name}; its message is in the task's log." in as_text(failure_message(name, "x", PLACE))


@pytest.mark.parametrize(
    "text",
    [
        "cannot read s3://key:hunter2@bucket/a",
        "cannot read https://a.example/x?X-Amz-Signature=hunter2&b=1",
        "login failed, password=hunter2",
        "login failed, 'api_key': 'hunter2'",
        "AWS_SECRET_ACCESS_KEY = hunter2",
        "the token is hunter2",
        "Authorization: Bearer hunter2hunter2",
        "AccountName=x;AccountKey=hunter2==;EndpointSuffix=core",
        "pushed with ghp_hunter2hunter2hunter2 to the repository",
        "the header was eyJhbGciOiJIUzI1NiJ9.eyJodW50ZXIyIjoxfQ.hunter2",
        "POST https://hooks.slack.com/services/T0/B0/hunter2 has failed",
        "Authorization: Token hunter2",
        "'Authorization': 'Token hunter2'",
        "sv=2024, sig=hunter2%2F",
        "PASSPHRASE='a hunter2'",
        'secret: "a hunter2',
        "db pass=hunter2",
        "DB_PASS = hunter2",
        "private_key=-----BEGIN RSA PRIVATE KEY----- hunter2 -----END RSA PRIVATE KEY-----",
        "private_key=-----BEGIN RSA PRIVATE KEY----- MII hunter2",
        "s3://key:hunter2/b@bucket/a",
        "s3://key:a/hunter2@bucket/a",
        "s3://key:p@hunter2@bucket/a",
        "cannot reach //user:hunter2@host/x",
        "key AKIAHUNTER2HUNTER200"[:24] + " was refused, secret: hunter2",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text):
    for format_as in (as_text, as_markdown, as_html, lambda message: json.dumps(as_slack_blocks(message))):
        assert "hunter2" not in format_as(failure_message("ArtifactNotFoundError", text, PLACE)).lower()


def test_ordinary_text_is_left_as_it_is():
    text = "Column 'age' has 3 % nulls (limit 1 %): file:///data/a.parquet, row 7. Is it there? a=b"
    assert clean(text) == text
    said = "3 tokens a row pass the check; mail a@x.example of the key 'id', pass: 3 of 5, s3://bucket/a/b.parquet."
    assert clean(said) == said


@given(st.text(max_size=30), st.integers(min_value=0, max_value=3000))
def test_no_message_is_longer_than_slack_takes_and_none_is_cut_without_a_sign(name, number):
    names = [f"{name}{index}" * 5 for index in range(number)]
    told = drift_message({**DRIFT, "drifted_columns": names, "summary": (name or "x") * number}, PLACE)
    checks = [{"name": each, "rows": 1, "of": 2, "max_rate": 0.1, "expression": each * 9} for each in names[:500]]
    for message in (told, checks_message(checks, PLACE)):
        assert len(as_text(message)) < 10_000
        assert len(as_slack_text(message)) < 1_000
        for block in as_slack_blocks(message):
            assert 0 < len(block["text"]["text"]) <= (150 if block["type"] == "header" else 3000)
    if number > 8:
        assert f"and {number - 8} more" in as_text(told)


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = set()
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.data += data


@given(st.text(min_size=1, max_size=60) | st.sampled_from(["<script>alert(1)</script>", '"><img src=x>', "</td><b>"]))
def test_no_name_makes_markup_or_a_second_line(text):
    place = Place(dag_id=text, run_id=text, task_id=text, url="https://a.example/")
    message = drift_message({**DRIFT, "summary": text, "drifted_columns": [text]}, place)
    page = _Tags(as_html(message))
    assert page.tags <= {"div", "p", "b", "table", "tr", "td", "a"}
    assert clean(text) in page.data or not clean(text)
    assert "\n" not in subject(message)
    assert "\r" not in subject(message)
    unescaped = re.sub(r"\\[\\`*_{}\[\]<>()#+!|~&$@-]", "", as_markdown(message)).replace("**", "")
    assert not re.search(r"[`*\[<]", unescaped.replace("[Open in Airflow](<https://a.example/>)", ""))
    told = [block["text"] for block in as_slack_blocks(message)]
    assert [each["type"] for each in told[:-1]] == ["plain_text"] * (len(told) - 1)
    assert not re.search(r"[<>]", as_slack_text(message))


def test_a_url_cannot_end_its_link_before_its_end():
    place = Place(dag_id="d", run_id="r", url="https://a.example/?x=\"><b>|a'b c")
    message = Message(kind="k", title="t", sentences=(), facts=(), url=place.url)
    assert as_html(message).count("<b>") == 1  # the title's
    assert as_slack_blocks(message)[-1]["text"]["text"].count("|") == 1
    assert as_markdown(message).endswith("(<https://a.example/?x=%22%3E%3Cb%3E%7Ca%27b%20c>)")
