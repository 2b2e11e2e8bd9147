"""``inspect``: models told without being run, and records in readable form."""

from __future__ import annotations

import json
import re

import joblib
import pytest

from airflow_batch_inference.models.aliases import set_alias
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.build_baseline import ReferenceOptions
from airflow_batch_inference.workflows.register_model import GoldenRequest, register_model

STORE = Storage()


@pytest.fixture
def record(model, batch, tmp_path):
    """URI of a model's record with a baseline and a golden set."""
    uri, _ = register_model(
        ModelRequest(model_uri=str(model), trust=TrustRequest(sha256=sha256_of(model)), tag="v1"),
        root=str(tmp_path / "store"),
        sample_set=str(batch),
        options=ReferenceOptions(),
        golden=GoldenRequest(dataset=str(batch / "1.parquet")),
        storage=STORE,
        model_storage=STORE,
    )
    return uri


class Armed:
    """A pickle that shows that it was loaded."""

    def __reduce__(self):
        return (open, ("loaded.txt", "w"))


def test_a_file_that_can_run_code_is_told_without_being_loaded(run, tmp_path):
    path = tmp_path / "armed.joblib"
    joblib.dump(Armed(), path)
    ended = run("inspect", path)
    assert ended.status == 0
    assert not (tmp_path / "loaded.txt").exists()
    assert "code: it can run anything when it is loaded, so it was not loaded" in ended.out
    assert re.search(r"would import +\w+\.open\n", ended.out)
    assert f"--sha256 {sha256_of(path)}" in ended.out


def test_with_its_digest_it_is_loaded(run, code_model):
    ended = run("inspect", code_model, "--sha256", sha256_of(code_model))
    assert "code: its digest is pinned (by sha256= in the command line)" in ended.out
    assert re.search(r"methods +predict, predict_proba, decision_function\n", ended.out)
    assert "inputs: 2" in ended.out


def test_a_digest_of_the_config_is_enough(run, code_model, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__TRUSTED_SHA256", sha256_of(code_model))
    found = json.loads(run("inspect", code_model, "--json").out)
    assert (found["is_loaded"], found["trust"]) == (True, "config")


def test_another_digest_is_refused(run, code_model):
    assert "is not the file that was pinned" in str(run("inspect", code_model, "--sha256", "0" * 64).status)


def test_a_format_that_is_data_is_loaded_and_told(run, model):
    found = json.loads(run("inspect", model, "--json").out)
    assert (found["flavor"], found["trust"], found["is_loaded"]) == ("lightgbm", "data", True)
    assert [spec["name"] for spec in found["inputs"]] == ["a", "b"]
    assert found["sha256"] == sha256_of(model)
    assert "leaf_index" in found["methods"]


def test_a_record_shows_its_baseline_golden_set_and_contract(run, record):
    ended = run("inspect", record)
    for label in ("baseline", "golden set", "tag", "versions", "record"):
        assert any(line.startswith(label) for line in ended.out.splitlines()), label
    table = ended.out.split("inputs: 2\n")[1].splitlines()
    assert table[0].split() == ["name", "type", "in", "training", "null"]
    assert table[1].split()[0:2] == ["a", "double"]
    assert " to " in table[1]
    assert json.loads(run("inspect", record, "--json").out)["record_uri"] == record


def test_an_alias_is_the_record_that_it_means(run, record, tmp_path):
    set_alias("risk", "champion", record, root=str(tmp_path / "store"), storage=STORE, set_by="a test")
    ended = run("inspect", "models/risk@champion", "--artifact-root", tmp_path / "store")
    assert record.removeprefix("file://") in ended.out


def test_a_prediction_set_is_shown_with_its_columns_and_their_roles(run, pinned, batch):
    arguments = [pinned[0], batch, *pinned[1:], "--output", "s.parquet", "--artifact-root", "store"]
    uri = json.loads(run("score", *arguments, "--json").out)["prediction_set"]
    ended = run("inspect", uri)
    assert "rows            400 of 400; 0 rejected" in ended.out
    rows = [line.split() for line in ended.out.split("columns: 4\n")[1].splitlines()]
    assert rows[1:] == [
        ["key", "large_string"],
        ["a", "double", "input"],
        ["b", "double", "input"],
        ["predicted_label", "double", "prediction"],
    ]
    assert json.loads(run("inspect", uri, "--json").out)["kind"] == "prediction-set"


def test_a_baseline_is_shown_column_by_column(run, record):
    ended = run("inspect", STORE.read_record(record).baseline_uri)
    assert ended.out.startswith("baseline")
    assert "400 rows, 4 columns" in ended.out
    assert any(line.split()[:2] == ["key", "large_string"] and "categories" in line for line in ended.out.splitlines())


def test_other_records_show_their_plain_values(run, record):
    ended = run("inspect", STORE.read_record(record).golden_uri)
    assert "record         golden" in ended.out
    assert "rows           150" in ended.out


def test_what_is_no_model_is_an_error(run, tmp_path):
    (tmp_path / "notes.md").write_text("no model")
    assert "FlavorNotFoundError" in str(run("inspect", "notes.md").status)
