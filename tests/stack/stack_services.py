"""The stack of docker-compose.yaml with Celery, from Debian's packages: PostgreSQL, Redis, and all Airflow services.

Everything listens on the loopback address and on free ports, and lies in one temporary folder that is removed at the
end. What differs from the file on purpose: the number of workers, their hosts' names, and whatever a test overrides.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from stack_api import AirflowApi
from stack_compose import Compose, read_compose
from stack_processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HOST = "127.0.0.1"
_READY_S = 240
_POLL_S = 1  # each look costs the API server some milliseconds of the same processors
_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")
_NO_LOG_SERVER = ("triggerer", "celery worker")
"""Their log servers listen on all addresses; the logs lie in a volume that all services mount, as in the file."""


def missing() -> str | None:
    """Say what this machine lacks for the stack; None if nothing."""
    if postgres_folder() is None:
        return "PostgreSQL is not installed: apt install postgresql"
    if shutil.which("redis-server") is None:
        return "Redis is not installed: apt install redis-server"
    return None


def postgres_folder() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs: Debian does not put them on the PATH."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: int(path.parts[-3])).parent
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).parent


@dataclass(kw_only=True)
class Stack:
    """A running stack.

    Attributes
    ----------
    compose
        The file that it was made from.
    environment
        Of every Airflow service.
    processes
        All of them.
    api
        The REST API, logged in as the admin.
    password
        The admin's.
    """

    compose: Compose
    environment: dict[str, str]
    processes: Processes
    api: AirflowApi
    password: str

    @property
    def artifacts(self) -> Path:
        """The artifact root of all services."""
        return Path(self.environment["AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT"])

    def start(self, service: str, name: str | None = None) -> None:
        """Start an Airflow service by the file's command; workers need a name each."""
        name = name or service
        command = self.compose.command(service)
        if " ".join(command) in _NO_LOG_SERVER:
            command.append("--skip-serve-logs")
        if service == "worker":
            command += ["--celery-hostname", name]
        self.processes.start(name, [_airflow(), *command], self.environment)

    def kill(self, name: str) -> None:
        """Kill a service with all its processes, as the death of its container does."""
        self.processes.kill(name)

    def worker_of(self, pid: int) -> str:
        """Return the name of the worker that a task's process belongs to."""
        leader = os.getsid(pid)
        return next(name for name, process in self.processes.running.items() if process.pid == leader)

    def health(self, service: str, host: str) -> subprocess.CompletedProcess[str]:
        """Run a service's own health check, as the container of that name would."""
        return subprocess.run(
            ["bash", "-c", self.compose.health_command(service)],
            env={**self.environment, "HOSTNAME": host},
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = _READY_S) -> None:
        """Wait until a condition holds; fail where a service ends or the time is over."""
        until = time.monotonic() + seconds
        while not condition():
            self.processes.require_running()
            assert time.monotonic() < until, f"{what}: not within {seconds} s"
            time.sleep(_POLL_S)


@contextlib.contextmanager
def running_stack(overrides: Mapping[str, str], *, workers: int = 2) -> Iterator[Stack]:
    """Start the whole stack, and end and remove it at the end.

    Parameters
    ----------
    overrides
        Environment of the Airflow services that differs from the file's.
    workers
        How many Celery workers.
    """
    root = Path(tempfile.mkdtemp(prefix="airflow-stack-"))
    root.chmod(0o755)  # PostgreSQL runs as another user where this one is root
    with Processes(root) as processes:
        stack = _prepare(root, processes, overrides)
        migrated = subprocess.run(
            [_airflow(), *stack.compose.command("migrate")],
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stdout
        for service in _SERVICES:
            stack.start(service)
        for number in range(1, workers + 1):
            stack.start("worker", f"worker-{number}")
        stack.wait_for(stack.api.is_healthy, "the API server, scheduler, DAG processor and triggerer")
        stack.api.log_in("admin", stack.password)
        for number in range(1, workers + 1):
            _wait_for_worker(stack, f"worker-{number}")
        yield stack


def _wait_for_worker(stack: Stack, name: str) -> None:
    """Wait until a worker takes tasks."""
    log = stack.processes.logs / f"{name}.log"
    stack.wait_for(lambda: f"celery@{name} ready." in log.read_text(errors="replace"), name)


def _prepare(root: Path, processes: Processes, overrides: Mapping[str, str]) -> Stack:
    """Start the database and the broker, and lay out what the file's services mount."""
    database, broker, web = _free_ports(3)
    home = root / "airflow"
    variables = {
        "AIRFLOW_EXECUTOR": "CeleryExecutor",
        "AIRFLOW_PORT": str(web),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(16),
        "AIRFLOW_JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW_API_SECRET_KEY": secrets.token_urlsafe(64),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    hosts = {
        "postgres": f"{HOST}:{database}",
        "redis:6379": f"{HOST}:{broker}",
        "api-server:8080": f"{HOST}:{web}",
    }
    compose = read_compose(variables=variables, hosts=hosts, home=home)
    compose.mount()
    password = secrets.token_urlsafe(12)
    (home / "simple_auth_manager_passwords.json.generated").write_text(json.dumps({"admin": password}))
    environment = {
        **_outside(),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        **compose.environment("worker"),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(web),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": HOST,
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(_free_ports(1)[0]),
        **overrides,
    }
    _start_postgres(processes, root / "postgres", database, compose.environment("postgres"))
    processes.start(
        "redis",
        ["redis-server", "--bind", HOST, "--port", str(broker), "--save", "", "--dir", str(root)],
        _outside(),
    )
    _wait_for_port(processes, broker)
    api = AirflowApi(httpx.Client(base_url=f"http://{HOST}:{web}", timeout=60))
    return Stack(compose=compose, environment=environment, processes=processes, api=api, password=password)


def _start_postgres(processes: Processes, data: Path, port: int, settings: Mapping[str, str]) -> None:
    """Make a database cluster with the user and the database that the image would make, and start it."""
    programs = postgres_folder()
    assert programs is not None
    # PostgreSQL refuses to run as root; Debian's package has made a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    data.mkdir(mode=0o700)
    secret = data.with_name("password")
    secret.touch(mode=0o600)
    secret.write_text(settings["POSTGRES_PASSWORD"])
    if user is not None:
        shutil.chown(data, user, user)
        shutil.chown(secret, user, user)
    made = subprocess.run(
        [
            programs / "initdb", "--no-sync", "--auth=scram-sha-256", f"--username={settings['POSTGRES_USER']}",
            "--encoding=UTF8", "--locale=C.UTF-8", f"--pwfile={secret}", data,
        ],
        capture_output=True, text=True, check=False,
        user=user, group=user, extra_groups=None if user is None else [], cwd="/",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    command = [programs / "postgres", "-D", data, "-h", HOST, "-p", str(port), "-k", "", "-c", "fsync=off"]
    processes.start("postgres", command, _outside(), user=user)
    _wait_for_port(processes, port)
    created = subprocess.run(
        [
            programs / "createdb", "-h", HOST, "-p", str(port), f"--username={settings['POSTGRES_USER']}",
            "--no-password", settings["POSTGRES_DB"],
        ],
        env={**_outside(), "PGPASSWORD": settings["POSTGRES_PASSWORD"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert created.returncode == 0, created.stderr


def _wait_for_port(processes: Processes, port: int) -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + 60
    while True:
        processes.require_running()
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, f"nobody listens on port {port}"
            time.sleep(0.1)
        else:
            return


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as open_sockets:
        taken = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in taken]


def _airflow() -> Path:
    return Path(sys.executable).with_name("airflow")


def _outside() -> dict[str, str]:
    """Return this process's environment without any Airflow's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "PG"))}
    return {**kept, "PATH": f"{_airflow().parent}{os.pathsep}{os.environ['PATH']}"}
