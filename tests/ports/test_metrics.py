"""Every metric passes the suite of its port, and one of somebody else's as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed_package import install
from metric_suite import MetricSuite

from airflow_batch_inference.drift.metrics import registry
from airflow_batch_inference.drift.metrics.registry import all_metrics, get_metric, metric_names
from airflow_batch_inference.exceptions import ConfigurationError

TOY = Path(__file__).with_name("toy_metric.py")
GROUP = "airflow_batch_inference.metrics"


class TestBuiltIn(MetricSuite):
    @pytest.fixture(params=registry._METRICS.built_in)
    def name(self, request):
        return request.param


class TestToy(MetricSuite):
    @pytest.fixture
    def name(self, monkeypatch, tmp_path):
        install(monkeypatch, tmp_path / "site", GROUP, "median_shift", TOY, attribute="MedianShift")
        return "median_shift"

    def test_it_is_measured_with_the_others(self, name):
        assert [metric.name for metric in all_metrics()] == [*registry._METRICS.built_in, name]


def test_the_toy_is_short():
    assert len(TOY.read_text().splitlines()) < 60


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"metric is 'psii'; it must be one of 'w1', 'w1_sd', .*did you mean"):
        get_metric("psii")


def test_nobody_takes_the_name_of_a_built_in_one(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "site", GROUP, "w1", TOY, attribute="MedianShift")
    assert type(get_metric("w1")).__name__ == "Wasserstein"
    assert metric_names().count("w1") == 1


def test_a_metric_that_lacks_something_names_its_package(monkeypatch, tmp_path):
    (broken := tmp_path / "broken_metric.py").write_text("import nowhere_to_be_found\n")
    install(monkeypatch, tmp_path / "site", GROUP, "broken", broken, attribute="Broken")
    with pytest.raises(ConfigurationError, match=r"metric 'broken' of the package broken_metric cannot be imported"):
        all_metrics()
