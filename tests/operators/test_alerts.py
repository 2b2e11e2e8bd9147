"""How often somebody is told of one drift: the alert, its cooldown, and the state in the artifact store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from airflow_batch_inference.operators import DriftAnalysisOperator
from airflow_batch_inference.operators.alerts import Cooldown, SentAlertsRecord
from airflow_batch_inference.operators.announcements import alert
from airflow_batch_inference.records import DriftStatus, TaskKey
from airflow_batch_inference.storage.store import Storage

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Clock:
    """A clock that the test sets."""

    time: datetime = START

    def __call__(self):
        return self.time


@dataclass
class Pager:
    """A notifier that counts; it fails for as long as it is told to."""

    calls: list = field(default_factory=list)
    broken: bool = False

    def __call__(self, context):
        if self.broken:
            raise ConnectionError
        self.calls.append(context["drift"])


class BrokenStorage(Storage):
    """A store that cannot be reached."""

    def read_bytes(self, uri):
        raise ConnectionError

    def put(self, uri, data):
        raise ConnectionError


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pager():
    return Pager()


@pytest.fixture
def cooldown(tmp_path, clock):
    """Return what makes the cooldown of a task for an hour."""

    def make(dag_id="nightly", task_id="gate", run_id="run", map_index=-1, seconds=3600, storage=None):
        key = TaskKey(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
        return Cooldown(storage=storage or Storage(), root=str(tmp_path), task=key, seconds=seconds, now=clock)

    return make


def path_of(cooldown):
    return Path(cooldown.uri.removeprefix("file://"))


def test_the_same_drift_is_alerted_again_only_when_the_time_is_over(cooldown, clock, pager, drift_result):
    for minutes, calls in ((0, 1), (30, 1), (59, 1), (60, 2), (90, 2), (120, 3)):
        clock.time = START + timedelta(minutes=minutes)
        alert(drift_result(), "uri", [pager], {}, cooldown=cooldown(run_id=f"run {minutes}"))
        assert len(pager.calls) == calls, minutes


def test_the_log_has_the_verdict_every_time_and_says_what_was_held_back_and_until_when(
    cooldown, clock, pager, drift_result, caplog
):
    caplog.set_level("INFO")
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    clock.time = START + HOUR / 2
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["DRIFT_DETECTED: It has drifted. Report: file:///report.html"] * 2
    (held,) = [record.message for record in caplog.records if "not called" in record.message]
    assert "alerted at 2026-03-01T06:00:00+00:00" in held
    assert "until 2026-03-01T07:00:00+00:00" in held
    assert "alert_cooldown_s is 3600" in held


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"status": "POSSIBLE_DRIFT", "drifted": ()}, {"status": "DRIFT_DETECTED", "drifted": ()}),
        ({"drifted": ("a",)}, {"drifted": ("a", "b")}),
        ({"drifted": ("a",)}, {"drifted": ("b",)}),
        ({"status": "INSUFFICIENT", "drifted": ()}, {"status": "DRIFT_DETECTED", "drifted": ()}),
    ],
)
def test_a_worse_verdict_or_another_column_alerts_at_once(cooldown, pager, drift_result, first, second):
    for changed in (first, second):
        alert(drift_result(**changed), "uri", [pager], {}, cooldown=cooldown())
    assert len(pager.calls) == 2


def test_the_order_and_the_numbers_of_the_columns_do_not_make_another_drift(cooldown, pager, drift_result):
    alert(drift_result(drifted=("a", "b"), metric=0.8), "uri", [pager], {}, cooldown=cooldown())
    alert(drift_result(drifted=("b", "a"), metric=0.9, ordinary=("c", "d")), "uri", [pager], {}, cooldown=cooldown())
    assert len(pager.calls) == 1


def test_a_column_that_crosses_its_threshold_to_and_fro_alerts_once_for_each_of_the_two(
    cooldown, clock, pager, drift_result
):
    for minute in range(20):
        clock.time = START + timedelta(minutes=minute)
        alert(drift_result(drifted=("a", "b")[: 1 + minute % 2]), "uri", [pager], {}, cooldown=cooldown())
    assert len(pager.calls) == 2


def test_each_task_and_each_map_index_has_a_cooldown_of_its_own(cooldown, pager, drift_result):
    places = [
        {},
        {"task_id": "other"},
        {"dag_id": "weekly"},
        {"map_index": 0},
        {"map_index": 1},
        {"dag_id": "a/b", "task_id": ".."},
    ]
    for _ in range(2):
        for place in places:
            alert(drift_result(), "uri", [pager], {}, cooldown=cooldown(**place))
    assert len(pager.calls) == len(places)


def test_the_state_is_a_small_file_under_alerts_by_dag_and_task(cooldown, pager, drift_result, tmp_path):
    alert(drift_result(drifted=("a",)), "uri", [pager], {}, cooldown=cooldown(task_id="group.gate", run_id="r/1"))
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown(map_index=3))
    document = json.loads((tmp_path / "alerts" / "nightly" / "group.gate.json").read_bytes())
    sent = {"drifted_columns": ["a"], "run_id": "r/1", "sent_at": START.isoformat(), "status": "DRIFT_DETECTED"}
    assert document == {"alerts": [sent], "kind": "sent-alerts", "schema_version": 1}
    assert (tmp_path / "alerts" / "nightly" / "gate" / "3.json").is_file()


SENT = {"status": "DRIFT_DETECTED", "drifted_columns": ["a"], "sent_at": START.isoformat(), "run_id": "run"}


def state(sent):
    return json.dumps({"schema_version": 1, "kind": "sent-alerts", "alerts": [sent]}).encode()


def test_a_sound_state_holds_back_an_alert(cooldown, pager, drift_result):
    path = path_of(cooldown())
    path.parent.mkdir(parents=True)
    path.write_bytes(state(SENT))
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    assert not pager.calls


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"schema_version": 2, "kind": "sent-alerts", "alerts": []}',
        state({"status": "DRIFT_DETECTED"}),
        state({**SENT, "sent_at": "2026-03-01T06:00:00"}),
        state({**SENT, "sent_at": "yesterday"}),
        state({**SENT, "status": "DRIFTING"}),
        state({**SENT, "drifted_columns": "a"}),
    ],
)
def test_a_damaged_state_never_holds_back_an_alert_and_is_replaced(cooldown, pager, drift_result, damage, caplog):
    path = path_of(cooldown())
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    assert len(pager.calls) == 1
    assert "what was alerted before" in caplog.text
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    assert len(pager.calls) == 1


def test_a_state_that_can_be_neither_read_nor_written_never_holds_back_an_alert(cooldown, pager, drift_result, caplog):
    for _ in range(2):
        alert(drift_result(), "uri", [pager], {}, cooldown=cooldown(storage=BrokenStorage()))
    assert len(pager.calls) == 2
    assert "Cannot read" in caplog.text
    assert "Cannot write" in caplog.text


def test_a_clock_that_was_set_back_never_holds_back_an_alert(cooldown, clock, pager, drift_result, caplog):
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    clock.time = START - timedelta(days=400)
    for calls in (2, 2):
        alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
        assert len(pager.calls) == calls
    assert "a clock was set back" in caplog.text


def test_the_cooldown_starts_only_when_a_notifier_has_worked(cooldown, pager, drift_result):
    pager.broken = True
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    assert not path_of(cooldown()).exists()
    pager.broken = False
    alert(drift_result(), "uri", [pager, Pager(broken=True)], {}, cooldown=cooldown())
    assert len(pager.calls) == 1
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    assert len(pager.calls) == 1


def test_without_notifiers_there_is_no_state_and_nothing_is_held_back_later(cooldown, pager, drift_result, caplog):
    alert(drift_result(), "uri", [], {}, cooldown=cooldown())
    assert not path_of(cooldown()).exists()
    assert "DRIFT_DETECTED" in caplog.text
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown())
    assert len(pager.calls) == 1


def test_without_a_cooldown_every_alert_goes_out(pager, drift_result, tmp_path):
    for _ in range(3):
        alert(drift_result(), "uri", [pager], {})
    assert len(pager.calls) == 3
    assert pager.calls[0]["result_uri"] == "uri"


def test_a_longer_cooldown_holds_back_what_a_shorter_one_remembers(cooldown, clock, pager, drift_result):
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown(seconds=60))
    clock.time = START + HOUR / 2
    alert(drift_result(), "uri", [pager], {}, cooldown=cooldown(seconds=3600))
    assert len(pager.calls) == 1


def test_the_state_stays_small_however_many_drifts_there_are(cooldown, clock, pager, drift_result):
    for number in range(120):
        clock.time = START + timedelta(seconds=number)
        alert(drift_result(drifted=(f"c{number:03d}",)), "uri", [pager], {}, cooldown=cooldown())
    path = path_of(cooldown())
    kept = SentAlertsRecord.from_json(path.read_bytes(), where="here").alerts
    assert [sent.drifted_columns for sent in kept] == [(f"c{number:03d}",) for number in range(70, 120)]
    clock.time = START + 2 * HOUR
    alert(drift_result(status=DriftStatus.DRIFT_DETECTED), "uri", [pager], {}, cooldown=cooldown())
    assert len(SentAlertsRecord.from_json(path.read_bytes(), where="here").alerts) == 1


@pytest.mark.parametrize("rule", ["effect", "mlrun"])
def test_notifiers_get_a_summary_that_quotes_no_category(runner, tmp_path, pager, rule):
    cities = pd.DataFrame({"city": ["Bern", "Ulm"] * 100, "size": range(200)})
    cities.to_parquet(tmp_path / "before.parquet")
    cities.replace({"city": {"Ulm": "ann@secret.example (42)"}}).to_parquet(tmp_path / "now.parquet")
    operator = DriftAnalysisOperator(
        task_id="drift",
        dataset=str(tmp_path / "now.parquet"),
        sample_set=str(tmp_path / "before.parquet"),
        rule=rule,
        drift_threshold=0.01,
        possible_drift_threshold=0.005,
        on_drift="alert",
        notifiers=[pager],
    )
    runner(operator)
    (drift,) = pager.calls
    assert "ann@secret.example" in drift["reasons"]
    assert "secret" not in drift["summary"]
    assert "city" in drift["summary"]
    assert drift["drifted_columns"] == ["city"]
