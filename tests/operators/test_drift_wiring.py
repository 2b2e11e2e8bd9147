"""Drift that is wired wrongly is never green; and limits that nothing could be over are refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from airflow.exceptions import AirflowException
from airflow.sdk import DAG, XComArg

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EffectRule,
    LoadModelOperator,
    MlrunRule,
    PredictOperator,
    SampleScoring,
    WallarooLayout,
)
from airflow_batch_inference.storage.store import Storage


def frame(rows, **shifted):
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=rows) + shifted.get(name, 0.0) for name in "abcd"}
    return pd.DataFrame(columns | {"town": rng.choice(["x", "y"], rows)})


@pytest.fixture
def place(tmp_path):
    """``place(frame)``: the path of its file."""

    def place(data, name="data"):
        data.to_parquet(path := tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}.parquet")
        return str(path)

    return place


@pytest.fixture
def drift(runner):
    """``drift(dataset, …)``: the result, and what the task raised, if it did."""

    def drift(dataset, **arguments):
        error = None
        try:
            uri = runner(DriftAnalysisOperator(task_id="drift", dataset=dataset, **arguments))
        except AirflowException as raised:
            error, uri = str(raised), runner.xcoms["drift"]["record_uri"]
        return Storage().read_record(uri), error

    return drift


@pytest.mark.parametrize("demanded", [None, True])
@pytest.mark.parametrize("rule", ["effect", "mlrun"])
def test_data_and_reference_that_share_no_column_fail_and_are_recorded(drift, place, rule, demanded):
    other = frame(200).rename(columns=str.upper)
    result, error = drift(place(other), sample_set=place(frame(200)), rule=rule, perform_drift_analysis=demanded)
    assert "share no column" in error
    assert "A, B, C, D, TOWN" in error
    assert "a, b, c, d, town" in error
    assert result.current_rows == 200


def test_no_row_of_data_that_share_no_column_is_no_excuse(drift, place):
    _, error = drift(place(frame(0).rename(columns=str.upper)), sample_set=place(frame(200)))
    assert "share no column" in error


@pytest.mark.parametrize("rows", [0, 5])
def test_few_rows_of_data_are_insufficient_and_no_error(drift, place, rows):
    result, error = drift(place(frame(rows)), sample_set=place(frame(200)), perform_drift_analysis=True)
    assert (str(result.status), error) == ("INSUFFICIENT", None)


@pytest.mark.parametrize(("rule", "kind"), [("effect", EffectRule), ("mlrun", MlrunRule)])
def test_a_reference_of_few_rows_can_never_give_a_verdict(drift, place, rule, kind):
    result, error = drift(place(frame(200, a=100)), sample_set=place(frame(10)), rule=rule)
    assert "The reference has 10 rows, and below 30 (min_rows)" in error
    assert str(result.status) == "INSUFFICIENT"
    assert drift(place(frame(200)), sample_set=place(frame(10)), rule=kind(min_rows=10))[1] is None


def test_a_model_whose_inputs_were_not_kept_is_not_watched(runner, drift, model_file, digest, sample_set, batch):
    load = runner(
        LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, sample_set=str(sample_set))
    )
    predict = runner(
        PredictOperator(
            task_id="predict", model=load, dataset=str(batch), passthrough_columns="key", profile=False,
            label_columns="other",
        )
    )  # fmt: skip
    _, error = drift(predict)
    assert "was not kept with the predictions" in error
    assert "passthrough_columns" in error


def test_an_analysis_that_ignores_all_columns_sees_nothing(drift, place):
    same = place(frame(200))
    _, error = drift(place(frame(200, a=9)), sample_set=same, ignore_columns=["a", "b", "c", "d", "town"])
    assert "could be compared" in error


def test_switched_off_it_says_nothing(drift, place):
    other = frame(200).rename(columns=str.upper)
    result, error = drift(place(other), sample_set=place(frame(200)), perform_drift_analysis=False)
    assert (str(result.status), error) == ("NOT_ANALYSED", None)


@pytest.mark.parametrize("rule", ["effect", "mlrun"])
def test_one_shared_column_of_many_is_said(drift, place, rule):
    result, error = drift(place(frame(200)[["a"]]), sample_set=place(frame(200)), rule=rule)
    assert error is None
    assert "Only 1 of the reference's 5 columns was compared." in result.reasons
    whole, _ = drift(place(frame(200)), sample_set=place(frame(200)), rule=rule)
    assert not any(reason.startswith("Only") for reason in whole.reasons)


def test_the_references_own_files_as_data_are_said(drift, place):
    same = place(frame(200))
    result, _ = drift(same, sample_set=same)
    assert "The data are the reference's own files." in result.reasons


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"drift_threshold": 99}, r"drift_threshold is 99 under rule 'effect'; it must lie in \[0, 1\]"),
        ({"drift_threshold": 99, "rule": "mlrun"}, r"drift_threshold is 99 under rule 'mlrun'; .* \[0, 1\]"),
        ({"drift_threshold": "1.5"}, r"drift_threshold is 1.5 under rule 'effect'"),
        ({"possible_drift_threshold": 0.9}, "the first not over the second"),
        ({"drift_threshold": 0.3, "possible_drift_threshold": 0.4, "rule": "mlrun"}, "the first not over the second"),
        ({"drift_threshold": -0.1}, "it must lie in|from 0"),
        ({"column_limits": {"*": {"drift_threshold": 3}}}, r"drift_threshold of column '\*' is 3"),
        ({"column_limits": {"a": {"drift_threshold": 70}}, "rule": "mlrun"}, "drift_threshold of column 'a' is 70"),
        ({"column_limits": {"a": {"range": 5}}}, "range of column 'a' is 5"),
        ({"column_limits": {"a": {"rnage": 0.5}}}, "must be one of .*did you mean 'range'"),
        ({"rule": "efect"}, "did you mean 'effect'"),
    ],
)
def test_a_limit_that_can_never_work_is_refused_while_the_dag_is_parsed(arguments, said):
    with pytest.raises(AirflowException, match=said), DAG("parsed", schedule=None):
        DriftAnalysisOperator(task_id="drift", dataset="/data", sample_set="/sample", **arguments)


def test_a_template_is_judged_when_it_is_rendered(runner, place):
    runner.params = {"threshold": 99}
    with DAG("parsed", schedule=None):
        operator = DriftAnalysisOperator(
            task_id="drift",
            dataset=place(frame(50)),
            sample_set=place(frame(50)),
            drift_threshold="{{ params.threshold }}",
        )
        XComArg(DriftAnalysisOperator(task_id="late", dataset="/data", rule=XComArg(operator, key="rule")))
    with pytest.raises(AirflowException, match="drift_threshold is 99"):
        runner(operator)


@pytest.mark.parametrize(
    ("column", "limit", "is_refused"), [("town", 1.5, True), ("a", 3.0, False), ("a", 99.0, True), ("town", 1.0, False)]
)
def test_a_columns_own_threshold_is_as_large_as_its_kind_allows(runner, place, column, limit, is_refused):
    operator = DriftAnalysisOperator(
        task_id="drift",
        dataset=place(frame(200)),
        sample_set=place(frame(200)),
        column_limits={column: {"drift_threshold": limit}},
    )
    if not is_refused:
        assert runner(operator)
        return
    with pytest.raises(AirflowException, match=f"drift_threshold of column '{column}' is {limit:g}, and nothing"):
        runner(operator)


@pytest.mark.parametrize("shift", [0.5, 50.0])
def test_the_farthest_that_numbers_can_move_is_what_the_distance_gives(drift, place, shift):
    """The most that a threshold may be is the distance of data that lie as far away as is counted."""
    from airflow_batch_inference.drift.rules.effect import _farthest
    from airflow_batch_inference.workflows.build_baseline import open_sample_set, plain_baseline

    path = place(frame(500))
    baseline = plain_baseline(open_sample_set(path, Storage()))
    most = _farthest(next(column for column in baseline.columns if column.profile.name == "a"))
    result, _ = drift(place(frame(500, a=shift)), sample_set=path)
    found = next(column for column in result.columns if column.name == "a").metrics["w1_sd"]
    assert found <= most * (1 + 1e-12)
    assert (found == pytest.approx(most, rel=1e-9)) == (shift == 50.0)


def test_limits_for_all_columns_at_once_give_way_to_those_of_a_name(drift, place):
    now, before = place(frame(2000, a=0.5, b=0.5)), place(frame(2000))
    assert str(drift(now, sample_set=before)[0].status) == "DRIFT_DETECTED"
    limits = {"*": {"drift_threshold": 0.9, "possible_drift_threshold": 0.8, "range": 0.5}}
    result, _ = drift(now, sample_set=before, column_limits=limits)
    assert str(result.status) == "NO_DRIFT"
    assert result.parameters["*: drift_threshold"] == 0.9
    result, _ = drift(now, sample_set=before, column_limits=limits | {"b": {"drift_threshold": 0.3}})
    assert {column.name for column in result.columns if column.status == "DRIFT_DETECTED"} == {"b"}


def test_missing_values_of_all_columns_have_one_limit(drift, place):
    holes = frame(1000)
    holes.loc[:150, ["a", "b"]] = None
    now, before = place(holes), place(frame(1000))
    assert str(drift(now, sample_set=before)[0].status) == "DRIFT_DETECTED"
    result, _ = drift(now, sample_set=before, column_limits={"*": {"missing": 0.9}})
    assert str(result.status) == "NO_DRIFT"


# -- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["effect", "mlrun"])
def test_a_label_of_the_sample_set_is_not_gone_from_the_data(drift, place, rule):
    labelled = frame(300).assign(churned=1)
    result, error = drift(place(frame(300)), sample_set=place(labelled), target_column="churned", rule=rule)
    assert error is None
    assert (str(result.status), result.missing_columns) == ("NO_DRIFT", ())
    assert not any("churned" in reason for reason in result.reasons)


def test_a_label_that_the_reference_does_not_have_is_named(drift, runner, place):
    with pytest.raises(AirflowException, match=r"target_column names 'chruned'.*did you mean 'churned'"):
        runner(
            DriftAnalysisOperator(
                task_id="x",
                dataset=place(frame(50)),
                sample_set=place(frame(50).assign(churned=1)),
                target_column="chruned",
            )
        )


def test_the_target_of_a_model_without_names_is_not_gone(runner, place, tmp_path):
    import joblib
    from sklearn.linear_model import LogisticRegression

    from airflow_batch_inference.storage.digests import sha256_of

    data = frame(400)[["a", "b"]]
    truth = (data["a"] + data["b"] > 0).astype(int)
    model = LogisticRegression().fit(data.to_numpy(), truth)
    joblib.dump(model, tmp_path / "model.joblib")
    names = ["predicted_probability_0", "predicted_probability_1"]
    sample = data.assign(churned=truth, **dict(zip(names, model.predict_proba(data.to_numpy()).T, strict=True)))
    load = runner(
        LoadModelOperator(
            task_id="load",
            model_uri=str(tmp_path / "model.joblib"),
            sha256=sha256_of(tmp_path / "model.joblib"),
            sample_set=place(sample),
            label_columns=names,
            scoring=SampleScoring(target_column="churned", predict_method="predict_proba"),
        )
    )
    drift = runner(DriftAnalysisOperator(task_id="drift", dataset=place(data), model=load))
    result = Storage().read_record(drift)
    assert str(result.status) == "NO_DRIFT", result.reasons
    assert "churned" not in result.missing_columns


# -- MLRun's statistics -----------------------------------------------------------------------------------------------


def statistics_of(data):
    """As MLRun keeps them with a model."""
    found = {}
    for name in data:
        counts, edges = np.histogram(data[name], bins=20)
        summary = {stat: float(getattr(data[name], stat)()) for stat in ("count", "mean", "std", "min", "max")}
        found[name] = summary | {"hist": [counts.tolist(), edges.tolist()]}
    return found


@pytest.mark.parametrize("form", ["dict", "text", "file"])
def test_mlruns_statistics_are_a_models_baseline(runner, model_file, digest, rng_frame, batch, tmp_path, form):
    statistics = statistics_of(rng_frame)
    (tmp_path / "stats.json").write_text(json.dumps(statistics))
    given = {"dict": statistics, "text": json.dumps(statistics), "file": str(tmp_path / "stats.json")}[form]
    load = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, baseline=given))
    (rng_frame * 3).to_parquet(tmp_path / "moved.parquet")
    for name, dataset, status in (
        ("same", str(batch), "NO_DRIFT"),
        ("moved", str(tmp_path / "moved.parquet"), "DRIFT_DETECTED"),
    ):
        predict = runner(PredictOperator(task_id=f"predict_{name}", model=load, dataset=dataset))
        for rule in ("effect", "mlrun"):
            drift = runner(
                DriftAnalysisOperator(
                    task_id=f"{name}_{rule}",
                    dataset=predict,
                    perform_drift_analysis=True,
                    rule=rule,
                    drift_threshold=0.3 if rule == "mlrun" else None,
                )
            )
            result = Storage().read_record(drift)
            assert str(result.status) == status, (rule, result.reasons)
            assert (result.metrics["mlrun_drift"] == 0) == (name == "same")


def test_mlruns_statistics_are_compared_with_where_no_model_is(drift, rng_frame, batch, tmp_path):
    (tmp_path / "stats.json").write_text(json.dumps(statistics_of(rng_frame * 100)))
    for given in (statistics_of(rng_frame * 100), str(tmp_path / "stats.json")):
        result, error = drift(str(batch), baseline=given, perform_drift_analysis=True)
        assert (str(result.status), error) == ("DRIFT_DETECTED", None)


def test_a_stored_baseline_is_compared_with_in_place_of_the_models(runner, drift, model_file, digest, place, batch):
    normal = frame(300)[["a", "b"]]
    loaded = [
        runner(
            LoadModelOperator(
                task_id="load", model_uri=str(model_file), sha256=digest, name=name, sample_set=place(normal + shift)
            )
        )
        for name, shift in (("far", 100), ("near", 0))
    ]
    far, near = (Storage().read_record(uri).baseline_uri for uri in loaded)
    assert str(drift(str(batch), model=loaded[1], baseline=far)[0].status) == "DRIFT_DETECTED"
    result, _ = drift(str(batch), model=loaded[0], baseline=near)
    assert (str(result.status), result.baseline_uri) == ("NO_DRIFT", near)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"baseline": {"a": [1, 2]}}, "neither a baseline nor MLRun's statistics"),
        ({"baseline": "SAME", "sample_set": "SAME"}, "baseline and sample_set are both given"),
        ({"sample_set": {"a": {"count": 3, "mean": 1.0}}}, "give them as baseline="),
    ],
)
def test_what_is_no_baseline_is_refused(runner, rng_frame, batch, arguments, said):
    given = {
        name: (statistics_of(rng_frame) if name == "baseline" else str(batch)) if value == "SAME" else value
        for name, value in arguments.items()
    }
    with pytest.raises(AirflowException, match=said):
        runner(DriftAnalysisOperator(task_id="x", dataset=str(batch), **given))


def test_a_file_of_statistics_is_no_sample_set(runner, rng_frame, batch, tmp_path):
    (tmp_path / "stats.json").write_text(json.dumps(statistics_of(rng_frame)))
    with pytest.raises(AirflowException, match=r"holds statistics of a sample set, and no rows\. Give it as base"):
        runner(DriftAnalysisOperator(task_id="x", dataset=str(batch), sample_set=str(tmp_path / "stats.json")))


@pytest.fixture
def sets(runner, model_file, digest, rng_frame, tmp_path):
    """Makes prediction sets of one model: the rows of its sample set, and others that have moved."""
    runner.logical_date = datetime(2026, 1, 1, tzinfo=UTC)
    rng_frame.to_parquet(tmp_path / "same.parquet")
    (rng_frame * 10).to_parquet(tmp_path / "moved.parquet")
    model = runner(
        LoadModelOperator(
            task_id="model", model_uri=str(model_file), sha256=digest, sample_set=str(tmp_path / "same.parquet")
        )
    )

    def make(**more):
        return [
            runner(PredictOperator(task_id=name, model=model, dataset=str(tmp_path / f"{name}.parquet"), **more))
            for name in ("same", "moved")
        ]

    return make


@pytest.mark.parametrize("more", [{}, {"layout": WallarooLayout()}])
def test_several_sets_are_compared_like_one(runner, sets, tmp_path, more):
    same, moved = sets(**more)
    plain = str(tmp_path / "same.parquet")
    for name, arguments, expected in (
        ("model", {"dataset": [same]}, "NO_DRIFT"),
        ("both", {"dataset": [same, moved]}, "DRIFT_DETECTED"),
        ("plain", {"dataset": [same, moved], "sample_set": plain}, "DRIFT_DETECTED"),
        ("itself", {"dataset": [same, moved], "sample_set": [same, moved]}, "NO_DRIFT"),
        ("listed", {"dataset": same, "sample_set": [same]}, "NO_DRIFT"),
        ("input", {"dataset": plain, "sample_set": same}, "NO_DRIFT"),
    ):
        runner(DriftAnalysisOperator(task_id=name, perform_drift_analysis=True, **arguments))
        assert (name, runner.xcoms[name]["drift_status"]) == (name, expected)


def test_columns_that_are_called_otherwise_in_one_of_several_places_are_refused(runner, sets, tmp_path):
    same, _ = sets(layout=WallarooLayout())
    plain = str(tmp_path / "same.parquet")
    for arguments in ({"dataset": [same, plain], "sample_set": plain}, {"dataset": plain, "sample_set": [same, plain]}):
        with pytest.raises(AirflowException, match="layout of its own"):
            runner(DriftAnalysisOperator(task_id="drift", perform_drift_analysis=True, **arguments))
