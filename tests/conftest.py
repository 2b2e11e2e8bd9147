"""One Airflow for the whole suite, in a temporary folder: set up before anything imports Airflow."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

pytest_plugins = ("bench", "written_files")

REPOSITORY = Path(__file__).resolve().parent.parent
_HOME = Path(tempfile.mkdtemp(prefix="airflow-batch-inference-tests-"))

os.environ.update(
    {
        "AIRFLOW_HOME": str(_HOME),
        "AIRFLOW_CONFIG": str(_HOME / "airflow.cfg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME / 'airflow.db'}",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT": str(_HOME / "artifacts"),
    }
)

with contextlib.suppress(ImportError):
    from absl import logging as absl_logging

    # Airflow's logging closes the handlers that are there; TensorFlow's would close the file that pytest captures with.
    absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__


def pytest_unconfigure():
    shutil.rmtree(_HOME, ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Put the modules with most slow tests first: in two processes, a long one at the end would run alone."""
    slow = Counter(item.path for item in items if any(item.iter_markers("slow")) or any(item.iter_markers("dags")))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True)
def sigterm():
    """Undo what a DAG that runs in this process leaves: a handler that swallows the SIGTERM of forked children."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def airflow_home():
    return _HOME
