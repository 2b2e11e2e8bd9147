"""The plugin that shows runs, models and prediction sets inside of Airflow's own UI.

Airflow imports this module in every process of a deployment, those of tasks included.

Invariants: nothing heavy is imported here, neither FastAPI nor the rest of this package; the pages are imported when
the API server asks for them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/batch-inference"
_TITLE = "Batch inference"
_NAV_TITLE = "Inference"
"""As long as the navigation shows whole."""
_TABS = {
    "nav": ("overview", "batch-inference"),
    "dag": ("dag?dag_id={DAG_ID}", "batch-inference-dag"),
    "dag_run": ("run?dag_id={DAG_ID}&run_id={RUN_ID}", "batch-inference-run"),
    "task_instance": (
        "task?dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}",
        "batch-inference-task",
    ),
}


class BatchInferencePlugin(AirflowPlugin):
    """One page in the navigation, and a tab on DAGs, runs and task instances."""

    name = "batch_inference"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # imported only where it is asked for
        """The pages, as one application."""
        from airflow_batch_inference.plugin.app import app

        return [{"name": _TITLE, "app": app, "url_prefix": URL_PREFIX}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]  # depends on the deployment's config
        """Where they appear; Airflow fills in the names in braces, percent-encoded."""
        base = f"{api_path()}{URL_PREFIX}"
        return [
            {
                "name": _NAV_TITLE if destination == "nav" else _TITLE,
                "href": f"{base}/{page}",
                "destination": destination,
                "url_route": route,
            }
            for destination, (page, route) in _TABS.items()
        ]


def api_path() -> str:
    """Return the path prefix that the API server is reached under, without a slash at its end."""
    from airflow.configuration import conf

    return urlsplit(str(conf.get("api", "base_url", fallback="") or "")).path.rstrip("/")
