from __future__ import annotations

import logging
import os
import pickle
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn
from cases import numbers, table
from cases_mlflow import in_mlflow
from cases_onnx import network, with_folder_data
from mlflow_folders import booster_bytes, folder_of, load, sklearn_folder
from sklearn.linear_model import LogisticRegression

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    FlavorNotFoundError,
    ModelLoadError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.mlflow.flavor import ALLOW_LIST, CODE, DATA, MlflowFlavor
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.models.loading import load_model, load_recorded
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.records import ModelRecord
from airflow_batch_inference.storage.store import Storage

PYFUNC = {"mlflow_flavor": "python_function"}


class Payload:
    """Unpickling it makes a folder: the trace of code that ran."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def boosted(tmp_path):
    return folder_of(tmp_path / "m", {"xgboost": {"data": "model.json", "code": None}}, {"model.json": booster_bytes()})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return {kind: in_mlflow(kind)(tmp_path_factory.mktemp(kind)) for kind in ("xgboost", "pickle", "pyfunc", "onnx")}


def test_a_model_in_a_native_format_needs_no_mlflow(boosted, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    verified = load(boosted)
    assert (verified.flavor, verified.format, verified.trust) == ("mlflow", "mlflow", "data")
    assert set(verified.model.versions) == {"numpy", "xgboost"}


def test_the_safest_flavor_that_is_listed_is_chosen_and_another_can_be_asked_for(tmp_path):
    data = numbers(gaps=False)
    flavors = {
        "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl"},
        "sklearn": {"pickled_model": "model.pkl"},
        "onnx": {"data": "model.onnx"},
        "xgboost": {"data": "model.ubj"},
    }
    files = {
        "model.pkl": pickle.dumps(LogisticRegression().fit(data, data["a"] > 0)),
        "model.onnx": network().SerializeToString(),
        "model.ubj": booster_bytes(kind="ubj"),
    }
    path = folder_of(tmp_path / "m", flavors, files)
    assert type(load(path).model.inner).__name__ == "XGBoostModel"
    assert type(load(path, mlflow_flavor="onnx", feature_names=list("abcd")).model.inner).__name__ == "OnnxModel"
    for flavor in ("sklearn", "python_function"):
        with pytest.raises(UntrustedModelError, match="is mlflow-code, which can run any code"):
            load(path, mlflow_flavor=flavor)
    assert type(load(path, pinned=True, mlflow_flavor="sklearn").model.inner).__name__ == "SklearnModel"
    with pytest.raises(ConfigurationError, match="mlflow_flavor 'spark', but the model has onnx, python_function"):
        load(path, mlflow_flavor="spark")


def test_asking_for_python_function_makes_a_harmless_folder_code(saved):
    made = saved["xgboost"]
    assert recognise(made.path)[1] is DATA
    assert recognise(made.path, options=PYFUNC)[1] is CODE
    with pytest.raises(UntrustedModelError, match="was taken for mlflow"):
        MlflowFlavor().load(made.path, model_format=DATA, trusted=(), options=PYFUNC)
    verified = load(made.path, pinned=True, **PYFUNC)
    assert (verified.format, verified.trust, verified.model.output_names) == ("mlflow-code", "sha256", ("answer",))
    np.testing.assert_array_equal(verified.model.predict(made.batch), (made.expected["predict"] > 0.5).astype(int))


@pytest.mark.parametrize("key", ["sklearn", "python_function"])
def test_a_pickle_within_is_not_touched_without_a_pin(tmp_path, key):
    trace = tmp_path / "trace"
    flavors = {
        "sklearn": {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "skops"}},
        "python_function": {"python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl"}},
    }[key]
    path = folder_of(tmp_path / "m", flavors, {"model.pkl": pickle.dumps(Payload(trace))})
    with pytest.raises(UntrustedModelError, match=r"would import at least posix\.mkdir"):
        load(path)
    assert not trace.exists()


def test_a_folder_with_modules_of_its_own_is_code_whatever_its_model_is(tmp_path):
    trace = tmp_path / "trace"
    module = f"import os\nos.mkdir({str(trace)!r})\nfrom sklearn.linear_model import LinearRegression as Own\n".encode()
    boosted = {"model.json": booster_bytes(), "code/own_model.py": module}
    path = folder_of(tmp_path / "m", {"xgboost": {"data": "model.json", "code": "code"}}, boosted)
    assert recognise(path)[1] is CODE
    with pytest.raises(UntrustedModelError, match="mlflow-code"):
        load(path)
    assert not trace.exists()
    # A pickle of protocol 2 that makes an own_model.Own, without arguments.
    pickled = {"model.pkl": b"\x80\x02cown_model\nOwn\n)R.", "code/own_model.py": module}
    own = folder_of(tmp_path / "n", {"sklearn": {"pickled_model": "model.pkl", "code": "code"}}, pickled)
    before = list(sys.path)
    try:
        assert type(load(own, pinned=True).model.inner.estimator).__name__ == "LinearRegression"
    finally:
        sys.modules.pop("own_model", None)
    assert trace.exists()
    assert sys.path == before


@pytest.mark.parametrize("path", ["../model.json", "/etc/hosts", "a/../../x", "file:///etc/hosts", "x\\y", "", ".", 7])
@pytest.mark.parametrize("key", ["data", "code", "model_path"])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path, key, path):
    (tmp_path / "model.json").write_bytes(booster_bytes())
    folder = folder_of(tmp_path / "m", {"xgboost": {"data": "model.json", key: path}}, {"model.json": booster_bytes()})
    with pytest.raises(UntrustedModelError, match=f"as {key}, which is no path within"):
        load(folder)


def test_an_environment_file_and_a_link_outside_are_refused_too(tmp_path, boosted):
    flavors = {"python_function": {"loader_module": "x", "env": {"conda": "../conda.yaml"}}}
    with pytest.raises(UntrustedModelError, match="as conda, which is no path within"):
        load(folder_of(tmp_path / "n", flavors))
    (tmp_path / "far.json").write_bytes(booster_bytes())
    (boosted / "model.json").unlink()
    (boosted / "model.json").symlink_to(tmp_path / "far.json")
    with pytest.raises(UntrustedModelError, match="no path within"):
        recognise(boosted)
    with pytest.raises(UntrustedModelError, match="holds a symbolic link"):
        load(boosted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flavors: &a {xgboost: {data: m}}\nmore: *a\n", "YAML aliases"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nflavors: {xgboost: {data: *b}}", "YAML aliases"),
        ("flavors: !!python/object/apply:os.mkdir [/nowhere]", "is no YAML"),
        ("flavors: [", "is no YAML"),
        ("[" * 5000, "too many levels"),
        ("flavors:\n  xgboost: 3\n", "lists no flavors"),
        ("flavors: {}", "lists no flavors"),
        ("- flavors", "lists no flavors"),
        ("", "lists no flavors"),
        ("flavors: {spark: {data: m}}", "MLflow model's spark is of no format"),
        ("flavors: {xgboost: {data: missing.json}}", "MLflow model's xgboost is of no format"),
        ("x: " + "y" * (1 << 20), "is larger than 1048576 bytes"),
    ],
    ids=range(12),
)
def test_a_damaged_or_hostile_mlmodel_is_refused(tmp_path, text, message):
    folder = folder_of(tmp_path / "m", {}, {"model.json": booster_bytes()})
    (folder / "MLmodel").write_text(text)
    with pytest.raises(ModelLoadError, match=message):
        load(folder)


def test_a_folder_without_mlmodel_is_none_of_mlflows(tmp_path):
    (tmp_path / "model.json").write_bytes(booster_bytes())
    with pytest.raises(FlavorNotFoundError):
        recognise(tmp_path, flavor="mlflow")


def test_requirements_in_another_version_are_logged_with_both(boosted, caplog):
    lines = [
        f"scikit-learn=={sklearn.__version__}+cpu",
        "numpy[all]==1.2.3 ; python_version > '3'",
        "not-there==1",
        "x>=2",
    ]
    (boosted / "requirements.txt").write_text("\n".join(lines))
    with caplog.at_level(logging.WARNING):
        load(boosted, pinned=True)
    assert [record.getMessage() for record in caplog.records] == [
        f"The model was saved with numpy 1.2.3, but {np.__version__} is installed."
    ]


def test_a_python_function_gets_the_exact_types_of_its_signature_and_its_params(tmp_path):
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Types(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            scaled = model_input["n"] * (params or {}).get("k", 1)
            return pd.DataFrame({"scaled": scaled, "kind": [str(model_input["n"].dtype)] * len(model_input)})

    sample = pd.DataFrame({"n": np.arange(3, dtype="int32"), "s": list("xyz")})
    signature = infer_signature(sample, params={"k": 1})
    path = tmp_path / "m"
    mlflow.pyfunc.save_model(str(path), python_model=Types(), signature=signature, pip_requirements=[])
    model = load(path, pinned=True).model
    assert [(spec.name, spec.type) for spec in model.inputs] == [("n", "int32"), ("s", "string")]
    found = model.predict(pa.table({"n": pa.array([1, 2], pa.int64()), "s": ["x", "y"]}), kwargs={"k": 5})
    assert (found["scaled"].tolist(), found["kind"].tolist()) == ([5, 10], ["int32", "int32"])


def test_a_python_function_of_tensors_gets_arrays(tmp_path):
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Sums(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input.sum(axis=1)

    sample = np.zeros((2, 3), np.float32)
    path = tmp_path / "m"
    signature = infer_signature(sample, sample[:, 0])
    mlflow.pyfunc.save_model(str(path), python_model=Sums(), signature=signature, pip_requirements=[])
    model = load(path, pinned=True).model
    assert (model.feature_names, model.n_features) == (None, 3)
    np.testing.assert_array_equal(model.predict(pa.table({"a": [1.0], "b": [2.0], "c": [3.5]})), [6.5])


def test_an_onnx_model_with_its_data_beside_it_is_loaded_from_the_folder(tmp_path):
    folder = folder_of(tmp_path / "m", {"onnx": {"data": "model.onnx"}}, with_folder_data())
    data = numbers(gaps=False)
    whole = folder_of(tmp_path / "n", {"onnx": {"data": "m.onnx"}}, {"m.onnx": network().SerializeToString()})
    np.testing.assert_array_equal(load(folder).model.predict(table(data)), load(whole).model.predict(table(data)))


def test_an_allow_listed_model_is_one_in_mlflow_too_and_foreign_types_can_be_trusted(tmp_path):
    import skops.io
    from sklearn.neighbors import KNeighborsClassifier

    data = numbers(gaps=False)
    model = KNeighborsClassifier(algorithm="kd_tree").fit(data, data["a"] > 0)
    flavors = {"sklearn": {"pickled_model": "model.skops", "serialization_format": "skops"}}
    folder = folder_of(tmp_path / "m", flavors, {"model.skops": skops.io.dumps(model)})
    assert recognise(folder)[1] is ALLOW_LIST
    with pytest.raises(UntrustedModelError, match=r"KDTree.*pass trusted=\["):
        load(folder)
    foreign = skops.io.get_untrusted_types(file=folder / "model.skops")
    verified = load_model(str(folder), storage=Storage(), trust=TrustRequest(trusted=foreign))
    np.testing.assert_array_equal(verified.model.predict(table(data)), model.predict(data))


def test_a_recorded_folder_is_loaded_again_with_its_options(saved):
    made = saved["xgboost"]
    verified = load(made.path, pinned=True, **PYFUNC)
    model = verified.model
    record = ModelRecord(
        name="m",
        model_uri=f"file://{made.path}",
        conn_id=None,
        sha256=verified.sha256,
        size_bytes=verified.size_bytes,
        flavor=verified.flavor,
        format=verified.format,
        trust=verified.trust,
        trusted_types=verified.trusted_types,
        trusted_by=verified.trusted_by,
        load_options=dict(verified.options),
        classes=None,
        class_names=None,
        inputs=model.inputs,
        n_features=model.n_features,
        output_names=model.output_names,
        label_columns=None,
        versions=dict(model.versions),
        baseline_uri=None,
        golden_uri=None,
        tag=None,
    )
    again = load_recorded(record, storage=Storage())
    np.testing.assert_array_equal(again.predict(made.batch), model.predict(made.batch))


def test_a_python_function_may_open_the_files_of_its_folder_when_it_predicts(tmp_path):
    code = (
        "import numpy as np\nfrom pathlib import Path\n"
        "class Late:\n"
        "    def __init__(self, path): self.path = Path(path)\n"
        "    def predict(self, data, params=None): return np.full(len(data), float(self.path.read_text()))\n"
        "def _load_pyfunc(path): return Late(path)\n"
    )
    folder = folder_of(
        tmp_path / "m", {"python_function": {"loader_module": "late_reader", "data": "number.txt", "code": "code"}}
    )
    (folder / "code").mkdir()
    (folder / "code" / "late_reader.py").write_text(code)
    (folder / "number.txt").write_text("7")
    model = load(folder, pinned=True).model
    assert model.predict(pa.table({"a": [1.0, 2.0]})).tolist() == [7.0, 7.0]


def test_an_option_that_was_meant_for_this_flavor_is_named(boosted):
    with pytest.raises(ConfigurationError, match=r"has 'mlflow_flavour'; did you mean 'mlflow_flavor'"):
        load(boosted, mlflow_flavour="xgboost")


@pytest.mark.parametrize("named", ["predict", "predict_proba", "decision_function"])
def test_predict_is_what_the_folder_says_it_is(tmp_path, named):
    path, estimator, data = sklearn_folder(tmp_path / "m", named)
    model = load(path, pinned=True).model
    batch = pa.Table.from_pandas(data, preserve_index=False)
    np.testing.assert_array_equal(model.predict(batch), getattr(estimator, named)(data))
    found = model.predict_all(batch, methods=("predict", "predict_proba"))
    np.testing.assert_array_equal(found["predict"], getattr(estimator, named)(data))
    np.testing.assert_array_equal(found["predict_proba"], estimator.predict_proba(data))
    own = load(path, pinned=True, mlflow_flavor="sklearn").model  # asked for by its name, it is the estimator itself
    np.testing.assert_array_equal(own.predict(batch), estimator.predict(data))


def test_it_is_the_same_that_mlflow_predicts(tmp_path):
    path, _, data = sklearn_folder(tmp_path / "m", "predict_proba")
    batch = pa.Table.from_pandas(data, preserve_index=False)
    theirs = load(path, pinned=True, **PYFUNC).model.predict(batch)
    np.testing.assert_array_equal(load(path, pinned=True).model.predict(batch), theirs)


def test_what_predict_is_and_cannot_be_scored_with_is_refused_with_what_to_do(tmp_path):
    path, _, _ = sklearn_folder(tmp_path / "m", "predict_log_proba")
    with pytest.raises(ModelLoadError, match=r"predict is 'predict_log_proba' \(predict_fn\).*mlflow_flavor"):
        load(path, pinned=True)
    assert load(path, pinned=True, mlflow_flavor="sklearn").model.methods[0] == "predict"
