"""What LogArtifactsOperator tells a publication of its try and its run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Context

from airflow_batch_inference.operators import LogArtifactsOperator, PredictOperator
from airflow_batch_inference.sinks import registry
from airflow_batch_inference.storage.catalog import find_artifacts
from airflow_batch_inference.storage.store import Storage


@pytest.fixture
def log(runner, model_file, digest, batch, tmp_path):
    """``log(run_id, began, store=…)``: score and publish as a run that began on a day of January 2026."""

    def log(run_id, day, *, store=None, try_number=1):
        predict = PredictOperator(
            task_id="predict", model=str(model_file), dataset=str(batch), batch_id=f"batch {run_id}"
        )
        prediction = runner(predict, run_id=run_id)
        operator = LogArtifactsOperator(
            task_id="log", artifacts=[prediction], publish_to=str(tmp_path / "public" / "scores.parquet")
        )
        perform = operator.perform
        run = SimpleNamespace(start_date=datetime(2026, 1, day, tzinfo=UTC), run_after=None)
        operator.perform = lambda context: perform(Context(context, dag_run=run, task_state_store=store))
        runner(operator, run_id=run_id, try_number=try_number)
        return json.loads((tmp_path / "public" / "_scores.parquet_published.json").read_text())

    return log


def test_a_manifest_names_the_try_and_when_its_run_began(log):
    found = log("one", 5)
    assert found["published_by"]["task"] == {"dag_id": "nightly", "map_index": -1, "run_id": "one", "task_id": "log"}
    assert found["published_by"]["began"] == "2026-01-05T00:00:00.000000+00:00"
    assert found["commit_number"] == 1
    assert found["rows"] == 400


def test_an_earlier_run_that_comes_late_leaves_what_a_later_one_published(log):
    assert log("two", 6)["batch_id"] == "batch two"
    assert log("one", 5)["batch_id"] == "batch two"
    assert log("one", 5, try_number=2)["batch_id"] == "batch two"  # a retry does not make a run later
    assert log("one", 7, try_number=3)["batch_id"] == "batch one"  # cleared: the run began anew


def test_the_fence_is_asked_before_anything_is_replaced(log, tmp_path):
    class Over:
        def set(self, key, value):
            raise AirflowFailException("this try is over")

    log("one", 5)
    before = (tmp_path / "public" / "scores.parquet").read_bytes()
    with pytest.raises(AirflowFailException, match="this try is over"):
        log("two", 6, store=Over())
    assert (tmp_path / "public" / "scores.parquet").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "public").iterdir()) == [
        "_scores.parquet_published.json",
        "scores.parquet",
    ]


def test_artifacts_are_registered_once_where_another_try_does_it_during_the_publication(log, runner, monkeypatch):
    publish, tries = registry.publish, []

    def slowly(request):
        tries.append(request)
        published = publish(request)
        if len(tries) == 1:
            log("one", 5, try_number=2)
        return published

    monkeypatch.setattr(registry, "publish", slowly)
    log("one", 5)
    assert len(tries) == 2
    for name in ("prediction", "published"):
        assert len(list(find_artifacts(root=str(runner.root), name=name, storage=Storage()))) == 1
