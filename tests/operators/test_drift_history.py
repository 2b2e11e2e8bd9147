"""Guards against the runs before: what is odd for them, how often it is told, and when drift counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    History,
)
from airflow_batch_inference.records import DriftStatus, HistoryEntry
from airflow_batch_inference.storage.store import Storage

STORE = Storage()

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def nights(runner, tmp_path):
    """Return what analyses a batch without any reference, as the run of some night."""

    def run(night, frame, **arguments):
        path = tmp_path / f"night-{night}.parquet"
        frame.to_parquet(path)
        operator = DriftAnalysisOperator(task_id="drift", dataset=str(path), **arguments)
        runner.logical_date = FIRST + timedelta(days=night)
        return STORE.read_record(runner(operator, run_id=f"night {night}"))

    return run


def night(seed, rows=2_000, shift=0.0):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["x", "y"], rows, p=[0.7, 0.3])
    return pd.DataFrame({"score": rng.beta(2, 5, rows) + shift, "kind": kinds})


def test_a_model_without_a_training_set_is_guarded_by_its_own_history(nights):
    statuses = [nights(number, night(number)).status for number in range(6)]
    assert statuses == [DriftStatus.NOT_ANALYSED] * 4 + [DriftStatus.NO_DRIFT] * 2
    assert nights(6, night(6, shift=0.2)).status == DriftStatus.DRIFT_DETECTED
    few = nights(7, night(7, rows=150))
    assert few.status == DriftStatus.DRIFT_DETECTED
    assert few.reasons[0] == "Unlike the last 7 runs: 150 rows, usually 2,000."
    assert nights(8, night(8)).reasons[0] == "Like the last 8 runs."
    assert few.previous_runs == 7


def test_each_drift_that_only_the_guards_found_is_told_once(nights):
    told = []
    for number in range(6):
        nights(number, night(number))
    arguments = {
        "on_drift": "alert",
        "notifiers": lambda context: told.append(context["drift"]),
        "alert_cooldown_s": 9999,
    }
    first = nights(6, night(6, shift=0.2), **arguments)
    assert [column.name for column in first.columns if column.status == DriftStatus.DRIFT_DETECTED] == ["score"]
    again = night(7, shift=0.2)
    nights(7, again, **arguments)
    assert len(told) == 1
    other = night(8).assign(kind="x")
    nights(8, other, **arguments)
    assert len(told) == 2


def test_too_few_rows_are_insufficient_without_a_reference_too(nights):
    assert [nights(number, night(number, rows=3)).status for number in range(6)] == [DriftStatus.INSUFFICIENT] * 6


def test_a_cleared_run_is_compared_with_those_before_it_only_and_replaces_its_entry(nights, runner):
    for number in range(6):
        nights(number, night(number))
    again = nights(4, night(4))
    assert again.previous_runs == 4
    files = STORE.list_files(f"file://{runner.root}/history")
    assert len(files) == 6
    assert all(
        isinstance(HistoryEntry.from_json(STORE.read_bytes(file.uri), where=file.uri), HistoryEntry) for file in files
    )


def test_history_may_be_switched_off_or_kept_to_the_weekday(nights):
    for number in range(15):
        nights(number, night(number))
    assert nights(15, night(15, shift=0.2), history="none").status == DriftStatus.NOT_ANALYSED
    assert nights(16, night(16), history="weekday").previous_runs == 2
    assert nights(16, night(16), history=History(runs="5")).previous_runs == 5


def test_after_a_week_of_drift_ordinary_data_are_not_odd(runner, model, moved, batch):
    statuses = []
    for number in range(12):
        runner.logical_date = FIRST + timedelta(days=number)
        dataset = moved if 2 <= number < 10 else str(batch)
        operator = DriftAnalysisOperator(task_id="drift", model=model, dataset=dataset)
        statuses.append(STORE.read_record(runner(operator, run_id=f"run {number}")).status)
    assert statuses == [DriftStatus.NO_DRIFT] * 2 + [DriftStatus.DRIFT_DETECTED] * 8 + [DriftStatus.NO_DRIFT] * 2


def test_drift_counts_only_where_it_lasts(runner, model, moved, batch):
    def run(number, dataset):
        runner.logical_date = FIRST + timedelta(days=number)
        operator = DriftAnalysisOperator(
            task_id="drift",
            model=model,
            dataset=dataset,
            on_drift="fail",
            history=History(min_drift_runs="2", of_runs="3"),
        )
        return STORE.read_record(runner(operator, run_id=f"run {number}"))

    assert run(0, str(batch)).status == DriftStatus.NO_DRIFT
    first = run(1, moved)
    assert (first.status, first.run_status) == (DriftStatus.POSSIBLE_DRIFT, DriftStatus.DRIFT_DETECTED)
    assert first.reasons[0] == "Drift in 1 of the last 2 runs, this one included; 2 of 3 are needed."
    with pytest.raises(AirflowException, match="Drift in 2 of the last 3 runs"):
        run(2, moved)
