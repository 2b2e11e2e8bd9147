"""Tiny ONNX models of every kind, with the predictions of ONNX Runtime itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from cases import NAMES, ROWS, Case, Saved, numbers, table
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def weights(*shape: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def network(*, dtype=TensorProto.FLOAT, rows: int | str = "n", end: str | None = None) -> onnx.ModelProto:
    """Return a network of two layers: four values in, three out."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    constants = {"w": weights(4, 8), "v": weights(8, 3, seed=6)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Tanh", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y" if end is None else "z"]),
        *([helper.make_node(end, ["z"], ["y"])] if end else []),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", dtype, [rows, 4])],
        [helper.make_tensor_value_info("y", dtype, [rows, 3])],
        [onnx.numpy_helper.from_array(values.astype(kind), name) for name, values in constants.items()],
    )
    return model_of(graph)


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    operators = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=operators, ir_version=9)


def classifier(*, zipped: bool) -> onnx.ModelProto:
    """Return what converters make of a logistic regression: labels and probabilities."""
    labels = ["no", "yes"]
    scores = "scores" if zipped else "probabilities"
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", scores],
            domain="ai.onnx.ml",
            coefficients=[1.0, -1.0, 0.5, 0.2, -1.0, 1.0, -0.5, -0.2],
            intercepts=[0.1, -0.1],
            classlabels_strings=labels,
            post_transform="SOFTMAX",
        )
    ]
    ends = [helper.make_tensor_value_info("label", TensorProto.STRING, ["n"])]
    if zipped:
        nodes.append(
            helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", classlabels_strings=labels)
        )
        number = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        mapping = helper.make_map_type_proto(TensorProto.STRING, number)
        ends.append(helper.make_value_info("probabilities", helper.make_sequence_type_proto(mapping)))
    else:
        ends.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])]
    return model_of(helper.make_graph(nodes, "classifier", inputs, ends))


def columns_network() -> onnx.ModelProto:
    """Return a network with an input a column: a text, a whole number and a floating one."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["town"],
            ["code"],
            domain="ai.onnx.ml",
            keys_strings=["Ulm", "Bonn"],
            values_floats=[1.0, 2.0],
            default_float=-1.0,
        ),
        helper.make_node("Cast", ["floor"], ["height"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["height", "code"], ["product"]),
        helper.make_node("Add", ["product", "price"], ["y"]),
    ]
    kinds = {"town": TensorProto.STRING, "floor": TensorProto.INT64, "price": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, ["n", 1]) for name, kind in kinds.items()]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])]
    return model_of(helper.make_graph(nodes, "columns", inputs, outputs))


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)


def x_of(data: pd.DataFrame, dtype=np.float32) -> dict[str, np.ndarray]:
    return {"x": data.to_numpy().astype(dtype)}


def of_network(options=None, *, names=None, dtype=TensorProto.FLOAT, external: bool = False) -> Callable[[Path], Saved]:
    def save(folder: Path) -> Saved:
        model, data = network(dtype=dtype), numbers(gaps=False)
        found = run(model, x_of(data, helper.tensor_dtype_to_np_dtype(dtype)))[0]
        expected = {"predict": found}
        if options and options.get("outputs") == "logits":
            powers = np.exp(found.astype(float))
            expected["predict_proba"] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        path = folder / "model.onnx"
        if external:
            path = folder / "network"
            path.mkdir()
            onnx.save(model, path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
        else:
            onnx.save(model, path)
        return Saved(path, table(data), expected, names, options or {}, is_exact=False)

    return save


def of_classifier(*, zipped: bool) -> Callable[[Path], Saved]:
    def save(folder: Path) -> Saved:
        model, data = classifier(zipped=zipped), numbers(gaps=False)
        label, probability = run(model, x_of(data))
        if zipped:
            probability = np.array([[row["no"], row["yes"]] for row in probability], dtype=np.float32)
        onnx.save(model, folder / "model.onnx")
        expected = {"predict": label, "predict_proba": probability}
        return Saved(folder / "model.onnx", table(data), expected, None, is_exact=False)

    return save


def of_columns(folder: Path) -> Saved:
    rng = np.random.default_rng(24)
    data = pd.DataFrame(
        {
            "town": rng.choice(["Ulm", "Bonn", "Rom"], ROWS),
            "floor": rng.integers(0, 9, ROWS),
            "price": rng.normal(size=ROWS).astype(np.float32),
        }
    )
    model = columns_network()
    found = run(model, {name: data[[name]].to_numpy() for name in data})[0]
    onnx.save(model, folder / "model.onnx")
    return Saved(folder / "model.onnx", table(data), {"predict": found}, ("town", "floor", "price"))


def with_folder_data() -> dict[str, bytes]:
    """Return the files of a network whose first weights lie in a file beside it."""
    model, data = network(), weights(4, 8).tobytes()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.bin", "offset": "0", "length": str(len(data))}.items():
        tensor.external_data.add(key=key, value=value)
    return {"model.onnx": model.SerializeToString(), "w.bin": data}


def external(location, name="w", shape=(4, 8)):
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(4 * int(np.prod(shape))))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def with_external(location, place):
    """Return a network with one more tensor whose data lies elsewhere, in any place where a tensor can be."""
    model, tensor = network(), external(location)
    if place == "weights":
        model.graph.initializer[0].CopyFrom(tensor)
    elif place == "constant":
        model.graph.node.append(helper.make_node("Constant", [], ["k"], value=tensor))
    elif place == "list of tensors":
        model.graph.node.append(helper.make_node("Custom", [], ["k"], domain="x", values=[tensor]))
    elif place == "branch":
        inner = helper.make_graph([], "inner", [], [], [tensor])
        model.graph.node.append(helper.make_node("If", ["x"], ["k"], then_branch=inner, else_branch=inner))
    elif place == "function":
        node = helper.make_node("Constant", [], ["k"], value=tensor)
        model.functions.append(helper.make_function("x", "f", [], ["k"], [node], [helper.make_opsetid("", 17)]))
    elif place == "sparse":
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    else:
        model.training_info.add().algorithm.initializer.append(tensor)
    return model


PLACES = ["weights", "constant", "list of tensors", "branch", "function", "sparse", "training"]


def _case(name: str, save: Callable[[Path], Saved], kind: str = "onnx") -> Case:
    return Case(f"onnx-{name}", "onnx", kind, save, "onnxruntime", "onnx", ("onnxruntime",))


CASES = [
    _case("network", of_network()),
    _case("double", of_network(dtype=TensorProto.DOUBLE)),
    _case("named", of_network({"feature_names": list(NAMES)}, names=NAMES)),
    _case("logits", of_network({"outputs": "logits"})),
    _case("folder", of_network(external=True), "onnx-folder"),
    _case("classifier", of_classifier(zipped=False)),
    _case("classifier-of-dictionaries", of_classifier(zipped=True)),
    _case("columns", of_columns),
]
