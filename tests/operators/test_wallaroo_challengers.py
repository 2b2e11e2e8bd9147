"""Wallaroo's columns where several models score: challengers beside the champion, splits and steps."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.operators import (
    Challengers,
    DriftAnalysisOperator,
    LoadModelOperator,
    PredictOperator,
    Split,
    WallarooLayout,
)
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify


@pytest.fixture
def loaded(runner, model_file):
    runner.logical_date = datetime(2026, 11, 22, tzinfo=UTC)
    return runner(LoadModelOperator(task_id="load", model_uri=str(model_file)))


def columns_of(uri):
    record = Storage().read_record(uri)
    return pq.read_table(record.parts[0].uri.removeprefix("file://"))


def test_challengers_have_columns_of_their_own_behind_the_champions(runner, loaded, batch):
    predict = PredictOperator(
        task_id="predict",
        model=loaded,
        dataset=str(batch),
        checks={"any": "out.predicted_label is not null"},
        compare=Challengers({"next": loaded}),
        layout=WallarooLayout(),
    )
    uri = runner(predict)
    table = columns_of(uri)
    assert table.column_names == [
        *("time", "in.a", "in.b", "in.key", "out.predicted_label", "out_next.predicted_label", "check_failures"),
    ]
    assert table["out_next.predicted_label"].to_pylist() == table["out.predicted_label"].to_pylist()
    assert verify(uri, Storage(), inputs=Storage()).problems == []


def test_a_challengers_group_can_be_left_out(runner, loaded, batch):
    uri = runner(
        PredictOperator(
            task_id="predict",
            model=loaded,
            dataset=str(batch),
            compare=Challengers({"next": loaded}),
            layout=WallarooLayout(exclude=["in", "out_next"]),
        )
    )
    assert columns_of(uri).column_names == ["time", "out.predicted_label", "check_failures"]


def test_a_split_says_which_model_it_was_and_verify_counts_them(runner, loaded, batch):
    uri = runner(
        PredictOperator(
            task_id="predict",
            model={"old": loaded, "new": loaded},
            dataset=str(batch),
            compare=Split(weights={"old": 1, "new": 1}),
            layout=WallarooLayout(),
        )
    )
    assert set(columns_of(uri)["out.scored_by"].to_pylist()) == {"old", "new"}
    found = verify(uri, Storage(), inputs=Storage())
    assert found.problems == []
    assert any("scored by one of old, new" in check for check in found.checks)


def test_drift_is_analysed_on_such_a_set(runner, model_file, batch):
    runner.logical_date = datetime(2026, 11, 22, tzinfo=UTC)
    loaded = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sample_set=str(batch)))
    predicted = runner(
        PredictOperator(
            task_id="predict",
            model=loaded,
            dataset=str(batch),
            compare=Challengers({"next": loaded}),
            layout=WallarooLayout(),
        )
    )
    result = Storage().read_record(runner(DriftAnalysisOperator(task_id="drift", model=loaded, dataset=predicted)))
    assert str(result.status) == "NO_DRIFT"
    assert {"a", "b"} <= {column.name for column in result.columns}
