"""The page is safe to open, small, and says what the result says."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from html_pages import parsed, rows_of, text_of

from airflow_batch_inference.compat.mlrun.features_drift import features_drift_json
from airflow_batch_inference.drift.analysis import Roles, not_analysed
from airflow_batch_inference.drift.rules.effect import EffectRule
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.reports.drift_html import render_drift_report

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a' b&c", "\u202eevil", "{{ 7*7 }}", ""]
RULES = pytest.mark.parametrize("rule", ["effect", "mlrun"])


def numbers(n=50):
    return np.arange(float(n))


# -- size --------------------------------------------------------------------------------------------------------


def many(rng, categories):
    """Twenty columns: nineteen inputs, drifted each in its own way, with missing values, and the predictions."""
    before, now = {}, {}
    for i in range(19):
        name, lost = f"a_rather_long_name_of_a_feature_{i}", rng.random(5000) < 0.1
        old, new = rng.normal(size=5000), rng.normal(size=5000) * (1.7 if i % 2 else 1) + i / 5
        if categories and i % 3 == 0:
            old, new = rng.integers(0, 50, 5000).astype(str), rng.integers(0, 70, 5000).astype(str)
        before[name], now[name] = old, pa.array(new, mask=lost)
    before["prediction"], now["prediction"] = rng.random(5000), rng.random(5000) ** 1.5
    return before, now, Roles(inputs=tuple(before)[:-1], predictions=("prediction",))


@RULES
@pytest.mark.parametrize("categories", [True, False])
def test_a_page_of_20_columns_with_notes_predictions_and_a_heat_map_is_at_most_25_kb(
    analysed, earlier, rng, categories, rule
):
    before, now, roles = many(rng, categories)
    result = replace(analysed(before, now, roles, name=rule), previous_runs=8)
    previous = earlier(result, [{column.name: column.status for column in result.columns}] * 8)
    page = render_drift_report(result, provenance={f"label {i}": "x" * 80 for i in range(8)}, previous=previous)
    assert sum(column.unseen != () for column in result.columns) == (7 if categories else 0)
    assert "Over the last runs" in page
    assert "Predictions" in page
    assert len(page.encode()) <= 25_000


def test_a_page_of_very_many_columns_stays_bounded_and_says_what_it_leaves_out(result_of):
    result = result_of(["a"])
    columns = tuple(replace(result.columns[0], name=f"c{i}") for i in range(503))
    page = render_drift_report(replace(result, columns=columns), provenance={})
    assert len(rows_of(page)) == 500
    assert "3 more columns with less drift are in features_drift_results" in page
    assert len(page.encode()) <= 500_000
    assert "more columns" not in render_drift_report(result, provenance={})


def test_a_very_long_name_does_not_swell_the_page(result_of):
    page = render_drift_report(result_of(["x" * 100_000]), provenance={})
    assert len(page.encode()) <= 10_000


def test_very_many_columns_on_one_side_do_not_swell_the_page(analysed):
    now = {"x": numbers(), **{f"new_{i}": numbers() for i in range(1000)}}
    page = render_drift_report(analysed({"x": numbers()}, now), provenance={})
    assert "new_199 and 800 more" in page
    assert len(page.encode()) <= 15_000


# -- safety ------------------------------------------------------------------------------------------------------


def assert_harmless(page):
    tags = parsed(page)
    assert not tags.tags & {"script", "img", "iframe", "link", "object", "a", "form", "base"}
    assert not {name for name in tags.attributes if name.startswith("on")} | (tags.attributes & {"src", "href"})


@RULES
def test_hostile_names_categories_provenance_and_history_stay_text(result_of, earlier, rule):
    names = [*HOSTILE[:-1], "\x00", "&lt;b&gt;", "</td></table><h1>"]
    result = result_of(["calm", *names], categories=HOSTILE, name=rule)
    previous = earlier(result, [dict.fromkeys(names, 3.0)], at="2026-<i>1</i>-02")
    page = render_drift_report(result, provenance={"<b>label</b>": "<script>x</script>"}, previous=previous)
    assert_harmless(page)
    assert "<i>1" not in page
    assert page.count("<h1>") == 1
    text = text_of(page)
    assert all(name in text for name in [*HOSTILE, "</td></table><h1>", "<script>x</script>", "<b>label</b>"])
    assert "Over the last runs" in text


@RULES
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_category_reason_or_watched_column_stays_text(analysed, result_of, hostile, rule):
    lists, structs = pa.array([[1]] * 40), pa.array([{hostile or "x": 1}] * 40)
    results = [
        result_of([], categories=[hostile], name=rule),
        analysed({hostile: numbers(40)}, {hostile: structs}, name=rule),
        analysed({hostile: lists}, {hostile: structs}, name=rule),
        analysed({hostile: numbers(40)}, {"other": numbers(40)}, name=rule),
        analysed({"y": numbers(40)}, {hostile: numbers(40), "y": numbers(40)}, name=rule),
        analysed({hostile: numbers(40)}, {hostile: numbers(40) + 99}, name=rule, watch=(hostile,)),
    ]
    for result in results:
        page = render_drift_report(result, provenance={})
        assert_harmless(page)
        assert hostile in text_of(page)


@RULES
def test_nothing_outside_the_page_is_named(result_of, earlier, rule):
    result = result_of(["a", "b"], categories=["known", "new"], name=rule)
    page = render_drift_report(result, provenance={"DAG": "nightly"}, previous=earlier(result, [{"b": 1.0}]))
    assert "http" not in page
    assert "//" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert "<script" not in page


# -- what it says ------------------------------------------------------------------------------------------------


@RULES
@pytest.mark.parametrize("shift", [0, 50])
def test_the_banner_says_the_verdict_and_its_reasons(analysed, rng, shift, rule):
    values = {f"c{i}": rng.normal(size=500) for i in range(5)}
    result = analysed(values, {name: each + shift for name, each in values.items()}, name=rule)
    page = render_drift_report(result, provenance={})
    text = text_of(page)
    assert ("Drift detected" if shift else "No drift") in text
    assert result.reasons
    assert all(reason in text for reason in result.reasons)
    assert f'<header class="{"bad" if shift else "good"}">' in page


@pytest.mark.parametrize("status", list(DriftStatus))
def test_every_status_has_a_title(result_of, status):
    page = render_drift_report(replace(result_of(["a"]), status=status), provenance={})
    titles = ["No drift", "Possible drift", "Drift detected", "Not enough data to judge", "Not analysed"]
    title = titles[list(DriftStatus).index(status)]
    assert f"<title>{title}</title>" in page
    assert f"<h1>{title}</h1>" in page


@RULES
def test_columns_are_sorted_by_severity(result_of, rule):
    page = render_drift_report(result_of(["calm", "wild", "wilder"], name=rule), provenance={})
    assert list(rows_of(page)) == ["wilder", "wild", "calm"]


def test_predictions_come_first_then_inputs_then_what_is_not_judged(result_of):
    names = ["input", "score", "note", "watched, too"]
    roles = Roles(inputs=("input",), predictions=("score",))
    page = render_drift_report(result_of(names, roles=roles, watch=("watched, too",)), provenance={})
    sections = re.findall(r'<tr class="s"><th colspan="9">([^<]*)', page)
    assert sections == ["Predictions", "Inputs", "Not taken by the model, and not judged"]
    assert list(rows_of(page)) == ["score", "watched, too", "input", "note"]
    assert '<tr class="none"><td>note' in page  # it moved by two deviations, and is no cause for alarm
    assert '<tr class="bad"><td>watched, too' in page


def test_a_single_section_needs_no_title(result_of):
    assert '<tr class="s">' not in render_drift_report(result_of(["a", "b"]), provenance={})


def test_under_mlruns_rule_every_column_is_judged(result_of):
    roles = Roles(inputs=("input",), predictions=("score",))
    page = render_drift_report(result_of(["input", "score", "note"], roles=roles, name="mlrun"), provenance={})
    assert re.findall(r'<tr class="s"><th colspan="9">([^<]*)', page) == ["Predictions", "Inputs"]


@RULES
def test_every_row_of_the_table_has_as_many_cells_as_the_head(result_of, rule):
    page = render_drift_report(result_of(["a", "b"], categories=["known", "new"], name=rule), provenance={})
    head = page.split("<thead>")[1].split("</thead>")[0]
    assert [row.count("<td") + 1 for row in rows_of(page).values()] == [head.count("<th")] * 3 == [9] * 3


def test_a_row_shows_the_columns_numbers(analysed, rng):
    values = rng.normal(size=1000)
    (column,) = (result := analysed({"x": values}, {"x": pa.array(values + 1, mask=values > 1)})).columns
    row = rows_of(render_drift_report(result, provenance={}))["x"]
    cells = [parsed(cell).text for cell in row.split("<td>")]
    expected = [column.metrics[name] for name in ("w1_sd", "js_corrected", "ks_high", "mlrun_drift")]
    assert cells[3:7] == [f"{value:.3f}" for value in expected]
    assert cells[7] == f"{column.current_missing_fraction:.1%}0 before"
    assert cells[8] == ("0" if not column.out_of_range_fraction else f"{column.out_of_range_fraction:.1%}")


def test_new_categories_are_named_under_their_column(result_of):
    row = rows_of(render_drift_report(result_of([], categories=["known", "new<"]), provenance={}))["kind"]
    assert row.startswith("kind<small>new: new&lt; (250)</small>")
    assert '<small class="k">known</small>' in row
    assert row.endswith("<td>50.0%")


def test_nothing_analysed_is_a_page_too():
    result = not_analysed(100, EffectRule())
    page = render_drift_report(result, provenance={"DAG": "nightly"})
    text = text_of(page)
    assert all(words in text for words in ("Not analysed", *result.reasons, "Provenance", "nightly"))
    assert "<table" not in page
    assert "None" not in text
    assert json.loads(features_drift_json(result)) == {}


def test_the_flat_json_holds_every_columns_drift(result_of):
    result = result_of(["a", "b"], categories=["known"])
    found = json.loads(features_drift_json(result))
    assert found == {column.name: column.metrics["mlrun_drift"] for column in result.columns}
    assert found["kind"] == 0.0
    assert list(found) == ["a", "b", "kind"]


@RULES
def test_a_column_without_a_number_is_null_in_the_flat_json_and_a_dash_on_the_page(analysed, rule):
    lists = pa.array([[1.0]] * 50)
    result = analysed({"good": numbers(), "bad": lists}, {"good": numbers(), "bad": lists}, name=rule)
    assert json.loads(features_drift_json(result), parse_constant=pytest.fail) == {"good": 0.0, "bad": None}
    page = render_drift_report(result, provenance={})
    row = rows_of(page)["bad"]
    assert '<tr class="none"><td>bad<small>in the reference: columns of type list' in page
    assert row.count("\N{EN DASH}") == 7
    assert "None" not in row


@pytest.mark.parametrize("turned", [pa.array(["a"] * 50), None])
def test_a_type_that_changed_and_a_column_gone_are_drift_with_a_full_bar(analysed, turned):
    now = {"kept": numbers()} if turned is None else {"kept": numbers(), "lost": turned}
    roles = Roles(inputs=("kept", "lost"))
    page = render_drift_report(analysed({"kept": numbers(), "lost": numbers()}, now, roles), provenance={})
    note = "it is gone from the data" if turned is None else "it was double in the reference and is string now"
    assert list(rows_of(page)) == ["lost", "kept"]
    assert f'<tr class="bad"><td>lost<small>{note}</small>' in page
    assert "width:100%" in rows_of(page)["lost"]


@RULES
def test_a_column_that_lost_all_its_values_is_first_and_shown_in_full(analysed, rule):
    now = {"kept": numbers(), "lost": pa.nulls(50)}
    result = analysed({"kept": numbers(), "lost": numbers()}, now, name=rule)
    page = render_drift_report(result, provenance={})
    assert list(rows_of(page)) == ["lost", "kept"]
    assert '<tr class="bad"><td>lost<small>no current value is left</small>' in page
    assert "width:100%" in rows_of(page)["lost"]
    assert "nan" not in text_of(page).lower()
    said = "100% missing, was 0.0%" if rule == "effect" else "lost (no current value is left)"
    assert said in text_of(page)


def test_too_few_rows_are_said_in_the_banner(analysed):
    page = render_drift_report(analysed({"x": [1.0]}, {"x": [1.0]}), provenance={})
    assert '<header class="odd"><h1>Not enough data to judge</h1><p>Only 1 current rows' in page


def test_many_categories_are_drawn_as_twelve_bars_and_a_rest(analysed, rng):
    before, now = (rng.integers(0, 90, 5000).astype(str) for _ in range(2))
    page = render_drift_report(analysed({"k": before}, {"k": now}), provenance={})
    area = rows_of(page)["k"].split('<path class="r" d="')[1].split('"')[0]
    assert area.count("z") == 13  # and one for all others


def test_columns_on_one_side_only_are_listed(analysed, result_of):
    result = analysed({"both": numbers(), "gone<": numbers()}, {"both": numbers(), "new&": numbers()})
    page = render_drift_report(result, provenance={})
    assert "<dt>Gone from the data<dd>gone&lt;<dt>Not in the reference<dd>new&amp;" in page
    assert "Columns on one side only" not in render_drift_report(result_of(["a"]), provenance={})


def test_facts_tell_the_rows_the_rule_and_the_runs_before(result_of):
    result = replace(result_of(["a"]), current_rows=1_234_567, previous_runs=7)
    text = text_of(render_drift_report(result, provenance={}))
    assert "Current rows 1,234,567" in text
    assert "Reference rows 500" in text
    assert "Rule effect" in text
    assert f"MLRun's metric {result.metrics['mlrun_drift']:.3f}" in text
    assert "Earlier runs 7" in text
    assert "Earlier runs" not in text_of(render_drift_report(result_of(["a"]), provenance={}))


def test_what_is_expected_of_the_predictions_stands_beside_what_the_reference_had(result_of):
    estimated = replace(
        result_of(["a"]), performance={"roc_auc": 0.81234, "f1": 0.5}, reference_performance={"roc_auc": 0.9}
    )
    text = text_of(render_drift_report(estimated, provenance={}))
    assert "Estimated without labels:ROC AUC 0.812 (reference 0.900)F1 0.500 (reference \N{EN DASH})" in text
    assert "Estimated" not in text_of(render_drift_report(result_of(["a"]), provenance={}))


def test_provenance_that_is_empty_is_left_out(result_of):
    page = render_drift_report(result_of(["a"]), provenance={"DAG": "nightly", "Model": ""})
    assert "<dt>DAG<dd>nightly" in page
    assert "Model" not in page
    assert "Provenance" not in render_drift_report(result_of(["a"]), provenance={"Model": ""})
