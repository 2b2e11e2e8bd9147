"""The gate before a new model goes live: scored, measured, recorded, and only then passed or failed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import Asset, AssetAlias
from grouped import grouped
from sklearn import datasets, metrics
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    EarlierEvaluation,
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    Problem,
    RowPolicy,
)
from airflow_batch_inference.records import EvaluationRecord, PredictionSetRecord
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


def record_of(uri):
    record = STORE.read_record(uri)
    assert isinstance(record, EvaluationRecord)
    return record


def text_of(uri):
    return STORE.read_bytes(uri).decode()


@pytest.fixture
def load(runner, tmp_path):
    """``load(estimator)``: the URI of its model record."""

    def load(estimator, name="model", **arguments):
        path = tmp_path / f"{name}.joblib"
        joblib.dump(estimator, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=digest, **arguments))

    return load


@pytest.fixture
def write(tmp_path):
    """``write(frame)``: the path of its Parquet file."""

    def write(frame, name="labelled.parquet"):
        frame.to_parquet(tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.fixture
def evaluate(runner):
    """``evaluate(model, dataset, label_columns, …)``: the evaluation's record."""

    def evaluate(model, dataset, label_columns="truth", **arguments):
        operator = EvaluateModelOperator(
            task_id="evaluate", model=model, dataset=dataset, label_columns=label_columns, **arguments
        )
        return record_of(runner(operator))

    return evaluate


@pytest.fixture(scope="session")
def tumours():
    """Breast-cancer measurements, "benign" or "malignant", and a pipeline that was fitted on every second row."""
    inputs, benign = datasets.load_breast_cancer(return_X_y=True, as_frame=True)
    inputs, truth = inputs.iloc[:, :5], np.where(benign == 1, "benign", "malignant")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs[::2], truth[::2])
    return model, inputs[1::2].assign(truth=truth[1::2], key=range(len(inputs) // 2))


@pytest.fixture
def gate(load, write, evaluate, tumours):
    """``gate(**arguments)``: the evaluation of the tumour model."""
    model, labelled = tumours
    uri, dataset = load(model), write(labelled)
    return lambda **arguments: evaluate(uri, dataset, **arguments)


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


# -- the verdict --------------------------------------------------------------------------------------------------


def test_a_model_passes_where_every_limit_is_kept(gate, runner):
    found = gate(thresholds={"roc_auc": 0.8, "log_loss": {"max": 0.5}, "brier_score": 0.3, "accuracy": ">=0.8"})
    assert found.passed
    assert [(each.metric, each.least, each.most) for each in found.verdicts] == [
        ("roc_auc", 0.8, None),
        ("log_loss", None, 0.5),
        ("brier_score", None, 0.3),
        ("accuracy", 0.8, None),
    ]
    assert runner.xcoms["evaluate"]["passed"] is True
    assert runner.xcoms["evaluate"]["roc_auc"] == found.metrics["roc_auc"]


def test_a_model_that_misses_a_limit_is_recorded_and_then_fails_without_a_retry(gate, runner):
    with pytest.raises(
        AirflowFailException, match=r"EvaluationFailedError: .* not good enough: roc_auc is 0\.9"
    ) as info:
        gate(thresholds={"roc_auc": 0.9999, "accuracy": 0.5})
    assert info.value.__cause__ is None
    uri = str(info.value).rpartition("Evaluation: ")[2].rstrip(".")
    found = record_of(uri)
    assert [verdict.passed for verdict in found.verdicts] == [False, True]
    assert runner.xcoms["evaluate"]["passed"] is False
    assert runner.xcoms["evaluate"]["record_uri"] == uri
    assert "Not good enough" in text_of(found.report_uri)
    assert json.loads(text_of(found.metrics_uri))["passed"] is False


def test_a_missed_limit_may_be_recorded_only(gate):
    assert not gate(thresholds='{"roc_auc": 0.9999}', on_failure="record").passed


def test_a_metric_without_a_value_keeps_no_limit(load, write, evaluate, tumours):
    model, labelled = tumours
    benign = write(labelled[labelled["truth"] == "benign"])
    found = evaluate(load(model), benign, thresholds={"roc_auc": 0.0}, on_failure="record")
    assert not found.passed
    assert "roc_auc has no value: All labels are of the class benign" in found.verdicts[0].reason


def test_a_new_model_may_be_worse_than_the_live_one_by_so_much(load, write, evaluate, tumours, runner):
    model, labelled = tumours
    live, dataset = load(model, "live"), write(labelled)
    champion = runner(EvaluateModelOperator(task_id="live", model=live, dataset=dataset, label_columns="truth"))
    stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(labelled.iloc[:, :5], labelled["truth"])
    weaker = load(stump, "weaker")
    asked = {"on_failure": "record"}
    lost = evaluate(weaker, dataset, **asked, compare=EarlierEvaluation(champion, max_regression={"roc_auc": 0.01}))
    assert lost.verdicts[0].least == pytest.approx(record_of(champion).metrics["roc_auc"] - 0.01)
    assert not lost.passed
    assert lost.notes == ()
    assert evaluate(
        weaker, dataset, **asked, compare=EarlierEvaluation(champion, max_regression={"roc_auc": 0.2})
    ).passed
    assert evaluate(
        live, dataset, **asked, compare=EarlierEvaluation(champion, max_regression={"roc_auc": 0, "log_loss": "0"})
    ).passed
    other = evaluate(weaker, write(labelled.iloc[::2], "other.parquet"), **asked, compare=EarlierEvaluation(champion))
    assert "The earlier evaluation was made on other files" in other.notes[0]


# -- what is refused, before anything is scored -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": "roc_acu"}, r"metrics names 'roc_acu' \(did you mean 'roc_auc'\?\)"),
        ({"thresholds": {"F1": 0.5}}, r"thresholds names 'F1' \(did you mean 'f1'\?\)"),
        ({"thresholds": {"rmse": 3}}, r"'rmse'.*no metric of a classification"),
        ({"metrics": ["roc_auc_score"]}, r"did you mean 'roc_auc'"),
        ({"thresholds": {"f1": "high"}}, r"thresholds of 'f1' is 'high'; it must be a number"),
        ({"thresholds": {"f1": True}}, r"it must be a number"),
        ({"thresholds": {"f1": {"least": 1}}}, r"a dict must have the keys 'min', 'max' or both"),
        ({"thresholds": {"f1": {"min": 2, "max": 1}}}, r"no value is at least 2\.0 and at most 1\.0"),
        ({"compare": EarlierEvaluation(None, max_regression={"f1": 0.1})}, r"there is no evaluation to compare with"),
        ({"compare": EarlierEvaluation(None, max_regression={"f1": -0.1})}, r"at least 0"),
        ({"kind": "ranking"}, r"kind is 'ranking'"),
        ({"classes": ["a"]}, r"two or more different values"),
        ({"classes": ["a", "b", "c"]}, r"classes has 3 values, but the model model has 2 classes: benign, malignant"),
        ({"classes": {"a": 1}}, r"it must be a list"),
        ({"decision_threshold": 2}, r"decision_threshold"),
        ({"on_failure": "skip"}, r"on_failure"),
        ({"on_empty": "succeed"}, r"on_empty"),
        ({"label_columns": []}, r"label_columns is empty"),
        ({"label_columns": ["truth", "truth"]}, r"twice"),
    ],
)
def test_what_can_never_work_is_refused_before_anything_is_scored(gate, runner, arguments, message):
    with pytest.raises((AirflowFailException, ConfigurationError), match=message):
        gate(**grouped(arguments, problem=Problem))
    assert not list(runner.root.rglob("task_id=evaluate"))


def test_another_record_is_no_baseline(gate, load, tumours):
    model = load(tumours[0])
    with pytest.raises(AirflowFailException, match=r"is no evaluation\. Give the output of an EvaluateModelOperator"):
        gate(compare=EarlierEvaluation(model))


def test_as_many_label_columns_as_outputs_are_needed(load, write, evaluate):
    inputs, truth = datasets.load_linnerud(return_X_y=True, as_frame=True)
    model = load(LinearRegression().fit(inputs, truth))
    with pytest.raises(AirflowFailException, match=r"names 1 column\(s\) \(Waist\), but the model returns 3"):
        evaluate(model, write(inputs.join(truth)), "Waist")


# -- around it ----------------------------------------------------------------------------------------------------


def test_a_rerun_gives_the_same_uris(load, write, runner, tumours):
    model, labelled = tumours
    arguments = {"model": load(model), "dataset": write(labelled), "label_columns": "truth"}
    uris = [runner(EvaluateModelOperator(task_id="evaluate", **arguments), try_number=number) for number in (1, 2)]
    assert uris[0] == uris[1]
    assert len(list(runner.root.rglob("evaluation_report-*.html"))) == 1


def test_an_evaluation_is_logged_under_names_of_its_own(load, write, runner, tumours):
    model, labelled = tumours
    arguments = {"model": load(model), "dataset": write(labelled), "label_columns": "truth"}
    uri = runner(EvaluateModelOperator(task_id="evaluate", **arguments))
    logged = STORE.read_record(runner(LogArtifactsOperator(task_id="log", artifacts=[uri])))
    assert set(logged.entries) == {"evaluation", "evaluation_report", "evaluation_metrics"}
    assert logged.entries["evaluation"] == uri


def test_assets_get_the_verdict_and_an_alias_an_event_only_where_the_model_passed(gate, runner):
    outlets = [Asset("evaluated"), AssetAlias("candidates")]
    gate(outlets=outlets, thresholds={"accuracy": 1.0}, on_failure="record")
    assert runner.events.events["evaluated"].extra["passed"] is False
    assert "candidates" not in runner.events.events
    gate(outlets=outlets, thresholds={"accuracy": 0.5})
    assert [asset.name for asset, _ in runner.events.events["candidates"].added] == ["candidates"]
    assert runner.events.events["evaluated"].extra["report_uri"].endswith(".html")


def test_a_stop_commits_nothing(load, write, runner, tumours):
    model, labelled = tumours
    operator = EvaluateModelOperator(
        task_id="evaluate", model=load(model), dataset=write(labelled), label_columns="truth"
    )
    operator.on_kill()
    with pytest.raises(InterruptedError):
        runner(operator)
    assert not list(runner.root.rglob("task_id=evaluate/**/_commits/*.json"))
