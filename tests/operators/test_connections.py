"""How remote stores are reached: by connections of Airflow's own providers, so that none of ours is needed."""

from __future__ import annotations

import fsspec
import pytest
from airflow.sdk.io import fs as airflow_fs

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import LogArtifactsOperator
from airflow_batch_inference.operators.stores import artifact_storage, storage_for

CONN_ID = "AIRFLOW__BATCH_INFERENCE__ARTIFACT_CONN_ID"


@pytest.fixture
def asked(monkeypatch):
    """Register a file system as a provider does; return the connections that it is asked to use."""
    found = []

    def get_fs(conn_id, storage_options=None):
        found.append(conn_id)
        return fsspec.filesystem("memory")

    monkeypatch.setattr(airflow_fs, "_register_filesystems", lambda: {"memory": get_fs})
    monkeypatch.delenv(CONN_ID, raising=False)
    return found


def test_a_store_is_reached_by_the_provider_that_knows_it_and_the_connection_that_is_named(asked):
    storage_for("archive").put("memory://bucket/a.txt", b"text")
    assert storage_for("archive").read_bytes("memory://bucket/a.txt") == b"text"
    assert set(asked) == {"archive"}


def test_the_artifact_store_has_the_configured_connection_unless_a_task_names_another(asked, monkeypatch):
    monkeypatch.setenv(CONN_ID, "artifacts")
    artifact_storage().exists("memory://bucket")
    operator = LogArtifactsOperator(task_id="log", artifacts=["a"], artifact_conn_id="own")
    operator.storage.exists("memory://bucket")
    LogArtifactsOperator(task_id="log2", artifacts=["a"]).storage.exists("memory://bucket")
    assert asked == ["artifacts", "own", "artifacts"]


def test_without_a_connection_the_provider_uses_its_own_default(asked):
    storage_for(None).exists("memory://bucket")
    assert asked == [None]


def test_a_store_that_no_provider_knows_is_reached_without_a_connection(asked):
    assert not storage_for(None).exists("file:///no/such/file")
    assert asked == []


@pytest.mark.parametrize(("scheme", "package"), [("s3", "amazon"), ("gs", "google"), ("abfss", "microsoft-azure")])
def test_a_connection_without_its_provider_names_the_package(asked, scheme, package):
    with pytest.raises(
        ConfigurationError, match=f"'mine' cannot reach {scheme}://.*apache-airflow-providers-{package}"
    ):
        storage_for("mine").exists(f"{scheme}://bucket/x")
