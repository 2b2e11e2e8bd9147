"""What holds of every rule, whoever made it."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import Roles, analyse
from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.rules.registry import get_rule, make_rule
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DriftResult, DriftStatus
from airflow_batch_inference.reports.drift_html import render_drift_report
from airflow_batch_inference.reports.drift_text import drift_table
from airflow_batch_inference.reports.markup import escape

_RNG = np.random.default_rng(11)
REFERENCE = {
    "number": _RNG.normal(size=900),
    "word": _RNG.choice(list("abc"), 900),
    "key": np.arange(900),
    "gone": _RNG.normal(size=900),
    "turned": _RNG.normal(size=900),
    "list": pa.array([[1]] * 900),
}
ROLES = Roles(inputs=("number", "word", "gone", "turned", "list"))


def taken(rows: int, **changes: object) -> dict[str, object]:
    """Return the first rows of the reference, some columns replaced; None leaves a column out."""
    columns = {name: values[:rows] for name, values in REFERENCE.items()} | changes
    return {name: values for name, values in columns.items() if values is not None}


CURRENT = {
    "the same": taken(900),
    "moved": taken(300, number=REFERENCE["number"][:300] + 9, word=np.array(["new"] * 300)),
    "broken": taken(300, gone=None, turned=np.array(["text"] * 300), extra=np.arange(300)),
    "without values": taken(300, number=pa.nulls(300, pa.float64())),
    "few rows": taken(5),
    "no rows": taken(0),
    "other columns": {"other": np.arange(300)},
}
SETTINGS = {
    "usual": {},
    "strict": {"drift_threshold": 0.0, "possible_drift_threshold": 0.0},
    "of columns": {"limits": {"number": {"drift_threshold": 0.5, "missing": 0.2}}, "watch": ("key",)},
    "ignoring": {"ignore": ("number", "turned")},
    "open": {"edges": "open"},
}


def judged(rule: str, current: dict[str, object], **settings: object) -> DriftResult:
    """Return an analysis against the reference."""
    before, now = pa.table(REFERENCE), pa.table(current)
    baseline = make_baseline(lambda: [before], schema=before.schema)
    profiler = Profiler(baseline.columns)
    profiler.add(now)
    return analyse(
        baseline, profiler.profile(), column_names=now.column_names, rule=make_rule(rule, **settings), roles=ROLES
    )


CASES = pytest.mark.parametrize("current", CURRENT.values(), ids=CURRENT)


class RuleSuite:
    """A subclass gives the fixture ``name``: that of a rule which can be had."""

    def test_it_calls_itself_by_the_name_that_it_has_in_records(self, name):
        assert get_rule(name).name == name

    @CASES
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    def test_a_verdict_can_be_stored_and_has_reasons(self, name, current, settings):
        result = judged(name, current, **settings)
        assert DriftResult.from_json(result.to_json(), where="the test") == result
        assert result.rule == name
        assert result.reasons
        assert all(reason and len(reason) < 1000 for reason in result.reasons)
        assert result.drift_metric is None or math.isfinite(result.drift_metric)

    @CASES
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    def test_no_column_is_lost(self, name, current, settings):
        names = [column.name for column in judged(name, current, **settings).columns]
        assert len(set(names)) == len(names)
        assert set(names) >= set(REFERENCE) & set(current)

    def test_equal_data_have_no_drift(self, name):
        assert judged(name, CURRENT["the same"]).status == DriftStatus.NO_DRIFT

    def test_what_has_moved_far_is_drift_under_a_limit_that_it_passes(self, name):
        possible = get_rule(name).usual_thresholds[0]
        result = judged(name, CURRENT["moved"], drift_threshold=possible / 4)
        assert result.status == DriftStatus.DRIFT_DETECTED
        assert next(column for column in result.columns if column.name == "number").status == DriftStatus.DRIFT_DETECTED

    @pytest.mark.parametrize("case", ["few rows", "no rows", "other columns"])
    def test_what_cannot_be_judged_is_never_no_drift(self, name, case):
        assert judged(name, CURRENT[case]).status != DriftStatus.NO_DRIFT

    def test_an_ignored_column_has_no_say(self, name):
        current = taken(300, number=REFERENCE["number"][:300] + 9)
        assert judged(name, current, ignore=("number",)).status != DriftStatus.DRIFT_DETECTED

    @CASES
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    def test_reports_show_it(self, name, current, settings):
        result = judged(name, current, **settings)
        page = render_drift_report(result, provenance={})
        assert all(f"<p>{escape(reason)}</p>" in page for reason in result.reasons)
        rows = drift_table(result).splitlines()[2:]
        assert len(rows) == sum(column.kind != "none" or bool(column.checks) for column in result.columns)

    @CASES
    def test_a_bar_is_a_share_and_marks_stand_on_it(self, name, current):
        rule, result = get_rule(name), judged(name, current)
        limits = make_rule(name).thresholds()
        assert all(0 <= mark <= 1 for mark in rule.marks(*limits))
        for column in result.columns:
            bar = rule.bar(column, limits)
            shown = [] if bar is None else [bar.share, bar.mark or 0.0, bar.noise or 0.0]
            assert all(math.isfinite(each) and each >= 0 for each in shown)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"drift_threshold": math.nan},
            {"drift_threshold": 0.2, "possible_drift_threshold": 0.4},
            {"possible_drift_threshold": -0.1},
            {"limits": {"number": {"drft": 0.1}}},
            {"limits": {"number": {"missing": 2.0}}},
            {"watch": ("number",), "ignore": ("number",)},
        ],
    )
    def test_what_can_never_work_is_refused(self, name, wrong):
        with pytest.raises(ConfigurationError):
            make_rule(name, **wrong)

    def test_its_parameters_say_its_thresholds(self, name):
        possible, drift = make_rule(name).thresholds()
        found = make_rule(name).parameters()
        assert (found["possible_drift_threshold"], found["drift_threshold"]) == (possible, drift)
        assert (possible, drift) == get_rule(name).usual_thresholds
