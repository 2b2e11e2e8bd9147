"""A network that computes without end for some rows only."""

from __future__ import annotations

from onnx import TensorProto, helper


def spinning(path):
    """Write a network that returns its input, after a loop that goes on for as long as a row holds a 5."""
    scalar = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go_in", "go_out")]
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in ("v_in", "v_out")]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]), helper.make_node("Identity", ["v_in"], ["v_out"])],
        "body", [turn, scalar[0], value[0]], [scalar[1], value[1]],
    )  # fmt: skip
    nodes = [
        helper.make_node("Equal", ["x", "five"], ["is_five"]),
        helper.make_node("Cast", ["is_five"], ["ones"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["ones"], ["any"], keepdims=0),
        helper.make_node("Cast", ["any"], ["go"], to=TensorProto.BOOL),
        helper.make_node("Loop", ["", "go", "x"], ["y"], body=body),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor("five", TensorProto.FLOAT, [], [5.0])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
