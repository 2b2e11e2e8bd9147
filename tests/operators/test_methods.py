"""Methods, thresholds, class names and explanations, through the operators."""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
from airflow.sdk.exceptions import AirflowException
from sklearn.linear_model import LogisticRegression

from airflow_batch_inference.operators import DriftAnalysisOperator, LoadModelOperator, PredictOperator
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


@pytest.fixture
def booster(model_text):
    return lightgbm.Booster(model_str=model_text)


@pytest.fixture
def predict(runner, model_file, digest, batch):
    """Return what scores the batch with a model, and reads what came out."""

    def predict(model=None, load=None, **arguments):
        load = {"model_uri": str(model or model_file), "sha256": None if model else digest} | (load or {})
        uri = runner(LoadModelOperator(task_id="load", **load))
        scored = runner(PredictOperator(task_id="predict", model=uri, dataset=str(batch), **arguments))
        parts = [pd.read_parquet(part.uri.removeprefix("file://")) for part in STORE.read_record(scored).parts]
        return pd.concat(parts, ignore_index=True)

    return predict


@pytest.fixture
def logistic(tmp_path, rng_frame):
    labels = np.where(rng_frame["a"] + rng_frame["b"] > 0, "yes", "no")
    path = tmp_path / "logistic.skops"
    skops.io.dump(LogisticRegression().fit(rng_frame, labels), path)
    return path


def test_several_methods_are_called_in_one_pass(predict, booster):
    out = predict(predict_method=["predict", "raw_score", "leaf_index", "contributions"])
    x = out[["a", "b"]].to_numpy()
    np.testing.assert_array_equal(out["predicted_label"], booster.predict(x))
    np.testing.assert_array_equal(out["raw_score"], booster.predict(x, raw_score=True))
    leaves = booster.predict(x, pred_leaf=True)
    np.testing.assert_array_equal(out[[f"leaf_index_{tree}" for tree in range(leaves.shape[1])]], leaves)
    contributions = ["contribution_a", "contribution_b", "contribution_expected_value"]
    np.testing.assert_array_equal(out[contributions], booster.predict(x, pred_contrib=True))


def test_classes_and_probabilities_stand_side_by_side(predict, logistic):
    out = predict(logistic, predict_method="['predict', 'predict_proba']")
    probabilities = out[["predicted_probability_0", "predicted_probability_1"]].to_numpy()
    assert (np.array(["no", "yes"])[probabilities.argmax(axis=1)] == out["predicted_label"]).all()


def test_a_threshold_decides_between_two_classes(predict, logistic):
    out = predict(logistic, predict_method=["predict", "predict_proba"], decision_threshold="0.9")
    expected = np.where(out["predicted_probability_1"] >= 0.9, "yes", "no")
    assert (out["predicted_label"] == expected).all()
    assert 0 < (expected == "yes").sum() < (out["predicted_probability_1"] >= 0.5).sum()


def test_a_threshold_turns_a_boosters_probability_into_a_class(predict, booster):
    out = predict(decision_threshold=0.5)
    assert out["predicted_label"].tolist() == (booster.predict(out[["a", "b"]].to_numpy()) >= 0.5).astype(int).tolist()


def test_classes_have_the_names_that_they_are_given(predict, logistic):
    out = predict(logistic, load={"class_names": ["stays", "leaves"]}, predict_method=["predict", "predict_proba"])
    assert set(out["predicted_label"]) == {"stays", "leaves"}
    assert (out["predicted_probability_leaves"] >= 0.5).tolist() == (out["predicted_label"] == "leaves").tolist()


def test_a_threshold_and_names_go_together(predict):
    out = predict(load={"class_names": ["low", "high"]}, decision_threshold=0.5)
    assert set(out["predicted_label"]) == {"low", "high"}


@pytest.mark.parametrize("names", [["one"], ["a", "b", "c"], ["a", "a"]])
def test_there_is_one_name_for_each_class(predict, names):
    with pytest.raises(AirflowException, match=r"class_names is .* has 2 classes: 0, 1"):
        predict(load={"class_names": names})


def test_a_threshold_needs_two_classes(predict, tmp_path, rng_frame):
    regression = tmp_path / "regression.txt"
    data = lightgbm.Dataset(rng_frame, rng_frame["a"])
    lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1}, data, 2).save_model(regression)
    with pytest.raises(AirflowException, match=r"decision_threshold is 0\.5.* the model has no classes"):
        predict(regression, decision_threshold=0.5)


# -- explanations ---------------------------------------------------------------------------------------------


def test_rows_that_matter_are_explained_by_the_inputs_that_moved_them_most(predict, booster):
    out = predict(explain={"top_k": 1, "when": "predicted_label >= 0.5"})
    contributions = booster.predict(out[["a", "b"]].to_numpy(), pred_contrib=True)[:, :2]
    most = np.abs(contributions).argmax(axis=1)
    for row, explanation in enumerate(out["explanation"]):
        if out["predicted_label"][row] >= 0.5:
            ((found,),) = (list(explanation),)
            assert found["feature"] == ["a", "b"][most[row]]
            assert found["contribution"] == contributions[row, most[row]]
        else:
            assert explanation is None
    assert 0 < out["explanation"].isna().sum() < len(out)


def test_a_condition_uses_the_names_of_the_output(predict):
    out = predict(label_columns=["risk"], explain="{'when': 'risk < 2'}")
    assert out["explanation"].notna().all()
    assert list(out.columns[-2:]) == ["risk", "explanation"]


@pytest.mark.parametrize(
    ("explain", "text"),
    [
        ({"when": "cost > 1"}, "the predictions are predicted_label"),
        ({"when": "predicted_label > high"}, "holds double"),
        ({"topk": 1}, "explain has 'topk'"),
    ],
)
def test_an_explanation_that_cannot_be_is_refused_before_the_first_row(predict, explain, text):
    with pytest.raises(AirflowException, match=f"ConfigurationError.*{text}"):
        predict(explain=explain)


def test_a_model_without_contributions_explains_nothing(predict, logistic):
    with pytest.raises(AirflowException, match="no method 'contributions'"):
        predict(logistic, explain={"top_k": 1})


# -- what must be another job ---------------------------------------------------------------------------------


def test_other_class_names_are_another_job_in_the_same_task(predict):
    first = predict(load={"class_names": ["low", "high"]}, decision_threshold=0.5)
    second = predict(load={"class_names": ["down", "up"]}, decision_threshold=0.5)
    assert set(first["predicted_label"]) == {"low", "high"}
    assert set(second["predicted_label"]) == {"down", "up"}


def test_label_columns_of_the_model_name_its_predictions_where_there_is_one_method(predict):
    one = predict(load={"label_columns": ["score"]})
    several = predict(load={"label_columns": ["score"]}, predict_method=["predict", "raw_score"])
    assert "score" in one
    assert {"predicted_label", "raw_score"} <= set(several)


def test_a_threshold_on_raw_scores_is_refused(predict):
    with pytest.raises(AirflowException, match=r"decision_threshold is 0\.5, but predict_proba returned the shape"):
        predict(decision_threshold=0.5, predict_kwargs={"raw_score": True})


# -- drift ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "scoring", "status", "reason"),
    [
        ({}, {}, "NO_DRIFT", None),
        ({}, {"decision_threshold": 0.5}, "NO_DRIFT", "decision_threshold 0.5 made classes of them"),
        ({"class_names": ["a", "b"]}, {"decision_threshold": 0.5}, "NO_DRIFT", "decision_threshold 0.5 made classes"),
        ({}, {"predict_method": "raw_score"}, "NO_DRIFT", "predict_method is raw_score, the reference's predict"),
    ],
)
def test_predictions_made_in_another_way_than_the_references_are_not_compared(
    runner, model_file, digest, sample_set, load, scoring, status, reason
):
    model = runner(
        LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, sample_set=str(sample_set), **load)
    )
    scored = runner(PredictOperator(task_id="predict", model=model, dataset=str(sample_set), **scoring))
    drift = STORE.read_record(runner(DriftAnalysisOperator(task_id="drift", model=model, dataset=scored)))
    assert drift.status == status
    assert any(reason in each for each in drift.reasons) if reason else True
