"""Extra links: buttons on a task that lead to what it has made.

A link is made in the task's process when the task has ended, in whatever state, of the record that it holds by then
(:attr:`~airflow_batch_inference.operators.base.BatchInferenceOperator.recorded`); where there is none it is empty, and
Airflow shows no button that works.

Invariants: a link never names a place in the artifact store, except one at http(s) that a browser can open by itself;
all else is a page of the plugin, which looks the artifact up in the run and asks for the right to see it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import BaseOperatorLink

from airflow_batch_inference import records
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.uris import task_of
from airflow_batch_inference.wording.uris import has_secret

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from airflow_batch_inference.records import Record

PAGES = "batch-inference"
"""Where Airflow's API server mounts the plugin."""


def page_url(task: TaskKey, page: str = "task", *, is_absolute: bool = False) -> str:
    """Return the URL of a task instance's page of the plugin, below the path that the API server has.

    Parameters
    ----------
    task
        The task instance.
    page
        ``task`` or ``report``.
    is_absolute
        Whether it begins with the server's scheme and host, for whoever reads it elsewhere; then it is empty where
        ``[api] base_url`` does not name them.
    """
    base = urlsplit(str(conf.get("api", "base_url", fallback=None) or ""))
    host = f"{base.scheme}://{base.hostname or ''}" + (f":{base.port}" if base.port else "")
    is_web = base.scheme in ("http", "https") and bool(base.hostname)
    if is_absolute and not is_web:
        return ""
    path = base.path.rstrip("/") if is_web else ""
    query = urlencode(
        {"dag_id": task.dag_id, "run_id": task.run_id, "task_id": task.task_id, "map_index": task.map_index},
        quote_via=quote,
        safe="",
    )
    return f"{host if is_absolute else ''}{path}/{PAGES}/{page}?{query}"


def _is_web(uri: str | None) -> bool:
    """Say whether a URI can be shown as it is, and opened by a browser."""
    return uri is not None and uri.startswith(("http://", "https://")) and uri.isprintable() and not has_secret(uri)


class RecordLink(BaseOperatorLink):
    """A link that is made of the record that the task holds; empty where it holds none of that kind."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL, or nothing."""
        recorded: tuple[str, Record] | None = getattr(operator, "recorded", None)
        if recorded is None:
            return ""
        return self.url(*recorded, TaskKey.of(ti_key)) or ""

    @abstractmethod
    def url(self, uri: str, record: Record, task: TaskKey) -> str | None:
        """Return where a record of a task is shown; None where it is not of this link's kind."""


class DriftReportLink(RecordLink):
    """To the report of a drift analysis, also where the task has failed because of it."""

    name = "Drift report"

    def url(self, uri: str, record: Record, task: TaskKey) -> str | None:
        """Return the report of the task that wrote it: a gate has read another's."""
        has_report = isinstance(record, records.DriftResult) and record.report_uri is not None
        return page_url(task_of(uri, like=task) or task, "report") if has_report else None


class PredictionsLink(RecordLink):
    """To the prediction set: rows, schema, the proof that none is missing, and the first of them."""

    name = "Predictions"

    def url(self, uri: str, record: Record, task: TaskKey) -> str | None:  # noqa: ARG002  # as the others
        """Return the only part where it lies at http(s), else the task's page."""
        if not isinstance(record, records.PredictionSetRecord):
            return None
        parts = [part.uri for part in record.parts]
        return parts[0] if len(parts) == 1 and _is_web(parts[0]) else page_url(task)


class PublishedArtifactsLink(RecordLink):
    """To what a run has published and registered."""

    name = "Published artifacts"

    def url(self, uri: str, record: Record, task: TaskKey) -> str | None:  # noqa: ARG002  # as the others
        """Return the published prediction set where it lies at http(s), else the task's page."""
        if not isinstance(record, records.LoggedArtifactsRecord):
            return None
        return record.published_uri if _is_web(record.published_uri) else page_url(task)


class EvaluationReportLink(RecordLink):
    """To the report of an evaluation, also where the model was not good enough."""

    name = "Evaluation report"

    def url(self, uri: str, record: Record, task: TaskKey) -> str | None:  # noqa: ARG002  # as the others
        """Return the task's page."""
        return page_url(task) if isinstance(record, records.EvaluationRecord) else None
