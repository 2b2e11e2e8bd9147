"""The routes of the pages.

Invariants: Airflow mounts this application as it is, open to anybody, so that every route depends on one of Airflow's
own guards; no page runs a script or loads anything; a URI never comes from the request, but from what the run has
pushed.

FastAPI reads the annotations at import: what they name is imported here, at module level.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_authenticated
from airflow.models.dag import DagModel
from airflow.providers.common.compat.sdk import conf
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse

from airflow_batch_inference.operators.stores import CONFIG_SECTION, artifact_root, artifact_storage
from airflow_batch_inference.plugin import dag_page, overview_page, run_page, runs, task_page
from airflow_batch_inference.plugin.artifacts import Artifacts, NotShownError
from airflow_batch_inference.plugin.html import crumbs, empty, page, text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

MOST_RUNS = 100
DEFAULT_ROWS, MOST_ROWS = 10, 50
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)
_PAGE_POLICY = f"{_POLICY} allow-same-origin"
"""Without its own origin a page in a frame could not be left by a link: the browser would not send the cookie along.
It still runs no script."""
_UNDRAWABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, MemoryError)
"""What comes of values that nobody expected; not of a database or store that does not answer."""
_HEADERS = {
    "Content-Security-Policy": _PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}

# Documentation routes of FastAPI's own would be open to anybody.
app = FastAPI(title="Batch inference", openapi_url=None, docs_url=None, redoc_url=None)
_of_dag = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))
_of_user = Depends(requires_authenticated())
Name = Annotated[str, Query(max_length=250)]
"""As long as Airflow's own ids may be."""


@app.middleware("http")
async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for header, value in _HEADERS.items():
        response.headers.setdefault(header, value)
    return response


@app.get("/overview", dependencies=[_of_user])
def overview(user: GetUserDep) -> HTMLResponse:
    """Show every pipeline and model of the DAGs that the user may see."""
    with create_session() as session:
        readable = get_auth_manager().get_authorized_dag_ids(user=user, session=session)
        found = runs.pipelines(readable, session)
    artifacts = _artifacts(user)
    shown = [pair for pair in found if artifacts.may_read(pair[0].dag_id)]
    return _shown(lambda: overview_page.render(shown, artifacts), crumbs())


@app.get("/dag", dependencies=[_of_dag])
def dag(dag_id: Name, user: GetUserDep) -> HTMLResponse:
    """Show the last runs of a DAG beside one another."""
    with create_session() as session:
        found = runs.last_runs(dag_id, MOST_RUNS, session)
    return _shown(lambda: dag_page.render(dag_id, found, _artifacts(user)), crumbs(dag_id))


@app.get("/run", dependencies=[_of_dag])
def run(dag_id: Name, run_id: Name, user: GetUserDep) -> HTMLResponse:
    """Show the tasks of one run."""
    with create_session() as session:
        found = runs.run_of(dag_id, run_id, session)
    if found is None:
        return _nothing("There is no such run", crumbs(dag_id))
    return _shown(lambda: run_page.render(found, _artifacts(user)), crumbs(dag_id, run_id))


@app.get("/task", dependencies=[_of_dag])
def task(dag_id: Name, run_id: Name, task_id: Name, user: GetUserDep, map_index: Name = "-1") -> HTMLResponse:
    """Show what one task instance has made."""
    found = _instances(dag_id, run_id, task_id, map_index)
    if not found:
        return _nothing("There is no such task instance", crumbs(dag_id, run_id, task_id))
    if len(found) > 1:
        return HTMLResponse(run_page.render_mapped(found))
    way = crumbs(dag_id, run_id, task_id)
    return _shown(lambda: task_page.render(found[0], _artifacts(user), rows=_preview_rows()), way)


@app.get("/report", dependencies=[_of_dag])
def report(dag_id: Name, run_id: Name, task_id: Name, user: GetUserDep, map_index: Name = "-1") -> Response:
    """Send the HTML report that one task instance has written, byte for byte."""
    found = _instances(dag_id, run_id, task_id, map_index)
    way = crumbs(dag_id, run_id, task_id)
    if len(found) != 1:
        return _nothing("There is no such report", way)
    try:
        data = task_page.report(found[0], _artifacts(user))
    except NotShownError as error:
        return _nothing("There is no report to show", way, str(error))
    return HTMLResponse(data, headers={"Content-Security-Policy": _POLICY})


def _instances(dag_id: str, run_id: str, task_id: str, map_index: str) -> list[runs.Task]:
    """Return the task instance that is meant, with what it has pushed; of a mapped task as a whole, all of them.

    Airflow leaves ``{MAP_INDEX}`` in the address of a task that has none.
    """
    asked = int(map_index) if map_index.removeprefix("-").isdecimal() and len(map_index) < 10 else -1
    with create_session() as session:
        found = runs.task_instances(dag_id, run_id, task_id, session, asked)
        return [runs.with_values(found[0], session)] if len(found) == 1 else found


def _artifacts(user: Any) -> Artifacts:  # noqa: ANN401  # each auth manager has a class of its own
    """Return the artifact store as this user may see it."""
    root = artifact_root()

    def may_read(dag_id: str) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return get_auth_manager().is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.XCOM, details=details, user=user
        )

    def dags_beginning(beginning: str) -> list[str]:
        with create_session() as session:
            return runs.dags_beginning(beginning, session)

    return Artifacts(
        root=root,
        storage=dataclasses.replace(artifact_storage(), roots=(root,)),
        may_read=may_read,
        dags_beginning=dags_beginning,
    )


def _preview_rows() -> int:
    """Return how many rows of data may be shown: ``[batch_inference] ui_rows``."""
    rows = conf.getint(CONFIG_SECTION, "ui_rows", fallback=DEFAULT_ROWS)
    return min(max(int(rows), 0), MOST_ROWS)


def _shown(render: Callable[[], str], way: str) -> HTMLResponse:
    """Return a page; where something that a task has pushed or written keeps it from being drawn, one that says so."""
    try:
        return HTMLResponse(render())
    except _UNDRAWABLE as error:
        log.exception("A page of batch inference cannot be drawn")
        said = f"Something that a task has pushed or written is not as it should be ({type(error).__name__})."
        content = empty("This page cannot be shown", text(said, 300), "The API server's log says where.")
        return HTMLResponse(page("Batch inference", content, way=way))


def _nothing(title: str, way: str, reason: str = "") -> HTMLResponse:
    return HTMLResponse(page(title, empty(title, text(reason, 300) if reason else ""), way=way), status_code=404)
