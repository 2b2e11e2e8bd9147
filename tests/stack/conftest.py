"""One stack for all modules of this folder: starting it takes about a minute."""

from __future__ import annotations

import pytest
from stack_services import missing, running_stack

SETTINGS = {
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
    "AIRFLOW__CORE__PARALLELISM": "4",
    # All twenty at once; the default is 16.
    "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "32",
    # A dead worker's tasks are found, and tried again, in seconds instead of minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
    # Two cores have better things to do than to parse files that nobody changes.
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,eve:viewer",
}


@pytest.fixture(scope="session")
def stack():
    lacking = missing()
    if lacking is not None:
        pytest.skip(lacking)
    with running_stack(SETTINGS) as running:
        yield running
