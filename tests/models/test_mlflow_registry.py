"""Models that MLflow keeps: resolved once, copied, loaded from the copy."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.models.mlflow_registry import import_from_mlflow, is_mlflow_uri
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Return a registry with two versions of a model, the first being the champion."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model("churn")
    for version in (1, 2):
        model = folder / f"model{version}"
        model.mkdir()
        x = np.random.default_rng(version).normal(size=(50, 2))
        booster = lightgbm.train({"verbose": -1, "objective": "regression"}, lightgbm.Dataset(x, x[:, 0]), 2)
        booster.save_model(model / "model.txt")
        (model / "MLmodel").write_text("flavors:\n  lightgbm:\n    lgb_version: 4.7.0\n    data: model.txt\n")
        client.create_model_version("churn", source=model.as_uri())
    client.set_registered_model_alias("churn", "champion", "1")
    return uri, client, folder


def digest_of(uri):
    with private_copy(uri, STORE) as copy:
        return copy.sha256


def test_an_alias_a_version_and_the_files_are_the_same_model(registry, tmp_path):
    uri, _, folder = registry
    by_alias, name = import_from_mlflow("models:/churn@champion", root=str(tmp_path), storage=STORE, tracking_uri=uri)
    by_version, _ = import_from_mlflow("models:/churn/1", root=str(tmp_path), storage=STORE, tracking_uri=uri)
    assert name == "churn"
    assert by_alias == by_version
    assert digest_of(by_alias) == digest_of(str(folder / "model1"))


def test_an_alias_that_moves_leaves_the_copy_as_it_is(registry, tmp_path):
    uri, client, _ = registry
    first, _ = import_from_mlflow("models:/churn@champion", root=str(tmp_path), storage=STORE, tracking_uri=uri)
    client.set_registered_model_alias("churn", "champion", "2")
    try:
        second, _ = import_from_mlflow("models:/churn@champion", root=str(tmp_path), storage=STORE, tracking_uri=uri)
    finally:
        client.set_registered_model_alias("churn", "champion", "1")
    assert first != second
    assert (Path(first.removeprefix("file://")) / "model.txt").exists()


def test_the_environment_says_where_mlflow_is(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry[0])
    assert import_from_mlflow("models:/churn/2", root=str(tmp_path), storage=STORE)[1] == "churn"


def test_nobody_saying_where_mlflow_is_is_an_error_that_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert not mlflow.is_tracking_uri_set()
    with pytest.raises(ConfigurationError, match="nothing says where MLflow is"):
        import_from_mlflow("models:/churn/2", root=str(tmp_path), storage=STORE)


@pytest.mark.parametrize(
    "reference", ["models:/churn@nobody", "models:/fraud/1", "models:/churn/9", "runs:/0000/model"]
)
def test_what_mlflow_does_not_have_is_named(registry, tmp_path, reference):
    with pytest.raises(ArtifactNotFoundError, match=f"MLflow cannot give {reference}"):
        import_from_mlflow(reference, root=str(tmp_path), storage=STORE, tracking_uri=registry[0])


def test_only_mlflows_own_schemes_are_its_uris():
    assert is_mlflow_uri("models:/churn/1")
    assert is_mlflow_uri("runs:/abc/model")
    assert not is_mlflow_uri("models/churn@champion")
    assert not is_mlflow_uri("s3://bucket/models")


def test_a_single_file_of_a_run_is_copied_as_that_file(registry, tmp_path):
    uri, client, folder = registry
    run = client.create_run(client.create_experiment("e", artifact_location=(folder / "runs").as_uri()))
    client.log_artifact(run.info.run_id, str(folder / "model1" / "model.txt"), "dir")
    found, _ = import_from_mlflow(
        f"runs:/{run.info.run_id}/dir/model.txt", root=str(tmp_path), storage=STORE, tracking_uri=uri
    )
    assert found.endswith("/model.txt")
    assert STORE.read_bytes(found) == (folder / "model1" / "model.txt").read_bytes()
