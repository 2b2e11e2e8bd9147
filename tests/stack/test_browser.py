"""A person in front of Airflow's UI: starts a DAG by its form, follows the run, opens our tabs and links.

The browser is Debian's Chromium, without a window. BATCH_INFERENCE_SCREENSHOTS names a folder for pictures of what was
seen, in light and dark.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from stack_services import missing

from airflow_batch_inference.plugin import URL_PREFIX
from airflow_batch_inference.plugin.app import app

DAG = "batch_inference_drift_fails"
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
CHROMIUM = shutil.which("chromium")
WAIT_MS = 120_000

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # others may need the same cores
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def log_in(browser, stack):
    """``log_in(user)``: a page of a browser of its own in which the user is logged in."""
    passwords = json.loads((stack.compose.home / "simple_auth_manager_passwords.json.generated").read_text())

    def log_in(user, scheme="light"):
        context = browser.new_context(
            viewport={"width": 1400, "height": 900}, color_scheme=scheme, base_url=stack.api.url
        )
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto("/")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", passwords[user])
        page.click("button[type=submit]")
        expect(page.get_by_role("link", name="Dags").first).to_be_visible(timeout=WAIT_MS)
        return page

    return log_in


@pytest.fixture(scope="module")
def admin(log_in):
    return log_in("admin")


@pytest.fixture(scope="module")
def viewer(log_in):
    return log_in("eve", "dark")


@pytest.fixture(scope="module")
def run(stack, admin):
    """The run that the admin starts by the DAG's form."""
    stack.wait_for(lambda: stack.api.has_dag(DAG), "the DAG processor finds the example")
    admin.goto(f"/dags/{DAG}")
    admin.get_by_role("button", name="Trigger").first.click()
    form = admin.get_by_role("dialog")
    form.get_by_role("combobox").first.fill("drifted")
    form.get_by_role("combobox").first.press("Enter")
    form.locator("input[name=element_drift_threshold]").fill("0.21")
    form.get_by_role("button", name="Trigger", exact=True).click()
    admin.wait_for_url(re.compile("/runs/manual__"), timeout=WAIT_MS)
    run_id = next(run for run in stack.api.runs(DAG) if run.startswith("manual__"))
    until = time.monotonic() + 600
    while stack.api.runs(DAG)[run_id] not in ("success", "failed"):
        assert time.monotonic() < until, stack.api.tasks(DAG, run_id)
        time.sleep(2)
    return run_id


def tab(page, run, task):
    """Open our tab of a task instance, and return its frame."""
    page.goto(f"/dags/{DAG}/runs/{quote(run, safe='')}/tasks/{task}")
    page.get_by_role("link", name="Batch inference").last.click()
    return page.frame_locator("iframe")


def seen(page, name):
    """Keep a picture of a page where pictures are wanted."""
    folder = os.environ.get("BATCH_INFERENCE_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1_500)
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_run_is_started_by_the_dags_form_and_ends_where_the_gate_says(stack, run, admin):
    given = next(each for each in stack.api.get(f"/dags/{DAG}/dagRuns")["dag_runs"] if each["dag_run_id"] == run)
    assert given["conf"] == {"batch": "drifted", "dataset": None, "drift_threshold": 0.21}
    assert given["state"] == "failed"
    states = {name: task["state"] for name, task in stack.api.tasks(DAG, run).items()}
    assert states["gate"] == "failed"
    assert [name for name, state in states.items() if state == "failed"] == ["gate"]
    admin.goto(f"/dags/{DAG}/runs/{quote(run, safe='')}")
    expect(admin.get_by_text("Failed").first).to_be_visible(timeout=WAIT_MS)


@pytest.mark.parametrize("person", ["admin", "viewer"])
@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("load", ["lightgbm", "SHA-256"]),
        ("predict", ["rows", "malignant"]),
        ("drift", ["DRIFT_DETECTED|Drift detected|drifted"]),
        ("log", ["published|Published|artifacts"]),
        ("gate", ["DRIFT_DETECTED|Drift detected|drifted"]),
    ],
)
def test_the_tab_of_a_task_shows_what_it_made(request, run, person, task, words):
    page = request.getfixturevalue(person)
    frame = tab(page, run, task)
    for word in words:
        expect(frame.get_by_text(re.compile(word)).first).to_be_visible(timeout=WAIT_MS)
    seen(page, f"{task}-{person}")


@pytest.mark.parametrize("person", ["admin", "viewer"])
def test_the_tab_of_a_dag_shows_its_history(request, run, person):
    page = request.getfixturevalue(person)
    page.goto(f"/dags/{DAG}")
    page.get_by_role("link", name="Batch inference").last.click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("svg").first).to_be_visible(timeout=WAIT_MS)
    expect(frame.get_by_text(run[:20]).first).to_be_visible(timeout=WAIT_MS)
    seen(page, f"dag-{person}")


@pytest.mark.parametrize("person", ["admin", "viewer"])
def test_the_page_in_the_navigation_lists_the_pipeline(request, run, person):
    page = request.getfixturevalue(person)
    page.goto("/")
    page.get_by_role("link", name="Inference", exact=True).first.click()
    expect(page.frame_locator("iframe").get_by_text(DAG).first).to_be_visible(timeout=WAIT_MS)
    seen(page, f"overview-{person}")


def test_a_tasks_link_leads_to_the_report(run, admin):
    admin.goto(f"/dags/{DAG}/runs/{quote(run, safe='')}/tasks/drift/details")
    link = admin.get_by_role("link", name="Drift report").first
    href = link.get_attribute("href")
    assert f"{URL_PREFIX}/report?" in href
    admin.goto(href)
    expect(admin.get_by_text(re.compile("drift", re.IGNORECASE)).first).to_be_visible(timeout=WAIT_MS)
    seen(admin, "report")


def test_a_viewer_sees_all_and_starts_nothing(run, viewer):
    answer = viewer.request.post(f"/api/v2/dags/{DAG}/dagRuns", data={"logical_date": None})
    assert answer.status == 403
    assert viewer.request.get(f"/api/v2/dags/{DAG}/dagRuns").status == 200


def test_nobody_without_a_login_sees_any_page(stack, run):
    query = {"dag_id": DAG, "run_id": run, "task_id": "drift"}
    with httpx.Client(base_url=stack.api.url, timeout=60) as stranger:
        answers = {
            route.path: stranger.get(f"{URL_PREFIX}{route.path}", params=query).status_code
            for route in app.routes
            if hasattr(route, "path")
        }
    assert {"/overview", "/dag", "/task", "/report"} <= set(answers)
    assert set(answers.values()) == {401}, answers
