"""A hundred secrets and fifty hostile names in what OpenLineage, assets and links are told: none comes through."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset, AssetAlias
from hostile_names import NAMES, Poison, is_harmless, texts_of
from secret_forms import FORMS, leaks
from test_lineage import event_of

from airflow_batch_inference import links
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
)
from airflow_batch_inference.operators.announcements import alert, announce_drift
from airflow_batch_inference.operators.base import push
from airflow_batch_inference.operators.checks import announce_checks
from airflow_batch_inference.records import DriftStatus, TaskKey
from airflow_batch_inference.storage.uris import normalize_uri

LINKS = (links.DriftReportLink(), links.PredictionsLink(), links.PublishedArtifactsLink(), links.EvaluationReportLink())


@pytest.fixture
def operators(runner, model_file, digest, batch, sample_set, tmp_path, rng_frame):
    """Operators of each kind that have recorded something."""
    load = LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, sample_set=str(sample_set))
    model = runner(load)
    checks = {"small": "in.a > 100"}
    predict = PredictOperator(task_id="predict", model=model, dataset=str(batch), checks=checks)
    predictions = runner(predict)
    drift = DriftAnalysisOperator(task_id="drift", model=model, dataset=predictions, on_drift="record")
    runner(drift)
    rng_frame.assign(y=(rng_frame["a"] > 0).astype(int)).to_parquet(tmp_path / "labelled.parquet")
    evaluate = EvaluateModelOperator(
        task_id="evaluate",
        model=model,
        dataset=str(tmp_path / "labelled.parquet"),
        label_columns="y",
        thresholds={"accuracy": 1.0},
        on_failure="record",
    )
    runner(evaluate)
    log = LogArtifactsOperator(task_id="log", artifacts=[model, predictions], publish_to=str(tmp_path / "out.parquet"))
    runner(log)
    return [load, predict, drift, evaluate, log]


@pytest.fixture
def poisons(operators):
    """Of each operator: itself, and what makes its record of a text."""
    return [(each, Poison(each.recorded[1])) for each in operators]


def refuse(form):
    with pytest.raises(ConfigurationError):
        normalize_uri(form)  # as the task that was given it did


def told_of(operator):
    """Return each text of the events of an operator, of a run that succeeds and of one that fails."""
    ended = operator.get_openlineage_facets_on_complete(None), operator.get_openlineage_facets_on_failure(None)
    return [each for lineage in ended for each in texts_of(event_of(lineage))]


def comes_through(text, found):
    """Return those of some texts that show what they must not."""
    return [(text, each) for each in found if leaks(each) or not is_harmless(each)]


def test_most_fields_of_each_record_are_tried(poisons):
    assert [len(poison.places) > 8 for _, poison in poisons] == [True] * 5


@pytest.mark.usefixtures("openlineage")
def test_no_secret_and_no_hostile_name_comes_through_openlineage(poisons):
    for operator, poison in poisons:
        uri, record = operator.recorded
        named = Poison(record, kept=("parts", "model_uri", "dataset_uri", "dataset_uris", "published_uri", "entries"))
        for text in (*FORMS, *NAMES):
            if text in FORMS:
                refuse(text)
            for made in (poison, named):
                operator.recorded = uri, made.with_text(text)
                assert comes_through(text, told_of(operator)) == []
        operator.recorded = uri, record


@pytest.mark.usefixtures("openlineage")
def test_none_comes_through_where_a_task_fails_before_it_has_recorded_anything():
    for text in (*FORMS, *NAMES):
        operator = PredictOperator(task_id="p", model="/data/m.txt", dataset="/data/in")
        operator.dataset = [text, f"/data/{text}"] if text in NAMES else [text, "/data/in"]
        assert comes_through(text, told_of(operator)) == []


class Instance(SimpleNamespace):
    """A task instance that keeps what is pushed."""

    def __init__(self, pushed):
        super().__init__(dag_id="d", run_id="r", task_id="t", xcom_push=lambda key, value: pushed.append((key, value)))


class Events(dict):
    """Outlet events, which keep what they are given."""

    def __missing__(self, outlet):
        added = []
        self[outlet] = SimpleNamespace(extra={}, added=added, add=lambda asset, extra: added.append((asset, extra)))
        return self[outlet]

    @property
    def texts(self):
        given = [
            [each.extra, [(asset.name, asset.uri, extra) for asset, extra in each.added]] for each in self.values()
        ]
        return list(texts_of(given))


class State(dict):
    """Airflow's asset state store: by asset, then by key."""

    def __missing__(self, asset):
        self[asset] = SimpleNamespace(set=lambda key, value: self.kept.append((key, value)))
        return self[asset]

    def __init__(self):
        super().__init__()
        self.kept = []


def test_none_comes_through_events_aliases_states_xcoms_and_notifiers(poisons, caplog):
    outlets = [Asset("data"), AssetAlias("alias")]
    made_of = {each.task_id: poison for each, poison in poisons}
    for text in (*FORMS, *NAMES):
        if text in FORMS:
            refuse(text)
        xcoms, events, state, told = [], Events(), State(), []
        context = {"ti": Instance(xcoms), "outlet_events": events, "asset_state_store": state}
        drift = replace(made_of["drift"].with_text(text), status=DriftStatus.DRIFT_DETECTED)
        announce_drift(drift, text, outlets, context)
        alert(drift, text, [told.append], context)
        for operator, poison in poisons:
            made = poison.with_text(text)
            operator.outlets = outlets
            if operator.task_id == "evaluate":
                operator._announce(text, made, context)
            if operator.task_id == "predict":
                failed = [replace(each, is_exceeded=True) for each in made.checks]
                announce_checks(failed, 400, {"batch_id": made.batch_id}, [told.append], context)
            push(context, made.to_dict())
        handed = [each.get("drift") or each.get("checks") for each in told]
        assert len(handed) == 2
        assert len(events) == 2
        for found in (events.texts, texts_of(state.kept), texts_of(xcoms), texts_of(handed)):
            assert comes_through(text, found) == []
    assert not leaks(caplog.text)


def test_what_is_published_is_an_asset_whose_name_does_no_harm(operators, runner, tmp_path):
    predictions, outlets = operators[1].recorded[0], [AssetAlias("out")]
    for name in ("a\nERROR forged", "\x1b[2Jred", "\u202egpj", "a\x7fb", "x\u2028y", "\u200b"):
        place = f"{tmp_path}/{name}.parquet"
        runner(LogArtifactsOperator(task_id="log", artifacts=predictions, publish_to=place, outlets=outlets))
        asset, extra = runner.events[outlets[0]].added[-1]
        assert comes_through(name, texts_of([asset.name, asset.uri, extra, runner.xcoms["log"]])) == []
        assert Path(place).exists()


def test_links_hold_no_secret_and_nothing_that_steers(poisons):
    key = TaskKey(dag_id="d", run_id="r", task_id="t")
    for text in (*FORMS, *NAMES, *(f"https://host/{name}" for name in NAMES)):
        if text in FORMS:
            refuse(text)
        for operator, poison in poisons:
            operator.recorded = text, poison.with_text(text)
            found = [link.get_link(operator, ti_key=SimpleNamespace(**asdict(key))) for link in LINKS]
            assert comes_through(text, found) == []
