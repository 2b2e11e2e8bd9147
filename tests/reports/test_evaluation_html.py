"""The page of an evaluation is safe to open, small, and says what the record says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from airflow_batch_inference.evaluation.classification import ClassifiedRows, evaluate_classes
from airflow_batch_inference.evaluation.limits import judge, parse_regressions, parse_thresholds
from airflow_batch_inference.evaluation.names import names_of
from airflow_batch_inference.evaluation.regression import evaluate_numbers
from airflow_batch_inference.records import EvaluationRecord, TaskKey, decode_record
from airflow_batch_inference.reports.evaluation_artifacts import store_evaluation
from airflow_batch_inference.reports.evaluation_html import metrics_json, render_evaluation_report
from airflow_batch_inference.storage.store import Storage

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a' b&c", "\u202eevil", "{{ 7*7 }}", ""]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.values, self.text = [], set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data):
        self.text += data


def parsed(page):
    tags = Tags()
    tags.feed(page.split("</style>")[1])
    return tags


def classified(names, rows=2000, seed=0):
    """An output of classes with probabilities that are right more often than not."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, len(names), rows)
    chances = rng.random((rows, len(names))) + np.eye(len(names))[actual] * 0.7
    chances /= chances.sum(axis=1, keepdims=True)
    scored = ClassifiedRows(
        actual=actual,
        predicted=chances.argmax(axis=1),
        names=tuple(names),
        known=len(names),
        probabilities=chances,
    )
    wanted = names_of("classification", len(names))
    return evaluate_classes(scored, label_column="truth", rows_without_label=0, wanted=wanted)


def measured(rows=3000):
    rng = np.random.default_rng(0)
    actual = rng.normal(size=rows) * 40 + 100
    predicted = actual + rng.normal(size=rows) * 9
    return evaluate_numbers(
        actual, predicted, label_column="truth", rows_without_label=3, wanted=names_of("regression")
    )


def record(*outputs, limits=(), earlier=None, **changes):
    metrics, undefined = outputs[0].metrics, outputs[0].undefined
    verdicts = judge(limits, metrics, undefined, earlier or {})
    fields = {
        "task": TaskKey(dag_id="gate", run_id="r", task_id="evaluate"),
        "problem": "regression" if outputs[0].residuals else "classification",
        "model_name": "churn",
        "model_uri": "file:///churn.txt",
        "model_sha256": "0" * 64,
        "model_flavor": "lightgbm",
        "model_record_uri": None,
        "predictions_uri": "file:///_commits/0000000001.json",
        "dataset_uris": ("file:///labelled.parquet",),
        "dataset_sha256": "1" * 64,
        "batch_id": "b",
        "rows": outputs[0].rows,
        "rows_rejected": 0,
        "decision_threshold": None,
        "metrics": metrics,
        "undefined": undefined,
        "outputs": outputs,
        "verdicts": verdicts,
        "passed": all(verdict.passed for verdict in verdicts),
        "notes": (),
        "baseline_evaluation_uri": "file:///earlier.json" if earlier else None,
        "baseline_metrics": earlier or {},
        "metrics_uri": None,
        "report_uri": None,
    }
    return EvaluationRecord(**(fields | changes))


def page_of(evaluation):
    return render_evaluation_report(evaluation, provenance={"Model": evaluation.model_name, "DAG": "gate"})


def text_of(evaluation):
    return parsed(page_of(evaluation)).text


# -- size and safety ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 3, 8, 21, 150])
def test_a_page_of_any_number_of_classes_is_at_most_40_kb(number):
    names = [f"a rather long name of a class, number {i}" for i in range(number)]
    page = page_of(record(classified(names, rows=20_000)))
    assert len(page.encode()) <= 40_000
    assert parsed(page).tags.count("figure") == 3


def test_a_page_of_several_outputs_is_at_most_40_kb_and_says_what_it_leaves_out():
    outputs = tuple(replace(measured(rows=300_000), label_column=f"output {i}") for i in range(12))
    page = page_of(record(*outputs))
    assert len(page.encode()) <= 40_000
    assert "9 more outputs are in the record only." in page
    assert "Values are means over the outputs." in page


def test_each_filled_cell_of_actual_and_predicted_is_drawn_once():
    output = measured()
    page = page_of(record(output))
    cells = re.findall(r'class="s" stroke-width="[\d.]+" opacity="[\d.]+" d="([^"]+)"', page)
    widths = [float(width) for path in cells for width in re.findall(r"h([\d.]+)", path)]
    assert sum(widths) / (260 / 28) == pytest.approx(len(output.residuals.density), rel=1e-3)


def test_nothing_on_the_page_can_run_or_load():
    for output in (classified(HOSTILE), measured()):
        page = page_of(record(replace(output, label_column=HOSTILE[0]), model_name=HOSTILE[1], notes=tuple(HOSTILE)))
        found = parsed(page)
        assert not {"script", "img", "link", "iframe", "object", "use", "image", "a"} & set(found.tags)
        assert not {name for name in found.attributes if name.startswith("on")} | ({"href", "src"} & found.attributes)
        assert not re.search(r"https?:|url\(|@import|javascript:", page)


def test_hostile_names_come_out_as_the_text_that_they_are():
    found = parsed(page_of(record(classified(HOSTILE[:3]))))
    assert all(name in found.text for name in HOSTILE[:3])
    long = HOSTILE[1] + "x" * 20  # too long for a heading, which then has a title
    assert long in parsed(page_of(record(classified(["no", long])))).values


# -- what it says -------------------------------------------------------------------------------------------------


def test_the_verdict_comes_first_then_the_missed_limits():
    lost = record(classified(["no", "yes"]), limits=parse_thresholds({"roc_auc": 0.9999, "accuracy": 0.1}))
    page = page_of(lost)
    assert re.search(r'<header class="bad">.*<h1>Not good enough</h1><p>roc_auc is 0\.9\d+, below 0\.9999\.</p>', page)
    rows = re.findall(r'<tr class="(\w+)"><td>([^<]+)<td>', page)
    assert rows == [("bad", "ROC AUC"), ("good", "Accuracy")]
    won = record(classified(["no", "yes"]), limits=parse_thresholds({"roc_auc": 0.1, "log_loss": 9}))
    assert "All 2 limits are kept." in text_of(won)
    assert "≤ 9" in text_of(won)
    assert "No thresholds were set" in text_of(record(measured()))


def test_an_earlier_model_stands_beside_the_new_one():
    text = text_of(
        record(measured(), limits=parse_regressions({"mae": 0.5}), earlier={"mae": 7.0, "r2": 0.5, "rmse": None})
    )
    assert "Earlier model" in text
    assert "≤ 7.5 vs earlier" in text
    assert "0.5000" in text


def test_what_has_no_value_is_a_dash_with_its_reason():
    output = classified(["no", "yes"])
    output = replace(output, metrics=output.metrics | {"roc_auc": None}, undefined={"roc_auc": "One <class> only."})
    assert "Without a value" in text_of(record(output))
    assert "One <class> only." in text_of(record(output))


def test_the_matrix_has_every_count_and_its_share_of_the_label():
    output = classified(["no", "yes"], rows=100)
    (first, second) = output.confusion.counts
    text = text_of(record(output))
    for counts in (first, second):
        for count in counts:
            assert f"{count}{count / sum(counts):.1%}" in text


def test_every_picture_has_a_title_for_those_who_cannot_see_it():
    for output in (classified(["a", "b", "c"]), measured()):
        page = page_of(record(output))
        drawings = re.findall(r'<svg role="img"[^>]*><title>([^<]+)</title>', page)
        assert len(drawings) == page.count("<svg") == page.count("<figure>") >= 2
    assert "ROC AUC: a 0." in page_of(record(classified(["a", "b", "c"])))


def test_nothing_is_drawn_without_numbers():
    output = replace(measured(), residuals=None)
    assert "<figure>" not in page_of(record(output))


# -- what is stored -----------------------------------------------------------------------------------------------


def test_the_metrics_are_flat_json_with_null_where_there_is_none():
    output = replace(measured(), metrics={"mae": 1.5, "r2": None}, undefined={"r2": "Why."})
    document = json.loads(metrics_json(record(output)))
    assert document["metrics"] == {"mae": 1.5, "r2": None}
    assert document["outputs"] == {"truth": {"mae": 1.5, "r2": None}}
    assert document["passed"] is True


def test_the_same_evaluation_is_stored_once_and_comes_back_as_it_was(tmp_path):
    for output in (classified(["no", "yes"]), measured()):
        stored = [store_evaluation(record(output), folder=str(tmp_path), storage=Storage()) for _ in range(2)]
        assert stored[0] == stored[1]
        uri, completed = stored[0]
        assert Storage().read_record(uri) == completed
        assert decode_record(completed.to_json(), where="the test") == completed
        assert len(completed.to_json()) <= 40_000


def test_a_record_that_does_not_agree_with_its_verdicts_is_refused():
    lost = record(measured(), limits=parse_thresholds({"mae": 0.1}))
    with pytest.raises(ValueError, match="does not agree with its verdicts"):
        replace(lost, passed=True)
