"""A model that computes without end for some rows only, so that no trial can find it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from airflow_batch_inference.exceptions import PredictionError
from airflow_batch_inference.registration import ModelRequest, register_model
from airflow_batch_inference.scoring import job
from airflow_batch_inference.scoring.job import Resources, score_dataset


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


@pytest.fixture
def score(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "_UNVOUCHED_MINI_BATCH_S", 3.0)
    request = ModelRequest(model_uri=str(spinning(tmp_path / "m.onnx")))
    _, record = register_model(request, root=str(bench.root), storage=bench.storage, model_storage=bench.storage)

    def run(values, *, by=None):
        source = bench.write("in.parquet", {"x": np.asarray(values, dtype=np.float32)})
        asked = replace(
            bench.request(source), model=None, record=replace(record, trusted_by=by), model_storage=bench.storage
        )
        return score_dataset(replace(asked, rows_per_batch=64), storage=bench.storage, resources=Resources())[1]

    return run


@pytest.mark.parametrize("row", [0, 150])
def test_a_mini_batch_without_end_fails_the_job_and_says_what_to_do(bench, score, row):
    values = np.full(200, 2.0)
    values[row] = 5.0
    said = r"did not predict .*rows.* within 3 s, perhaps it never would: .*mini_batch_timeout_s.*sha256"
    with pytest.raises(PredictionError, match=said) as caught:
        score(values)
    assert not caught.value.retryable
    assert bench.visible() == []


def test_the_limit_changes_nothing_else_and_a_pinned_file_has_none(bench, score, monkeypatch):
    values = np.linspace(0, 1, 200)
    np.testing.assert_allclose(np.ravel(bench.output(score(values)).columns[-1].to_pylist()), values, rtol=1e-6)
    monkeypatch.setattr(job, "WorkerPool", None)
    assert score(values[::-1], by="sha256= in a DAG").rows_out == 200
