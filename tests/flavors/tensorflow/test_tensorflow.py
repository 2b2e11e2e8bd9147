from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from cases import batch_of, rows
from cases_tensorflow import Linear

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError, UntrustedModelError
from airflow_batch_inference.flavors.tensorflow.flavor import SAVED_MODEL, TensorFlowFlavor
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.single import only_output
from airflow_batch_inference.storage.store import Storage

VALUES = rows()
BATCH = batch_of(VALUES)


def load(path, **options):
    return TensorFlowFlavor().load(path, model_format=SAVED_MODEL, trusted=(), options=options)


def save(path, function, *specs, name="serving_default"):
    """Save a function of tensors as a SavedModel with one signature."""
    module = tf.Module()
    module.run = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(path), signatures={name: module.run})
    return path


class Writing(tf.Module):
    """Scoring it writes a file: the trace of a graph that did something."""

    def __init__(self, trace):
        super().__init__()
        self.trace = trace

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
    def score(self, x):
        with tf.control_dependencies([tf.io.write_file(self.trace, "ran")]):
            return {"y": tf.identity(x)}


def test_a_graph_that_writes_files_is_not_run_without_a_pin(tmp_path):
    trace = tmp_path / "trace"
    module = Writing(str(trace))
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.score)
    with pytest.raises(UntrustedModelError, match=r"is saved-model, which can run any code .* as a \.keras file"):
        load_model(str(tmp_path / "m"), storage=Storage())
    assert not trace.exists()
    with private_copy(str(tmp_path / "m"), Storage()) as copy:
        pin = copy.sha256
    verified = load_model(str(tmp_path / "m"), storage=Storage(), trust=TrustRequest(sha256=pin))
    np.testing.assert_array_equal(verified.model.predict(BATCH), VALUES)
    assert trace.read_text() == "ran", "the payload proves nothing if it cannot run"


def test_the_model_lives_on_after_its_folder_is_gone(tmp_path):
    network = Linear()
    tf.saved_model.save(network, str(tmp_path / "m"), signatures=network.score)
    with private_copy(str(tmp_path / "m"), Storage()) as copy:
        model = load(copy.path)
    np.testing.assert_array_equal(model.predict(BATCH), network.score(tf.constant(VALUES))["logit"].numpy())


def test_inputs_and_outputs_go_by_name_whatever_their_type(tmp_path):
    def run(count, town, series):
        return {
            "greeting": tf.strings.join(["from ", town]),
            "mean": tf.reduce_mean(series, axis=1),
            "next": count + 1,
            "is_big": count > 3,
        }

    specs = (
        tf.TensorSpec([None], tf.int64, name="count"),
        tf.TensorSpec([None], tf.string, name="town"),
        tf.TensorSpec([None, 2], tf.float32, name="series"),
    )
    model = load(save(tmp_path / "m", run, *specs))
    assert model.feature_names == ("count", "series", "town")
    assert [(spec.name, spec.type) for spec in model.inputs] == [
        ("count", "int64"),
        ("series", "any"),
        ("town", "string"),
    ]
    batch = pa.table({"count": [2**53 + 1, 2], "series": [[1.0, 2.0], [3.0, 5.0]], "town": ["Ulm", "Köln"]})
    found = {name: values.tolist() for name, values in model.predict(batch).items()}
    assert found == {
        "greeting": ["from Ulm", "from Köln"],
        "is_big": [True, False],
        "mean": [1.5, 4.0],
        "next": [2**53 + 2, 3],
    }
    assert model.output_names == tuple(found)


def test_half_precision_comes_back_as_a_type_that_arrow_knows(tmp_path):
    def run(x):
        return {"y": tf.cast(x, tf.bfloat16) * 2}

    model = load(save(tmp_path / "m", run, tf.TensorSpec([None, 4], tf.float32)))
    assert model.predict(BATCH).dtype == np.float32


def test_a_signature_is_chosen_by_name(tmp_path):
    path = save(tmp_path / "m", lambda x: {"y": x * 2}, tf.TensorSpec([None, 4], tf.float32), name="double")
    np.testing.assert_array_equal(load(path, signature="double").predict(BATCH), VALUES * 2)
    for options in ({}, {"signature": "half"}, {"signature": 3}):
        with pytest.raises(ConfigurationError, match=r"has signature .*, but the SavedModel has double\. Choose"):
            load(path, **options)


def test_a_model_without_signatures_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"))
    with pytest.raises(ConfigurationError, match="but the SavedModel has none"):
        load(tmp_path / "m")


def test_a_signature_without_inputs_is_refused(tmp_path):
    path = save(tmp_path / "m", lambda: {"y": tf.constant([1.0])})
    with pytest.raises(ModelLoadError, match="takes or gives no tensor"):
        load(path)


@pytest.mark.parametrize("shape", [[8, 4], [], None], ids=str)
def test_an_input_that_does_not_take_any_number_of_rows_is_refused(tmp_path, shape):
    path = save(tmp_path / "m", lambda x: {"y": x * 2}, tf.TensorSpec(shape, tf.float32))
    with pytest.raises(ModelLoadError, match="the first axis must be any number of rows"):
        load(path)


def test_probabilities_need_to_be_told_of_which_output(tmp_path):
    def run(x):
        return {"logits": x[:, :3], "size": tf.reduce_sum(x, axis=1)}

    path = save(tmp_path / "m", run, tf.TensorSpec([None, 4], tf.float32))
    with pytest.raises(ConfigurationError, match="several outputs: logits, size"):
        load(path, outputs="logits")
    model = load(path, outputs="logits", output="logits")
    assert (model.classes, model.methods) == ((0, 1, 2), ("predict", "predict_proba"))
    expected = tf.nn.softmax(VALUES[:, :3].astype(np.float64)).numpy()
    np.testing.assert_allclose(model.predict(BATCH, method="predict_proba"), expected, rtol=1e-6)


def test_arguments_of_predict_are_refused(tmp_path):
    path = save(tmp_path / "m", lambda x: {"y": x * 2}, tf.TensorSpec([None, 4], tf.float32))
    with pytest.raises(ConfigurationError, match=r"takes tensors only, but predict has \['training'\]"):
        load(path).predict(BATCH, kwargs={"training": True})


def test_a_folder_without_a_graph_is_none(tmp_path):
    (tmp_path / "variables").mkdir()
    assert TensorFlowFlavor().recognise(tmp_path, b"") is None
    (tmp_path / "saved_model.pb").mkdir()
    assert TensorFlowFlavor().recognise(tmp_path, b"") is None


def test_the_only_output_and_the_only_input_keep_their_names(tmp_path):
    spec = tf.TensorSpec([None, 4], tf.float32, name="features")
    model = load(save(tmp_path / "m", lambda features: {"risk": features * 2}, spec))
    assert (model.tensor.name, model.tensor.is_chosen, only_output(model)) == ("features", True, "risk")
