"""What OpenLineage is told: names without credentials, columns, counts and verdicts, by OpenLineage's own classes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)
from airflow_batch_inference.operators import lineage as module
from airflow_batch_inference.operators.lineage import MOST_DATASETS, dataset_name, lineage_of


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("/data/a.csv", "file", "/data/a.csv"),
        ("file:///data/day=1/", "file", "/data/day=1"),
        ("s3://bucket/x/y.parquet", "s3://bucket", "x/y.parquet"),
        ("gs://bucket", "gs://bucket", "/"),
        ("gs://bucket-*/x", "gs://bucket-*", "/"),
        ("s3://bucket/day=*/x.parquet", "s3://bucket", "/"),
        ("/data/2026-*/part-?.parquet", "file", "/data"),
        ("s3://b/dag_id=d/run_id=r~3A1/task_id=t/map_index=-1/p", "s3://b", "dag_id=d/task_id=t/map_index=-1/p"),
        ("s3://b/dag_id=d/run_id=r/task_id=t/data/fe78bf6f60fd0585", "s3://b", "dag_id=d/task_id=t/data"),
        ("s3://b/run_id=r/x", "s3://b", "run_id=r/x"),
    ],
)
def test_datasets_are_named_as_openlineage_names_them(uri, namespace, name):
    assert dataset_name(uri) == (namespace, name)


@pytest.mark.parametrize("uri", ["s3://key:secret@bucket/x", "https://a.example/x?sig=secret", "relative.csv"])
def test_what_holds_a_secret_or_is_no_uri_has_no_name(uri):
    with pytest.raises(ConfigurationError):
        dataset_name(uri)


def test_very_many_files_are_named_by_their_folders_and_never_more_than_a_bound():
    files = [f"/data/day={day}/{part}.parquet" for day in range(40) for part in range(100)]
    assert module._named(files) == [("file", f"/data/day={day}") for day in range(40)]
    assert len(module._named(f"/data/{number}/x" for number in range(10_000))) == MOST_DATASETS
    assert module._named(["s3://key:secret@bucket/x", "/data/a"]) == [("file", "/data/a")]


def test_without_openlineage_there_is_nothing_and_operators_import_none_of_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    assert lineage_of(PredictOperator(task_id="p", model="m", dataset="/data")) is None
    loaded = "[name for name in sys.modules if name.startswith('openlineage') or 'openlineage.extractors' in name]"
    code = f"import sys, airflow_batch_inference.operators.lineage; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def scored(runner, model_file, digest, batch, sample_set):
    load = LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, sample_set=str(sample_set))
    model = runner(load)
    predict = PredictOperator(task_id="predict", model=model, dataset=str(batch))
    return load, model, predict, runner(predict)


def event_of(lineage):
    """Return the event as it goes over the wire."""
    from openlineage.client.event_v2 import Job, Run, RunEvent
    from openlineage.client.serde import Serde

    event = RunEvent(
        eventTime="2026-01-01T00:00:00Z",
        run=Run(runId="01941f29-7c00-7000-8000-000000000000"),
        job=Job(namespace="n", name="j"),
        inputs=lineage.inputs,
        outputs=lineage.outputs,
    )
    return json.loads(Serde.to_json(event))


@pytest.mark.usefixtures("openlineage")
def test_a_model_is_the_input_of_the_task_that_loads_it(scored, model_file, digest):
    (model,) = event_of(scored[0].get_openlineage_facets_on_complete(None))["inputs"]
    assert (model["namespace"], model["name"]) == ("file", str(model_file))
    assert model["facets"]["version"]["datasetVersion"] == digest


@pytest.mark.usefixtures("openlineage")
def test_predictions_come_from_the_dataset_and_the_model_column_by_column(scored, batch, model_file):
    *_, predict, _ = scored
    event = event_of(predict.get_openlineage_facets_on_complete(None))
    data, model = event["inputs"]
    (output,) = event["outputs"]
    assert (data["name"], model["name"]) == (str(batch), str(model_file))
    metrics = data["inputFacets"]["dataQualityMetrics"]
    assert (metrics["rowCount"], metrics["fileCount"]) == (400, 2)
    assert metrics["bytes"] == sum(path.stat().st_size for path in batch.iterdir())
    (rejects,) = data["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (rejects["assertion"], rejects["success"]) == ("no_rejected_rows", True)
    assert output["name"].endswith("/dag_id=nightly/task_id=predict/map_index=-1/data")
    _, record = predict.recorded
    assert output["facets"]["version"]["datasetVersion"] == record.batch_id
    assert [field["name"] for field in output["facets"]["schema"]["fields"]] == ["a", "b", "key", "predicted_label"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 400
    fields = output["facets"]["columnLineage"]["fields"]
    assert [each["field"] for each in fields["predicted_label"]["inputFields"]] == ["a", "b"]
    assert {each["name"] for each in fields["predicted_label"]["inputFields"]} == {str(batch)}
    (step,) = fields["predicted_label"]["inputFields"][0]["transformations"]
    assert (step["type"], step["subtype"]) == ("DIRECT", "TRANSFORMATION")
    (same,) = fields["key"]["inputFields"]
    assert (same["field"], same["transformations"][0]["subtype"]) == ("key", "IDENTITY")


@pytest.mark.usefixtures("openlineage")
def test_what_is_published_comes_from_the_prediction_set_by_the_name_that_it_was_written_under(
    scored, runner, tmp_path
):
    _, model, predict, prediction = scored
    log = LogArtifactsOperator(task_id="log", artifacts=[model, prediction], publish_to=str(tmp_path / "out" / "day=1"))
    runner(log)
    event = event_of(log.get_openlineage_facets_on_complete(None))
    (read,), (published,) = event["inputs"], event["outputs"]
    (written,) = event_of(predict.get_openlineage_facets_on_complete(None))["outputs"]
    assert (read["namespace"], read["name"]) == (written["namespace"], written["name"])
    assert published["name"] == str(tmp_path / "out" / "day=1")
    (source,) = published["facets"]["columnLineage"]["fields"]["a"]["inputFields"]
    assert (source["name"], source["field"]) == (written["name"], "a")


@pytest.mark.usefixtures("openlineage")
def test_a_task_that_fails_because_of_drift_tells_the_verdict_of_every_column(runner, tmp_path, rng_frame):
    shifted = tmp_path / "shifted.parquet"
    rng_frame.assign(a=rng_frame["a"] + 5).to_parquet(shifted)
    rng_frame.to_parquet(tmp_path / "before.parquet")
    operator = DriftAnalysisOperator(
        task_id="d", dataset=str(shifted), sample_set=str(tmp_path / "before.parquet"), on_drift="fail"
    )
    with pytest.raises(AirflowFailException):
        runner(operator)
    (data,) = event_of(operator.get_openlineage_facets_on_failure(None))["inputs"]
    assert data["name"] == str(shifted)
    told = data["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (told[0].get("column"), told[0]["success"], told[0]["actual"]) == (None, False, "DRIFT_DETECTED")
    assert {each["column"]: each["success"] for each in told[1:]} == {"a": False, "b": True}
    columns = data["inputFacets"]["dataQualityMetrics"]["columnMetrics"]
    assert columns["a"]["nullCount"] == 0
    assert columns["a"]["min"] == pytest.approx(rng_frame["a"].min() + 5)


@pytest.mark.usefixtures("openlineage")
def test_no_value_of_a_row_is_told_with_a_verdict_of_drift(runner, tmp_path):
    for name, value in (("before", "known"), ("after", "john.doe@example.com")):
        pd.DataFrame({"email": [value] * 200}).to_parquet(tmp_path / f"{name}.parquet")
    operator = DriftAnalysisOperator(
        task_id="d", dataset=str(tmp_path / "after.parquet"), sample_set=str(tmp_path / "before.parquet")
    )
    runner(operator)
    assert "john.doe" in str(operator.recorded[1].reasons)
    event = event_of(operator.get_openlineage_facets_on_complete(None))
    assert "john.doe" not in json.dumps(event)
    assert "email: " in json.dumps(event)


@pytest.mark.usefixtures("openlineage")
def test_a_gate_tells_of_the_data_that_the_verdict_is_about(scored, runner):
    _, model, predict, prediction = scored
    drift = runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction))
    gate = DriftGateOperator(task_id="gate", drift=drift)
    runner(gate)
    (data,) = event_of(gate.get_openlineage_facets_on_complete(None))["inputs"]
    (written,) = event_of(predict.get_openlineage_facets_on_complete(None))["outputs"]
    assert data["name"] == written["name"]


@pytest.mark.usefixtures("openlineage")
def test_an_evaluation_tells_which_limits_were_kept(scored, runner, tmp_path, rng_frame):
    _, model, *_ = scored
    rng_frame.assign(y=(rng_frame["a"] > 0).astype(int)).to_parquet(tmp_path / "labelled.parquet")
    gate = EvaluateModelOperator(
        task_id="e",
        model=model,
        dataset=str(tmp_path / "labelled.parquet"),
        label_columns="y",
        thresholds={"accuracy": 1.0},
        on_failure="record",
    )
    runner(gate)
    (data,) = event_of(gate.get_openlineage_facets_on_complete(None))["inputs"]
    (limit,) = data["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (limit["assertion"], limit["success"]) == ("accuracy", False)


@pytest.mark.usefixtures("openlineage")
def test_a_task_that_fails_before_it_has_recorded_anything_names_what_it_was_to_read(runner, model_file, tmp_path):
    operator = PredictOperator(task_id="p", model=str(model_file), dataset="{{ params.data }}")
    operator.dataset = ["/data/a.parquet", "s3://k:s@b/x"]  # as it was rendered
    (data,) = operator.get_openlineage_facets_on_failure(None).inputs
    assert (data.namespace, data.name) == ("file", "/data/a.parquet")
    inline = PredictOperator(task_id="q", model=str(model_file), dataset=[[1, 2], [3, 4]])
    assert inline.get_openlineage_facets_on_failure(None).inputs == []


@pytest.mark.usefixtures("openlineage")
def test_the_lineage_of_very_wide_data_is_left_out_and_the_rest_is_bounded(scored):
    *_, predict, _ = scored
    uri, record = predict.recorded
    wide = tuple(f"f{number}" for number in range(20_000))
    predict.recorded = uri, replace(record, feature_columns=wide)
    (output,) = predict.get_openlineage_facets_on_complete(None).outputs
    assert "columnLineage" not in output.facets
    assert len(output.facets["schema"].fields) == 4


@pytest.mark.usefixtures("openlineage")
def test_airflows_own_extractor_takes_it(scored):
    from airflow.providers.openlineage.extractors.base import DefaultExtractor

    *_, predict, _ = scored
    lineage = DefaultExtractor(predict).extract_on_complete(task_instance=None)
    assert [Path(each.name).name for each in lineage.inputs] == ["batch", "model.txt"]
