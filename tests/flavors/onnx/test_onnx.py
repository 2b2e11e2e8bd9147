from __future__ import annotations

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
from cases import numbers, table
from cases_onnx import PLACES, classifier, model_of, network, run, weights, with_external, x_of
from onnx import TensorProto, helper

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    FlavorNotFoundError,
    ModelLoadError,
    PredictionError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.onnx.flavor import FILE, FOLDER, OnnxFlavor
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.storage.store import Storage

MEMORY = "*/_ORT_MEM_ADDR_/*"


def load(model, folder, **options):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return OnnxFlavor().load(path, model_format=FILE, trusted=(), options=options)


def graph_of(nodes, inputs, outputs, constants=()):
    return model_of(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
            [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
            list(constants),
        )
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_that_lies_outside_of_a_single_file_is_refused_wherever_it_stands(tmp_path, monkeypatch, place):
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)  # the runtime never sees it
    with pytest.raises(UntrustedModelError, match=r"its tensor 'w' in another file \('weights.bin'\).*folder"):
        load(with_external("weights.bin", place), tmp_path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "a/../../x", "missing.bin", MEMORY, "", "a\\b"])
def test_a_folder_whose_tensors_lie_elsewhere_is_refused(tmp_path, monkeypatch, place, location):
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(128))
    (folder / "model.onnx").write_bytes(with_external(location, place).SerializeToString())
    with pytest.raises(UntrustedModelError, match="is no file within its folder"):
        OnnxFlavor().load(folder, model_format=FOLDER, trusted=(), options={})


def test_a_link_within_the_folder_is_no_data_of_the_model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(128))
    (folder / "weights.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "model.onnx").write_bytes(with_external("weights.bin", "weights").SerializeToString())
    with pytest.raises(UntrustedModelError, match="is no file within its folder"):
        OnnxFlavor().load(folder, model_format=FOLDER, trusted=(), options={})


def test_data_in_a_folder_below_is_found(tmp_path):
    folder = tmp_path / "model"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "w.bin").write_bytes(weights(4, 8).tobytes())
    (folder / "model.onnx").write_bytes(with_external("parts/w.bin", "weights").SerializeToString())
    verified = load_model(str(folder), storage=Storage())
    data = numbers(gaps=False)
    assert (verified.format, verified.trust) == ("onnx-folder", "data")
    np.testing.assert_allclose(verified.model.predict(table(data)), run(network(), x_of(data))[0], rtol=1e-5)


def test_a_program_compiled_for_an_accelerator_is_refused(tmp_path):
    node = helper.make_node("EPContext", ["x"], ["y"], name="engine", domain="com.microsoft", ep_cache_context="x")
    model = graph_of([node], [("x", TensorProto.FLOAT, ["n", 4])], [("y", TensorProto.FLOAT, ["n", 4])])
    with pytest.raises(UntrustedModelError, match=r"node 'engine'.*compiled for an accelerator"):
        load(model, tmp_path)


def test_an_operator_that_the_runtime_does_not_have_is_an_error_of_ours(tmp_path):
    node = helper.make_node("Own", ["x"], ["y"], domain="acme")
    model = graph_of([node], [("x", TensorProto.FLOAT, ["n", 4])], [("y", TensorProto.FLOAT, ["n", 4])])
    model.opset_import.append(helper.make_opsetid("acme", 1))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelLoadError, match="acme"):
        load_model(str(path), storage=Storage())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.onnx", b"\x80\x04"),
        ("m.onnx", b"\x00\x08\x12"),
        ("m.onnx", b"\x08"),
        ("m.pb", b"\x08\x09:"),
        ("m.onnx", b""),
    ],
)
def test_other_files_are_none_of_ours(tmp_path, name, content):
    assert OnnxFlavor().recognise(tmp_path / name, content) is None


def test_a_folder_is_known_by_one_model_at_its_top(tmp_path):
    content = network().SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content)
    assert recognise(tmp_path)[1] is FOLDER
    (tmp_path / "other.onnx").write_bytes(content)
    with pytest.raises(FlavorNotFoundError):
        recognise(tmp_path)


@pytest.mark.parametrize("zipped", [False, True], ids=["matrix", "dictionaries"])
def test_a_classifier_gives_labels_and_probabilities_in_the_order_of_its_classes(tmp_path, zipped):
    model = load(classifier(zipped=zipped), tmp_path)
    assert (model.methods, model.classes, model.output_names) == (("predict", "predict_proba"), ("no", "yes"), None)
    batch = table(numbers(gaps=False))
    chosen = np.array(model.classes)[model.predict(batch, method="predict_proba").argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(batch), chosen)


@pytest.mark.parametrize("rows", [1, 7])
def test_a_graph_made_for_a_number_of_rows_scores_any_number(tmp_path, rows):
    data = numbers(gaps=False)
    model = load(network(rows=rows), tmp_path)
    np.testing.assert_allclose(model.predict(table(data)), run(network(), x_of(data))[0], rtol=1e-5)
    assert model.predict(table(data.head(3))).shape == (3, 3)


@pytest.mark.parametrize(
    "kind",
    [
        "FLOAT",
        "DOUBLE",
        "FLOAT16",
        "INT8",
        "INT16",
        "INT32",
        "INT64",
        "UINT8",
        "UINT16",
        "UINT32",
        "UINT64",
        "BOOL",
        "STRING",
    ],
)
def test_inputs_and_outputs_of_every_type_pass_through(tmp_path, kind):
    number = getattr(TensorProto, kind)
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    model = load(graph_of(nodes, [("x", number, ["n", 2])], [("y", number, ["n", 2])]), tmp_path)
    values = ["p", "q"] if kind == "STRING" else [0, 1]
    found = model.predict(pa.table({"a": values, "b": values[::-1]}))
    assert found.tolist() == [[values[0], values[1]], [values[1], values[0]]]
    assert kind == "STRING" or found.dtype == helper.tensor_dtype_to_np_dtype(number)


def two_outputs():
    nodes = [helper.make_node("Identity", ["x"], ["same"]), helper.make_node("Sigmoid", ["x"], ["share"])]
    kinds = [("same", TensorProto.FLOAT, ["n", 1]), ("share", TensorProto.FLOAT, ["n", 1])]
    return graph_of(nodes, [("x", TensorProto.FLOAT, ["n", 1])], kinds)


def test_several_outputs_are_arrays_by_name_and_one_can_be_chosen(tmp_path):
    batch = pa.table({"x": [0.0, 2.0]})
    model = load(two_outputs(), tmp_path)
    assert (model.output_names, model.methods) == (("same", "share"), ("predict",))
    assert {name: values.ravel().tolist() for name, values in model.predict(batch).items()} == {
        "same": [0.0, 2.0],
        "share": pytest.approx([0.5, 0.880797]),
    }
    chosen = load(two_outputs(), tmp_path, output="share", outputs="probabilities")
    assert (chosen.classes, chosen.output_names) == ((0, 1), None)
    np.testing.assert_allclose(
        chosen.predict(batch, method="predict_proba"), [[0.5, 0.5], [0.119203, 0.880797]], rtol=1e-5
    )
    with pytest.raises(ConfigurationError, match="several outputs"):
        load(two_outputs(), tmp_path, outputs="logits")
    with pytest.raises(ConfigurationError, match="output 'x', but the model's outputs are same, share"):
        load(two_outputs(), tmp_path, output="x")


def test_what_is_no_probability_is_not_handed_out_as_one(tmp_path):
    model = load(network(), tmp_path, outputs="probabilities")
    with pytest.raises(PredictionError, match="'logits'"):
        model.predict(table(numbers(gaps=False)), method="predict_proba")


def test_lists_feed_an_input_of_several_values(tmp_path):
    data = numbers(gaps=False)
    model = load(network(), tmp_path, feature_names=["embedding"])
    assert (model.feature_names, model.n_features, model.inputs[0].type) == (("embedding",), 1, "any")
    found = model.predict(pa.table({"embedding": data.to_numpy().tolist()}))
    np.testing.assert_array_equal(found, load(network(), tmp_path).predict(table(data)))


@pytest.mark.parametrize(
    ("providers", "message"),
    [
        (["CUDAExecutionProvider"], "'CUDAExecutionProvider', which the installed ONNX Runtime does not have: .*CPU"),
        ("CPUExecutionProvider", "must be a list of names"),
        ([], "must be a list of names"),
        ([1], "must be a list of names"),
        ([["CPUExecutionProvider"]], "must be a list of names"),
    ],
)
def test_providers_that_cannot_be_used_are_refused(tmp_path, monkeypatch, providers, message):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ConfigurationError, match=message):
        load(network(), tmp_path, providers=providers)


def test_the_named_providers_run_the_model(tmp_path):
    model = load(
        network(), tmp_path, providers=[["CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"}]]
    )
    assert model.session.get_providers() == ["CPUExecutionProvider"]
    data = numbers(gaps=False)
    np.testing.assert_array_equal(model.predict(table(data)), load(network(), tmp_path).predict(table(data)))


def test_cuda_comes_first_where_the_runtime_has_it_and_a_failed_start_is_said(tmp_path, monkeypatch, caplog):
    real, asked = onnxruntime.InferenceSession, []

    def session(content, options, providers):
        asked.append(providers)
        return real(content, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    there = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    load(network(), tmp_path)
    assert asked == [["CUDAExecutionProvider", "CPUExecutionProvider"]]
    assert "could not start CUDAExecutionProvider here and would run on CPUExecutionProvider" in caplog.text
    with pytest.raises(ConfigurationError, match="could not start CUDAExecutionProvider"):
        load(network(), tmp_path, providers=["CUDAExecutionProvider"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([("x", TensorProto.FLOAT, [])], "takes 'x', a single value for all rows"),
        ([("x", TensorProto.BFLOAT16, ["n", 1])], r"takes 'x', which is tensor\(bfloat16\)"),
        (
            [("x", TensorProto.FLOAT, [2, 1]), ("z", TensorProto.FLOAT, [3, 1])],
            r"different numbers of rows \(\[2, 3\]\)",
        ),
    ],
)
def test_inputs_that_no_rows_can_feed_are_refused(tmp_path, inputs, message):
    outputs = [(f"y{name}", TensorProto.FLOAT, None) for name, _, _ in inputs]
    nodes = [helper.make_node("Cast", [name], [f"y{name}"], to=TensorProto.FLOAT) for name, _, _ in inputs]
    with pytest.raises(ModelLoadError, match=message):
        load(graph_of(nodes, inputs, outputs), tmp_path)


def test_arguments_of_predict_and_unknown_options_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="takes no arguments, but got k"):
        load(network(), tmp_path).predict(table(numbers(gaps=False)), kwargs={"k": 1})
    with pytest.raises(ConfigurationError, match="takes: providers, feature_names, outputs, output"):
        load(network(), tmp_path, threads=1)
