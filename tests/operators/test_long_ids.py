"""A whole pipeline whose ids are as long as Airflow lets them be, in scripts whose letters take several bytes each."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_batch_inference import links
from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.models.aliases import resolve_alias
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.catalog import find_artifacts, latest_artifact
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

STORE = Storage()
IDS = [
    {"dag_id": "d" * 249, "run_id": "scheduled__2026-01-01T00:00:00+00:00"},
    {"dag_id": "流" * 30, "run_id": "手动" * 60},
    {"dag_id": "ж.й-_" * 40, "run_id": ":" * 90},
    {"dag_id": "d" * 250, "run_id": "é" * 250, "map_index": 12345},
]


@pytest.mark.parametrize("ids", IDS)
def test_a_pipeline_with_long_ids_runs_is_retried_verified_and_found(
    runner, tmp_path, model_text, digest, rng_frame, ids
):
    (tmp_path / "m.txt").write_text(model_text)
    rng_frame.to_parquet(tmp_path / "in.parquet")
    name, batch = "模型" * 100, "b" * 250
    model = runner(
        LoadModelOperator(
            task_id="load" * 60, model_uri=str(tmp_path / "m.txt"), sha256=digest, name=name, alias="活" * 100,
            sample_set=str(tmp_path / "in.parquet"),
        ), **ids,
    )  # fmt: skip
    predict = {"task_id": "表" * 80, "dataset": str(tmp_path / "in.parquet"), "batch_id": batch}
    scored = runner(PredictOperator(model=model, result_set_name="預測" * 100, **predict), **ids)
    again = PredictOperator(model=model, result_set_name="預測" * 100, **predict)
    assert runner(again, try_number=2, **ids) == scored
    drift = runner(DriftAnalysisOperator(task_id="d" * 250, model=model, dataset=scored), **ids)
    assert runner(DriftGateOperator(task_id="gate", drift=drift), **ids) == drift
    runner(LogArtifactsOperator(task_id="log", artifacts=[model, scored], publish_to=str(tmp_path / "out")), **ids)

    record = STORE.read_record(scored)
    assert (record.task.dag_id, record.task.run_id, record.task.task_id) == (ids["dag_id"], ids["run_id"], "表" * 80)
    assert record.batch_id == batch
    assert verify(scored, STORE, inputs=STORE).problems == []
    found = latest_artifact(root=str(runner.root), name="預測" * 100, dag_id=ids["dag_id"], storage=STORE)
    assert (found.uri, found.task.run_id) == (scored, ids["run_id"])
    other = {"dag_id": ids["dag_id"][:-1] + "!", "name": "預測" * 100}
    assert list(find_artifacts(root=str(runner.root), storage=STORE, **other)) == []
    assert all(len(part.encode()) <= 255 for path in Path(runner.root).rglob("*") for part in path.parts)

    alias = resolve_alias(name, "活" * 100, root=str(runner.root), storage=STORE)
    assert (alias.model_record_uri, alias.name) == (model, name)
    with pytest.raises(BatchInferenceError, match="活" * 100):  # which there are, is told by their whole names
        resolve_alias(name, "死" * 100, root=str(runner.root), storage=STORE)
    with pytest.raises(BatchInferenceError, match=f"did you mean '{name}'"):
        resolve_alias(name[:-1], "活" * 100, root=str(runner.root), storage=STORE)
    from_alias = PredictOperator(task_id="p", model=f"models/{name}@{'活' * 100}", dataset=str(tmp_path / "in.parquet"))
    assert STORE.read_record(runner(from_alias, **ids)).model_record_uri == model


def test_a_gate_with_long_ids_links_the_report_of_the_task_that_wrote_it(
    runner, tmp_path, model_text, digest, rng_frame
):
    ids = IDS[1]
    (tmp_path / "m.txt").write_text(model_text)
    rng_frame.to_parquet(tmp_path / "in.parquet")
    source = str(tmp_path / "in.parquet")
    model = runner(
        LoadModelOperator(task_id="load", model_uri=str(tmp_path / "m.txt"), sha256=digest, sample_set=source)
    )
    drift = runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=source), **ids)
    gate = TaskKey(**ids, task_id="gate")
    found = links.DriftReportLink().url(drift, STORE.read_record(drift), gate)
    assert found == links.page_url(TaskKey(**ids, task_id="drift"), "report")


def test_folders_of_ids_that_always_fitted_are_what_they_were(runner, tmp_path, model_text, digest):
    (tmp_path / "m.txt").write_text(model_text)
    model = runner(LoadModelOperator(task_id="load", model_uri=str(tmp_path / "m.txt"), sha256=digest))
    scored = runner(PredictOperator(task_id="predict", model=model, dataset={"a": [1.0], "b": [2.0]}, batch_id="b"))
    assert "/dag_id=nightly/run_id=scheduled__2026-01-01T00~3A00~3A00~2B00~3A00/task_id=predict/map_index=-1/" in scored
