"""Extra links: where they lead, behind a path prefix too, and in whatever state a task ends."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_batch_inference import links
from airflow_batch_inference.get_provider_info import get_provider_info
from airflow_batch_inference.operators import DriftAnalysisOperator, LogArtifactsOperator, PredictOperator
from airflow_batch_inference.records import (
    DriftResult,
    DriftStatus,
    LoggedArtifactsRecord,
    Part,
    TaskKey,
)
from airflow_batch_inference.storage.uris import join_uri, task_folder

ODD = TaskKey(dag_id="a&b", run_id="manual__2026-01-01T00:00:00+00:00/1", task_id="group.drift", map_index=3)
BASE_URL = "AIRFLOW__API__BASE_URL"


@pytest.fixture(autouse=True)
def no_base_url(monkeypatch):
    monkeypatch.delenv(BASE_URL, raising=False)


def drift_record(report_uri="s3://bucket/report.html"):
    return DriftResult(
        status=DriftStatus.DRIFT_DETECTED,
        run_status=DriftStatus.DRIFT_DETECTED,
        reasons=("It has drifted.",),
        rule="effect",
        parameters={},
        drift_metric=2.0,
        reference_rows=10,
        current_rows=10,
        columns=(),
        missing_columns=(),
        extra_columns=(),
        baseline_uri=None,
        dataset_uri=None,
        batch_id=None,
        model_sha256=None,
        report_uri=report_uri,
        statistics_uri=None,
        features_drift_uri=None,
    )


def logged(published_uri):
    return LoggedArtifactsRecord(
        task=ODD,
        tag="",
        entries={},
        published_uri=published_uri,
        rows=None,
        model_sha256=None,
        drift_status=None,
        drift_metric=None,
    )


def link_of(link, record, task=ODD, uri="file:///artifacts/record.json"):
    operator = SimpleNamespace(recorded=None if record is None else (uri, record))
    return link.get_link(operator, ti_key=task)


def test_a_page_is_named_by_a_query_that_gives_back_any_task_instance():
    url = urlsplit(links.page_url(ODD))
    assert (url.scheme, url.netloc, url.path) == ("", "", "/batch-inference/task")
    assert {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()} == {
        "dag_id": ODD.dag_id,
        "run_id": ODD.run_id,
        "task_id": ODD.task_id,
        "map_index": "3",
    }
    assert "run_id=manual__2026-01-01T00%3A00%3A00%2B00%3A00%2F1" in url.query


@pytest.mark.parametrize(
    ("base_url", "relative", "absolute"),
    [
        ("", "/batch-inference/task?", ""),
        ("/", "/batch-inference/task?", ""),
        ("http://airflow.example:8080", "/batch-inference/task?", "http://airflow.example:8080/batch-inference/task?"),
        (
            "https://a.example/team/air/",
            "/team/air/batch-inference/task?",
            "https://a.example/team/air/batch-inference/",
        ),
        ("https://user:secret@a.example/x", "/x/batch-inference/task?", "https://a.example/x/batch-inference/task?"),
        ("javascript:alert(1)", "/batch-inference/task?", ""),
    ],
)
def test_pages_lie_below_the_path_of_the_api_server(monkeypatch, base_url, relative, absolute):
    monkeypatch.setenv(BASE_URL, base_url)
    assert links.page_url(ODD).startswith(relative)
    found = links.page_url(ODD, is_absolute=True)
    assert found.startswith(absolute) if absolute else found == ""
    assert "secret" not in found


def test_without_a_record_or_with_another_kind_of_record_there_is_no_link():
    for link in (links.DriftReportLink(), links.PredictionsLink(), links.PublishedArtifactsLink()):
        assert link_of(link, None) == ""
    assert link_of(links.PredictionsLink(), drift_record()) == ""
    assert link_of(links.EvaluationReportLink(), drift_record()) == ""
    assert link_of(links.DriftReportLink(), logged(None)) == ""
    assert link_of(links.DriftReportLink(), drift_record(report_uri=None)) == ""


def test_a_gate_links_the_report_of_the_task_that_wrote_it():
    drift = TaskKey(dag_id="other dag", run_id="r/1", task_id="drift")
    uri = join_uri(task_folder("s3://bucket/artifacts", drift), "drift_results.json")
    assert link_of(links.DriftReportLink(), drift_record(), uri=uri) == links.page_url(drift, "report")
    assert link_of(links.DriftReportLink(), drift_record()) == links.page_url(ODD, "report")


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("https://data.example/day=1", "https://data.example/day=1"),
        ("s3://bucket/day=1", None),
        ("file:///data/day=1", None),
        (None, None),
    ],
)
def test_only_what_a_browser_can_open_is_linked_directly(published, expected):
    assert link_of(links.PublishedArtifactsLink(), logged(published)) == (expected or links.page_url(ODD))


def test_every_link_of_an_operator_is_in_the_provider_description_under_a_key_of_its_own():
    from airflow_batch_inference import operators

    used = [link for kind in operators.OPERATORS for link in getattr(kind, "operator_extra_links", ())]
    named = {f"{type(link).__module__}.{type(link).__qualname__}" for link in used}
    assert named == set(get_provider_info()["extra-links"])
    assert len({link.xcom_key for link in used}) == len({link.name for link in used}) == len(named)


def test_operators_hold_what_they_have_made_for_their_links(runner, model_file, digest, batch, sample_set):
    from airflow_batch_inference.operators import LoadModelOperator

    model = runner(
        LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, sample_set=str(sample_set))
    )
    predict = PredictOperator(task_id="predict", model=model, dataset=str(batch))
    task = TaskKey(dag_id="nightly", run_id="scheduled__2026-01-01T00:00:00+00:00", task_id="predict")
    (link,) = predict.operator_extra_links
    assert link.get_link(predict, ti_key=task) == ""
    prediction = runner(predict)
    assert link.get_link(predict, ti_key=task) == links.page_url(task)
    uri, record = predict.recorded
    assert uri == prediction
    part = Part(uri="https://store.example/part.parquet", rows=record.rows_out, size_bytes=1, sha256="0" * 64)
    assert link_of(link, replace(record, parts=(part,))) == part.uri
    log = LogArtifactsOperator(task_id="log", artifacts=[model, prediction])
    runner(log)
    (link,) = log.operator_extra_links
    assert link.get_link(log, ti_key=task) == links.page_url(task)


def test_a_task_that_fails_because_of_drift_has_its_link_all_the_same(runner, batch, tmp_path, rng_frame):
    from airflow.providers.common.compat.sdk import AirflowFailException

    (rng_frame + 5).to_parquet(tmp_path / "shifted.parquet")
    drift = DriftAnalysisOperator(
        task_id="drift", dataset=str(tmp_path / "shifted.parquet"), sample_set=str(batch), on_drift="fail"
    )
    with pytest.raises(AirflowFailException):
        runner(drift)
    task = TaskKey(dag_id="nightly", run_id="scheduled__2026-01-01T00:00:00+00:00", task_id="drift")
    (link,) = drift.operator_extra_links
    assert link.get_link(drift, ti_key=task) == links.page_url(task, "report")
    assert runner.xcoms["drift"]["record_uri"] == drift.recorded[0]


def test_a_try_that_records_nothing_does_not_tell_what_an_earlier_one_has_recorded(
    runner, model_file, batch, tmp_path, rng_frame
):
    from airflow.providers.common.compat.sdk import AirflowSkipException

    predict = PredictOperator(task_id="predict", model=str(model_file), dataset=str(batch), on_empty="skip")
    runner(predict)
    rng_frame.iloc[:0].to_parquet(tmp_path / "empty.parquet")
    predict.dataset = str(tmp_path / "empty.parquet")
    with pytest.raises(AirflowSkipException):
        runner(predict)
    assert (predict.recorded, runner.xcoms["predict"]) == (None, {})
