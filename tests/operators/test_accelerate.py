"""``accelerate`` on the operator: templated, checked, and told in the record."""

from __future__ import annotations

import hashlib

import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.forests.forest import ZERO_NAN_RIGHT
from airflow_batch_inference.flavors.lightgbm import forest as lightgbm_forest
from airflow_batch_inference.operators import LoadModelOperator, PredictOperator, Processes
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.trees import fast_model

STORE = Storage()


@pytest.fixture
def predict(runner, model_file, batch, monkeypatch):
    monkeypatch.setattr(fast_model, "_WORTH", 100)

    def predict(accelerate, model=None):
        path = model or model_file
        pinned = hashlib.sha256(path.read_bytes()).hexdigest()
        model = runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=pinned))
        operator = PredictOperator(
            task_id="predict", model=model, dataset=str(batch), engine=Processes(accelerate=accelerate)
        )
        return STORE.read_record(runner(operator))

    return predict


def test_the_record_says_that_the_kernel_has_walked_the_trees(predict, runner, model_text, batch):
    runner.params = {"how": "require"}
    record = predict("{{ params.how }}")

    rows = pd.concat([pd.read_parquet(part.uri.removeprefix("file://")) for part in record.parts])
    expected = lightgbm.Booster(model_str=model_text).predict(rows[["a", "b"]])
    np.testing.assert_array_equal(rows["predicted_label"], expected)
    assert list(record.tree_kernel.values()) == [""]
    assert [line.partition(": ")[2] for line in record.trees_by] == ["the kernel"]


def test_off_leaves_the_record_as_it_was(predict):
    assert predict("off").tree_kernel == {}


def test_another_word_fails_with_the_choices(predict):
    with pytest.raises(ConfigurationError, match="'auto', 'off', 'require'"):
        predict("always")


@pytest.fixture
def with_gaps(tmp_path):
    """A model whose missing values go to the left somewhere, and so would be read wrong."""
    rng = np.random.default_rng(0)
    data = np.where(rng.random((400, 2)) < 0.3, np.nan, rng.normal(size=(400, 2)))
    path = tmp_path / "gaps.txt"
    dataset = lightgbm.Dataset(data, -np.nan_to_num(data, nan=-3.0).sum(axis=1), feature_name=["a", "b"])
    lightgbm.train({"objective": "regression", "verbose": -1}, dataset, 5).save_model(path)
    return path


@pytest.fixture
def wrong_reader(monkeypatch):
    rules = lightgbm_forest._RULES.copy()
    rules[2] = ZERO_NAN_RIGHT
    monkeypatch.setattr(lightgbm_forest, "_RULES", rules)


def test_a_model_that_the_kernel_gets_wrong_is_scored_by_its_library(predict, with_gaps, wrong_reader):
    record = predict("auto", with_gaps)

    rows = pd.concat([pd.read_parquet(part.uri.removeprefix("file://")) for part in record.parts])
    expected = lightgbm.Booster(model_file=with_gaps).predict(rows[["a", "b"]])
    np.testing.assert_array_equal(rows["predicted_label"], expected)
    assert next(iter(record.tree_kernel.values())).startswith("it differs from the library")
    assert "its own library, since it differs" in record.trees_by[0]


def test_a_model_that_the_kernel_gets_wrong_fails_where_it_is_required(predict, runner, with_gaps, wrong_reader):
    with pytest.raises(AirflowException, match="differs from the library"):
        predict("require", with_gaps)
    assert not list(runner.root.rglob("_commits/*.json"))
