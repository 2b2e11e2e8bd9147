"""The part of Airflow's REST API that a person uses: log in, unpause, trigger, look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEALTHY = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class AirflowApi:
    """The REST API of an Airflow.

    Parameters
    ----------
    client
        Has the API server's address as its base URL.
    """

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    @property
    def url(self) -> str:
        """The user interface's address."""
        return str(self.client.base_url)

    def is_healthy(self) -> bool:
        """Say whether the API server answers and has heard of all other services."""
        try:
            answer = self.client.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return False
        return answer.is_success and all(answer.json()[part]["status"] == "healthy" for part in _HEALTHY)

    def log_in(self, user: str, password: str) -> None:
        """Use a user's token from now on."""
        answer = self.client.post("/auth/token", json={"username": user, "password": password})
        token = answer.raise_for_status().json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: object) -> Any:
        """Return what lies at a path below ``/api/v2``."""
        return self.client.get(f"/api/v2{path}", params=query).raise_for_status().json()

    def has_dag(self, dag_id: str) -> bool:
        """Say whether the DAG processor has found a DAG."""
        return self.client.get(f"/api/v2/dags/{dag_id}").is_success

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs be scheduled."""
        self.client.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def trigger(self, dag_id: str, *, run_id: str, logical_date: str, conf: Mapping[str, object]) -> None:
        """Start a run."""
        body = {"dag_run_id": run_id, "logical_date": logical_date, "conf": dict(conf)}
        self.client.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body).raise_for_status()

    def runs(self, dag_id: str) -> dict[str, str]:
        """Return the state of each run of a DAG."""
        return {run["dag_run_id"]: run["state"] for run in self.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]}

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return a run's task instances by their task."""
        found = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]
        return {task["task_id"]: task for task in found}

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Return what a task has returned."""
        return self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value")["value"]
