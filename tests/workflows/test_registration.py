from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from airflow_batch_inference.exceptions import ConfigurationError, UncertainColumnsError, UntrustedModelError
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.loading import load_model, load_recorded
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.schema.casts import cast_inputs
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.register_model import GoldenRequest, register_model

ROWS = 90
STORE = Storage()


def ordered_frame():
    """An ordered category, which LightGBM takes for a number, beside an unordered one, and a target."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {
            "size": pd.Categorical(rng.choice(["S", "M", "L"], ROWS), categories=["S", "M", "L"], ordered=True),
            "number": rng.normal(size=ROWS),
            "town": pd.Categorical(rng.choice(["rom", "bern"], ROWS), categories=["rom", "bern"]),
        }
    )
    return data, ((data["size"] == "M") ^ (data["town"] == "rom")).astype(int)


@pytest.mark.parametrize("name", ["model.txt", "model.joblib"])
@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_a_sample_set_says_which_columns_lightgbms_lists_are_of(tmp_path, name, suffix):
    data, target = ordered_frame()
    fitted = lgb.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1).fit(data, target)
    path, sample = tmp_path / name, tmp_path / f"sample.{suffix}"
    fitted.booster_.save_model(path) if name.endswith(".txt") else joblib.dump(fitted, path)
    data.to_parquet(sample) if suffix == "parquet" else data.to_feather(sample)
    request = ModelRequest(
        model_uri=str(path), trust=TrustRequest(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), asked_by="test")
    )
    stores = {"root": str(tmp_path / "store"), "storage": STORE, "model_storage": STORE}
    with pytest.raises(UncertainColumnsError, match="or give a sample_set that still has it"):
        register_model(request, **stores)
    _, record = register_model(request, sample_set=str(sample), **stores)
    assert [spec.type for spec in record.inputs] == ["string", "double", "string"]
    model = load_recorded(record, storage=STORE)  # by another task, without the sample set
    columns = {"size": data["size"].astype(str), "number": data["number"], "town": data["town"].astype(str)}
    batch = pa.table(columns).take(np.arange(ROWS)[::-2])
    expected = fitted.booster_.predict(data)[::-2] if name.endswith(".txt") else fitted.predict_proba(data)[::-2]
    method = "predict" if name.endswith(".txt") else "predict_proba"
    np.testing.assert_array_equal(model.predict(batch, method=method), expected)
    assert len(np.unique(expected)) > 1


def test_a_sample_set_tells_of_categories_that_are_numbers_and_may_have_others_beside_them(tmp_path):
    rng = np.random.default_rng(3)
    store, region = rng.choice([1, 2, 3], ROWS), rng.integers(0, 3, ROWS)
    data = pd.DataFrame({"region": region, "store": pd.Categorical(store)})
    target = (store == 2).astype(int)
    booster = lgb.train(
        {"verbosity": -1, "min_data_in_leaf": 2}, lgb.Dataset(data, target, categorical_feature=["region"]), 5
    )
    booster.save_model(tmp_path / "m.txt")
    request = ModelRequest(model_uri=str(tmp_path / "m.txt"))
    stores = {"root": str(tmp_path / "store"), "storage": STORE, "model_storage": STORE}
    data.assign(label=pd.Categorical(target)).to_parquet(tmp_path / "sample.parquet")
    _, record = register_model(request, sample_set=str(tmp_path / "sample.parquet"), **stores)
    batch = pa.table({"region": region, "store": store})
    predicted = load_recorded(record, storage=STORE).predict(batch)
    np.testing.assert_array_equal(predicted, booster.predict(data))
    assert len(np.unique(predicted)) > 1
    data.assign(store=store, label=pd.Categorical(target)).to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(UncertainColumnsError, match="The sample set has it in label: these cannot be all"):
        register_model(request, sample_set=str(tmp_path / "plain.parquet"), **stores)


class Own(TransformerMixin, BaseEstimator):
    """A first step that takes a frame, and keeps nothing of its columns."""

    def fit(self, data, labels=None):
        del data, labels
        self.is_fitted_ = True
        return self

    def transform(self, data):
        return data[["b"]] * 2 - data[["a"]].to_numpy()


def test_a_model_of_which_nobody_can_tell_the_columns_is_refused_until_a_signature_names_them(tmp_path):
    data = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0) ** 2})
    estimator = make_pipeline(Own(), LinearRegression()).fit(data, data["a"])
    joblib.dump(estimator, tmp_path / "m.sav")
    digest = hashlib.sha256((tmp_path / "m.sav").read_bytes()).hexdigest()
    request = ModelRequest(model_uri=str(tmp_path / "m.sav"), trust=TrustRequest(sha256=digest, asked_by="test"))
    stores = {"root": str(tmp_path / "store"), "storage": STORE, "model_storage": STORE}
    with pytest.raises(ConfigurationError, match=r"m\.sav: The model's first step, Own, keeps neither.*signature="):
        register_model(request, **stores)
    signature = {"a": "double", "b": "double"}
    _, record = register_model(
        replace(request, signature=signature), golden=GoldenRequest(dataset=data.to_dict("list")), **stores
    )
    table = pa.table({"key": range(6), "b": data["b"], "a": data["a"]})
    plan = plan_inputs(table.schema, inputs=record.inputs, n_features=record.n_features, where="the data")
    found = load_recorded(record, storage=STORE).predict(cast_inputs(table, plan))
    np.testing.assert_array_equal(found, estimator.predict(data))


def test_a_pickle_under_a_name_that_says_nothing_is_trusted_no_more_than_others(tmp_path):
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "m.dat")
    with pytest.raises(UntrustedModelError, match=r"m\.dat .*is pickle, which can run any code"):
        load_model(str(tmp_path / "m.dat"), storage=STORE)


def test_a_baseline_is_made_anew_of_a_sample_set_whose_size_and_time_were_put_back(tmp_path):
    fitted = lgb.LGBMRegressor(n_estimators=2, min_child_samples=2, verbose=-1)
    data = pd.DataFrame({"x": np.arange(float(ROWS))})
    fitted.fit(data, data["x"]).booster_.save_model(tmp_path / "m.txt")
    sample = tmp_path / "sample.parquet"
    pq.write_table(pa.table({"x": np.arange(float(ROWS))}), sample, compression="none", use_dictionary=False)
    digest = hashlib.sha256((tmp_path / "m.txt").read_bytes()).hexdigest()
    request = ModelRequest(model_uri=str(tmp_path / "m.txt"), trust=TrustRequest(sha256=digest, asked_by="test"))
    stores = {"root": str(tmp_path / "store"), "storage": STORE, "model_storage": STORE}
    _, first = register_model(request, sample_set=str(sample), **stores)
    _, again = register_model(request, sample_set=str(sample), **stores)
    assert again.baseline_uri == first.baseline_uri
    status = sample.stat()
    pq.write_table(pa.table({"x": np.arange(float(ROWS)) + 7}), sample, compression="none", use_dictionary=False)
    assert sample.stat().st_size == status.st_size
    os.utime(sample, ns=(status.st_atime_ns, status.st_mtime_ns))
    _, other = register_model(request, sample_set=str(sample), **stores)
    made = STORE.read_record(other.baseline_uri)
    assert made.columns[0].profile.max == ROWS - 1 + 7
