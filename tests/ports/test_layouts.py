"""Every output layout passes the suite of its port, and one of somebody else's as well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from installed_package import install
from layout_suite import DATA, LayoutSuite

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.layout_registry import LAYOUTS, layout_names
from airflow_batch_inference.jobs.output_layout import get_layout
from airflow_batch_inference.operators import Layout, PredictOperator

TOY = Path(__file__).with_name("toy_layout.py")


@pytest.fixture
def installed(monkeypatch, tmp_path):
    install(
        monkeypatch, tmp_path / "site", "airflow_batch_inference.layouts", "capital", TOY, attribute="CapitalLayout"
    )
    return "capital"


class TestBuiltIn(LayoutSuite):
    @pytest.fixture(params=[None, *LAYOUTS.built_in])
    def name(self, request):
        return request.param


class TestToy(LayoutSuite):
    @pytest.fixture
    def name(self, installed):
        return installed

    @pytest.fixture
    def arguments(self):
        return {"prefix": "X_"}


def test_the_toy_is_short():
    assert len(TOY.read_text().splitlines()) < 60


def test_the_ordinary_layout_imports_no_other_one():
    code = (
        "import sys\nfrom airflow_batch_inference.jobs.layout_registry import layout_names\n"
        "from airflow_batch_inference.jobs.output_layout import get_layout\n"
        "get_layout(None), layout_names()\n"
        "assert not [name for name in sys.modules if name.startswith('airflow_batch_inference.compat')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_refused_with_the_known_ones(installed):
    with pytest.raises(ConfigurationError, match=r"'capitol'; it must be one of 'wallaroo', 'capital'"):
        get_layout("capitol")
    assert layout_names() == ("wallaroo", installed)


def test_what_a_layout_refuses_is_known_before_the_first_row(installed, bench):
    with pytest.raises(ConfigurationError, match="one name in capitals"):
        bench.score(bench.write("day.parquet", DATA | {"A": DATA["a"]}), layout=installed)
    assert bench.visible() == []


def test_another_version_of_a_layout_is_another_job(installed, bench, monkeypatch):
    path = bench.write("day.parquet", DATA)
    _, first = bench.score(path, layout=installed)
    monkeypatch.setattr(get_layout(installed), "version", "2")
    _, second = bench.score(path, attempt="2", layout=installed)
    assert first.job_key != second.job_key


def test_an_operator_takes_it_by_its_name(installed):
    operator = PredictOperator(task_id="predict", model="/m", dataset="/d", layout=installed)
    assert operator.layout.asked() == ("capital", {})
    operator = PredictOperator(
        task_id="predict", model="/m", dataset="/d", layout=Layout("capital", arguments={"prefix": "X_"})
    )
    assert operator.layout.asked() == ("capital", {"prefix": "X_"})


@pytest.mark.parametrize(("layout", "match"), [("capitol", "did you mean 'capital'"), (5, "layout is 5; it must be")])
def test_an_operator_refuses_another_one_while_the_dag_is_parsed(installed, layout, match):
    with pytest.raises(ConfigurationError, match=match):
        PredictOperator(task_id="predict", model="/m", dataset="/d", layout=layout)
