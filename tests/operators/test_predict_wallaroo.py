"""PredictOperator with Wallaroo's columns and validation checks, and what later tasks make of such a set."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    Challengers,
    DriftAnalysisOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    Processes,
    WallarooLayout,
)
from airflow_batch_inference.operators.checks import run_time_ms
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

STORE = Storage()
DAY = dt.datetime(2026, 1, 2, 6, tzinfo=dt.UTC)


@pytest.fixture
def load(runner, model_file, digest):
    def run(**arguments):
        return runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, **arguments))

    return run


@pytest.fixture
def predict(runner, load, batch):
    """A function that scores the batch and returns the commit's URI, its record and its rows."""
    runner.logical_date = DAY

    def run(model=None, **arguments):
        operator = PredictOperator(task_id="predict", model=model or load(), dataset=str(batch), **arguments)
        uri = runner(operator)
        record = STORE.read_record(uri)
        return uri, record, open_dataset([part.uri for part in record.parts], STORE).whole().to_pandas()

    return run


def test_wallaroos_columns(predict):
    _, _, found = predict(checks={"high": "out.predicted_label > 0.5"}, layout=WallarooLayout())
    assert list(found) == ["time", "in.a", "in.b", "in.key", "out.predicted_label", "check_failures"]
    assert found["time"].unique().tolist() == [pd.Timestamp("2026-01-02 06:00")]
    assert found["check_failures"].tolist() == (found["out.predicted_label"] > 0.5).astype(int).tolist()


def test_all_arguments_may_be_templates(runner, predict):
    runner.params = {
        "columns": ["*", "in.key", "metadata.pipeline_version"],
        "without": "in",
        "separator": "_",
        "checks": {"high": {"when": "out.predicted_label > 2", "max_rate": 0.5, "action": "fail"}},
    }
    layout = WallarooLayout("{{ params.columns }}", exclude="{{ params.without }}", separator="{{ params.separator }}")
    _, record, found = predict(layout=layout, checks="{{ params.checks }}")
    assert list(found) == ["time", "in_key", "out_predicted_label", "check_failures", "metadata_pipeline_version"]
    assert record.checks[0].max_rate == 0.5
    assert record.input_names == {"in_key": "key", "out_predicted_label": "predicted_label"}


def test_the_time_is_that_of_the_run_and_the_same_for_each_try(predict):
    first, _, _ = predict(layout=WallarooLayout())
    again, record, _ = predict(layout=WallarooLayout())
    assert first == again
    assert record.rows_out == 400


def test_the_time_of_a_run_without_a_logical_date():
    run = SimpleNamespace(run_after=DAY)
    assert run_time_ms({"logical_date": None, "dag_run": run}) == run_time_ms({"logical_date": DAY})
    assert run_time_ms({"logical_date": dt.datetime(1970, 1, 1, 0, 0, 1)}) == 1000  # noqa: DTZ001  # that is the case
    assert run_time_ms({}) is None


def test_fail_ends_the_task_and_is_not_tried_again(predict, runner):
    with pytest.raises(AirflowFailException, match=r"CheckFailedError: The check 'low' .* holds for \d+ of 400 rows"):
        predict(checks={"low": {"when": "in.a < 0", "max_rate": 0.1, "action": "fail"}})
    assert not list(runner.root.rglob("_commits/*.json"))


def test_who_looks_after_a_task_is_told_before_it_fails(predict, runner):
    told = []
    checks = {"low": {"when": "in.a < 0", "max_rate": 0.1, "action": "fail"}, "never": "in.a > 99"}
    with pytest.raises(AirflowFailException):
        predict(checks=checks, notifiers=told.append)
    assert [each["name"] for each in told[0]["checks"]] == ["low"]
    assert open_text(told[0]["checks"][0]["checks_uri"])[1]["name"] == "never"
    counts = runner.xcoms["predict"]["check_failures"]
    assert counts == {"low": told[0]["checks"][0]["rows"], "never": 0}


def open_text(uri):
    return json.loads(Path(uri.removeprefix("file://")).read_text())


@pytest.mark.parametrize("columns", [["in.key", "out"], ["*"], ["in"]])
def test_a_folder_without_files_gives_the_columns_that_were_asked_for(runner, load, tmp_path, columns):
    runner.logical_date = DAY
    (tmp_path / "nothing").mkdir()
    record = STORE.read_record(
        runner(
            PredictOperator(
                task_id="predict",
                model=load(),
                dataset=str(tmp_path / "nothing"),
                on_empty="succeed",
                checks={"old": "in.since > 2", "high": "out.predicted_label > 2"},
                layout=WallarooLayout(columns=columns),
            )
        )
    )
    assert record.rows_out == 0
    names = [column.name for column in record.columns]
    assert ("out.predicted_label" in names) == ("in" not in columns)
    assert ("in.key" in names) == ("in.key" in columns)


def test_an_alert_is_told_and_the_task_goes_on(predict, runner, caplog):
    told = []

    def broken(context):
        raise RuntimeError("no network")

    checks = {"low": {"when": "in.a < 0", "max_rate": 0.1}, "never": {"when": "in.a > 99", "action": "alert"}}
    with caplog.at_level("WARNING"):
        _, record, _ = predict(checks=checks, notifiers=[broken, told.append])
    assert [each["name"] for each in told[0]["checks"]] == ["low"]
    assert told[0]["checks"][0]["rows"] == record.checks[0].rows
    assert told[0]["checks"][0]["max_rate"] == 0.1
    assert runner.xcoms["predict"]["check_failures"] == {"low": record.checks[0].rows, "never": 0}
    assert "The check 'low' (in.a < 0) holds for" in caplog.text


def test_quarantine_is_counted_apart_from_rows_that_cannot_be_scored(predict, runner):
    checks = {"low": {"when": "in.a < 0", "action": "quarantine"}}
    _, record, found = predict(checks=checks)
    assert (found["a"] >= 0).all()
    assert record.rows_rejected == record.rows_set_aside == 400 - len(found) > 0
    assert runner.xcoms["predict"]["rows_rejected"] == record.rows_set_aside


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layout": "walaroo"}, "'walaroo'; .*did you mean 'wallaroo'"),
        ({"layout": WallarooLayout(["in.z"])}, "names 'in.z'"),
        ({"layout": WallarooLayout(separator="{{ '' }}")}, "separator is empty"),
        ({"checks": {"x": "in.a >"}}, "The check 'x': The expression"),
        ({"checks": "in.a > 1"}, "checks is 'in.a > 1'; it must be a dict"),
        ({"notifiers": ["mail"]}, "notifiers holds 'mail'"),
    ],
)
def test_what_can_never_work_is_named(predict, arguments, words):
    with pytest.raises((AirflowFailException, ConfigurationError), match=words):
        predict(**arguments)


# What later tasks make of it


@pytest.mark.parametrize("profile", [None, False])
@pytest.mark.parametrize("options", [{"layout": WallarooLayout()}, {"layout": WallarooLayout(separator="__")}, {}])
def test_drift_is_analysed_as_on_the_ordinary_output(predict, load, runner, sample_set, options, profile):
    model = load(sample_set=str(sample_set))
    checks = {"high": "out.predicted_label > 0.5"}

    def drift_of(task, **arguments):
        uri, record, _ = predict(model, profile=profile, **arguments)
        assert (record.profile_uri is None) is (profile is False)
        return STORE.read_record(runner(DriftAnalysisOperator(task_id=task, dataset=uri)))

    plain, found = drift_of("plain"), drift_of("other", checks=checks, **options)
    assert (found.status, found.drift_metric) == (plain.status, plain.drift_metric)
    assert found.columns == plain.columns
    assert [column.name for column in found.columns if column.role == "input"] == ["a", "b"]
    assert (found.missing_columns, found.extra_columns) == (plain.missing_columns, plain.extra_columns)


def test_drift_of_columns_that_were_not_written_is_seen_through_the_profile(predict, load, runner, sample_set):
    model = load(sample_set=str(sample_set))
    uri, _, _ = predict(model, layout=WallarooLayout(exclude=["in"]))
    found = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", dataset=uri)))
    assert {column.name for column in found.columns} >= {"a", "b"}


def test_without_a_reference_the_statistics_have_the_plain_names(predict, runner):
    uri, _, _ = predict(layout=WallarooLayout(columns=["*", "metadata"]))
    found = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", dataset=uri)))
    statistics = STORE.read_record(found.statistics_uri)
    assert [column.name for column in statistics.columns] == ["a", "b", "key", "predicted_label"]


def test_the_set_is_logged(predict, runner):
    uri, _, _ = predict(checks={"high": "out.predicted_label > 0.5"}, layout=WallarooLayout())
    runner(LogArtifactsOperator(task_id="log", artifacts=[uri]))


def test_fields_and_outputs_may_be_called_as_columns_of_wallaroos_are(runner, tmp_path, rng_frame, predict):
    odd = rng_frame.assign(time=1.5, check_failures=2, key="k")
    odd.to_parquet(tmp_path / "batch" / "1.parquet")
    odd.to_parquet(tmp_path / "batch" / "2.parquet")
    uri, _, found = predict(label_columns="out_b.y", checks={"c": "out.`out_b`.y > 2"}, layout=WallarooLayout())
    assert list(found)[-2:] == ["out.out_b.y", "check_failures"]
    assert verify(uri, STORE, inputs=STORE).problems == []


def test_a_check_names_challengers_columns_as_the_output_does(runner, load, predict):
    model = load()
    checks = {"high": "out_b.predicted_label > 0.5"}
    _, record, found = predict(model, checks=checks, compare=Challengers({"b": model}), layout=WallarooLayout())
    assert record.checks[0].rows == (found["out_b.predicted_label"] > 0.5).sum() > 0


def test_worker_processes_give_the_same_set(predict):
    options = {
        "layout": WallarooLayout(),
        "explain": {"top_k": 1, "when": "predicted_label > 0.5"},
        "checks": {"low": {"when": "in.a < -1", "action": "quarantine", "max_rate": 0.9}, "high": "in.b > 0"},
    }
    _, record, found = predict(**options)
    _, other, again = predict(**options, batch_id="2", engine=Processes(isolate=True, max_workers=2))
    assert other.job_key != record.job_key
    pd.testing.assert_frame_equal(found, again)
    assert [(each.name, each.rows) for each in record.checks] == [(each.name, each.rows) for each in other.checks]
    assert "out.explanation" in found


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "arrow", "parquet"])
def test_every_format_holds_the_columns_and_is_published(predict, runner, tmp_path, output_format):
    target = tmp_path / f"scores.{output_format}"
    uri, record, _ = predict(layout=WallarooLayout())
    runner(LogArtifactsOperator(task_id="log", artifacts=[uri], publish_to=str(target)))
    rows = open_dataset(str(target), STORE).whole()
    assert rows.column_names == ["time", "in.a", "in.b", "in.key", "out.predicted_label", "check_failures"]
    assert rows.num_rows == record.rows_out == 400
