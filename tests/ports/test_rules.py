"""Every rule passes the suite of its port, and one of somebody else's as well."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from installed_package import install
from rule_suite import RuleSuite, judged, taken

from airflow_batch_inference.cli import main
from airflow_batch_inference.drift.rules import registry
from airflow_batch_inference.drift.rules.registry import get_rule, rule_names
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.reports.drift_html import render_drift_report
from airflow_batch_inference.reports.drift_text import drift_table

TOY = Path(__file__).with_name("toy_rule.py")
METRIC = Path(__file__).with_name("toy_metric.py")


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The toy rule, and the toy metric that it goes by."""
    metrics = "airflow_batch_inference.metrics"
    install(monkeypatch, tmp_path / "metric", metrics, "median_shift", METRIC, attribute="MedianShift")
    install(monkeypatch, tmp_path / "rule", "airflow_batch_inference.rules", "median", TOY, attribute="MedianRule")
    return "median"


class TestBuiltIn(RuleSuite):
    @pytest.fixture(params=registry._RULES.built_in)
    def name(self, request):
        return request.param


class TestToy(RuleSuite):
    @pytest.fixture
    def name(self, installed):
        return installed


def test_the_toy_is_short():
    assert len(TOY.read_text().splitlines()) < 60


def test_no_rule_loads_anything_heavy():
    # The DAG processor asks a rule for its limits.
    names = ", ".join(f"{name!r}" for name in registry._RULES.built_in)
    code = (
        "import sys\nfrom airflow_batch_inference.drift.rules.registry import get_rule\n"
        f"[get_rule(name).require_limits(None, None, {{}}) for name in ({names})]\n"
        "assert not {'numpy', 'pandas', 'pyarrow', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_refused_with_the_known_ones(installed):
    with pytest.raises(ConfigurationError, match=r"rule is 'effekt'; it must be one of 'effect', 'mlrun', 'median'"):
        get_rule("effekt")
    assert rule_names() == ("effect", "mlrun", installed)


def test_an_analysis_from_the_command_line_goes_by_both(installed, tmp_path, capsys):
    values = np.random.default_rng(1).normal(size=500)
    for name, shift in (("before", 0.0), ("now", 9.0)):
        pq.write_table(pa.table({"x": values + shift, "word": ["a", "b"] * 250}), tmp_path / f"{name}.parquet")
    page = tmp_path / "report.html"
    before, now = (str(tmp_path / f"{name}.parquet") for name in ("before", "now"))
    with pytest.raises(SystemExit, match="3"):
        main(["drift", before, now, "--rule", installed, "--html", str(page), "--json"])
    found = json.loads(capsys.readouterr().out)
    moved = next(column for column in found["columns"] if column["name"] == "x")["metrics"]["median_shift"]
    assert moved > 3
    assert (found["rule"], found["status"], found["drift_metric"]) == ("median", "DRIFT_DETECTED", moved)
    assert found["reasons"][0] == f"The median of x moved by {moved:g} bins."
    assert '<th title="bins that the median has moved by">Median' in page.read_text()
    main(["drift", before, now, "--rule", installed, "--drift-threshold", "90"])
    assert "POSSIBLE_DRIFT" in capsys.readouterr().out


def test_a_result_is_shown_where_its_rule_and_its_metric_are_not_installed(installed, tmp_path, monkeypatch):
    result = judged(installed, taken(300, number=np.full(300, 50.0)))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "path", [each for each in sys.path if not each.startswith(str(tmp_path))])
        page, table = render_drift_report(result, provenance={}), drift_table(result)
    assert "Drift detected" in page
    assert "Median" not in page
    assert "number" in table
