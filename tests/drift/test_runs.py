"""The store of earlier runs: its order, and who replaces what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_batch_inference.drift.runs import earlier_runs, history_folder, last_of, remember
from airflow_batch_inference.records import DriftStatus, HistoryEntry, TaskKey
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
TASK = TaskKey(dag_id="nightly", run_id="r0", task_id="drift")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def entry(day, run_id=None, rows=1, task=TASK):
    at = MONDAY + timedelta(days=day)
    return HistoryEntry(
        task=replace(task, run_id=run_id or f"run {day}"),
        at=at.isoformat(),
        status=DriftStatus.NO_DRIFT,
        run_status=DriftStatus.NO_DRIFT,
        rows=rows,
        columns=(),
        result_uri="file:///r",
        baseline_sha256=None,
    )


@pytest.fixture
def root(tmp_path):
    root = f"file://{tmp_path}"
    for day in (3, 0, 9, 1, 7, 2):
        remember(root, entry(day, rows=day), STORE)
    return root


def last(root, at, task=TASK, number=10, which="last"):
    earlier = earlier_runs(root, task, at, storage=STORE)
    return last_of(earlier, at, number=number, which=which, storage=STORE)


def days(root, at, **arguments):
    return [found.rows for found in last(root, MONDAY + timedelta(days=at), **arguments)]


def test_runs_before_a_date_come_oldest_first_however_late_they_were_done(root):
    assert days(root, 8) == [0, 1, 2, 3, 7]
    assert days(root, 8, number=2) == [3, 7]
    assert days(root, 0) == []


def test_runs_of_the_same_weekday(root):
    assert days(root, 14, which="weekday") == [0, 7]


def test_a_date_that_is_done_again_replaces_its_own_entry_and_nobody_elses(root):
    remember(root, entry(3, rows=33), STORE)
    assert days(root, 8) == [0, 1, 2, 33, 7]
    remember(root, entry(3, run_id="manual", rows=44), STORE)
    assert days(root, 8) == [0, 1, 2, 44, 7]


def test_a_date_in_another_zone_is_the_same_moment(root):
    at = (MONDAY + timedelta(days=3)).astimezone(timezone(timedelta(hours=9)))
    remember(root, replace(entry(3, rows=33), at=at.isoformat()), STORE)
    assert days(root, 8) == [0, 1, 2, 33, 7]


def test_mapped_tasks_and_their_neighbours_have_histories_of_their_own(root):
    mapped = replace(TASK, map_index=2)
    remember(root, entry(1, rows=99, task=mapped), STORE)
    assert history_folder(root, mapped).startswith(history_folder(root, TASK))
    assert days(root, 8) == [0, 1, 2, 3, 7]
    (only,) = last(root, MONDAY + timedelta(days=8), task=mapped)
    assert only.rows == 99


def test_a_damaged_entry_is_passed_over_with_a_warning(root, caplog):
    uri = remember(root, entry(3, rows=3), STORE)
    STORE.put(uri, b"{")
    assert days(root, 8) == [0, 1, 2, 7]
    assert "An earlier run cannot be compared with" in caplog.text


def test_no_history_is_an_empty_one(tmp_path):
    assert last(f"file://{tmp_path}", MONDAY) == []
    assert last(f"file://{tmp_path}", MONDAY, number=0) == []
