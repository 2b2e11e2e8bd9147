"""The table in a task's log: a line a column, the worst first, whatever the names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import Roles, not_analysed
from airflow_batch_inference.drift.rules.effect import EffectRule
from airflow_batch_inference.reports.drift_text import by_severity, drift_table, performance_line

HEAD = ["column", "status", "W1/sd", "JS", "KS", "MLRun", "missing", "outside"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def cells(line):
    return line.split()


def test_a_line_a_column_with_its_numbers(analysed, rng):
    values = rng.normal(size=1000)
    words = pa.array(["a", "b", "a", None] * 250)
    result = analysed({"x": values, "word": words}, {"x": values + 1, "word": words})
    title, head, *lines = drift_table(result).splitlines()
    assert title == "Drift by column:"
    assert cells(head) == HEAD
    assert [cells(line)[:2] for line in lines] == [["x", "DRIFT_DETECTED"], ["word", "NO_DRIFT"]]
    x = next(column for column in result.columns if column.name == "x")
    assert float(cells(lines[0])[2]) == pytest.approx(x.metrics["w1_sd"], rel=0.01)
    assert float(cells(lines[0])[3]) == pytest.approx(x.metrics["js_corrected"], rel=0.01)
    assert float(cells(lines[0])[4]) == pytest.approx(x.metrics["ks_high"], rel=0.01)
    assert cells(lines[0])[6:8] == ["0.0%", f"{x.out_of_range_fraction:.1%}"]
    assert float(cells(lines[0])[5]) == pytest.approx(x.metrics["mlrun_drift"], rel=0.01)
    assert cells(lines[1])[2:] == ["-", "0", "-", "0", "25.0%", "0.0%"]


def test_the_columns_of_the_table_are_aligned(analysed, rng):
    values = rng.normal(size=100)
    names = {"a": values, "a rather long name": values, "b" * 90: values + 9}
    _, head, *lines = drift_table(analysed(dict.fromkeys(names, values), names)).splitlines()
    assert {line.index("NO_DRIFT" if "NO_DRIFT" in line else "DRIFT_DETECTED") for line in lines} == {
        head.index("status")
    }
    assert {len(line) for line in lines} == {len(head)}
    assert not any(line.endswith(" ") for line in lines)


def test_at_most_twenty_lines_and_how_many_are_left_out(analysed, rng):
    values = rng.normal(size=50)
    columns = {f"c{i:02}": values for i in range(26)}
    lines = drift_table(analysed(columns, {**columns, "c25": values + 5})).splitlines()
    assert len(lines) == 2 + 20 + 1
    assert cells(lines[2])[:2] == ["c25", "DRIFT_DETECTED"]
    assert lines[-1] == "… and 6 more in the report"


@pytest.mark.parametrize(
    "hostile", ["a\nb", "a\r\nERROR root: b", "\x1b[2J\x1b[31m", "\u2028x", "\u202eevil", "x" * 10_000]
)
def test_no_name_breaks_the_table(analysed, rng, hostile):
    values = rng.normal(size=50)
    text = drift_table(analysed({hostile: values, "y": values}, {hostile: values + 3, "y": values}))
    assert len(text.splitlines()) == 4
    assert text.replace("\n", "").isprintable()
    assert max(map(len, text.splitlines())) <= 120


def test_the_worst_is_first_under_either_rule(analysed, rng):
    values = rng.normal(size=500)
    before = dict.fromkeys(("calm", "missing", "moved", "small"), values)
    now = {
        "calm": values,
        "missing": pa.array(values, mask=rng.random(500) < 0.9),
        "moved": values + 3,
        "small": values + 0.15,
    }
    orders = {}
    for rule in ("effect", "mlrun"):
        result = analysed(before, now, name=rule)
        orders[rule] = [column.name for column in by_severity(result.columns, result)]
        assert [cells(line)[0] for line in drift_table(result).splitlines()[2:]] == orders[rule]
    assert orders["effect"] == ["moved", "missing", "small", "calm"]
    assert orders["mlrun"][0] == "moved"
    drifts = {column.name: column.metrics["mlrun_drift"] for column in result.columns}
    assert orders["mlrun"] == sorted(drifts, key=lambda name: -drifts[name])


def test_ties_go_by_name_and_columns_that_are_not_judged_come_last(analysed, rng):
    values = rng.normal(size=100)
    columns = dict.fromkeys(("b", "a", "unused"), values)
    result = analysed(columns, {**columns, "unused": values + 9}, roles=Roles(inputs=("a", "b")))
    assert [column.name for column in by_severity(result.columns, result)] == ["a", "b", "unused"]
    watched = analysed(columns, {**columns, "unused": values + 9}, roles=Roles(inputs=("a", "b")), watch=("unused",))
    assert [column.name for column in by_severity(watched.columns, watched)] == ["unused", "a", "b"]


def test_a_column_without_a_number_has_a_line_only_where_something_is_known_of_it(analysed, rng):
    values = rng.normal(size=50)
    lists = pa.array([[1.0]] * 50)
    before = {"x": values, "list": lists, "turned": values, "gone": values}
    now = {"x": values, "list": lists, "turned": pa.array(["a"] * 50)}
    lines = drift_table(analysed(before, now, roles=Roles(inputs=tuple(before)))).splitlines()[2:]
    assert [cells(line) for line in lines] == [
        ["gone", "DRIFT_DETECTED", *"------"],
        ["turned", "DRIFT_DETECTED", *"------"],
        ["x", "NO_DRIFT", "0", "0", "0", "0", "0.0%", "0.0%"],
    ]


def test_estimated_performance_is_a_line_beside_the_references(analysed, rng):
    values = rng.normal(size=50)
    result = analysed({"x": values}, {"x": values})
    assert performance_line(result) == ""
    estimated = replace(result, performance={"f1": 0.5, "roc_auc": 0.71}, reference_performance={"roc_auc": 0.8})
    assert performance_line(estimated) == "f1 0.500, roc_auc 0.710 (reference 0.800)"


def test_nothing_compared_is_no_table(analysed):
    assert drift_table(not_analysed(9, EffectRule())) == ""
    lists = {"list": pa.array([[1.0]] * 50)}
    assert drift_table(analysed(lists, lists)) == ""


def test_a_number_that_is_not_there_is_a_dash(analysed):
    result = analysed({"x": np.full(50, 7.0)}, {"x": np.full(50, 7.0)})
    bare = replace(result, columns=(replace(result.columns[0], metrics={}),))
    assert cells(drift_table(bare).splitlines()[-1]) == ["x", "NO_DRIFT", "-", "-", "-", "-", "0.0%", "0.0%"]
