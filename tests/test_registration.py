from __future__ import annotations

import hashlib

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import UncertainColumnsError
from airflow_batch_inference.loading import TrustRequest, load_recorded
from airflow_batch_inference.registration import ModelRequest, register_model
from airflow_batch_inference.storage import Storage

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
