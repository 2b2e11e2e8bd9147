"""A run of a monitored dataset: one pass, bounded memory, odd data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_batch_inference.drift.monitor import Current, count, monitor
from airflow_batch_inference.drift.rules import DriftRule
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.build_baseline import plain_baseline

STORE = Storage()


@pytest.fixture
def opened(tmp_path):
    """Return what writes a frame and opens it as a dataset."""

    def opened(name, frame, **arguments):
        path = tmp_path / name
        (frame.to_csv if name.endswith(".csv") else frame.to_parquet)(path, index=False)
        return open_dataset(str(path), STORE, **arguments)

    return opened


def current(dataset):
    return Current(dataset=dataset, column_names=tuple(dataset.schema.names), source=dataset.snapshot)


def frame(rows, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.normal(size=rows) + shift, "kind": rng.choice(list("abc"), rows)})


@pytest.mark.parametrize("name", ["data.parquet", "data.csv"])
def test_a_dataset_is_compared_with_its_reference_in_any_format(opened, name):
    baseline = plain_baseline(opened(f"reference-{name}", frame(3_000)))
    quiet = monitor(current(opened(name, frame(2_000, seed=1))), baseline, rule=DriftRule())
    moved = monitor(current(opened(f"moved-{name}", frame(2_000, seed=1, shift=0.5))), baseline, rule=DriftRule())
    assert (quiet.result.status, moved.result.status) == (DriftStatus.NO_DRIFT, DriftStatus.DRIFT_DETECTED)
    assert [column.name for column in quiet.statistics.columns] == ["x", "kind"]


def test_only_columns_that_the_reference_has_are_read(opened, monkeypatch):
    baseline = plain_baseline(opened("reference.parquet", frame(100)))
    dataset = opened("wide.parquet", frame(100).assign(**{f"more_{i}": 1.0 for i in range(20)}))
    read = []
    monkeypatch.setattr(type(dataset), "select", lambda self, names: read.append(names) or self)
    count(dataset, baseline.columns)
    assert read == [["x", "kind"]]


def test_data_that_share_no_column_still_have_their_rows_counted(opened):
    baseline = plain_baseline(opened("reference.parquet", frame(100)))
    other = opened("other.parquet", pd.DataFrame({"z": [1.0] * 70}))
    found = monitor(current(other), baseline, rule=DriftRule())
    assert (found.result.current_rows, found.result.missing_columns) == (70, ("x", "kind"))


def test_blanks_in_names_are_underscores_where_the_data_are_read_too(opened):
    baseline = plain_baseline(opened("reference.parquet", frame(3_000).rename(columns={"x": "big x"})))
    moved = opened("moved.parquet", frame(2_000, seed=1, shift=0.5).rename(columns={"x": "big_x"}))
    found = monitor(current(moved), baseline, rule=DriftRule())
    assert found.result.status == DriftStatus.DRIFT_DETECTED
    assert [column.name for column in found.statistics.columns] == ["big x", "kind"]


def test_lines_that_cannot_be_read_are_no_rows(opened, tmp_path):
    baseline = plain_baseline(opened("reference.csv", frame(100)))
    path = tmp_path / "broken.csv"
    path.write_text("x,kind\n1.0,a\n2.0\n3.0,b\n")
    found = monitor(current(open_dataset(str(path), STORE, tolerant=True)), baseline, rule=DriftRule())
    assert found.result.current_rows == 2


def test_without_a_reference_there_are_statistics_of_the_data_themselves(opened):
    found = monitor(current(opened("data.parquet", frame(500))), None, rule=DriftRule())
    assert found.result.status == DriftStatus.NOT_ANALYSED
    assert found.statistics.columns[0].mean == pytest.approx(frame(500)["x"].mean())
    assert found.summaries[1].name == "kind"


def test_switched_off_nothing_is_judged(opened):
    baseline = plain_baseline(opened("reference.parquet", frame(100)))
    moved = current(opened("moved.parquet", frame(100, shift=9.0)))
    assert monitor(moved, baseline, rule=DriftRule(), is_switched_off=True).result.status == DriftStatus.NOT_ANALYSED


def test_no_rows_at_all_are_insufficient(opened):
    baseline = plain_baseline(opened("reference.parquet", frame(100)))
    assert monitor(current(opened("none.parquet", frame(0))), baseline, rule=DriftRule()).result.status == (
        DriftStatus.INSUFFICIENT
    )
