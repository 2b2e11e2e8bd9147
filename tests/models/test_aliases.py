"""Aliases: what they mean now, and what they meant."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.models.aliases import alias_history, parse_alias, resolve_alias, set_alias
from airflow_batch_inference.records import ModelRecord, TaskKey
from airflow_batch_inference.records.catalog import CatalogEntry
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))


def put_model(root, digit):
    record = ModelRecord(
        name="churn", model_uri="file:///m", conn_id=None, sha256=digit * 64, size_bytes=1, flavor="lightgbm",
        format="lightgbm-text", trust="data", trusted_by=None, trusted_types=(), load_options={}, inputs=None,
        n_features=1, output_names=None, classes=None, class_names=None, label_columns=None, versions={},
        baseline_uri=None, golden_uri=None, tag=None,
    )  # fmt: skip
    return STORE.put_record(f"file://{root}/models/churn", "model", record)


@pytest.fixture
def store(tmp_path):
    """Return what sets an alias to the model of a digit, and what resolves it."""

    def put(digit, since=None, alias="champion"):
        return set_alias(
            "churn", alias, put_model(tmp_path, digit), root=str(tmp_path), storage=STORE, set_by="me", since=since
        )

    def get(as_of=None, name="churn", alias="champion"):
        return resolve_alias(name, alias, root=str(tmp_path), storage=STORE, as_of=as_of).model_sha256[0]

    return put, get


def test_an_alias_means_the_model_that_was_set_last(store):
    put, get = store
    put("1")
    put("2")
    assert get() == "2"


def test_as_of_finds_the_version_that_was_live_then(store):
    put, get = store
    put("1", since=MAY)
    put("2", since=JULY)
    assert (get(MAY), get(JUNE), get(JULY), get()) == ("1", "1", "2", "2")
    assert get(JULY - timedelta(microseconds=1)) == "1"


def test_times_are_compared_whatever_their_zones(store):
    put, get = store
    put("1", since=MAY)
    put("2", since=datetime(2026, 7, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert get(JULY) == "2"


def test_a_version_that_was_forgotten_can_be_entered_afterwards_and_changes_the_past_only(store):
    put, get = store
    put("1", since=JULY)
    put("2", since=MAY)
    assert (get(JUNE), get(JULY), get()) == ("2", "1", "1")


def test_a_version_of_the_future_is_not_live_yet(store):
    put, get = store
    put("1", since=MAY)
    put("2", since=datetime.now(UTC) + timedelta(days=1))
    assert get() == "1"


def test_before_any_version_is_live_an_alias_means_nothing(store):
    put, get = store
    put("1", since=datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(ArtifactNotFoundError, match="meant nothing yet by now"):
        get()


def test_the_same_version_since_the_same_time_adds_nothing(store, tmp_path):
    put, _ = store
    assert put("1", since=MAY) == put("1", since=MAY)
    assert len(alias_history("churn", "champion", root=str(tmp_path), storage=STORE)) == 1


def test_an_alias_of_one_model_cannot_mean_another(tmp_path):
    uri = put_model(tmp_path, "1")
    with pytest.raises(ConfigurationError, match="is a record of the model 'churn'"):
        set_alias("fraud", "champion", uri, root=str(tmp_path), storage=STORE, set_by="me")


def test_the_same_model_again_adds_nothing(store, tmp_path):
    put, _ = store
    assert put("1") == put("1")
    assert len(alias_history("churn", "champion", root=str(tmp_path), storage=STORE)) == 1


def test_before_its_first_version_an_alias_means_nothing(store):
    put, get = store
    put("1", since=JUNE)
    with pytest.raises(ArtifactNotFoundError, match=r"meant nothing yet at 2026-05-01.*live at 2026-06-01"):
        get(MAY)


def test_an_unknown_alias_is_refused_with_those_that_there_are(store):
    put, get = store
    put("1", alias="challenger")
    with pytest.raises(ArtifactNotFoundError, match=r"no alias 'champion'.*Its aliases: challenger"):
        get()
    with pytest.raises(ArtifactNotFoundError, match=r"'fraud' has no alias 'champion'.*Its aliases: none"):
        get(name="fraud")


@pytest.mark.parametrize("alias", ["", "a/b", "a@b"])
def test_an_alias_that_could_not_be_written_as_a_reference_is_refused(store, alias):
    with pytest.raises(ConfigurationError, match="cannot be"):
        store[0]("1", alias=alias)


def test_an_alias_can_mean_a_model_only(tmp_path):
    entry = CatalogEntry(
        name="x", artifact_kind="file", uri="file:///x", tag="", batch_id=None, logged_at="2026-01-01",
        task=TaskKey(dag_id="d", run_id="r", task_id="t"),
    )  # fmt: skip
    uri = STORE.put_record(f"file://{tmp_path}", "x", entry)
    with pytest.raises(ConfigurationError, match="is no model record"):
        set_alias("churn", "champion", uri, root=str(tmp_path), storage=STORE, set_by="me")


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(ConfigurationError, match="no time zone"):
        store[0]("1", since=datetime(2026, 5, 1))  # noqa: DTZ001  # that is the point


def test_of_those_who_move_an_alias_at_once_each_is_kept(store, tmp_path):
    put, _ = store
    threads = [threading.Thread(target=put, args=(digit,)) for digit in "123456789"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = alias_history("churn", "champion", root=str(tmp_path), storage=STORE)
    assert sorted(entry.model_sha256[0] for entry in history) == list("123456789")
    assert [entry.number for entry in history] == list(range(1, 10))


def test_only_short_references_are_aliases():
    assert parse_alias("models/churn@champion") == ("churn", "champion")
    for other in ("models:/churn@champion", "/models/churn@champion", "models/a/b@c", "models/churn", "models/@x"):
        assert parse_alias(other) is None
