"""DAGs from a folder, and a metadata database to run them against."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def load_dags(airflow_home):
    """Return what reads the DAGs of a folder, all of which must be sound."""
    from airflow.utils.db import initdb

    initdb()
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow before 3.2
        from airflow.models.dagbag import DagBag

    def load(folder):
        bag = DagBag(dag_folder=str(folder))
        assert not bag.import_errors
        return bag

    return load
