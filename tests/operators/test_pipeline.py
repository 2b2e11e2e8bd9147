"""The operators one after the other, as a DAG wires them."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.exceptions import AirflowException

from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    Processes,
)
from airflow_batch_inference.records import DriftResult, DriftStatus, ModelRecord, PredictionSetRecord
from airflow_batch_inference.storage.catalog import find_artifacts, latest_artifact
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


def failure(excinfo):
    """Whether Airflow would try again: AirflowFailException says no."""
    return type(excinfo.value).__name__


def rows_of(uri):
    record = STORE.read_record(uri)
    return pd.concat([pd.read_parquet(part.uri.removeprefix("file://")) for part in record.parts], ignore_index=True)


@pytest.fixture
def scored(runner, model_file, digest, batch, sample_set):
    model = runner(
        LoadModelOperator(
            task_id="load",
            model_uri=str(model_file),
            sha256=digest,
            sample_set=str(sample_set),
            label_columns="score",
        )
    )
    prediction = runner(PredictOperator(task_id="predict", model=model, dataset=str(batch)))
    return runner, model, prediction


def test_load_returns_the_uri_of_a_record_and_pushes_digest_and_flavor(scored, model_file):
    runner, model, _ = scored
    record = STORE.read_record(model)
    assert isinstance(record, ModelRecord)
    assert (record.flavor, record.label_columns) == ("lightgbm", ("score",))
    assert [spec.name for spec in record.inputs] == ["a", "b"]
    assert runner.xcoms["load"] == {"model_sha256": record.sha256, "flavor": "lightgbm"}


def test_the_same_model_loaded_again_has_the_same_uri(scored, model_file, digest, sample_set):
    runner, model, _ = scored
    again = LoadModelOperator(
        task_id="load",
        model_uri=str(model_file),
        sha256=f"sha256:{digest.upper()}",
        sample_set=str(sample_set),
        label_columns=["score"],
    )
    assert runner(again, try_number=2, run_id="another") == model


def test_predictions_are_the_frameworks_own_in_input_order_beside_all_inputs(scored, rng_frame, model_text):
    runner, _, prediction = scored
    rows = rows_of(prediction)
    assert list(rows.columns) == ["a", "b", "key", "score"]
    assert rows["key"].tolist() == [f"k{i}" for i in range(400)]
    np.testing.assert_array_equal(rows["score"], lightgbm.Booster(model_str=model_text).predict(rng_frame))
    assert runner.xcoms["predict"]["rows"] == 400


def test_a_retry_of_a_committed_task_returns_the_same_commit(scored, batch):
    runner, model, prediction = scored
    retried = PredictOperator(task_id="predict", model=model, dataset=str(batch))
    assert runner(retried, try_number=2) == prediction
    batch_id = runner.xcoms["predict"]["batch_id"]
    runner(PredictOperator(task_id="predict", model=model, dataset=str(batch)), run_id="the next night")
    assert runner.xcoms["predict"]["batch_id"] != batch_id


def test_mapped_tasks_write_to_folders_of_their_own(scored, batch):
    runner, model, _ = scored
    uris = [
        runner(PredictOperator(task_id="mapped", model=model, dataset=str(batch)), map_index=index) for index in (0, 1)
    ]
    assert len(set(uris)) == 2
    assert all(len(rows_of(uri)) == 400 for uri in uris)


def test_ordinary_data_pass_the_gate(scored):
    runner, model, prediction = scored
    drift = runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction))
    result = STORE.read_record(drift)
    assert isinstance(result, DriftResult)
    assert result.drift_metric == 0.0
    assert {column.name for column in result.columns} == {"a", "b", "score"}
    assert result.extra_columns == ("key",)
    assert runner.xcoms["drift"] == {"drift_status": "NO_DRIFT", "drift_metric": 0.0}
    assert runner(DriftGateOperator(task_id="gate", drift=drift)) == drift


@pytest.fixture
def drifted(scored, tmp_path, rng_frame):
    runner, model, _ = scored
    (rng_frame * 100 + 50).to_parquet(tmp_path / "drifted.parquet")
    prediction = runner(
        PredictOperator(task_id="predict", model=model, dataset=str(tmp_path / "drifted.parquet")), run_id="drifted"
    )
    return runner, model, prediction


class Messages:
    """A notifier that keeps what it was called with."""

    def __init__(self):
        self.seen = []

    def __call__(self, context):
        self.seen.append(context["drift"])


class Broken:
    def __call__(self, context):
        raise RuntimeError


def test_on_drift_fail_records_before_it_raises_and_is_not_retried(drifted):
    runner, model, prediction = drifted
    operator = DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction, on_drift="fail")
    with pytest.raises(
        AirflowException, match="DriftDetectedError: DRIFT_DETECTED: 3 of 3 columns have drifted"
    ) as excinfo:
        runner(operator)
    assert failure(excinfo) == "AirflowFailException"
    assert runner.xcoms["drift"]["drift_status"] == "DRIFT_DETECTED"
    report = str(excinfo.value).split("Report: ")[1].split(". Result")[0]
    assert "Drift detected" in Path(report.removeprefix("file://")).read_text()


@pytest.mark.parametrize(
    ("outcome", "exception"), [("fail", "AirflowFailException"), ("skip", "AirflowSkipException"), ("alert", None)]
)
def test_the_gate_turns_drift_into_state_and_tells_every_notifier(drifted, outcome, exception, caplog):
    runner, model, prediction = drifted
    drift = runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction))
    messages = Messages()
    gate = DriftGateOperator(task_id="gate", drift=drift, on_drift=outcome, notifiers=[Broken(), messages])
    if exception is None:
        assert runner(gate) == drift
    else:
        with pytest.raises(AirflowException) as excinfo:
            runner(gate)
        assert failure(excinfo) == exception
    assert messages.seen[0]["status"] == "DRIFT_DETECTED"
    assert messages.seen[0]["result_uri"] == drift
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert any(message.startswith("DRIFT_DETECTED") for message in warnings)
    recorded = {} if exception is None else {"record_uri": drift}
    assert runner.xcoms["gate"] == {"drift_status": "DRIFT_DETECTED", **recorded}


def test_possible_drift_has_an_outcome_of_its_own(drifted):
    runner, model, prediction = drifted
    drift = runner(
        DriftAnalysisOperator(
            task_id="drift",
            model=model,
            dataset=prediction,
            rule="mlrun",
            drift_threshold="1.0",
            possible_drift_threshold="0.1",
        )
    )
    assert STORE.read_record(drift).status == DriftStatus.POSSIBLE_DRIFT
    assert runner(DriftGateOperator(task_id="gate", drift=drift)) == drift
    with pytest.raises(AirflowException, match="POSSIBLE_DRIFT"):
        runner(DriftGateOperator(task_id="gate", drift=drift, on_possible_drift="fail"))


def test_a_sample_set_wins_over_the_baseline(drifted, tmp_path):
    runner, model, prediction = drifted
    same = DriftAnalysisOperator(
        task_id="drift", model=model, dataset=prediction, sample_set=str(tmp_path / "drifted.parquet")
    )
    assert STORE.read_record(runner(same)).drift_metric == 0.0


def test_nothing_to_compare_with_is_not_analysed_unless_demanded(runner, model_file, batch):
    model = runner(LoadModelOperator(task_id="load", model_uri=str(model_file)))
    prediction = runner(PredictOperator(task_id="predict", model=model, dataset=str(batch)))
    result = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", dataset=prediction)))
    assert result.status == DriftStatus.NOT_ANALYSED
    assert STORE.read_record(result.statistics_uri).rows == 400
    demanded = DriftAnalysisOperator(task_id="drift", dataset=prediction, perform_drift_analysis="True")
    with pytest.raises(AirflowException, match="nothing to compare with") as excinfo:
        runner(demanded)
    assert failure(excinfo) == "AirflowFailException"


def test_the_analysis_can_be_switched_off(scored):
    runner, model, prediction = scored
    off = DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction, perform_drift_analysis=False)
    assert STORE.read_record(runner(off)).status == DriftStatus.NOT_ANALYSED


def test_a_plain_dataset_can_be_analysed_without_a_prediction_set(scored, batch):
    runner, model, _ = scored
    result = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=str(batch))))
    assert result.missing_columns == ("score",)
    assert result.status == DriftStatus.NO_DRIFT


def test_rows_that_are_not_kept_are_still_analysed_by_their_inputs(scored, batch):
    runner, model, _ = scored
    uncounted = PredictOperator(task_id="count", model=model, dataset=str(batch), log_result_set="false")
    prediction = runner(uncounted)
    record = STORE.read_record(prediction)
    assert (record.rows_out, record.parts) == (400, ())
    assert STORE.read_record(runner(DriftAnalysisOperator(task_id="d2", dataset=prediction))).current_rows == 400


def test_artifacts_are_found_by_name_tag_dag_and_run(scored):
    runner, model, prediction = scored
    drift = runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction))
    for run_id, tag in (("first", "a"), ("second", "b")):
        runner(
            LogArtifactsOperator(task_id="log", artifacts=[model, prediction, drift], artifacts_tag=tag), run_id=run_id
        )
    root = str(runner.root)
    names = ["model", "baseline", "prediction", "drift_results", "drift_table_plot", "dataset_statistics"]
    for name in [*names, "features_drift_results"]:
        entries = list(find_artifacts(root=root, name=name, storage=STORE))
        assert [entry.task.run_id for entry in entries] == ["second", "first"]
    assert latest_artifact(root=root, name="prediction", tag="a", storage=STORE).task.run_id == "first"
    assert latest_artifact(root=root, name="prediction", dag_id="nightly", storage=STORE).tag == "b"
    assert not list(find_artifacts(root=root, name="prediction", run_id="third", storage=STORE))
    with pytest.raises(ArtifactNotFoundError):
        latest_artifact(root=root, name="prediction", tag="c", storage=STORE)


def test_logging_twice_adds_nothing(scored):
    runner, model, _ = scored
    uris = {runner(LogArtifactsOperator(task_id="log", artifacts=[model]), try_number=number) for number in (1, 2)}
    assert len(uris) == 1
    assert len(list(find_artifacts(root=str(runner.root), name="model", storage=STORE))) == 1


def test_publishing_and_the_asset_event_carry_rows_digest_and_verdict(scored, tmp_path):
    runner, model, prediction = scored
    drift = runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=prediction))
    asset, alias = Asset("scores"), AssetAlias("published")
    target = tmp_path / "public" / "day=1"
    log = LogArtifactsOperator(
        task_id="log", artifacts=[model, prediction, drift], publish_to=str(target), outlets=[asset, alias]
    )
    runner(log)
    assert len(pd.read_parquet(target)) == 400
    extra = runner.events[asset].extra
    record = STORE.read_record(prediction)
    assert (extra["rows"], extra["drift_status"]) == (400, "NO_DRIFT")
    assert extra["model_sha256"] == record.model_sha256
    assert extra["rows_rejected"] == 0
    assert extra["certificate"]["row_hash_in"] == extra["certificate"]["row_hash_out"]
    assert runner.events[alias].added[0][1]["published_uri"] == f"file://{target}"
    assert (extra["prediction_uri"], extra["drift_uri"]) == (prediction, drift)
    assert extra["report_uri"] == STORE.read_record(drift).report_uri


def test_other_files_are_logged_under_the_names_they_are_given(scored, tmp_path):
    runner, model, _ = scored
    (tmp_path / "notes.md").write_text("notes")
    runner(LogArtifactsOperator(task_id="log", artifacts={"notes": str(tmp_path / "notes.md"), "champion": model}))
    found = latest_artifact(root=str(runner.root), name="champion", storage=STORE)
    assert found.uri == model
    with pytest.raises(AirflowException, match="Give other files with a name"):
        runner(LogArtifactsOperator(task_id="log2", artifacts=[str(tmp_path / "notes.md")]))


def test_inline_records_are_scored_and_documented_arguments_work(scored):
    runner, model, _ = scored
    operator = PredictOperator(
        task_id="inline", model=model, dataset=[[9, 0.1, 0.2], [9, 0.3, 0.4]], drop_columns=[0], label_columns=["y"]
    )
    rows = rows_of(runner(operator))
    assert list(rows.columns) == ["a", "b", "y"]


def test_several_prediction_columns_are_named(scored, batch):
    runner, model, _ = scored
    operator = PredictOperator(
        task_id="proba",
        model=model,
        dataset=str(batch),
        predict_method="predict_proba",
        label_columns='["no", "yes"]',
        passthrough_columns=["key"],
    )
    rows = rows_of(runner(operator))
    assert list(rows.columns) == ["key", "no", "yes"]
    np.testing.assert_allclose(rows["no"] + rows["yes"], 1)


def test_templates_reach_every_argument(scored, batch):
    runner, model, _ = scored
    runner.params = {"where": str(batch), "rows": 7, "keep": True}
    operator = PredictOperator(
        task_id="templated",
        model=model,
        dataset="{{ params.where }}",
        log_result_set="{{ params.keep }}",
        engine=Processes(mini_batch_rows="{{ params.rows }}"),
    )
    record = STORE.read_record(runner(operator))
    assert isinstance(record, PredictionSetRecord)
    assert record.rows_out == 400


def test_lists_and_dicts_that_a_template_wrote_are_read_as_such(scored, batch):
    runner, model, _ = scored
    runner.params = {"labels": ["score"], "kwargs": {"raw_score": True}}
    raw = PredictOperator(
        task_id="raw",
        model=model,
        dataset=str(batch),
        label_columns="{{ params.labels }}",
        predict_kwargs="{{ params.kwargs }}",
    )
    rows = rows_of(runner(raw))
    assert list(rows.columns) == ["a", "b", "key", "score"]
    assert rows["score"].min() < 0


def test_codes_of_text_are_analysed_as_the_text_that_they_are(scored, tmp_path, rng_frame, batch):
    runner, model, _ = scored
    keyed = rng_frame.assign(key=[f"{i:04d}" for i in range(400)])
    keyed.to_parquet(tmp_path / "keyed.parquet")
    prediction = runner(PredictOperator(task_id="keyed", model=model, dataset=str(tmp_path / "keyed.parquet")))
    drift = DriftAnalysisOperator(
        task_id="drift", dataset=prediction, sample_set=str(tmp_path / "keyed.parquet"), drift_threshold=1
    )
    result = STORE.read_record(runner(drift))
    (key,) = [column for column in result.columns if column.name == "key"]
    assert (key.metrics["mlrun_drift"], result.metrics["mlrun_drift"], result.drift_metric) == (0.0, 0.0, 0.0)


def test_inline_rows_that_were_not_kept_cannot_be_analysed_and_that_is_said(scored):
    runner, model, _ = scored
    inline = PredictOperator(
        task_id="inline", model=model, dataset=[{"a": 1.0, "b": 2.0}], log_result_set=False, profile=False
    )
    with pytest.raises(AirflowException, match="came from inline records"):
        runner(DriftAnalysisOperator(task_id="drift", dataset=runner(inline)))


def test_an_input_that_changed_since_it_was_scored_is_not_analysed_in_its_place(scored, batch, rng_frame):
    runner, model, _ = scored
    count = PredictOperator(task_id="count", model=model, dataset=str(batch), log_result_set=False, profile=False)
    prediction = runner(count)
    rng_frame.to_parquet(batch / "3.parquet")
    with pytest.raises(AirflowException, match="has changed since it was scored"):
        runner(DriftAnalysisOperator(task_id="drift", dataset=prediction))


def test_one_of_several_prediction_sets_is_never_published_in_silence(scored, batch, tmp_path):
    runner, model, prediction = scored
    other = runner(PredictOperator(task_id="other", model=model, dataset=str(batch)))
    log = LogArtifactsOperator(
        task_id="log", artifacts={"one": prediction, "two": other}, publish_to=str(tmp_path / "public")
    )
    with pytest.raises(AirflowException, match="2 are among the artifacts"):
        runner(log)


def test_on_kill_ends_the_loop_and_nothing_is_committed(scored, batch):
    runner, model, _ = scored
    operator = PredictOperator(task_id="killed", model=model, dataset=str(batch))
    operator.on_kill()
    with pytest.raises(InterruptedError):
        runner(operator)
    folder = runner.root / "dag_id=nightly" / "run_id=scheduled__2026-01-01T00~3A00~3A00~2B00~3A00" / "task_id=killed"
    left = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name.partition("-")[0].removesuffix(".json") for path in left} <= {"job"}  # no part, no commit
