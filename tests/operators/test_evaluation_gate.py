"""The gate before a new model goes live: what passes, what fails, what is refused, and what is told of it."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset, AssetAlias
from evaluating import STORE, record_of, text_of
from grouped import grouped
from sklearn import datasets
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    EarlierEvaluation,
    EvaluateModelOperator,
    LogArtifactsOperator,
    Problem,
)


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
