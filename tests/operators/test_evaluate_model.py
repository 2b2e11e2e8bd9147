"""An evaluation's numbers are those that scikit-learn computes, whatever the model and its labels."""

from __future__ import annotations

import json
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from evaluating import STORE, text_of
from sklearn import datasets, metrics
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.operators import (
    Problem,
    RowPolicy,
)
from airflow_batch_inference.records import PredictionSetRecord

# -- what is measured ---------------------------------------------------------------------------------------------


def test_two_classes_are_measured_as_scikit_learn_measures_them(gate, tumours):
    model, labelled = tumours
    inputs, truth = labelled.iloc[:, :5], labelled["truth"].to_numpy()
    predicted, chance = model.predict(inputs), model.predict_proba(inputs)[:, 1]
    positive = truth == "malignant"
    found = gate()
    assert found.outputs[0].positive_class == "malignant"
    assert found.metrics == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(truth, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "matthews_corrcoef": metrics.matthews_corrcoef(truth, predicted),
            "precision": metrics.precision_score(truth, predicted, pos_label="malignant"),
            "recall": metrics.recall_score(truth, predicted, pos_label="malignant"),
            "f1": metrics.f1_score(truth, predicted, pos_label="malignant"),
            "roc_auc": metrics.roc_auc_score(positive, chance),
            "average_precision": metrics.average_precision_score(positive, chance),
            "log_loss": metrics.log_loss(positive, chance),
            "brier_score": metrics.brier_score_loss(positive, chance),
            "expected_calibration_error": found.metrics["expected_calibration_error"],
        },
        abs=1e-12,
    )
    matrix = metrics.confusion_matrix(truth, predicted, labels=["benign", "malignant"])
    assert found.outputs[0].confusion.counts == tuple(map(tuple, matrix.tolist()))
    assert found.undefined == {}
    assert found.notes == ()


def test_several_classes_are_measured_as_scikit_learn_measures_them(load, write, evaluate):
    inputs, truth = datasets.load_iris(return_X_y=True, as_frame=True)
    noisy = inputs + np.random.default_rng(0).normal(size=inputs.shape)
    model = LogisticRegression(max_iter=500).fit(noisy, truth)
    predicted, chances = model.predict(noisy), model.predict_proba(noisy)
    found = evaluate(load(model), write(noisy.assign(truth=truth)))
    expected = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "precision_macro": metrics.precision_score(truth, predicted, average="macro"),
        "recall_weighted": metrics.recall_score(truth, predicted, average="weighted"),
        "f1_macro": metrics.f1_score(truth, predicted, average="macro"),
        "f1_weighted": metrics.f1_score(truth, predicted, average="weighted"),
        "roc_auc": metrics.roc_auc_score(truth, chances, multi_class="ovr"),
        "average_precision": metrics.average_precision_score(truth, chances),
        "log_loss": metrics.log_loss(truth, chances),
        "brier_score": metrics.brier_score_loss(truth, chances),
    }
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert "f1" not in found.metrics
    assert [each.name for each in found.outputs[0].per_class] == ["0", "1", "2"]


def test_a_regression_is_measured_as_scikit_learn_measures_it(load, write, evaluate, runner):
    inputs, truth = datasets.load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(inputs, truth)
    predicted = model.predict(inputs)
    found = evaluate(load(model), write(inputs.assign(truth=truth)))
    assert found.problem == "regression"
    assert found.metrics == pytest.approx(
        {
            "mae": metrics.mean_absolute_error(truth, predicted),
            "rmse": metrics.root_mean_squared_error(truth, predicted),
            "r2": metrics.r2_score(truth, predicted),
            "median_absolute_error": metrics.median_absolute_error(truth, predicted),
            "mape": metrics.mean_absolute_percentage_error(truth, predicted),
            "max_error": metrics.max_error(truth, predicted),
            "explained_variance": metrics.explained_variance_score(truth, predicted),
        }
    )
    assert found.outputs[0].residuals.quantiles["50%"] == pytest.approx(np.median(truth - predicted))
    assert sum(found.outputs[0].residuals.counts) == len(truth)
    pushed = {name: found.metrics[name] for name in ("mae", "rmse", "r2")}
    assert runner.xcoms["evaluate"] == {"passed": True, "rows": 442, "model_sha256": found.model_sha256} | pushed


def test_several_outputs_are_measured_one_by_one_and_their_mean_is_the_models(load, write, evaluate):
    inputs, truth = datasets.load_linnerud(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(inputs, truth)
    predicted = model.predict(inputs)
    found = evaluate(load(model), write(inputs.join(truth)), list(truth.columns))
    each = [metrics.mean_absolute_error(truth[name], predicted[:, i]) for i, name in enumerate(truth)]
    assert [output.metrics["mae"] for output in found.outputs] == pytest.approx(each)
    assert found.metrics["mae"] == pytest.approx(np.mean(each))
    assert set(json.loads(text_of(found.metrics_uri))["outputs"]) == set(truth.columns)


def test_several_outputs_of_classes_have_the_same_metrics_each(load, write, evaluate):
    inputs, truth = datasets.make_multilabel_classification(n_samples=200, n_classes=3, random_state=0)
    frame = pd.DataFrame(inputs, columns=[f"x{i}" for i in range(inputs.shape[1])])
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(frame, truth)
    predicted, labels = model.predict(frame), [f"y{i}" for i in range(3)]
    found = evaluate(load(model), write(frame.assign(**dict(zip(labels, truth.T, strict=True)))), labels)
    each = [metrics.f1_score(truth[:, i], predicted[:, i]) for i in range(3)]
    assert [output.metrics["f1"] for output in found.outputs] == pytest.approx(each)
    assert found.metrics["f1"] == pytest.approx(np.mean(each))
    assert found.metrics["log_loss"] is None


def test_scores_of_a_model_without_probabilities_give_its_roc_auc(load, write, evaluate, tumours):
    _, labelled = tumours
    inputs, truth = labelled.iloc[:, :5], labelled["truth"]
    model = make_pipeline(StandardScaler(), LinearSVC(random_state=0)).fit(inputs, truth)
    found = evaluate(load(model), write(labelled))
    expected = metrics.roc_auc_score(truth == "malignant", model.decision_function(inputs))
    assert found.metrics["roc_auc"] == pytest.approx(expected)
    assert found.undefined["log_loss"] == "The model gives no probabilities."


def test_a_native_boosters_probabilities_are_classes_from_a_half_on(runner, evaluate, write, rng_frame, model_file):
    truth = (rng_frame["a"] + rng_frame["b"] > 0.3).astype(int)
    chance = lightgbm.Booster(model_file=str(model_file)).predict(rng_frame)
    found = evaluate(str(model_file), write(rng_frame.assign(truth=truth)))
    assert found.metrics["accuracy"] == metrics.accuracy_score(truth, chance >= 0.5)
    assert found.metrics["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, chance))
    assert found.decision_threshold == 0.5
    other = evaluate(str(model_file), write(rng_frame.assign(truth=truth)), problem=Problem(decision_threshold="0.8"))
    assert other.metrics["recall"] == metrics.recall_score(truth, chance >= 0.8)
    assert other.metrics["recall"] < found.metrics["recall"]
    assert other.metrics["roc_auc"] == found.metrics["roc_auc"]


def test_labels_may_call_a_boosters_classes_by_names_of_their_own(evaluate, write, rng_frame, model_file):
    truth = np.where(rng_frame["a"] + rng_frame["b"] > 0.3, "yes", "no")
    found = evaluate(str(model_file), write(rng_frame.assign(truth=truth)), problem=Problem(classes=["no", "yes"]))
    assert found.outputs[0].positive_class == "yes"
    with pytest.raises(AirflowFailException, match=r"No value of the label column 'truth' is a class"):
        evaluate(str(model_file), write(rng_frame.assign(truth=truth)))


def test_class_names_of_the_model_record_are_known_to_the_labels(load, write, evaluate):
    inputs, truth = datasets.load_iris(return_X_y=True, as_frame=True)
    uri = load(LogisticRegression(max_iter=500).fit(inputs, truth), class_names=["setosa", "versicolor", "virginica"])
    named = np.array(["setosa", "versicolor", "virginica"])[truth]
    by_name = evaluate(uri, write(inputs.assign(truth=named)))
    by_number = evaluate(uri, write(inputs.assign(truth=truth), "other.parquet"))
    assert by_name.metrics == by_number.metrics
    assert by_name.outputs[0].classes == by_number.outputs[0].classes == ("setosa", "versicolor", "virginica")


def test_a_model_is_checked_against_its_golden_set_first(load, write, evaluate, tumours):
    model, labelled = tumours
    uri = load(model, golden_set=write(labelled.iloc[:5, :5], "golden.parquet"))
    assert evaluate(uri, write(labelled)).metrics["accuracy"] > 0.8
    golden = STORE.read_record(uri).golden_uri.removeprefix("file://")
    Path(golden).write_bytes(b"{}")
    with pytest.raises(AirflowFailException, match=r"ArtifactIntegrityError"):
        evaluate(uri, write(labelled, "again.parquet"))


def test_chosen_metrics_may_be_functions_of_scikit_learn(gate, tumours):
    model, labelled = tumours
    truth, predicted = labelled["truth"], model.predict(labelled.iloc[:, :5])
    found = gate(metrics=["cohen_kappa_score", "accuracy"], thresholds={"zero_one_loss": 0.5})
    assert found.metrics == pytest.approx(
        {
            "cohen_kappa_score": metrics.cohen_kappa_score(truth, predicted),
            "accuracy": metrics.accuracy_score(truth, predicted),
            "zero_one_loss": metrics.zero_one_loss(truth, predicted),
        }
    )


# -- labels -------------------------------------------------------------------------------------------------------


def test_labels_never_reach_a_model_that_takes_its_columns_by_position(load, write, evaluate):
    rng = np.random.default_rng(0)
    inputs, truth = rng.normal(size=(100, 2)), rng.integers(0, 2, 100)
    model = DecisionTreeClassifier(max_depth=2).fit(inputs, truth)
    frame = pd.DataFrame({"truth": truth, "first": inputs[:, 0], "second": inputs[:, 1]})
    found = evaluate(load(model), write(frame))
    assert found.metrics["accuracy"] == metrics.accuracy_score(truth, model.predict(inputs))
    predictions = STORE.read_record(found.predictions_uri)
    assert isinstance(predictions, PredictionSetRecord)
    assert predictions.feature_columns == ("first", "second")
    assert [column.name for column in predictions.columns][:2] == ["truth", "predicted_label"]


def test_a_label_that_the_model_takes_as_an_input_is_refused(load, write, evaluate):
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "truth": [0, 1, 0]})
    model = LogisticRegression().fit(frame, frame["truth"])
    with pytest.raises(AirflowFailException, match=r"takes as an input: it would see the answer"):
        evaluate(load(model), write(frame))


def test_a_missing_label_column_is_named_with_the_one_that_was_meant(load, write, evaluate, tumours):
    model, labelled = tumours
    with pytest.raises(AirflowFailException, match=r"'thruth' \(did you mean 'truth'\?\)"):
        evaluate(load(model), write(labelled), "thruth")


def test_further_columns_are_kept_where_they_are_asked_for(gate):
    predictions = STORE.read_record(gate(passthrough_columns=["key"]).predictions_uri)
    assert [column.name for column in predictions.columns][:2] == ["truth", "key"]


def test_rows_without_a_label_are_left_out_and_counted(load, write, evaluate, tumours):
    model, labelled = tumours
    some = labelled.assign(truth=labelled["truth"].where(labelled["key"] % 3 > 0))
    found = evaluate(load(model), write(some))
    assert (found.rows, found.outputs[0].rows, found.outputs[0].rows_without_label) == (284, 189, 95)
    kept = some.dropna()
    assert found.metrics["accuracy"] == metrics.accuracy_score(kept["truth"], model.predict(kept.iloc[:, :5]))


def test_labels_of_a_class_that_the_model_never_saw_count_as_errors(load, write, evaluate, tumours):
    model, labelled = tumours
    odd = labelled.assign(truth=labelled["truth"].where(labelled["key"] % 4 > 0, "unclear"))
    found = evaluate(load(model), write(odd))
    output, predicted = found.outputs[0], model.predict(odd.iloc[:, :5])
    chance = model.predict_proba(odd.iloc[:, :5])[:, 1]
    assert output.rows_of_unknown_class == 71
    assert output.confusion.classes == ("benign", "malignant", "unclear")
    assert found.metrics["accuracy"] == metrics.accuracy_score(odd["truth"], predicted)
    assert found.metrics["log_loss"] == pytest.approx(metrics.log_loss(odd["truth"] == "malignant", chance))
    assert found.notes == ("71 rows have a label that the model does not know; they count as errors.",)


def test_of_several_classes_one_that_the_model_never_saw_has_the_probability_0(load, write, evaluate):
    inputs, truth = datasets.load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(inputs, truth)
    odd = truth.where(truth.index % 10 > 0, 7)
    found = evaluate(load(model), write(inputs.assign(truth=odd)))
    wide = np.column_stack([model.predict_proba(inputs), np.zeros(150)])
    assert found.metrics["log_loss"] == pytest.approx(metrics.log_loss(odd, wide, labels=[0, 1, 2, 7]))
    assert found.outputs[0].rows_of_unknown_class == 15


def test_with_one_class_alone_there_is_no_roc_auc_and_the_reason_is_said(load, write, evaluate, tumours):
    model, labelled = tumours
    found = evaluate(load(model), write(labelled[labelled["truth"] == "benign"]))
    assert found.metrics["roc_auc"] is None
    assert found.undefined["roc_auc"] == "All labels are of the class benign: there is nothing to tell apart."
    assert found.metrics["recall"] is None
    assert found.metrics["accuracy"] > 0.5
    assert found.outputs[0].curves == ()
    assert "NaN" not in text_of(found.metrics_uri)
    assert "there is nothing to tell apart" in text_of(found.report_uri)


def test_no_row_or_no_label_at_all_fails_or_skips(load, write, evaluate, tumours):
    model, labelled = tumours
    uri = load(model)
    for empty in (labelled.iloc[:0], labelled.assign(truth=pd.array([None] * len(labelled), dtype="string"))):
        path = write(empty)
        with pytest.raises(AirflowFailException, match=r"EmptyDatasetError"):
            evaluate(uri, path)
        with pytest.raises(AirflowSkipException):
            evaluate(uri, path, on_empty="skip")


def test_rejected_rows_are_counted_and_not_evaluated(load, write, evaluate, tumours):
    model, labelled = tumours
    column = labelled.columns[0]
    broken = labelled.assign(**{column: labelled[column].where(labelled["key"] != 3)})
    uri = load(model)
    with pytest.raises(AirflowFailException, match=r"row 3"):
        evaluate(uri, write(broken))
    found = evaluate(uri, write(broken), rows=RowPolicy(error_threshold="1"))
    assert (found.rows, found.rows_rejected, found.outputs[0].rows) == (283, 1, 283)
