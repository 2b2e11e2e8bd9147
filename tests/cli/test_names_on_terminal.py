"""A hundred secrets and fifty hostile names in records that the command line prints: none comes through."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hostile_names import NAMES, Poison, is_harmless
from secret_forms import FORMS, S, leaks

from airflow_batch_inference.cli import inspect
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.models.aliases import set_alias
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.records import AliasRecord, EvaluationRecord, MetricVerdict, TaskKey, UsedModel
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.workflows.build_baseline import ReferenceOptions
from airflow_batch_inference.workflows.register_model import register_model

STORE = Storage()


@pytest.fixture
def records(run, pinned, batch, tmp_path):
    """A record of each kind that a command prints."""
    given = [pinned[0], batch, *pinned[1:], "--output", "s.parquet", "--artifact-root", "store"]
    predictions = STORE.read_record(json.loads(run("score", *given, "--json").out)["prediction_set"])
    _, model = register_model(
        ModelRequest(model_uri=pinned[0], trust=TrustRequest(sha256=pinned[2]), tag="v1"),
        root=str(tmp_path / "store"),
        sample_set=str(batch),
        options=ReferenceOptions(),
        storage=STORE,
        model_storage=STORE,
    )
    texts = dict.fromkeys(("name", "model_uri", "model_sha256", "model_flavor", "model_record_uri", "error"), "m")
    used = UsedModel(role="challenger", step=1, rows=399, rows_failed=1, **texts)
    verdict = MetricVerdict(metric="f1", value=0.5, least=0.6, most=None, baseline=None, passed=False, reason="low")
    evaluation = EvaluationRecord(
        **dict.fromkeys(("model_name", "model_uri", "model_sha256", "model_flavor", "dataset_sha256", "batch_id"), "m"),
        **dict.fromkeys(("model_record_uri", "metrics_uri", "report_uri", "baseline_evaluation_uri"), "u"),
        task=TaskKey(dag_id="d", run_id="r", task_id="t"),
        problem="regression",
        predictions_uri="p",
        dataset_uris=("d",),
        rows=1,
        rows_rejected=0,
        decision_threshold=None,
        passed=False,
        metrics={"f1": 0.5},
        undefined={},
        outputs=(),
        verdicts=(verdict,),
        notes=("a note",),
        baseline_metrics={"f1": 0.4},
    )
    baseline = STORE.read_record(model.baseline_uri)
    return [model, replace(predictions, models=(used,)), evaluation, replace(baseline, skipped={"x": "why"})]


def comes_through(text, printed):
    return leaks(printed) or not is_harmless(printed, lines=True) or (text and f"\n{text}" in printed and "\n" in text)


def refuse(form):
    with pytest.raises(ConfigurationError):
        normalize_uri(form)  # as the command that was given it did


def test_no_record_is_printed_with_a_secret_or_a_name_that_steers(run, records, tmp_path):
    for place, record in enumerate(records):
        poison = Poison(record)
        assert len(poison.places) > 8
        for text in (*FORMS, *NAMES)[place % 2 :: 2]:
            if text in FORMS:
                refuse(text)
            uri = STORE.put_record(str(tmp_path / "forged"), "record", poison.with_text(text))
            for options in ((), ("--json",)):
                ended = run("inspect", uri, *options)
                assert ended.status == 0
                assert not comes_through(text, ended.out + ended.err), text


def test_a_drift_of_hostile_columns_is_printed_without_them(run, tmp_path, frame):
    for text in (*FORMS[::3], *NAMES[::3]):
        if text in FORMS:
            refuse(text)
        try:
            frame.rename(columns={"a": text}).to_parquet(tmp_path / "d.parquet")
        except UnicodeEncodeError:
            continue
        for options in ((), ("--json",)):
            ended = run("drift", "d.parquet", "d.parquet", *options)
            assert not comes_through(text, ended.out + ended.err), text


def test_an_alias_that_somebody_forged_prints_neither(run, records, tmp_path):
    root = str(tmp_path / "store")
    uri = STORE.put_record(root, "model", records[0])
    set_alias("risk", "live", uri, root=root, storage=STORE, set_by="me")
    (entry,) = (tmp_path / "store" / "models" / "risk" / "aliases" / "live").iterdir()
    poison = Poison(
        AliasRecord.from_json(entry.read_bytes(), where="x"), kept=("name", "alias", "since", "model_record_uri")
    )
    for text in (*FORMS, *NAMES):
        if text in FORMS:
            refuse(text)
        entry.write_bytes(poison.with_text(text).to_json())
        ended = run("alias", "models/risk@live", "--artifact-root", root)
        assert ended.status == 0
        assert not comes_through(text, ended.out + ended.err), text
    given = json.loads(entry.read_bytes())
    for field, value in (("since", "a\x1b[31m\nb"), ("since", "2026-01-01"), ("model_record_uri", "a\x1b[31m\nb")):
        entry.write_text(json.dumps({**given, field: value}))
        ended = run("alias", "models/risk@live", "--artifact-root", root)
        assert not comes_through("", f"{ended.out}{ended.err}{ended.status}")
        assert field == "model_record_uri" or "ArtifactIntegrityError" in str(ended.status)


@pytest.mark.parametrize("name", ["inspect", "verify", "score", "drift", "baseline", "alias", "sweep"])
def test_what_is_given_to_a_command_is_in_no_error_of_it(run, name, pinned, tmp_path):
    for text in (*FORMS, *NAMES):
        given = {"score": [pinned[0], text, *pinned[1:], "--output", "o"], "drift": [text, text]}
        given |= {"baseline": [text, "--output", "o"], "sweep": [text, "--artifact-root", "store"]}
        if "\0" in text or text.startswith("-"):
            continue
        ended = run(name, *given.get(name, [text]))
        told = f"{ended.out}{ended.err}{ended.status}"
        assert not comes_through(text, told), (text, told)


def test_an_error_of_a_library_is_shown_without_a_secret(run, monkeypatch):
    def fail(_):
        raise RuntimeError(f"Could not connect to https://user:{S}@host/x")

    monkeypatch.setattr(inspect, "artifact_store", fail)
    with pytest.raises(RuntimeError) as error:
        run("inspect", "x")
    assert not leaks(str(error.value))
