"""The examples that assets start: as the scheduler starts them, by an event or for a partition, and by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(DAGS).dags


@pytest.fixture
def session():
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session


def last_event(asset, session):
    from airflow.models.asset import AssetEvent, AssetModel

    session.expire_all()
    found = session.query(AssetEvent).join(AssetModel, AssetEvent.asset_id == AssetModel.id)
    return found.filter(AssetModel.name == asset).order_by(AssetEvent.id.desc()).first()


def start(dag, monkeypatch, change):
    """Run a DAG as the scheduler does, which gives its runs more than `dag.test` can."""
    from airflow.models import dagrun

    real = dagrun.get_or_create_dagrun

    def made(*, session, **arguments):
        run = real(session=session, **arguments)
        change(run, session)
        session.commit()
        return run

    monkeypatch.setattr(dagrun, "get_or_create_dagrun", made)
    done = dag.test(logical_date=None)
    monkeypatch.undo()
    return done


def test_a_batch_that_is_announced_is_the_one_that_is_scored(dags, session, monkeypatch):
    from airflow.models.asset import AssetEvent

    done = dags["batch_inference_features"].test(run_conf={"batch": "drifted"})
    assert str(done.state) == "success"
    event = last_event("tumour_features", session)
    assert event.extra["uri"].endswith("/drifted.parquet")

    def consume(run, session):
        run.consumed_asset_events.append(session.get(AssetEvent, event.id))

    done = start(dags["batch_inference_on_asset"], monkeypatch, consume)
    assert str(done.state) == "success"
    extra = last_event("tumour_scores", session).extra
    assert (extra["drift_status"], extra["rows"], extra["rows_rejected"]) == ("DRIFT_DETECTED", 284, 0)
    assert pd.read_parquet(extra["published_uri"].removeprefix("file://"))["malignant"].notna().all()


def test_the_verdict_is_kept_as_the_assets_state_where_airflow_has_one(dags, session):
    models = pytest.importorskip("airflow.models.asset_state_store", reason="this Airflow keeps no state of assets")
    done = dags["batch_inference_on_asset"].test()
    assert str(done.state) == "success"
    session.expire_all()
    rows = session.query(models.AssetStateStoreModel).filter_by(key="batch_inference_published").all()
    assert any('"NO_DRIFT"' in str(row.value) and done.run_id in str(row.value) for row in rows)


def test_a_day_is_scored_by_itself_whatever_the_day_of_the_run(dags, session, monkeypatch):
    sdk = pytest.importorskip("airflow.sdk")
    if not hasattr(sdk, "PartitionedAssetTimetable"):
        pytest.skip("this Airflow is older than 3.2, which brought partitions")

    def of_the_day(run, session):
        run.partition_key = "2026-02-03"

    for name in ("batch_inference_daily_features", "batch_inference_partitions"):
        done = start(dags[name], monkeypatch, of_the_day)
        assert str(done.state) == "success", name
    event = last_event("daily_tumour_features", session)
    assert event.partition_key == "2026-02-03"
    extra = last_event("daily_tumour_scores", session).extra
    assert extra["published_uri"].endswith("/published/by-day/day=2026-02-03")
    assert extra["rows"] == 284


def test_by_hand_the_day_is_that_of_the_run(dags, session):
    for name in ("batch_inference_daily_features", "batch_inference_partitions"):
        done = dags[name].test()
        assert str(done.state) == "success", name
    published = last_event("daily_tumour_scores", session).extra["published_uri"]
    assert published.endswith(f"/day={done.logical_date:%Y-%m-%d}")


def test_a_run_that_the_scheduler_makes_has_a_deadline_with_the_notifier_as_its_callback(dags, session):
    from airflow.models.deadline import Deadline
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    dags["batch_inference_features"].test()  # which writes all DAGs of the folder to the database
    session.expire_all()
    due = datetime(2026, 2, 3, tzinfo=UTC)
    run = SerializedDagModel.get("batch_inference_deadline", session=session).dag.create_dagrun(
        run_id="manual__deadline",
        logical_date=due,
        data_interval=(due, due),
        run_after=due,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state="queued",
        session=session,
    )
    session.flush()
    (deadline,) = session.query(Deadline).filter(Deadline.dagrun_id == run.id).all()
    assert deadline.deadline_time == due + timedelta(hours=1)
    told = str(getattr(deadline.callback, "data", None) or vars(deadline.callback))
    assert "airflow_batch_inference.notifications.notifier.BatchInferenceNotifier" in told
    assert "scoring_alerts" in told


@pytest.mark.parametrize("name", ["batch_inference_on_asset", "batch_inference_partitions"])
def test_they_are_documented_and_catch_nothing_up(dags, name):
    assert dags[name].doc_md
    assert not dags[name].catchup
    assert dags[name].timetable.asset_condition is not None
