"""What the pages show, of sound and of hostile results, and how heavy they are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from airflow_runs import DAG, RUN
from secret_forms import FORMS, leaks

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.plugin import task_page
from airflow_batch_inference.plugin.artifacts import Artifacts
from airflow_batch_inference.plugin.html import crumbs, page
from airflow_batch_inference.plugin.runs import Task
from airflow_batch_inference.records import CheckResult, ColumnContract, ColumnSpec
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri

MOST_BYTES = 100_000
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE xcom; --",
    "</style></title><svg onload=alert(1)>",
    "\u202egnp.exe\u2066",
    "\u0646\u0635 عربي",
    "a\x00b\x1b[31m",
    "javascript:alert(1)",
    "{{ 7 * 7 }}${7*7}<%= 7 %>",
    "&lt;b&gt;",
    "x" * 10_000,
    "Z\u0300\u0301\u0302" * 2_000,
    "\U0001f4a9" * 3_000,
    "\ud800",
    "",
]


class Document(HTMLParser):
    """A page's elements, attributes and text, as a browser would read them."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(page)
        self.text = " ".join(self.texts)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def require_sober(page):
    """Refuse a page that a browser would run, load, or fetch anything from, or that is too heavy."""
    assert len(page.encode("utf-8", "surrogatepass")) < MOST_BYTES
    document = Document(page)
    allowed = {"html", "head", "meta", "title", "style", "body", "main", "header", "nav", "section", "div", "p", "span"}
    allowed |= {
        "h1",
        "h2",
        "h3",
        "b",
        "i",
        "u",
        "s",
        "a",
        "bdi",
        "code",
        "small",
        "time",
        "br",
        "sup",
        "dl",
        "dt",
        "dd",
    }
    allowed |= {"table", "thead", "tbody", "tr", "th", "td", "svg", "path", "circle", "text", "rect", "g", "figure"}
    allowed |= {"figcaption"}
    assert set(document.tags) <= allowed
    for name, value in document.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcset", "action", "formaction", "background", "xlink:href")
        if name == "href":
            assert re.match(r"(overview|dag|run|task|report)(\?|$)", value)
        if name == "style":
            assert "url(" not in value
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00\x1b]", page)
    return document


def artifacts(results):
    root = normalize_uri(str(results.folder))
    return Artifacts(root=root, storage=Storage(roots=(root,)), may_read=lambda dag_id: True)


def task(task_id="predict", state="success", operator="PredictOperator", **values):
    return Task(dag_id=DAG, run_id=RUN, task_id=task_id, map_index=-1, operator=operator, state=state, values=values)


def record_of(results, task_id):
    return Storage().read_record(results.xcoms[task_id]["return_value"])


def page_of(results, task_id, rows=10):
    found = task(task_id, **results.xcoms[task_id])
    return require_sober(task_page.render(found, artifacts(results), rows=rows))


def test_a_model_is_shown_with_digest_signature_versions_and_trust(results):
    record, text = record_of(results, "load"), page_of(results, "load").text
    for shown in (record.name, record.sha256, "lightgbm", "Its format cannot hold code", "double", record.model_uri):
        assert shown in text
    assert all(version in text for version in record.versions.values())
    assert "-2.8" in text  # the least value in the training data


def test_a_prediction_set_is_shown_with_its_proof_its_rejects_and_its_first_rows(results):
    record, text = record_of(results, "predict"), page_of(results, "predict").text
    assert "299 rows scored, 1 rejected" in text
    assert record.certificate.row_hash_in in text
    assert "</td><script>0</script>" in text  # a value of the first row, as text
    assert "cannot become double" in text
    assert "<script>alert(7)</script>" in text
    assert record.quarantine[0].uri in text
    assert "next" in text  # the challenger
    assert "planning" in text


def test_no_data_is_shown_where_the_deployment_forbids_it(results):
    text = page_of(results, "predict", rows=0).text
    assert "299 rows scored, 1 rejected" in text
    record = record_of(results, "predict")
    failed = replace(record, models=(replace(record.models[0], error="the value 4711"),))
    for rows in (0, 1):
        content, _ = task_page.content_of(failed, task(), artifacts(results), rows)
        assert ("4711" in content) == bool(rows)
    assert "</td><script>0</script>" not in text
    assert "cannot become" not in text
    assert "alert(7)" not in text


def test_the_config_sets_how_many_rows_are_shown(viewer, deployed, monkeypatch):
    params = {"dag_id": DAG, "run_id": RUN, "task_id": "predict"}
    for given, shown in (("0", 0), ("3", 3), ("1000", 50), ("-5", 0)):
        monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__UI_ROWS", given)
        text = Document(viewer.get("/batch-inference/task", params=params).text).text
        assert len(re.findall(r"</td><script>\d+</script>", text)) == shown + (shown > 0)  # and the rejected row


def test_a_verdict_is_shown_as_its_report_shows_it(results):
    assert "All 3 columns are within their limits" in page_of(results, "drift").text
    assert "Confusion matrix" in page_of(results, "evaluate").text
    logged = page_of(results, "log").text
    assert "299 rows published" in logged
    assert "drift_table_plot" in logged


def test_a_task_that_failed_by_its_verdict_shows_it_all_the_same(results):
    found = task("drift_fails", "failed", "DriftAnalysisOperator", **results.xcoms["drift_fails"])
    assert "return_value" not in found.values
    text = require_sober(task_page.render(found, artifacts(results), rows=10)).text
    assert "this is what it recorded before" in text
    assert "Drift detected" in text


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (task(operator="BashOperator"), "Not a task of this provider"),
        (task(operator=None, return_value="file:///x/y.json"), "Not a task of this provider"),
        (task(state="running"), "Nothing yet"),
        (task(state=None), "Nothing yet"),
        (task(state="skipped"), "Skipped"),
        (task(state="failed"), "nothing of its output is visible anywhere"),
        (task(state="up_for_retry"), "nothing of its output is visible anywhere"),
        (task(state="success"), "No result was recorded"),
        (task(return_value=f"file:///else/drift_results-{'0' * 64}.json"), "lies elsewhere"),
        (task(state="failed", rows=12, batch_id="b<1>"), "b<1>"),
    ],
)
def test_what_has_no_record_says_why_in_a_sentence(results, found, said):
    assert said in require_sober(task_page.render(found, artifacts(results), rows=10)).text


def test_columns_that_are_too_large_for_a_page_are_named_on_it(results, monkeypatch):
    monkeypatch.setattr("airflow_batch_inference.plugin.preview._MOST_BYTES", 0)
    page = page_of(results, "predict")
    assert page.text.count("too large to be read for a page") == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(results, name):
    model = record_of(results, "load")
    contract = ColumnContract(
        name=name, type=name, minimum=None, maximum=None, categories=(name,) * 40, null_fraction=0.5
    )
    model = replace(
        model,
        name=name,
        model_uri=name,
        conn_id=name,
        trusted_by=name,
        trusted_types=(name,) * 50,
        load_options={name: name},
        inputs=(ColumnSpec(name=name, type=name),) * 50,
        class_names=(name,) * 50,
        output_names=(name,) * 50,
        label_columns=(name,) * 50,
        versions={name: name},
        tag=name,
        contract=(contract,) * 50,
    )
    predictions = record_of(results, "predict")
    check = CheckResult(name=name, expression=name, rows=1, max_rate=0.1, action="alert", is_exceeded=True)
    predictions = replace(
        predictions,
        name=name,
        batch_id=name,
        dataset_uris=(name,) * 50,
        columns=tuple(ColumnSpec(name=f"{name}{number}", type=name) for number in range(100)),
        feature_columns=(f"{name}1",),
        label_columns=(f"{name}2",),
        checks=(check,) * 200,
        models=(replace(predictions.models[1], name=name, error=name),) * 100,
        seconds={name: 1.0, "score": 2.0},
        versions={name: name},
    )
    drift = record_of(results, "drift")
    drift = replace(
        drift,
        reasons=(name,) * 100,
        columns=tuple(replace(column, name=name, reason=name) for column in drift.columns * 30),
        missing_columns=(name,) * 500,
        extra_columns=(name,) * 500,
        model_name=name,
        dataset_uri=name,
        batch_id=name,
    )
    logged = record_of(results, "log")
    logged = replace(logged, tag=name, entries={f"{name}{number}": name for number in range(1_000)}, published_uri=name)
    known = name[:250].encode(errors="ignore").decode()  # an id as Airflow's database can hold it
    of = Task(dag_id=known, run_id=known, task_id=known, map_index=-1)
    for record in (model, predictions, drift, logged):
        content, style = task_page.content_of(record, of, artifacts(results), 10)
        document = require_sober(page(name, content, way=crumbs(known, known, known), style=style))
        if name.isprintable():
            assert name[:40] in document.text


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_of_a_uri_is_shown_whatever_field_of_a_record_holds_it(results, form):
    with pytest.raises(ConfigurationError):
        normalize_uri(form)  # as the task that was given it did
    predictions, drift, logged = (record_of(results, name) for name in ("predict", "drift", "log"))
    records = (
        replace(record_of(results, "load"), model_uri=form, load_options={"at": form}),
        replace(
            predictions,
            dataset_uris=(form,),
            batch_id=form,
            models=(replace(predictions.models[0], error=f"Nothing lies at {form}."),),
        ),
        replace(drift, dataset_uri=form, reasons=(f"Read {form}.",)),
        replace(logged, entries={"at": form}, published_uri=form),
    )
    for record in records:
        content, style = task_page.content_of(record, task(), artifacts(results), 10)
        assert not leaks(page(form, content, style=style))
    failed = task(state="failed", batch_id=form, rows=form, return_value=form)
    assert not leaks(task_page.render(failed, artifacts(results), rows=10))


def test_ten_thousand_columns_fit_on_a_page(results):
    columns = tuple(
        ColumnSpec(name=f"a rather long name of a column {number}", type="double") for number in range(10_000)
    )
    model = replace(record_of(results, "load"), inputs=columns, contract=())
    names = tuple(column.name for column in columns)
    predictions = replace(record_of(results, "predict"), columns=columns, feature_columns=names)
    drift = record_of(results, "drift")
    column = drift.columns[0]
    drift = replace(
        drift,
        columns=tuple(replace(column, name=name) for name in names),
        missing_columns=names,
        extra_columns=names,
    )
    for record in (model, predictions, drift):
        content, style = task_page.content_of(record, task(), artifacts(results), 10)
        document = require_sober(page("x", content, style=style))
        assert re.search(r"9,9\d\d more", document.text)
