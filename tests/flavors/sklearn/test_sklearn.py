from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.cluster import DBSCAN
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from airflow_batch_inference.exceptions import FlavorNotInstalledError, ModelLoadError, UntrustedModelError
from airflow_batch_inference.flavors.sklearn.flavor import JOBLIB, SKOPS, SklearnFlavor

X = np.random.default_rng(4).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(int)
BATCH = pa.table({"p": X[:, 0], "q": X[:, 1]})


def dump(model, path):
    (skops.io.dump if path.suffix == ".skops" else joblib.dump)(model, path)
    return path


def load(path, trusted=()):
    return SklearnFlavor().load(
        path, model_format=SKOPS if path.suffix == ".skops" else JOBLIB, trusted=trusted, options={}
    )


@pytest.mark.parametrize("name", ["m.joblib", "m.skops"])
def test_a_model_saved_by_another_scikit_learn_is_refused_with_both_versions(tmp_path, monkeypatch, name):
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "0.24.2")
        path = dump(LogisticRegression().fit(X, Y), tmp_path / name)
    with pytest.raises(ModelLoadError, match=r"LogisticRegression was saved by scikit-learn 0.24.2, but \d"):
        load(path)


@pytest.mark.parametrize("model", [StandardScaler().fit(X), DBSCAN().fit(X), {"coef": 1}], ids=type)
def test_an_object_without_predict_is_refused(tmp_path, model):
    with pytest.raises(ModelLoadError, match=rf"{type(model).__name__}, which has no predict"):
        load(dump(model, tmp_path / "m.joblib"))


def test_foreign_types_in_a_skops_file_are_named_and_can_be_trusted_one_by_one(tmp_path):
    path = dump(KNeighborsClassifier(algorithm="kd_tree").fit(X, Y), tmp_path / "m.skops")
    foreign = "sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.neighbors._kd_tree.KDTree"
    with pytest.raises(UntrustedModelError, match=r"holds 2 type\(s\) .*KDTree"):
        load(path)
    with pytest.raises(UntrustedModelError, match=r"holds 1 type\(s\) .*EuclideanDistance64"):
        load(path, trusted=foreign[1:])
    np.testing.assert_array_equal(load(path, trusted=foreign).predict(BATCH), Y)


def test_a_partial_of_a_foreign_function_is_refused_though_partial_itself_is_known(tmp_path):
    runs_code = FunctionTransformer(functools.partial(os.system, "true"))
    path = dump(make_pipeline(runs_code, LinearRegression()), tmp_path / "m.skops")
    with pytest.raises(UntrustedModelError, match=r"holds 1 type\(s\) .*posix\.system"):
        load(path)


def test_hist_gradient_boosting_on_category_columns_loads_and_scores_plain_strings(tmp_path):
    towns = np.resize(["Bonn", "Ulm", "Trier"], 40)
    data = pa.table({"town": towns, "q": X[:, 1]}).to_pandas().astype({"town": "category"})
    model = HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=3).fit(data, towns == "Ulm")
    loaded = load(dump(model, tmp_path / "m.skops"))
    predicted = loaded.predict(pa.table({"town": towns, "q": X[:, 1]}), method="predict_proba")
    np.testing.assert_array_equal(predicted, model.predict_proba(data))
    assert len(np.unique(predicted)) > 2


def test_a_missing_skops_package_is_named_with_its_extra(tmp_path, monkeypatch):
    path = dump(LinearRegression().fit(X, Y), tmp_path / "m.skops")
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(FlavorNotInstalledError, match=r"pip install 'airflow-batch-inference\[skops\]'"):
        load(path)


def test_a_skops_file_brings_no_framework_that_it_does_not_need(tmp_path):
    path = dump(LinearRegression().fit(X, Y), tmp_path / "m.skops")
    script = """
import sys
from pathlib import Path
from airflow_batch_inference.flavors.sklearn.flavor import SKOPS, SklearnFlavor
before = sys.modules.copy()
SklearnFlavor().load(Path(sys.argv[1]), model_format=SKOPS, trusted=(), options={})
assert not {"torch", "dask", "cupy"} & set(sys.modules)
assert all(module is not None for name, module in sys.modules.items() if name not in before)
"""
    environment = {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=environment, timeout=120)


def test_several_outputs_are_the_columns_of_the_array(tmp_path):
    model = LinearRegression().fit(X, np.column_stack([Y, -Y]))
    assert load(dump(model, tmp_path / "m.joblib")).predict(BATCH).shape == (40, 2)


def test_arguments_of_predict_reach_the_estimator(tmp_path):
    loaded = load(dump(BayesianRidge().fit(X, Y), tmp_path / "m.joblib"))
    assert loaded.predict(BATCH, kwargs={"return_std": True}).shape == (2, 40)


def test_metadata_of_pandas_in_the_batch_makes_no_index_of_a_column(tmp_path):
    data = BATCH.to_pandas().assign(day=np.arange(40))
    loaded = load(dump(LinearRegression().fit(data, Y), tmp_path / "m.joblib"))
    batch = pa.Table.from_pandas(data.set_index("day"), preserve_index=True).select(["p", "q", "day"])
    assert b"pandas" in batch.schema.metadata
    np.testing.assert_array_equal(loaded.predict(batch), loaded.estimator.predict(data))


def as_text(data):
    return data.astype(str)


class OwnScaler(StandardScaler):
    """A step that is not scikit-learn's own."""


def test_a_null_makes_no_other_text_of_the_integers_beside_it(tmp_path):
    codes = pd.DataFrame({"code": np.resize([270, 271, 300], 40)})
    encode = make_pipeline(FunctionTransformer(as_text), OneHotEncoder(handle_unknown="ignore"))
    model = load(
        dump(make_pipeline(encode, LogisticRegression()).fit(codes, codes["code"] == 270), tmp_path / "m.joblib")
    )
    alone = model.predict(pa.table({"code": [270, 300]}), method="predict_proba")
    beside = model.predict(pa.table({"code": [270, None, 300]}), method="predict_proba")
    assert beside[[0, 2]].tolist() == alone.tolist()
    assert alone[0, 1] > 0.7 > beside[1, 1]


@pytest.mark.parametrize(
    ("steps", "tells"),
    [
        ([StandardScaler()], False),
        ([ColumnTransformer([("a", OneHotEncoder(), ["p"])], remainder="passthrough")], False),
        ([ColumnTransformer([("a", FunctionTransformer(), ["p"])])], True),
        ([OwnScaler()], True),
    ],
)
def test_only_functions_and_steps_of_ones_own_tell_forms_apart(tmp_path, steps, tells):
    fitted = make_pipeline(*steps, LogisticRegression()).fit(BATCH.to_pandas(), Y)
    assert load(dump(fitted, tmp_path / "m.joblib")).tells_forms == tells
    assert not load(dump(LogisticRegression().fit(X, Y), tmp_path / "array.joblib")).tells_forms


def test_probabilities_of_several_outputs_stand_side_by_side(tmp_path):
    targets = np.column_stack([Y, 1 - Y, Y])
    forest = RandomForestClassifier(4, random_state=1).fit(X, targets)
    path = tmp_path / "m.joblib"
    joblib.dump(forest, path)
    model = load(path)
    for rows in (3, len(X)):  # as many rows as outputs, too
        found = model.predict(BATCH.slice(0, rows), method="predict_proba")
        np.testing.assert_array_equal(found, np.hstack(forest.predict_proba(X[:rows])))
