"""From a sample set to a baseline: predictions, importances, calibration; and what cannot be had is said."""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.drift.packing import unpack_counts
from airflow_batch_inference.exceptions import ConfigurationError, EmptyDatasetError
from airflow_batch_inference.models.describe import ModelRequest, describe_model
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.build_baseline import (
    ReferenceOptions,
    model_baseline,
    open_sample_set,
    plain_baseline,
)
from airflow_batch_inference.workflows.register_model import register_model

STORE = Storage()


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": rng.normal(size=3_000), "b b": rng.normal(size=3_000), "noise": rng.normal(size=3_000)})
    frame["y"] = (frame["a"] + 0.5 * frame["b b"] + rng.normal(size=3_000) > 0).astype(int)
    return frame


@pytest.fixture(scope="module")
def booster(frame, tmp_path_factory):
    inputs = frame[["a", "b b", "noise"]].rename(columns={"b b": "b_b"})
    parameters = {"objective": "binary", "num_leaves": 7, "num_threads": 1, "verbose": -1, "seed": 0}
    path = tmp_path_factory.mktemp("models") / "model.txt"
    lightgbm.train(parameters, lightgbm.Dataset(inputs, frame["y"]), num_boost_round=20).save_model(path)
    return path


@pytest.fixture
def sample(frame, tmp_path):
    frame.to_parquet(tmp_path / "sample.parquet")
    return open_dataset(str(tmp_path / "sample.parquet"), STORE)


def described(path, **request):
    return describe_model(
        ModelRequest(model_uri=str(path), trust=TrustRequest(sha256=sha256_of(path)), **request), storage=STORE
    )


def column(baseline, name):
    return next(each.profile for each in baseline.columns if each.profile.name == name)


def test_the_model_scores_its_sample_set_so_that_predictions_can_be_compared(booster, sample, frame):
    model, record = described(booster, label_columns=("score",))
    baseline = model_baseline(sample, record, model, ReferenceOptions())
    assert (baseline.predictions, baseline.scored, baseline.model_sha256) == (("score",), True, record.sha256)
    expected = lightgbm.Booster(model_file=booster).predict(frame[["a", "b b", "noise"]])
    assert column(baseline, "score").mean == pytest.approx(expected.mean())
    assert baseline.inputs == ("a", "b b", "noise")


def test_predictions_in_the_sample_set_are_taken_as_they_are(booster, frame, tmp_path):
    frame.assign(score=0.25).to_parquet(tmp_path / "scored.parquet")
    model, record = described(booster, label_columns=("score",))
    sample = open_dataset(str(tmp_path / "scored.parquet"), STORE)
    baseline = model_baseline(sample, record, model, ReferenceOptions())
    assert (baseline.predictions, baseline.scored, column(baseline, "score").max) == (("score",), False, 0.25)


def test_importances_are_shares_under_the_samples_names(booster, sample):
    model, record = described(booster)
    importances = model_baseline(sample, record, model, ReferenceOptions()).importances
    assert sum(importances.values()) == pytest.approx(1.0)
    assert importances["a"] > importances["b b"] > importances["noise"]


def test_a_tree_tells_importances_and_a_regression_does_not(frame, tmp_path):
    import joblib

    inputs = frame[["a", "noise"]]
    for estimator, known in (
        (DecisionTreeClassifier(max_depth=3, random_state=0), True),
        (LogisticRegression(), False),
    ):
        path = tmp_path / f"{known}.joblib"
        joblib.dump(estimator.fit(inputs, frame["y"]), path)
        model, record = described(path)
        inputs.to_parquet(tmp_path / "inputs.parquet")
        sample = open_dataset(str(tmp_path / "inputs.parquet"), STORE)
        importances = model_baseline(sample, record, model, ReferenceOptions()).importances
        assert (importances is not None) == known


def test_true_labels_give_a_calibration_and_the_performance_on_the_reference(booster, sample):
    model, record = described(booster, label_columns=("score",))
    options = ReferenceOptions(target_column="y", decision_threshold=0.4)
    calibration = model_baseline(sample, record, model, options).calibration
    assert (calibration.score_column, calibration.positive, calibration.decision) == ("score", "1", 0.4)
    assert 0.75 < calibration.performance["roc_auc"] < 1.0
    assert set(calibration.performance) == {"accuracy", "f1", "roc_auc"}


def test_of_two_probability_columns_the_last_is_the_positive_classs(frame, tmp_path):
    import joblib

    inputs = frame[["a", "noise"]]
    joblib.dump(LogisticRegression().fit(inputs, frame["y"].map({0: "no", 1: "yes"})), tmp_path / "m.joblib")
    frame.assign(y=frame["y"].map({0: "no", 1: "yes"}))[["a", "noise", "y"]].to_parquet(tmp_path / "s.parquet")
    model, record = described(tmp_path / "m.joblib")
    options = ReferenceOptions(target_column="y", predict_method="predict_proba")
    baseline = model_baseline(open_dataset(str(tmp_path / "s.parquet"), STORE), record, model, options)
    assert baseline.calibration.score_column == baseline.predictions[-1] == "predicted_label_1"
    assert baseline.calibration.positive == "yes"


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {"target_column": "z"}, "target_column is 'z', which .*Its columns: a, b b, noise, y"),
        ({"y": 3}, {"target_column": "y"}, "has 1 classes"),
        ({"y": np.arange(3_000) % 3}, {"target_column": "y"}, "has 3 classes"),
        ({}, {"target_column": "y", "predict_kwargs": {"raw_score": True}}, "hold no probabilities"),
    ],
)
def test_a_target_that_nothing_can_be_estimated_from_is_refused(booster, frame, tmp_path, change, options, said):
    frame.assign(**change).to_parquet(tmp_path / "s.parquet")
    model, record = described(booster)
    with pytest.raises(ConfigurationError, match=said):
        model_baseline(open_dataset(str(tmp_path / "s.parquet"), STORE), record, model, ReferenceOptions(**options))


def test_a_sample_set_that_the_model_cannot_score_still_has_a_baseline(booster, frame, tmp_path, caplog):
    frame[["a", "noise"]].to_parquet(tmp_path / "part.parquet")
    model, record = described(booster)
    baseline = model_baseline(open_dataset(str(tmp_path / "part.parquet"), STORE), record, model, ReferenceOptions())
    assert (baseline.predictions, [each.profile.name for each in baseline.columns]) == ((), ["a", "noise"])
    assert "the drift of predictions will not be seen" in caplog.text
    assert "lacks 'b_b', which the model takes" in caplog.text


def test_rows_that_the_model_cannot_score_are_left_out_as_in_later_batches(frame, tmp_path, caplog):
    import joblib

    inputs = frame[["a", "noise"]].copy()
    joblib.dump(LogisticRegression().fit(inputs, frame["y"]), tmp_path / "m.joblib")
    inputs.loc[[3, 1500], "a"] = np.nan
    inputs.to_parquet(tmp_path / "holes.parquet")
    model, record = described(tmp_path / "m.joblib")
    baseline = model_baseline(open_dataset(str(tmp_path / "holes.parquet"), STORE), record, model, ReferenceOptions())
    assert (baseline.rows, baseline.predictions) == (2_998, ("predicted_label",))
    assert "2 rows of the sample set" in caplog.text


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (lambda y: y.astype(float).where(y.index != 5), "1.0"),
        (lambda y: y.astype(bool), "True"),
        (lambda y: y.map({0: "a", 1: "b"}), "b"),
    ],
)
def test_labels_may_be_numbers_booleans_or_text_and_have_holes(booster, frame, tmp_path, labels, found):
    frame.assign(y=labels(frame["y"])).to_parquet(tmp_path / "s.parquet")
    model, record = described(booster)
    sample = open_dataset(str(tmp_path / "s.parquet"), STORE)
    baseline = model_baseline(sample, record, model, ReferenceOptions(target_column="y"))
    assert baseline.calibration.positive == found


def test_a_method_that_the_model_does_not_have_is_refused(booster, sample):
    model, record = described(booster)
    with pytest.raises(ConfigurationError, match="nonsense"):
        model_baseline(sample, record, model, ReferenceOptions(predict_method="nonsense"))


def test_a_dataset_alone_has_a_baseline_too(sample, frame):
    baseline = plain_baseline(sample)
    assert (baseline.rows, baseline.inputs, baseline.predictions) == (3_000, None, ())
    assert unpack_counts(column(baseline, "a").counts).sum() == len(frame)


def test_an_empty_sample_set_is_refused(tmp_path):
    pd.DataFrame({"a": pd.Series([], dtype=float)}).to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(EmptyDatasetError, match="has no rows"):
        open_sample_set(str(tmp_path / "empty.parquet"), STORE)


def test_a_baseline_of_another_model_is_refused(booster, sample, tmp_path, frame):
    model, record = described(booster)
    baseline = model_baseline(sample, record, model, ReferenceOptions())
    other = tmp_path / "other.txt"
    inputs = frame[["a"]]
    lightgbm.train({"verbose": -1}, lightgbm.Dataset(inputs, frame["y"]), num_boost_round=1).save_model(other)
    arguments = {"root": f"file://{tmp_path}/root", "storage": STORE, "model_storage": STORE}
    request = ModelRequest(model_uri=str(other), trust=TrustRequest(sha256=sha256_of(other)))
    with pytest.raises(ConfigurationError, match="is that of another model"):
        register_model(request, baseline=("file:///b", baseline), **arguments)
    with pytest.raises(ConfigurationError, match="Give one of them"):
        register_model(request, baseline=("file:///b", plain_baseline(sample)), sample_set=str(tmp_path), **arguments)
    _, found = register_model(request, baseline=("file:///b", plain_baseline(sample)), **arguments)
    assert found.baseline_uri == "file:///b"
