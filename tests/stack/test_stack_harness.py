"""What the stack's harness must do whatever happens: read the file as compose does, and leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from stack_compose import read_compose
from stack_processes import Processes, session

SECRETS = {
    "POSTGRES_PASSWORD": "p",
    "AIRFLOW_JWT_SECRET": "j",
    "AIRFLOW_API_SECRET_KEY": "a",
    "AIRFLOW_FERNET_KEY": "f",
}
HOSTS = {"postgres": "127.0.0.1:1", "redis:6379": "127.0.0.1:2", "api-server:8080": "127.0.0.1:3"}
# Starts a process that ignores SIGTERM, and is one of another process group, as a task of Airflow's.
PARENT = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def compose(tmp_path):
    return read_compose(variables=SECRETS, hosts=HOSTS, home=tmp_path / "airflow")


def wait_until(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_variables_hosts_and_folders_are_filled_in(compose):
    environment = compose.environment("worker")
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environment["AIRFLOW__API_AUTH__JWT_SECRET"] == "j"
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://airflow:p@127.0.0.1:1/airflow"
    assert environment["AIRFLOW__CELERY__BROKER_URL"] == "redis://127.0.0.1:2/0"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:3/execution/"
    assert environment["AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT"] == str(compose.home / "artifacts")
    assert '"celery@$HOSTNAME"' in compose.health_command("worker")


def test_a_secret_that_is_not_given_is_an_error(tmp_path):
    with pytest.raises(KeyError, match=r"AIRFLOW_FERNET_KEY: set it in \.env"):
        read_compose(variables=SECRETS | {"AIRFLOW_FERNET_KEY": ""}, hosts=HOSTS, home=tmp_path)


def test_volumes_become_folders_and_the_examples_a_link(compose):
    compose.mount()
    assert (compose.home / "artifacts").is_dir()
    assert (compose.home / "dags" / "batch_inference_basic.py").is_file()


def test_a_killed_process_takes_its_children_along(tmp_path):
    with Processes(tmp_path / "stack") as processes:
        processes.start("parent", [sys.executable, "-c", PARENT], os.environ)
        leader = processes.running["parent"].pid
        wait_until(lambda: "started" in processes.tail("parent"))
        assert len(list(session(leader))) == 2
        processes.kill("parent")
        assert not list(session(leader))
    assert not (tmp_path / "stack").exists()


def test_a_process_that_ends_by_itself_is_noticed_with_the_end_of_its_log(tmp_path):
    with Processes(tmp_path / "stack") as processes:
        processes.start("short", [sys.executable, "-c", "raise SystemExit('no port is free')"], os.environ)
        processes.running["short"].wait()
        with pytest.raises(AssertionError, match=r"short ended with 1:\nno port is free"):
            processes.require_running()


def test_nothing_is_left_where_the_starter_is_killed(tmp_path):
    script = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from stack_processes import Processes
with Processes(Path({str(tmp_path)!r}, "stack")) as processes:
    processes.start("parent", [sys.executable, "-c", {PARENT!r}], os.environ)
    while "started" not in processes.tail("parent"):
        time.sleep(0.02)
    print(processes.running["parent"].pid, flush=True)
    time.sleep(600)
"""
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    leader = int(starter.stdout.readline())
    assert psutil.pid_exists(leader)
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    wait_until(lambda: not list(session(leader)) and not (tmp_path / "stack").exists())
