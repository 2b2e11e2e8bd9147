from __future__ import annotations

import sys

import pytest

from airflow_batch_inference.exceptions import FlavorNotInstalledError
from airflow_batch_inference.flavors.runtimes import require_version, tensorflow_runtime, torch_runtime


@pytest.mark.parametrize("threads", [1, 2])
def test_pytorch_gets_the_workers_number_of_threads(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    assert torch_runtime().get_num_threads() == threads


def test_tensorflow_that_runs_already_is_taken_as_it_is():
    assert tensorflow_runtime() is tensorflow_runtime()


@pytest.mark.parametrize("installed", ["2.10", "2.10.0", "2.13.0+cpu", "3", "2.100.dev1"])
def test_a_version_that_is_new_enough_passes(installed):
    require_version("torch", installed, "2.10", extra="torch")


@pytest.mark.parametrize("installed", ["2.9.9", "2", "1.13.1+cu117", "2.9.0rc1"])
def test_an_older_version_is_refused_with_the_command_that_mends_it(installed):
    with pytest.raises(FlavorNotInstalledError, match=r"is installed, but .* 2\.10 .*--upgrade 'airflow-batch.*torch"):
        require_version("torch", installed, "2.10", extra="torch")


def test_an_old_pytorch_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules.get("torch") or torch_runtime(), "__version__", "2.9.1")
    with pytest.raises(FlavorNotInstalledError, match=r"torch 2\.9\.1 is installed"):
        torch_runtime()
