"""Wallaroo's columns without a separator: one column a parent, and what later tasks make of such a set."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference.operators import (
    Challengers,
    DriftAnalysisOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    Split,
    WallarooLayout,
)
from airflow_batch_inference.predictors.nesting import open_written
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

STORE = Storage()
CHECKS = {"high": "out.predicted_label > 0.5"}


@pytest.fixture
def predict(runner, model_file, digest, batch):
    """A function that scores the batch in Wallaroo's columns, and returns the commit's URI and its record."""
    runner.logical_date = dt.datetime(2026, 1, 2, 6, tzinfo=dt.UTC)
    model = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))

    def run(separator, columns=None, **arguments):
        common = {"model": model, "dataset": str(batch), "checks": CHECKS}
        layout = WallarooLayout(separator=separator, columns=columns)
        operator = PredictOperator(task_id="predict", layout=layout, **(common | arguments))
        uri = runner(operator)
        return uri, STORE.read_record(uri)

    return run


def rows(record):
    return open_dataset([part.uri for part in record.parts], STORE).whole()


@pytest.mark.parametrize("separator", [None, "None", "{{ none }}"])
def test_a_parent_is_one_column_that_holds_its_fields(predict, separator):
    _, flat = predict(".")
    _, record = predict(separator)
    found, expected = rows(record), rows(flat)
    assert found.column_names == ["time", "in", "out", "check_failures"]
    assert [column.name for column in record.columns] == found.column_names
    for group, fields in (("in", ["a", "b", "key"]), ("out", ["predicted_label"])):
        held = pd.DataFrame(found[group].to_pylist())
        assert list(held) == fields
        for name in fields:
            assert held[name].tolist() == expected[f"{group}.{name}"].to_pylist()
    assert found["check_failures"].to_pylist() == expected["check_failures"].to_pylist()


def test_a_template_of_none_never_becomes_part_of_a_name(predict, runner):
    runner.params = {"separator": None}
    _, record = predict("{{ params.separator }}", columns=["in.key", "metadata.last_model"])
    names = pq.read_schema(record.parts[0].uri.removeprefix("file://")).names
    assert names == ["in", "metadata"]


def test_its_fields_are_read_as_columns(predict):
    _, record = predict(None)
    _, flat = predict(".")
    assert open_written(record, STORE).whole().equals(open_written(flat, STORE).whole())
    chosen = open_written(record, STORE).select(["out.predicted_label", "in.b"])
    assert chosen.whole().column_names == ["out.predicted_label", "in.b"]


def test_it_is_verified_against_its_input(predict):
    uri, _ = predict(None)
    found = verify(uri, STORE, inputs=STORE)
    assert not found.problems
    assert any("have the columns of their input rows" in line for line in found.checks)


def test_drift_sees_the_fields(predict, runner, batch):
    moved = pd.read_parquet(batch).assign(a=lambda frame: frame["a"] + 40)
    for shift, frame in (("NO_DRIFT", pd.read_parquet(batch)), ("DRIFT_DETECTED", moved)):
        sample = batch.parent / f"sample_{shift}.parquet"
        frame.to_parquet(sample, index=False)
        found = []
        for separator in (".", None):
            uri, _ = predict(separator)
            result = DriftAnalysisOperator(task_id=f"drift_{shift}", dataset=uri, sample_set=str(sample))
            found.append(STORE.read_record(runner(result)))
        assert found[0].status == found[1].status == shift
        assert [column.name for column in found[0].columns] == [column.name for column in found[1].columns]


@pytest.mark.parametrize("output_format", ["arrow", "jsonl"])
def test_other_formats_hold_it_too(predict, runner, tmp_path, output_format):
    uri, record = predict(None)
    target = tmp_path / f"published.{output_format}"
    runner(LogArtifactsOperator(task_id="log", artifacts=uri, publish_to=str(target)))
    found = open_dataset(str(target), STORE).whole()
    assert found.select(["in", "out"]).to_pylist() == rows(record).select(["in", "out"]).to_pylist()


def test_csv_cannot_hold_it(predict, runner, tmp_path):
    uri, _ = predict(None)
    log = LogArtifactsOperator(task_id="log", artifacts=uri, publish_to=str(tmp_path / "published.csv"))
    with pytest.raises(AirflowFailException, match=r"CSV cannot hold the column 'in', fields\. Choose another"):
        runner(log)


def test_challengers_and_a_split_have_columns_of_their_own(predict, runner, model_file, digest):
    other = runner(LoadModelOperator(task_id="other", model_uri=str(model_file), sha256=digest))
    uri, record = predict(None, compare=Challengers({"next": other}))
    table = rows(record)
    assert table.column_names == ["time", "in", "out", "out_next", "check_failures"]
    assert table["out_next"].to_pylist() == table["out"].to_pylist()
    assert not verify(uri, STORE, inputs=STORE).problems
    model = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))
    split = {"weights": {"a": 0.5, "b": 0.5}, "key": "key"}
    uri, record = predict(None, model={"a": model, "b": other}, compare=Split(**split))
    assert {"a", "b"} == {row["scored_by"] for row in rows(record)["out"].to_pylist()}
    assert not verify(uri, STORE, inputs=STORE).problems


def test_it_is_published_as_it_is_and_tried_out_before(predict, runner, tmp_path):
    uri, record = predict(None)
    target = tmp_path / "published.parquet"
    runner(LogArtifactsOperator(task_id="log", artifacts=uri, publish_to=str(target)))
    assert pq.read_table(target).equals(rows(record))


def test_a_check_sets_rows_aside_from_it(predict):
    _, record = predict(None, checks={"low": {"when": "in.a < 0", "action": "quarantine"}})
    assert record.rows_rejected > 0
    assert all(row["a"] >= 0 for row in rows(record)["in"].to_pylist())
