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
    return analysed(before, now, rows=500)


def analysed(before, now, *, rows):
    baseline = dataset_statistics(before, rows=rows, source=())
    names = [name for name, _ in now]
    return analyse(baseline, now, column_names=names, rows=rows, source=(), rule=DriftRule())[0]


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


def test_a_page_of_21_mixed_columns_with_notes_and_missing_values_is_at_most_25_kb():
    rng = np.random.default_rng(1)
    before, now = [], []
    for i in range(21):
        name, lost = f"a_rather_long_name_of_a_feature_{i}", rng.random(5000) < 0.1
        old, new = rng.normal(size=5000), rng.normal(size=5000) * 1.7 + i / 5
        if i % 3 == 0:
            old, new = rng.integers(0, 50, 5000).astype(str), rng.integers(0, 70, 5000).astype(str)
        before.append((name, pa.chunked_array([pa.array(old)])))
        now.append((name, pa.chunked_array([pa.array(new, mask=lost)])))
    result = analysed(before, now, rows=5000)
    page = render_drift_report(result, provenance={f"label {i}": "x" * 80 for i in range(8)})
    assert sum(column.unseen != () for column in result.columns) == 7
    assert len(page.encode()) <= 25_000


def test_a_page_of_very_many_columns_stays_bounded_and_says_what_it_leaves_out():
    page = render_drift_report(result_of([f"c{i}" for i in range(503)]), provenance={})
    assert page.count("<tr class=") == 500
    assert "3 more columns with less drift are in features_drift_results only" in page
    assert len(page.encode()) <= 500_000
    assert "more columns" not in render_drift_report(result_of(["a"]), provenance={})


def test_hostile_names_categories_and_provenance_stay_text():
    result = result_of(HOSTILE, categories=HOSTILE)
    tags = parsed(render_drift_report(result, provenance={"<b>label</b>": "<script>x</script>"}))
    assert not tags.tags & {"script", "img", "iframe", "link", "object"}
    assert not {name for name in tags.attributes if name.startswith("on")} | (tags.attributes & {"src", "href"})
    text = tags.text
    assert all(name in text for name in HOSTILE)
    assert "<script>x</script>" in text
    assert "<b>label</b>" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_category_or_reason_stays_text(hostile):
    unseen = result_of([], categories=[hostile])
    reason = analysed(
        [(hostile, pa.chunked_array([pa.array([[1]] * 40)]))],
        [(hostile, pa.chunked_array([pa.array([{hostile or "x": 1}] * 40)]))],
        rows=40,
    )
    for result in (unseen, reason):
        page = render_drift_report(result, provenance={})
        assert not parsed(page).tags & {"script", "img"}
        assert hostile in parsed(page).text


def test_nothing_outside_the_page_is_named():
    result = result_of(["a", "b"], categories=["known", "new"])
    page = render_drift_report(result, provenance={"DAG": "nightly"})
    assert "http" not in page
    assert "//" not in page
    assert "@import" not in page
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
    page = render_drift_report(result, provenance={"DAG": "nightly"})
    text = parsed(page).text
    assert all(words in text for words in ("Not analysed", *result.reasons, "Provenance", "nightly"))
    assert "<table" not in page
    assert "None" not in text
    assert json.loads(features_drift_json(result)) == {}


def test_the_flat_json_holds_every_columns_drift():
    result = result_of(["a", "b"], categories=["known"])
    assert json.loads(features_drift_json(result)) == {column.name: column.drift for column in result.columns}
    assert json.loads(features_drift_json(result))["kind"] == 0.0


def test_a_column_without_a_number_is_null_in_the_flat_json_and_a_dash_on_the_page():
    numbers = pa.chunked_array([pa.array(np.arange(50.0))])
    lists = pa.chunked_array([pa.array([[1.0]] * 50)])
    result = analysed([("good", numbers), ("bad", numbers)], [("good", numbers), ("bad", lists)], rows=50)
    flat = features_drift_json(result)
    assert json.loads(flat, parse_constant=pytest.fail) == {"good": 0.0, "bad": None}
    page = render_drift_report(result, provenance={})
    row = page.split("<tbody>")[1].split('<tr class="none">')[1].split("</tr>")[0]
    assert row.startswith("<td>bad<small>columns of type list")
    assert row.count("\N{EN DASH}") == 6
    assert "None" not in row


def test_a_column_that_lost_all_its_values_is_first_and_shown_in_full():
    numbers = pa.chunked_array([pa.array(np.arange(50.0))])
    gone = pa.chunked_array([pa.nulls(50)])
    result = analysed([("kept", numbers), ("lost", numbers)], [("kept", numbers), ("lost", gone)], rows=50)
    text = parsed(render_drift_report(result, provenance={})).text
    assert "lost (no current value is left)" in text
    page = render_drift_report(result, provenance={})
    assert page.split("<tbody>")[1].startswith('<tr class="bad"><td>lost<small>no current value is left</small>')
    assert "width:100.0%" in page
    assert "nan" not in text.lower()


def test_too_few_rows_are_said_in_the_banner():
    numbers = pa.chunked_array([pa.array([1.0])])
    result = analysed([("x", numbers)], [("x", numbers)], rows=1)
    page = render_drift_report(result, provenance={})
    assert '<header class="odd"><h1>Not enough data to judge</h1><p>Only 1 current rows' in page


def test_every_row_of_the_table_has_as_many_cells_as_the_head():
    page = render_drift_report(result_of(["a", "b"], categories=["known", "new"]), provenance={})
    head, body = page.split("<thead>")[1].split("</thead>")[0], page.split("<tbody>")[1].split("</tbody>")[0]
    assert [row.count("<td") for row in body.split("</tr>") if row] == [head.count("<th")] * 3


def test_many_categories_are_drawn_as_twelve_bars_and_a_rest():
    rng = np.random.default_rng(0)
    before, now = (pa.chunked_array([pa.array(rng.integers(0, 90, 5000).astype(str))]) for _ in range(2))
    page = render_drift_report(analysed([("k", before)], [("k", now)], rows=5000), provenance={})
    area = page.split("<tbody>")[1].split('<path class="r" d="')[1].split('"')[0]
    assert area.count("z") == 13  # and one for all others


def test_columns_on_one_side_only_are_listed():
    numbers = pa.chunked_array([pa.array(np.arange(50.0))])
    result = analysed([("both", numbers), ("gone<", numbers)], [("both", numbers), ("new&", numbers)], rows=50)
    page = render_drift_report(result, provenance={})
    assert "<dt>Gone from the data<dd>gone&lt;<dt>Not in the reference<dd>new&amp;" in page
    assert "Columns on one side only" not in render_drift_report(result_of(["a"]), provenance={})


def test_the_marks_on_the_bars_stand_at_the_thresholds():
    result, _ = analyse(
        None, [], column_names=[], rows=0, source=(), rule=DriftRule(drift_threshold=0.25, possible_drift_threshold=0.2)
    )
    assert "--p:20.0%;--d:25.0%" in render_drift_report(result, provenance={})


def test_a_very_long_name_does_not_swell_the_page():
    page = render_drift_report(result_of(["x" * 100_000]), provenance={})
    assert len(page.encode()) <= 10_000
