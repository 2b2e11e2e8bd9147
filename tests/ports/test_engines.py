"""Every engine passes the suite of its port, and one of somebody else's as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_suite import EngineSuite
from installed_package import install

from airflow_batch_inference.engines import registry
from airflow_batch_inference.exceptions import ConfigurationError

TOY = Path(__file__).with_name("toy_engine.py")


class TestBuiltIn(EngineSuite):
    @pytest.fixture(params=["in_process", "processes"])
    def engine(self, request):
        return registry.create_engine(request.param)


class TestToy(EngineSuite):
    @pytest.fixture
    def engine(self, monkeypatch, tmp_path):
        install(monkeypatch, tmp_path / "site", registry.GROUP, "pool", TOY, attribute="PoolEngine")
        return registry.create_engine("pool")


def test_an_engine_of_no_name_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigurationError, match=r"procesess.*in_process.*did you mean 'processes'"):
        registry.create_engine("procesess")


def test_the_toy_is_short():
    assert len(TOY.read_text().splitlines()) < 60
