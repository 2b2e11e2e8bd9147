"""The page is safe to open, small, and says what the result says."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import analyse
from airflow_batch_inference.drift.rules import DriftRule
from airflow_batch_inference.drift.statistics import dataset_statistics
from airflow_batch_inference.reports.drift_html import features_drift_json, render_drift_report

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a' b&c", "\u202eevil", "{{ 7*7 }}", ""]


def result_of(names, categories=None):
    rng = np.random.default_rng(0)
    before = [(name, pa.chunked_array([pa.array(rng.normal(size=500))])) for name in names]
    now = [(name, pa.chunked_array([pa.array(rng.normal(size=500) + i)])) for i, name in enumerate(names)]
    if categories is not None:
        before.append(("kind", pa.chunked_array([pa.array(["known"] * 500)])))
        now.append(("kind", pa.chunked_array([pa.array((categories * 500)[:500])])))
    baseline = dataset_statistics(before, rows=500, source=())
    columns = [name for name, _ in now]
    return analyse(baseline, now, column_names=columns, rows=500, source=(), rule=DriftRule())[0]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def parsed(page):
    tags = Tags()
    tags.feed(page)
    return tags


def test_a_page_of_21_columns_is_at_most_25_kb():
    page = render_drift_report(result_of([f"feature_{i}" for i in range(21)]), provenance={"DAG": "nightly"})
    assert len(page.encode()) <= 25_000


def test_hostile_names_categories_and_provenance_stay_text():
    result = result_of(HOSTILE, categories=HOSTILE)
    tags = parsed(render_drift_report(result, provenance={"<b>label</b>": "<script>x</script>"}))
    assert not tags.tags & {"script", "img", "iframe", "link", "object"}
    assert not {name for name in tags.attributes if name.startswith("on")} | (tags.attributes & {"src", "href"})
    assert "<script>alert(1)</script>" in tags.text


def test_nothing_outside_the_page_is_named():
    page = render_drift_report(result_of(["a"]), provenance={})
    assert "http" not in page
    assert "url(" not in page
    assert "<script" not in page


@pytest.mark.parametrize("shift", [0, 50])
def test_the_banner_says_the_verdict_and_its_reasons(shift):
    result = result_of([f"c{i}" for i in range(shift or 1)])
    text = parsed(render_drift_report(result, provenance={})).text
    assert ("Drift detected" if shift else "No drift") in text
    assert all(reason in text for reason in result.reasons)


def test_columns_are_sorted_by_severity():
    page = render_drift_report(result_of(["calm", "wild", "wilder"]), provenance={})
    body = page.split("<tbody>")[1]
    assert body.index("wilder") < body.index("calm")


def test_nothing_analysed_is_a_page_too():
    result, _ = analyse(None, [], column_names=[], rows=0, source=(), rule=DriftRule())
    assert "Not analysed" in render_drift_report(result, provenance={})
    assert json.loads(features_drift_json(result)) == {}


def test_the_flat_json_holds_every_columns_drift():
    result = result_of(["a", "b"], categories=["known"])
    assert json.loads(features_drift_json(result)) == {column.name: column.drift for column in result.columns}
    assert json.loads(features_drift_json(result))["kind"] == 0.0
