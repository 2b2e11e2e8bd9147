"""Who may see which page, by Airflow's own permissions, and with which headers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from airflow_runs import DAG, RUN
from fastapi.routing import APIRoute

from airflow_batch_inference.plugin import BatchInferencePlugin
from airflow_batch_inference.plugin.app import app

PLACE = {"dag_id": DAG, "run_id": RUN, "task_id": "load", "map_index": "{MAP_INDEX}"}
ROUTES = [route.path for route in app.routes]


def get(client, path, **params):
    return client.get(f"/batch-inference{path}", params={**PLACE, **params})


def test_the_application_has_these_routes_and_no_others():
    """FastAPI's own, of its documentation, would be open to anybody."""
    assert sorted(ROUTES) == ["/dag", "/overview", "/report", "/run", "/task"]
    assert all(isinstance(route, APIRoute) and route.methods == {"GET"} for route in app.routes)


@pytest.mark.parametrize("path", ROUTES)
def test_a_route_is_closed_to_nobody_and_to_strangers(client_of, runs, path):
    runs.add()
    nobody, stranger = client_of(name=None), client_of(role=None)
    assert get(nobody, path).status_code == 401
    found = get(stranger, path)
    if path == "/overview":  # any user has it, with the DAGs that he may see: none
        assert found.status_code == 200
        assert DAG not in found.text
    else:
        assert found.status_code == 403
    forged = client_of(name=None)
    forged.cookies.set("_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9.")
    assert get(forged, path).status_code in (401, 403)


@pytest.mark.parametrize("role", ["viewer", "user", "op", "admin"])
@pytest.mark.parametrize("path", [path for path in ROUTES if path != "/report"])
def test_a_route_is_open_to_those_who_may_see_the_dags_xcoms(client_of, runs, root, path, role):
    runs.add()
    runs.task("load", {}, operator="LoadModelOperator")
    assert get(client_of(role), path).status_code == 200


def test_the_report_is_open_to_those_who_may_see_the_dags_xcoms(viewer, runs, deployed):
    assert get(viewer, "/report", task_id="drift").status_code == 200
    assert get(viewer, "/report", task_id="evaluate").status_code == 200
    assert get(viewer, "/report", task_id="predict").status_code == 200  # its challengers'
    assert get(viewer, "/report", task_id="load").status_code == 404


@pytest.fixture
def only_nightly(monkeypatch):
    """An auth manager that lets everybody see the XComs of one DAG only."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    def is_authorized(self, *, method, user, access_entity=None, details=None):
        return details is not None and details.id == DAG

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized)


def test_what_is_guarded_is_the_dag_that_is_shown(viewer, runs, root, only_nightly):
    runs.add()
    runs.add("payroll")
    for dag_id in (DAG, "payroll"):
        runs.task("load", {"model_sha256": "0" * 64, "batch_id": "1", "rows": 987_654}, dag_id=dag_id)
    assert get(viewer, "/dag").status_code == 200
    assert get(viewer, "/dag", dag_id="payroll").status_code == 403
    assert get(viewer, "/dag", dag_id="~").status_code == 403
    for query in (f"dag_id=payroll&dag_id={DAG}", f"dag_id={DAG}&dag_id=payroll"):
        found = viewer.get(f"/batch-inference/dag?{query}")
        assert found.status_code == 403 or "payroll" not in found.text
    shown = get(viewer, "/overview").text
    assert DAG in shown
    assert "payroll" not in shown


def test_a_result_in_another_dags_folder_is_not_shown_without_the_right_to_see_that_dag(
    viewer, runs, deployed, only_nightly
):
    runs.add("payroll")
    runs.task("load", deployed.xcoms["predict"], dag_id="payroll")
    assert get(viewer, "/task", dag_id="payroll").status_code == 403
    runs.task("mine", {"return_value": deployed.xcoms["predict"]["return_value"].replace(DAG, "payroll")})
    assert "another DAG" in get(viewer, "/task", task_id="mine").text


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_forbids_scripts_frames_elsewhere_and_guessing_of_types(client_of, viewer, runs, deployed, path):
    for client in (viewer, client_of(name=None)):
        headers = get(client, path, task_id="drift").headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "script" not in policy
        assert "sandbox" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, no-store"


def test_only_our_own_pages_keep_their_origin(viewer, deployed):
    assert (
        get(viewer, "/task", task_id="drift").headers["content-security-policy"].endswith("sandbox allow-same-origin")
    )
    assert get(viewer, "/report", task_id="drift").headers["content-security-policy"].endswith("sandbox")


@pytest.mark.parametrize("index", ["{MAP_INDEX}", "-1", "", "%7BMAP_INDEX%7D", "x", "1e9", "99999999999999999999"])
def test_a_task_that_is_not_mapped_is_found_under_any_index(viewer, deployed, index):
    assert "299 rows scored" in get(viewer, "/task", task_id="predict", map_index=index).text


def test_a_mapped_task_is_found_by_its_index_and_listed_as_a_whole(viewer, runs, deployed):
    for index in range(3):
        runs.task("mapped", deployed.xcoms["predict" if index == 1 else "load"], map_index=index)
    assert "299 rows scored" in get(viewer, "/task", task_id="mapped", map_index="1").text
    assert "299 rows scored" not in get(viewer, "/task", task_id="mapped", map_index="2").text
    assert get(viewer, "/task", task_id="mapped", map_index="3").status_code == 404
    listed = get(viewer, "/task", task_id="mapped").text
    assert all(f"map_index={index}" in listed for index in range(3))


def test_an_id_that_is_longer_than_airflows_is_refused(viewer, root, database):
    assert get(viewer, "/dag", dag_id="x" * 251).status_code == 422


def test_the_tabs_lead_to_the_routes_behind_any_path_prefix(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/team/airflow/")
    views = BatchInferencePlugin().external_views
    assert sorted(view["destination"] for view in views) == ["dag", "dag_run", "nav", "task_instance"]
    for view in views:
        page = view["href"].partition("?")[0]
        assert page.removeprefix("/team/airflow/batch-inference") in ROUTES
    assert len({view["url_route"] for view in views}) == len(views)


def test_airflow_accepts_the_plugin():
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse
    from airflow.plugins_manager import AirflowPlugin

    assert issubclass(BatchInferencePlugin, AirflowPlugin)
    BatchInferencePlugin.validate()
    for view in BatchInferencePlugin().external_views:
        ExternalViewResponse.model_validate(view)


@pytest.mark.slow
def test_importing_the_plugin_loads_nothing_that_a_task_does_not_need():
    statement = "import airflow_batch_inference.plugin, sys; print([n for n in sys.modules if n in %r])"
    ours = ["airflow_batch_inference.plugin.app", "airflow_batch_inference.records", "fastapi", "pyarrow", "numpy"]
    done = subprocess.run([sys.executable, "-c", statement % ours], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
