"""The drift operator: counting while scoring, baselines, its arguments, and what goes out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowException
from grouped import grouped

from airflow_batch_inference.cli import main
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EffectRule,
    History,
    LoadModelOperator,
    PredictOperator,
    Processes,
    RowPolicy,
    SampleScoring,
)
from airflow_batch_inference.records import BaselineRecord, DriftStatus, PredictionSetRecord
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

STORE = Storage()


@pytest.mark.parametrize(
    "arguments",
    [{}, {"passthrough_columns": None}, {"log_result_set": False}, {"engine": Processes(max_workers=2, isolate=True)}],
)
def test_rows_counted_while_they_are_scored_give_what_reading_them_again_gives(runner, model, moved, arguments):
    counted = runner(PredictOperator(task_id="counted", model=model, dataset=moved, **arguments))
    again = runner(PredictOperator(task_id="again", model=model, dataset=moved, profile=False))
    assert STORE.read_record(counted).profile_uri is not None
    assert STORE.read_record(again).profile_uri is None
    left, right = (
        STORE.read_record(runner(DriftAnalysisOperator(task_id=f"drift_{name}", dataset=uri)))
        for name, uri in (("counted", counted), ("again", again))
    )
    assert left.status == DriftStatus.DRIFT_DETECTED
    assert left.columns == right.columns
    assert left.reasons == right.reasons or arguments


def test_csv_text_that_is_parsed_is_counted_as_the_numbers_it_stands_for(runner, model, tmp_path, rng_frame):
    frame = rng_frame.astype(object)
    frame.loc[3, "a"] = "broken"
    frame.to_csv(tmp_path / "batch.csv", index=False)
    for task, kept in (("kept", "all"), ("bare", None)):
        operator = PredictOperator(
            task_id=task,
            model=model,
            dataset=str(tmp_path / "batch.csv"),
            passthrough_columns=kept,
            rows=RowPolicy(error_threshold=1),
        )
        prediction = runner(operator)
        result = STORE.read_record(runner(DriftAnalysisOperator(task_id=f"drift_{task}", dataset=prediction)))
        assert {column.name: column.status for column in result.columns} == dict.fromkeys(
            "ab", DriftStatus.NO_DRIFT
        ) | {"score": DriftStatus.NO_DRIFT}
        assert result.current_rows == 399


def test_a_resumed_job_counts_every_row_once(runner, model, tmp_path, rng_frame):
    frame = rng_frame.sample(300_000, replace=True, random_state=2, ignore_index=True)
    frame.to_parquet(tmp_path / "large.parquet")
    operator = PredictOperator(task_id="predict", model=model, dataset=str(tmp_path / "large.parquet"))
    record = STORE.read_record(runner(operator))
    assert isinstance(record, PredictionSetRecord)
    assert len(record.parts) == 3
    first = STORE.read_record(record.profile_uri)
    # What a crash before the commit leaves: receipts, and no commit.
    for file in STORE.list_files(f"{record.parts[0].uri.rpartition('/data/')[0]}/_commits"):
        STORE.remove(file.uri)
    again = STORE.read_record(
        runner(PredictOperator(task_id="predict", model=model, dataset=str(tmp_path / "large.parquet")))
    )
    assert STORE.read_record(again.profile_uri) == first
    assert first.profile.rows == 300_000


def test_a_profile_that_counts_other_rows_is_a_problem_to_verify(runner, model, moved):
    prediction = runner(PredictOperator(task_id="predict", model=model, dataset=moved))
    assert "counts the 3,000 rows that were scored" in " ".join(verify(prediction, STORE).checks)
    uri = STORE.read_record(prediction).profile_uri
    STORE.put(uri, STORE.read_bytes(uri).replace(b'"rows": 3000', b'"rows": 2999'))
    assert any(f"{uri}" in problem for problem in verify(prediction, STORE).problems)
    STORE.remove(uri)
    assert verify(prediction, STORE).problems


def test_profile_true_needs_a_baseline(runner, model_file, digest, moved):
    bare = runner(LoadModelOperator(task_id="bare", model_uri=str(model_file), sha256=digest))
    with pytest.raises(AirflowException, match="has no baseline to count the rows on"):
        runner(PredictOperator(task_id="predict", model=bare, dataset=moved, profile="true"))


def test_another_reference_than_the_one_counted_on_is_compared_by_reading(runner, model, moved):
    prediction = runner(PredictOperator(task_id="predict", model=model, dataset=moved))
    operator = DriftAnalysisOperator(task_id="drift", dataset=prediction, sample_set=moved)
    assert STORE.read_record(runner(operator)).status == DriftStatus.NO_DRIFT


def test_a_baseline_from_the_command_line_serves_a_model(
    runner, model_file, digest, sample_set, moved, tmp_path, capsys
):
    arguments = [str(sample_set), "--output", str(tmp_path / "baselines"), "--model", str(model_file)]
    main(["baseline", *arguments, "--sha256", digest, "--label-columns", "score"])
    uri = capsys.readouterr().out.strip()
    assert isinstance(STORE.read_record(uri), BaselineRecord)
    model = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, baseline=uri))
    prediction = runner(PredictOperator(task_id="predict", model=model, dataset=moved, label_columns="score"))
    result = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", dataset=prediction)))
    assert result.baseline_uri == uri
    assert result.status == DriftStatus.DRIFT_DETECTED


def test_the_command_line_says_what_is_wrong_and_ends_with_1(tmp_path, sample_set):
    with pytest.raises(SystemExit, match="ArtifactNotFoundError"):
        main(["baseline", str(tmp_path / "none.parquet"), "--output", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="--target-column says something of a model"):
        main(["baseline", str(sample_set), "--output", str(tmp_path / "out"), "--target-column", "score"])
    assert not list((tmp_path / "out").glob("*.json"))


def test_a_statistics_record_is_no_baseline(runner, model, moved, model_file, digest):
    prediction = runner(PredictOperator(task_id="predict", model=model, dataset=moved))
    result = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", dataset=prediction)))
    operator = LoadModelOperator(
        task_id="load", model_uri=str(model_file), sha256=digest, baseline=result.statistics_uri
    )
    with pytest.raises(AirflowException, match="which is no baseline"):
        runner(operator)


def test_performance_is_estimated_without_labels(runner, model_file, digest, rng_frame, moved, tmp_path):
    rng = np.random.default_rng(3)
    labelled = rng_frame.sample(2_000, replace=True, random_state=1, ignore_index=True)
    labelled["y"] = (labelled["a"] + labelled["b"] + rng.normal(size=2_000) > 0).astype(int)
    labelled.to_parquet(tmp_path / "labelled.parquet")
    model = runner(
        LoadModelOperator(
            task_id="load",
            model_uri=str(model_file),
            sha256=digest,
            sample_set=str(tmp_path / "labelled.parquet"),
            scoring=SampleScoring(target_column="y"),
        )
    )
    prediction = runner(PredictOperator(task_id="predict", model=model, dataset=moved, rows=RowPolicy(allow_nan=True)))
    result = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", dataset=prediction)))
    assert set(result.performance) == set(result.reference_performance) == {"accuracy", "f1", "roc_auc"}
    assert 0.5 < result.performance["accuracy"] < 1.0


@pytest.mark.parametrize("reference", ["baseline", "sample_set"])
def test_predictions_that_were_not_kept_are_not_gone(runner, model, batch, sample_set, reference):
    prediction = runner(
        PredictOperator(task_id="predict", model=model, dataset=str(batch), profile=False, log_result_set=False)
    )
    given = {} if reference == "baseline" else {"sample_set": str(sample_set)}
    result = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", dataset=prediction, **given)))
    assert result.status == DriftStatus.NO_DRIFT


def test_rejected_rows_among_inputs_that_were_not_kept_are_refused_with_the_cure(runner, model, tmp_path, rng_frame):
    frame = rng_frame.astype(object)
    frame.loc[3, "a"] = "broken"
    frame.to_csv(tmp_path / "batch.csv", index=False)
    operator = PredictOperator(
        task_id="predict",
        model=model,
        dataset=str(tmp_path / "batch.csv"),
        log_result_set=False,
        profile=False,
        rows=RowPolicy(error_threshold=1),
    )
    prediction = runner(operator)
    with pytest.raises(AirflowException, match=r"1 of its input were rejected.*profile=True"):
        runner(DriftAnalysisOperator(task_id="drift", dataset=prediction))


def test_rows_given_as_lists_take_the_models_names_on_both_sides(runner, model):
    rows = [[value / 40, 1.0] for value in range(40)]
    operator = DriftAnalysisOperator(task_id="drift", dataset=rows, sample_set=rows, model=model)
    assert STORE.read_record(runner(operator)).status == DriftStatus.NO_DRIFT


def test_the_training_sets_label_is_not_gone_where_the_model_names_its_inputs(
    runner, model, rng_frame, batch, tmp_path
):
    rng_frame.assign(label=1.0).to_parquet(tmp_path / "train.parquet")
    operator = DriftAnalysisOperator(
        task_id="drift", dataset=str(batch), sample_set=str(tmp_path / "train.parquet"), model=model
    )
    assert STORE.read_record(runner(operator)).status == DriftStatus.NO_DRIFT


def test_the_same_baseline_is_not_made_twice(runner, model_file, digest, sample_set, caplog):
    caplog.set_level("INFO")

    def load():
        return runner(
            LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, sample_set=str(sample_set))
        )

    first = load()
    assert "400 rows, " in caplog.text
    assert "was made before" not in caplog.text
    assert load() == first
    assert "was made before" in caplog.text
    frame = pd.read_parquet(sample_set)
    (frame + 1).to_parquet(sample_set)
    assert load() != first


def test_a_target_column_needs_a_sample_set(runner, model_file, digest):
    with pytest.raises(AirflowException, match="there is no sample_set to find it in"):
        runner(
            LoadModelOperator(
                task_id="load", model_uri=str(model_file), sha256=digest, scoring=SampleScoring(target_column="y")
            )
        )


def test_switched_off_it_needs_no_data_at_all(runner, model):
    inline = PredictOperator(
        task_id="inline", model=model, dataset=[{"a": 1.0, "b": 2.0}], log_result_set=False, profile=False
    )
    operator = DriftAnalysisOperator(task_id="drift", dataset=runner(inline), perform_drift_analysis=False)
    assert STORE.read_record(runner(operator)).reasons == ("The analysis was switched off.",)


# -- arguments, the log, the world ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rule": "psi"}, "rule is 'psi'"),
        ({"which": "month"}, "which is 'month'"),
        ({"runs": "few"}, "runs is 'few'"),
        ({"min_drift_runs": 3, "of_runs": 2}, "min_drift_runs is 3, more than of_runs, 2"),
        ({"column_limits": {"a": 3}}, "column_limits of 'a' is 3"),
        ({"column_limits": {"a": {"missing": "much"}}}, "missing of column 'a' is 'much'"),
        ({"watch_columns": ["nowhere"]}, "watch_columns names 'nowhere'"),
        ({"correction": "none"}, "correction is 'none'"),
        ({"significance": 2}, "significance is 2"),
        ({"alert_cooldown_s": -1}, "alert_cooldown_s is -1"),
        ({"on_drift": ["alert"]}, r"on_drift is \['alert'\]"),
        ({"notifiers": "slack"}, "notifiers holds 'slack'"),
    ],
)
def test_arguments_that_can_never_work_are_named(runner, model, moved, arguments, said):
    with pytest.raises((AirflowException, ConfigurationError), match=said):
        runner(
            DriftAnalysisOperator(
                task_id="drift", model=model, dataset=moved, **grouped(arguments, rule=EffectRule, history=History)
            )
        )


def test_arguments_may_be_templates(runner, model, moved):
    runner.params = {
        "limits": {"a": {"drift_threshold": 0.9, "possible_drift_threshold": 0.8, "range": 0.5}},
        "none": None,
    }
    operator = DriftAnalysisOperator(
        task_id="drift",
        model=model,
        dataset=moved,
        column_limits="{{ params.limits }}",
        drift_threshold="{{ params.none }}",
        ignore_columns="{{ ['b'] }}",
        rule=EffectRule(min_rows="{{ 30 }}"),
    )
    result = STORE.read_record(runner(operator))
    assert {column.name: column.status for column in result.columns if column.name != "score"} == {
        "a": DriftStatus.NO_DRIFT,
        "b": DriftStatus.NOT_ANALYSED,
    }


def test_the_log_has_a_table_the_worst_first(runner, model, moved, capsys):
    runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=moved))
    lines = capsys.readouterr().out.partition("Drift by column:")[2].splitlines()
    assert lines[1].split() == ["column", "status", "W1/sd", "JS", "KS", "MLRun", "missing", "outside"]
    assert lines[2].startswith("a ")


def test_both_rules_values_stand_in_the_result_whichever_judges(runner, model, moved):
    effect, mlrun = (
        STORE.read_record(runner(DriftAnalysisOperator(task_id=rule, model=model, dataset=moved, rule=rule)))
        for rule in ("effect", "mlrun")
    )
    assert effect.metrics["mlrun_drift"] == mlrun.metrics["mlrun_drift"] == mlrun.drift_metric
    assert [column.metrics for column in effect.columns] == [column.metrics for column in mlrun.columns]
    assert json.loads(STORE.read_bytes(effect.features_drift_uri)) == json.loads(
        STORE.read_bytes(mlrun.features_drift_uri)
    )
    assert (effect.status, mlrun.status) == (DriftStatus.DRIFT_DETECTED, DriftStatus.NO_DRIFT)
