"""The bars of the page, their marks, and the heat map of the runs before."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from html_pages import rows_of, text_of

from airflow_batch_inference.drift.analysis import Roles, not_analysed
from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.reports.drift_html import render_drift_report


def numbers(n=50):
    return np.arange(float(n))


@pytest.mark.parametrize(
    ("rule", "marks"),
    [
        ({"name": "mlrun", "drift_threshold": 0.25, "possible_drift_threshold": 0.2}, "--p:20.0%;--d:25.0%"),
        ({"name": "mlrun"}, "--p:50.0%;--d:70.0%"),
        ({}, "--p:25.0%;--d:50.0%"),  # an effect's bar ends at twice its drift limit
        ({"drift_threshold": 0.5, "possible_drift_threshold": 0.4}, "--p:40.0%;--d:50.0%"),
        ({"drift_threshold": 0.0, "possible_drift_threshold": 0.0}, "--p:0.0%;--d:50.0%"),
    ],
)
def test_the_marks_on_the_bars_stand_at_the_thresholds(rule, marks):
    assert marks in render_drift_report(not_analysed(0, make_rule(**{"name": "effect", **rule})), provenance={})


def effect_of(page, name):
    return rows_of(page)[name].split("<td>")[2]


def test_a_column_with_limits_of_its_own_has_marks_of_its_own(analysed, rng):
    values = rng.normal(size=5000)
    limits = {"b": {"drift_threshold": 2.0, "possible_drift_threshold": 0.5}}
    result = analysed({"a": values, "b": values}, {"a": values + 0.3, "b": values + 0.3}, limits=limits)
    page = render_drift_report(result, provenance={})
    assert '<div class="v" style="--p:12%">' in effect_of(page, "b")
    assert "style=" not in effect_of(page, "a").split('<div class="bar">')[0]


def test_a_bar_is_as_long_as_its_effect_in_units_of_twice_the_limit(analysed, rng):
    values = rng.normal(size=5000)
    result = analysed({"x": values}, {"x": values + 0.3 * values.std(ddof=1)})
    effect = effect_of(render_drift_report(result, provenance={}), "x")
    assert "<b>0.3 sd</b>" in effect
    assert "width:75%" in effect
    assert "<small>drift</small>" in effect


def test_under_mlruns_rule_a_bar_is_as_long_as_its_drift(analysed):
    result = analysed({"x": numbers()}, {"x": numbers() + 25}, name="mlrun")
    drift = result.columns[0].metrics["mlrun_drift"]
    effect = effect_of(render_drift_report(result, provenance={}), "x")
    assert f"<b>{drift:.2f}</b>" in effect
    assert f"width:{drift:.0%}" in effect
    assert "<u " not in effect


def test_a_share_that_is_worse_than_the_shape_leads_and_has_its_own_scale(analysed, rng):
    values = rng.normal(size=5000)
    result = analysed({"x": values}, {"x": pa.array(values, mask=rng.random(5000) < 0.15)})
    effect = effect_of(render_drift_report(result, provenance={}), "x")
    assert re.search(r"<b>±1[456]% missing</b>", effect)
    assert 'style="--p:10%"' in effect  # possible from 2 %, drift from 10 %, and the bar ends at 20 %


def test_a_tick_stands_at_what_chance_alone_makes(analysed, rng):
    result = analysed({"x": rng.normal(size=2000)}, {"x": rng.normal(size=500) + 0.5})
    floor = result.columns[0].noise_floor["w1_sd"]
    page = render_drift_report(result, provenance={})
    assert 0.03 < floor < 0.07
    assert f'<u style="left:{floor / 0.4:.0%}"></u>' in effect_of(page, "x")
    assert "what chance alone makes of this many rows" in text_of(page)


def test_the_divergence_has_its_noise_taken_off_and_needs_no_tick(result_of):
    page = render_drift_report(result_of([], categories=["known", "new"]), provenance={})
    assert "<u " not in effect_of(page, "kind")
    assert "what chance" not in text_of(render_drift_report(result_of(["a"], name="mlrun"), provenance={}))


def cells_of(page):
    """The heat map's rows: a name and the darkness of each run."""
    rows = page.split('<table class="h">')[1].split("</table>")[0].split("<tr><th>")[2:]
    return {row.split("<td")[0]: re.findall(r"<td(?: class=\"(h\d)\")?>", row) for row in rows}


def test_the_heat_map_shows_earlier_runs_and_this_one(result_of, earlier):
    result = result_of(["a", "b"])
    no, possible, drift = DriftStatus.NO_DRIFT, DriftStatus.POSSIBLE_DRIFT, DriftStatus.DRIFT_DETECTED
    days = [{"a": no, "b": possible}, {"a": possible, "b": drift}, {"b": no}, {"a": DriftStatus.NOT_ANALYSED}]
    previous = earlier(result, days)
    page = render_drift_report(result, provenance={}, previous=previous)
    assert cells_of(page) == {"b": ["h2", "h3", "h1", "", "h3"], "a": ["h1", "h2", "", "", "h1"]}
    assert "<th>07-01<th>07-02<th>07-03<th>07-04<th>now" in page


def test_only_runs_with_the_same_reference_are_on_the_heat_map(result_of, earlier):
    result = result_of(["a", "b"])
    (same,) = earlier(result, [{"b": DriftStatus.POSSIBLE_DRIFT}])
    others = earlier(result, [{"b": DriftStatus.POSSIBLE_DRIFT}] * 3, baseline_sha256="another")
    page = render_drift_report(result, provenance={}, previous=[*others, same])
    assert cells_of(page)["b"] == ["h2", "h3"]
    for previous in (others, []):
        assert "Over the last runs" not in render_drift_report(result, provenance={}, previous=previous)


def test_columns_that_are_not_judged_are_not_on_the_heat_map(analysed, earlier):
    values = numbers()
    result = analysed({"a": values, "key": values}, {"a": values, "key": values + 9}, roles=Roles(inputs=("a",)))
    previous = earlier(result, [{"a": DriftStatus.NO_DRIFT, "key": DriftStatus.DRIFT_DETECTED}])
    assert list(cells_of(render_drift_report(result, provenance={}, previous=previous))) == ["a"]


def test_a_columns_share_in_the_model_stands_under_its_name(result_of):
    result = result_of(["a"])
    column = replace(result.columns[0], importance=0.34)
    page = render_drift_report(replace(result, columns=(column,)), provenance={})
    assert "<small>34.0% of the model</small>" in page
    assert "of the model" not in render_drift_report(result, provenance={})


def test_the_page_says_of_which_model_and_day_it_is(result_of):
    page = render_drift_report(
        result_of(["a"]), provenance={"Model": "<churn>", "DAG": "nightly", "Date": "2026-02-10"}
    )
    assert page.count("&lt;churn&gt; \N{MIDDLE DOT} nightly \N{MIDDLE DOT} 2026-02-10") == 2


def test_the_heat_map_holds_a_dozen_columns_and_two_weeks_at_most(result_of, earlier):
    result = result_of([f"c{i:02}" for i in range(20)])
    previous = earlier(result, [{f"c{i:02}": DriftStatus.NO_DRIFT for i in range(20)}] * 30)
    found = cells_of(render_drift_report(result, provenance={}, previous=previous))
    assert len(found) == 12
    assert {len(cells) for cells in found.values()} == {15}
    assert "c19" in found
    assert "c00" not in found
