"""The example that asks a person: run whole, and answered as the REST API answers it."""

from __future__ import annotations

import runpy
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAGS = Path(__file__).resolve().parents[2] / "dags"
NAME = "batch_inference_approval"
PATIENCE_S = 120
ASKED_AND_PARKED = timedelta(seconds=2)
"""`dag.test` writes the task's state once more right after the task has asked: an answer before that would be lost."""


@pytest.fixture(scope="module")
def dag(load_dags):
    return load_dags(DAGS).dags[NAME]


def run(dag, batch, day, **arguments):
    """Run for a day of its own, so that each test looks at its own published folder."""
    moment = datetime(2026, 2, day, tzinfo=UTC)
    dag_run = dag.test(run_conf={"batch": batch}, logical_date=moment, **arguments)
    return str(dag_run.state), {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def published(airflow_home, day):
    folder = airflow_home / "artifacts" / "published" / "approved-tumours" / f"day=2026-02-{day:02d}"
    return len(pd.read_parquet(folder)) if folder.exists() else None


class Person(threading.Thread):
    """Waits for the next question, reads it, and answers with the function behind Airflow's REST API."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.question = None

    def run(self):
        end = time.monotonic() + PATIENCE_S
        while self.question is None and time.monotonic() < end:
            time.sleep(1)
            self._look()

    def _look(self):
        from airflow.models.hitl import HITLDetail
        from airflow.utils.session import create_session

        with create_session() as session:
            details = session.query(HITLDetail).filter(HITLDetail.responded_at.is_(None)).all()
            asked = [detail for detail in details if detail.task_instance.dag_id == NAME]
            if not asked or datetime.now(UTC) - asked[0].created_at < ASKED_AND_PARKED:
                return
            ti = asked[0].task_instance
            self.question, place = (asked[0].subject, asked[0].body), (ti.dag_id, ti.run_id, ti.task_id)
        # As in a request of its own: a session that has not loaded these rows.
        with create_session() as session:
            self._respond(*place, session)

    def _respond(self, dag_id, run_id, task_id, session):
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

        update_hitl_detail(
            dag_id=dag_id,
            dag_run_id=run_id,
            task_id=task_id,
            update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[self.answer], params_input={}),
            user=SimpleAuthManagerUser(username="ann", role="admin"),
            session=session,
        )


def wait_for_the_answer(trigger, _):
    """Return the event that the HITL trigger makes of the answer in the metadata database."""
    from airflow.models.hitl import HITLDetail
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        time.sleep(1)
        with create_session() as session:
            detail = session.get(HITLDetail, str(trigger.ti_id))
            if detail.response_received:
                answer = {"chosen_options": detail.chosen_options, "params_input": detail.params_input}
                by = {"responded_at": detail.responded_at, "responded_by_user": detail.responded_by_user}
                return TriggerEvent({**answer, **by, "timedout": False})
    raise TimeoutError


@pytest.fixture(autouse=True)
def answers_reach_the_task(monkeypatch):
    """Before 3.3 the task waits by a trigger; the one that `dag.test` runs gets no answer to what it asks for."""
    import airflow.sdk.exceptions
    from airflow.sdk.definitions import dag

    if not hasattr(airflow.sdk.exceptions, "TaskAwaitingInput"):
        monkeypatch.setattr(dag, "_run_inline_trigger", wait_for_the_answer)


def test_an_ordinary_batch_is_published_without_asking_anybody(dag, airflow_home):
    state, tasks = run(dag, "ordinary", 1)
    assert (state, tasks["gate"], tasks["approve"], tasks["publish"]) == ("success", "success", "skipped", "success")
    assert published(airflow_home, 1) == 284


def test_a_drifted_batch_waits_and_is_published_when_a_person_approves(dag, airflow_home):
    ann = Person("Approve")
    ann.start()
    state, tasks = run(dag, "drifted", 2)
    ann.join(PATIENCE_S)
    assert (state, tasks["approve"], tasks["publish"]) == ("success", "success", "success")
    assert published(airflow_home, 2) == 284
    subject, body = ann.question
    assert subject.startswith("DRIFT_DETECTED: publish the batch of manual__")
    assert "31 of 31 columns have drifted; the predictions are among them." in body
    report = body.split("Report: file://")[1].strip()
    assert "Drift detected" in Path(report).read_text()


def test_a_drifted_batch_that_a_person_rejects_is_never_published_and_the_run_ends_green(dag, airflow_home):
    ann = Person("Reject")
    ann.start()
    state, tasks = run(dag, "drifted", 3)
    ann.join(PATIENCE_S)
    assert (state, tasks["approve"], tasks["publish"]) == ("success", "success", "skipped")
    assert published(airflow_home, 3) is None


def test_dags_test_can_approve_by_marking_the_task(dag, airflow_home):
    state, tasks = run(dag, "drifted", 4, mark_success_pattern="approve")
    assert (state, tasks["publish"]) == ("success", "success")
    assert published(airflow_home, 4) == 284


def test_an_airflow_that_cannot_ask_shows_the_dag_and_says_why_it_cannot(monkeypatch):
    monkeypatch.setitem(sys.modules, "airflow.providers.standard.operators.hitl", None)
    file = runpy.run_path(str(DAGS / f"{NAME}.py"))
    approve = file["approve"].operator
    assert "This Airflow cannot ask a person" in approve.dag.doc_md
    assert approve.downstream_task_ids == {"publish"}
    with pytest.raises(AirflowFailException, match="apache-airflow-providers-standard"):
        approve.python_callable()
