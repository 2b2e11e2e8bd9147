"""The example in which drift starts another DAG: the events in the metadata database, and who reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import AssetAlias

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAGS = Path(__file__).resolve().parents[2] / "dags"
SCORING, RETRAIN = "batch_inference_retraining", "batch_inference_retrain"


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(DAGS).dags


@pytest.fixture
def session():
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session


def score(dags, batch):
    return dags[SCORING].test(run_conf={"batch": batch})


def events_of(dag_run, asset, session):
    """Return the extras of the events that a run has made of an asset."""
    from airflow.models.asset import AssetEvent, AssetModel

    found = session.query(AssetEvent).join(AssetModel, AssetEvent.asset_id == AssetModel.id)
    return found.filter(AssetModel.name == asset, AssetEvent.source_run_id == dag_run.run_id).all()


def queued(session):
    """Return the DAGs that wait for a run because of an asset's event, and those that the scheduler would start."""
    from airflow.models.asset import AssetDagRunQueue
    from airflow.models.dag import DagModel

    _, ready = DagModel.dags_needing_dagruns(session)[:2]
    return {row.target_dag_id for row in session.query(AssetDagRunQueue)}, set(ready)


def unpause(session):
    from airflow.models.dag import DagModel

    session.get(DagModel, RETRAIN).is_paused = False
    session.commit()


def test_the_retraining_dag_is_scheduled_on_the_alias_and_documented(dags):
    dag = dags[RETRAIN]
    assert AssetAlias("tumours_drifted") in list(dag.timetable.asset_condition.objects)
    assert dag.doc_md
    assert not dag.catchup


def test_an_ordinary_batch_tells_its_verdict_and_asks_for_no_retraining(dags, session):
    done = score(dags, "ordinary")
    assert str(done.state) == "success"
    (verdict,) = events_of(done, "tumour_drift_verdicts", session)
    assert (verdict.extra["drift_status"], verdict.extra["drifted_columns"]) == ("NO_DRIFT", [])
    assert not events_of(done, "tumours_drifted", session)


def test_a_drifted_batch_makes_the_aliass_event_and_starts_the_retraining_with_the_verdict(dags, session, monkeypatch):
    score(dags, "ordinary")
    unpause(session)
    assert RETRAIN not in queued(session)[0]

    done = score(dags, "drifted")
    session.expire_all()
    (event,) = events_of(done, "tumours_drifted", session)
    assert [alias.name for alias in event.source_aliases] == ["tumours_drifted"]
    assert event.extra["drift_status"] == "DRIFT_DETECTED"
    assert event.extra["drift_metric"] > 0.7
    assert len(event.extra["model_sha256"]) == 64
    assert "mean_radius" in event.extra["drifted_columns"]
    assert Path(event.extra["report_uri"].removeprefix("file://")).is_file()
    assert events_of(done, "tumour_drift_verdicts", session)[0].extra == event.extra
    waiting, ready = queued(session)
    assert RETRAIN in waiting
    assert RETRAIN in ready

    started = start_by(dags[RETRAIN], event.id, monkeypatch)
    assert str(started.state) == "success"
    assert verdict_read_by(started) == event.extra


def start_by(dag, event_id, monkeypatch):
    """Run a DAG as the scheduler starts it: with the event among those that the run was made for."""
    from airflow.models import dagrun
    from airflow.models.asset import AssetEvent

    real = dagrun.get_or_create_dagrun

    def with_event(*, session, **arguments):
        made = real(session=session, **arguments)
        made.consumed_asset_events.append(session.get(AssetEvent, event_id))
        session.commit()
        return made

    monkeypatch.setattr(dagrun, "get_or_create_dagrun", with_event)
    return dag.test(logical_date=None)


def verdict_read_by(dag_run):
    (reader,) = [ti for ti in dag_run.get_task_instances() if ti.task_id == "read_verdict"]
    return reader.xcom_pull(task_ids="read_verdict")


def test_a_retraining_that_was_started_by_hand_has_no_verdict(dags):
    done = dags[RETRAIN].test()
    assert str(done.state) == "success"
    assert verdict_read_by(done) == {}
