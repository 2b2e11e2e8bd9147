"""Every engine passes the suite of its port, and one of somebody else's as well."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil
import pytest
from engine_suite import PARTS, EngineSuite
from installed_package import install

from airflow_batch_inference.engines import registry
from airflow_batch_inference.engines.base import Limits
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.workflows.plan_job import plan_job

TOY = Path(__file__).with_name("toy_engine.py")


def workers():
    """Return the worker processes of this one that have not ended."""
    found = psutil.Process().children()
    return [each for each in found if each.status() != psutil.STATUS_ZOMBIE and "worker" in " ".join(each.cmdline())]


class TestBuiltIn(EngineSuite):
    @pytest.fixture(params=["in_process", "threads", "processes"])
    def engine(self, request):
        return registry.create_engine(request.param)

    def test_what_is_running_ends_when_it_is_told_to_stop(self, bench, ask, engine):
        planned = plan_job(ask(), storage=bench.storage)
        receipts = engine.run(planned.uri, range(PARTS), Limits())
        next(receipts)
        engine.stop()
        began = time.monotonic()
        while workers() and time.monotonic() - began < 10:
            time.sleep(0.05)
        assert workers() == []
        with contextlib.suppress(InterruptedError):
            list(receipts)
        assert next(iter(engine.run(planned.uri, [PARTS - 1], Limits()))).index == PARTS - 1
        engine.stop()


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
