from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from cases import NAMES, batch_of, rows
from cases_keras import keras_network

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    FlavorNotFoundError,
    FlavorNotInstalledError,
    ModelLoadError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.keras.flavor import KERAS, KERAS_CODE, KerasFlavor
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.single import only_output
from airflow_batch_inference.storage.store import Storage

VALUES = rows()
BATCH = batch_of(VALUES)


def load(path, model_format=KERAS, **options):
    return KerasFlavor().load(path, model_format=model_format, trusted=(), options=options)


def rewrite(source, target, change):
    """Copy a ``.keras`` file with its members changed."""
    with zipfile.ZipFile(source) as before:
        entries = {name: before.read(name) for name in before.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w") as after:
        for name, content in entries.items():
            after.writestr(name, content)
    return target


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "plain.keras"
    keras_network().save(path)
    return path


def with_lambda(path, code):
    """Save a model whose Lambda layer runs ``code`` when it is called."""
    run = eval(f"lambda x: (exec({code!r}), x)[1]")
    network = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(run, output_shape=(4,))])
    network.save(path)
    return path


def test_a_lambda_layer_makes_a_file_one_that_can_run_code(tmp_path):
    trace = tmp_path / "trace"
    path = with_lambda(tmp_path / "m.keras", f"import os; os.makedirs({str(trace)!r}, exist_ok=True)")
    assert not trace.exists()
    assert recognise(path)[1] is KERAS_CODE
    with pytest.raises(
        UntrustedModelError, match=r"is keras-code, .*import at least __lambda__, keras\.layers\.Lambda"
    ) as said:
        load_model(str(path), storage=Storage())
    assert not trace.exists()
    pin = str(said.value).split('sha256="')[1][:64]
    verified = load_model(str(path), storage=Storage(), trust=TrustRequest(sha256=pin))
    np.testing.assert_array_equal(verified.model.predict(BATCH), VALUES)
    assert trace.exists(), "the payload proves nothing if it cannot run"


def test_what_was_taken_for_safe_is_judged_again_when_it_is_loaded(tmp_path):
    path = with_lambda(tmp_path / "m.keras", "pass")
    with pytest.raises(UntrustedModelError, match=r"m\.keras names what is not Keras' own, or not safe: __lambda__"):
        load(path, KERAS)


def test_a_custom_class_needs_a_pin(tmp_path):
    @keras.saving.register_keras_serializable("acme")
    class Double(keras.layers.Layer):
        def call(self, x):
            return x * 2

    path = tmp_path / "m.keras"
    keras.Sequential([keras.Input((4,)), Double()]).save(path)
    assert KerasFlavor().imported_names(path, KERAS_CODE) == ("test_keras.Double",)
    np.testing.assert_array_equal(load(path, KERAS_CODE).predict(BATCH), VALUES * 2)


def test_a_vocabulary_file_of_the_worker_is_not_read(tmp_path):
    def change(entries):
        entries["config.json"] = entries["config.json"].replace(b'["Ulm"]', b'"/etc/passwd"')

    source = tmp_path / "source.keras"
    town = keras.Input((1,), dtype="string")
    keras.Model(town, keras.layers.StringLookup(vocabulary=["Ulm"], output_mode="one_hot")(town)).save(source)
    path = rewrite(source, tmp_path / "m.keras", change)
    with pytest.raises(UntrustedModelError, match="the file '/etc/passwd' as vocabulary"):
        load_model(str(path), storage=Storage())


def change_config(entries):
    entries["config.json"] = b"{"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda entries: entries.pop("model.weights.h5"), r"lacks model\.weights\.h5: it is no file of Keras 3"),
        (lambda entries: entries.update({"run.py": b"1"}), r"also holds 'run\.py'"),
        (lambda entries: entries.update({"assets/../../x": b"1"}), "leads out of it"),
        (lambda entries: entries.update({"model.weights.h5": b"none"}), r"model\.weights\.h5 in m\.keras is damaged"),
        (change_config, r"config\.json in m\.keras cannot be read"),
    ],
)
def test_an_archive_that_keras_did_not_write_is_refused(plain, tmp_path, change, fault):
    path = rewrite(plain, tmp_path / "m.keras", change)
    assert recognise(path)[1] is KERAS
    with pytest.raises(ModelLoadError, match=fault):
        load(path)


def test_weights_of_another_model_are_refused(plain, tmp_path):
    other = tmp_path / "other.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(other)
    with zipfile.ZipFile(other) as archive:
        weights = archive.read("model.weights.h5")
    path = rewrite(plain, tmp_path / "m.keras", lambda entries: entries.update({"model.weights.h5": weights}))
    with pytest.raises(ModelLoadError, match=r"cannot be loaded as keras \(keras\): ValueError"):
        load_model(str(path), storage=Storage())


def test_weights_beyond_the_file_are_refused_by_the_whole_way_of_loading(plain, tmp_path):
    external = tmp_path / "external.h5"
    with h5py.File(external, "w") as file:
        file.create_dataset("layers/dense/vars/0", (4, 8), "f4", external=[("/etc/passwd", 0, 128)])

    def change(entries):
        entries["model.weights.h5"] = external.read_bytes()

    path = rewrite(plain, tmp_path / "m.keras", change)
    with pytest.raises(ModelLoadError, match="keeps its values in other files"):
        load_model(str(path), storage=Storage())


def test_a_legacy_file_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"
    with pytest.raises(UntrustedModelError, match=r"model\.h5 is a legacy HDF5 model.*model\.save\(\"model\.keras\"\)"):
        load_model(str(path), storage=Storage())


def test_other_archives_and_files_are_not_taken_for_keras(plain, tmp_path):
    other = tmp_path / "m.keras"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("data.pkl", "")
    assert KerasFlavor().recognise(other, other.read_bytes()[:64]) is None
    renamed = tmp_path / "m.zip"
    renamed.write_bytes(plain.read_bytes())
    with pytest.raises(FlavorNotFoundError, match="No flavor recognises"):
        recognise(renamed)
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(FlavorNotFoundError, match="says keras"):
        recognise(tmp_path / "text.keras")


def test_an_old_keras_is_refused(plain, monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.13.1")
    with pytest.raises(FlavorNotInstalledError, match=r"keras 3\.13\.1 is installed, .* 3\.15\.1 or later"):
        load(plain)


def test_trusted_types_are_refused_because_they_cannot_be_allowed_one_by_one(plain):
    with pytest.raises(ConfigurationError, match=r"trusted= names acme\.Layer"):
        KerasFlavor().load(plain, model_format=KERAS, trusted=("acme.Layer",), options={})


def test_several_outputs_have_their_own_names_and_one_can_be_chosen(tmp_path):
    given = keras.Input((4,), name="x")
    risk = keras.layers.Dense(1, activation="sigmoid", name="last")(given)
    network = keras.Model(given, {"risk": risk, "both": keras.layers.Concatenate()([given, risk])})
    network.save(tmp_path / "m.keras")
    expected = network.predict(VALUES, batch_size=len(VALUES), verbose=0)
    model = load(tmp_path / "m.keras")
    found = model.predict(BATCH)
    assert model.output_names == tuple(found) == ("both", "risk")
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(ConfigurationError, match="several outputs: both, risk"):
        load(tmp_path / "m.keras", outputs="probabilities")
    chosen = load(tmp_path / "m.keras", outputs="probabilities", output="risk")
    assert (chosen.classes, chosen.output_names) == ((0, 1), None)
    positive = expected["risk"]
    np.testing.assert_array_equal(chosen.predict(BATCH, method="predict_proba"), np.hstack([1 - positive, positive]))


def test_inputs_of_a_higher_rank_come_as_a_column_of_lists(tmp_path):
    network = keras.Sequential([keras.Input((3, 2)), keras.layers.LSTM(4)])
    network.save(tmp_path / "m.keras")
    series = np.random.default_rng(1).normal(size=(5, 3, 2)).astype(np.float32)
    model = load(tmp_path / "m.keras")
    assert (model.feature_names, model.n_features, model.inputs) == (None, None, None)
    expected = network.predict(series, batch_size=5, verbose=0)
    np.testing.assert_array_equal(model.predict(pa.table({"series": series.tolist()})), expected)


def test_a_fixed_number_of_rows_is_refused(tmp_path):
    keras.Sequential([keras.Input(batch_shape=(8, 4)), keras.layers.Dense(1)]).save(tmp_path / "m.keras")
    with pytest.raises(ModelLoadError, match="takes 8 rows at a time"):
        load(tmp_path / "m.keras")


def test_a_model_that_has_seen_no_data_yet_does_not_say_what_it_takes(tmp_path):
    network = keras.Sequential([keras.layers.Dense(1)])
    with pytest.warns(UserWarning, match="not yet been built"):
        network.save(tmp_path / "m.keras")
    with pytest.raises(ModelLoadError, match="does not say what its inputs are"):
        load(tmp_path / "m.keras")


def test_the_columns_that_are_named_must_be_as_many_as_the_input_takes(plain):
    with pytest.raises(ConfigurationError, match="2 feature_names"):
        load(plain, feature_names=["a", "b"])
    assert load(plain, feature_names=list(NAMES)).feature_names == NAMES


def test_arguments_of_predict_are_refused(plain):
    with pytest.raises(ConfigurationError, match=r"takes no arguments, but predict has \['verbose'\]"):
        load(plain).predict(BATCH, kwargs={"verbose": 1})


BACKEND = """
import sys, json
from pathlib import Path
import pyarrow.feather as feather
from airflow_batch_inference.flavors.keras.flavor import KERAS, KerasFlavor
try:
    model = KerasFlavor().load(Path(sys.argv[1]), model_format=KERAS, trusted=(), options={})
    print(json.dumps([dict(model.versions), model.predict(feather.read_table(sys.argv[2])).tolist()]))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def with_backend(path, tmp_path, hidden=(), **environment):
    batch = tmp_path / "batch.feather"
    pa.feather.write_feather(BATCH, batch)
    hide = f"import sys; sys.modules.update(dict.fromkeys({list(hidden)!r}))\n"
    done = subprocess.run(
        [sys.executable, "-c", hide + BACKEND, str(path), str(batch)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(entry or str(Path.cwd()) for entry in sys.path), **environment},
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("hidden", "environment"), [((), {"KERAS_BACKEND": "torch"}), (("tensorflow",), {})], ids=["asked", "only one"]
)
def test_the_backend_is_the_one_that_is_asked_for_or_installed(plain, tmp_path, hidden, environment):
    versions, predicted = with_backend(plain, tmp_path, hidden, **environment)
    assert set(versions) == {"keras", "torch", "numpy"}
    np.testing.assert_allclose(predicted, load(plain).predict(BATCH), rtol=1e-5)


def test_without_any_backend_the_message_names_the_extra(plain, tmp_path):
    kind, said = with_backend(plain, tmp_path, ("tensorflow", "torch", "jax"))
    assert kind == "FlavorNotInstalledError"
    assert "a backend for it, one of tensorflow, torch, jax; none is installed" in said
    assert "airflow-batch-inference[tensorflow]" in said


def test_the_only_output_and_the_only_input_keep_their_names(tmp_path):
    given = keras.Input((4,), name="features")
    functional = keras.Model(given, keras.layers.Dense(1, name="risk")(given))
    stacked = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense_1")])
    several = keras.Model(given, {"a": keras.layers.Dense(1)(given), "b": keras.layers.Dense(2)(given)})
    names = []
    for network, options in ((functional, {}), (stacked, {}), (several, {}), (several, {"output": "b"})):
        network.save(tmp_path / "m.keras")
        model = load(tmp_path / "m.keras", **options)
        names.append((model.tensor.is_chosen, model.only_output, only_output(model), model.output_names))
    assert names == [
        (True, "risk", "risk", None),
        (False, "dense_1", "dense_1", None),
        (True, None, None, ("a", "b")),
        (True, "b", "b", None),
    ]
