"""The conformance cases of inference as in Wallaroo, by their numbers (7, several steps, is tested with the steps)."""

from __future__ import annotations

import json
import time

import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import SignatureMismatchError

CHECKS = {"large": "out.predicted_label > 3", "small": "in.a < 2", "odd": "in.b < 0"}


@pytest.fixture
def pipeline(make_model):
    return abi.Pipeline(make_model(), checks=CHECKS)


# 1. Types mirror.
def test_1_a_data_frame_is_answered_by_a_data_frame(pipeline, frame):
    found = pipeline.infer(frame)
    assert isinstance(found, pd.DataFrame)
    assert found["out.predicted_label"].tolist() == [3.0, 3.0, 6.0]


def test_1_a_table_is_answered_by_a_table(pipeline, frame):
    found = pipeline.infer(pa.table(frame.to_dict("list")))
    assert isinstance(found, pa.Table)
    assert found["out.predicted_label"].to_pylist() == [3.0, 3.0, 6.0]
    assert found.schema.field("time").type == pa.timestamp("ms")
    assert found.schema.field("check_failures").type == pa.int8()


def test_1_a_dict_of_columns_is_answered_by_one_that_json_can_hold(pipeline, frame):
    found = json.loads(json.dumps(pipeline.infer(frame.to_dict("list"))))
    assert found["out.predicted_label"] == [3.0, 3.0, 6.0]
    assert found["in.a"] == [1.0, 2.0, 3.0]


def test_1_a_list_of_records_is_answered_by_one_that_json_can_hold(pipeline, frame):
    found = json.loads(json.dumps(pipeline.infer(frame.to_dict("records"))))
    assert [row["out.predicted_label"] for row in found] == [3.0, 3.0, 6.0]
    assert list(found[0]) == ["time", "in.a", "in.b", "out.predicted_label", "check_failures"]


@pytest.mark.parametrize("data", ["a,b\n1,2", {1.0, 2.0}, [[1.0, 2.0]], [{"a": 1.0}, "x"], pd.Series([1.0]), None])
def test_1_anything_else_is_a_type_error_that_names_the_type_and_those_accepted(pipeline, data):
    with pytest.raises(TypeError, match=rf"DataFrame, a pyarrow Table, a dict .* not a {type(data).__name__}"):
        pipeline.infer(data)


# 2. Columns.
def test_2_columns_stand_in_order(pipeline, frame):
    found = pipeline.infer(frame)
    assert list(found) == ["time", "in.a", "in.b", "out.predicted_label", "check_failures"]
    assert found["time"].dtype == "datetime64[ms]"
    assert found["time"].nunique() == 1


def test_2_an_excluded_parent_is_left_out(pipeline, frame):
    assert list(pipeline.infer(frame, dataset_exclude=["in"])) == ["time", "out.predicted_label", "check_failures"]


def test_2_a_leaf_that_is_asked_for_beats_its_excluded_parent(pipeline, frame):
    found = pipeline.infer(frame, dataset=["*", "in.b", "metadata.last_model"], dataset_exclude=["in", "metadata"])
    assert list(found) == ["time", "in.b", "out.predicted_label", "check_failures", "metadata.last_model"]


def test_2_another_separator_or_none(pipeline, frame):
    assert list(pipeline.infer(frame, dataset=["in", "out"], dataset_separator="_")) == [
        "in_a", "in_b", "out_predicted_label",
    ]  # fmt: skip
    nested = pipeline.infer(frame, dataset_separator=None)
    assert list(nested) == ["time", "in", "out", "check_failures"]
    assert nested["in"].iloc[0] == {"a": 1.0, "b": 0.5}


# 3. Checks.
def test_3_check_failures_counts_the_checks_that_a_row_triggers_and_keeps_the_row(pipeline, frame):
    found = pipeline.infer(frame, dataset=["*", "anomaly"])
    assert found["check_failures"].tolist() == [1, 1, 1]
    two_of_three = pipeline.infer(pd.DataFrame({"a": [9.0], "b": [-1.0]}), dataset=["*", "anomaly"])
    assert two_of_three["check_failures"].tolist() == [2]
    assert two_of_three["anomaly.count"].tolist() == [2]
    flags = two_of_three[["anomaly.large", "anomaly.small", "anomaly.odd"]]
    assert flags.iloc[0].tolist() == [True, False, True]
    assert found.index.tolist() == [10, 20, 30]


# 4. Elapsed.
@pytest.mark.parametrize("form", ["frame", "records"])
def test_4_elapsed_has_an_entry_for_parsing_and_each_step(pipeline, frame, form):
    data = frame if form == "frame" else frame.to_dict("records")
    started = time.perf_counter_ns()
    found = pipeline.infer(data, dataset=["metadata.elapsed"])
    wall = time.perf_counter_ns() - started
    elapsed = found["metadata.elapsed"].iloc[0] if form == "frame" else found[0]["metadata.elapsed"]
    assert len(elapsed) == 1 + 1
    assert all(each > 0 for each in elapsed)
    assert sum(elapsed) <= wall


# 5. Many.
def test_5_the_middle_of_three_malformed_stands_in_its_place(pipeline, frame):
    found = pipeline.parallel_infer([frame, frame.drop(columns="b"), frame * 2])
    assert [type(each).__name__ for each in found] == ["DataFrame", "SignatureMismatchError", "DataFrame"]
    assert found[0]["out.predicted_label"].tolist() == [3.0, 3.0, 6.0]
    assert found[2]["out.predicted_label"].tolist() == [6.0, 6.0, 12.0]


def test_5_all_malformed_are_three_errors_and_nothing_is_raised(pipeline):
    found = pipeline.parallel_infer([pd.DataFrame({"c": [1]}), "no frame", pa.table({"a": ["x"], "b": [1.0]})])
    assert [isinstance(each, Exception) for each in found] == [True, True, True]


# 6. Tensors.
@pytest.fixture(scope="module")
def network(tmp_path_factory):
    weights = np.random.default_rng(6).normal(size=(29, 1)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["dense_input", "w"], ["dense_1"])],
        "fraud",
        [helper.make_tensor_value_info("dense_input", TensorProto.FLOAT, [None, 29])],
        [helper.make_tensor_value_info("dense_1", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("network") / "fraud.onnx"
    onnx.save(model, path)
    return abi.Pipeline(str(path), checks={"fraud": "out.dense_1[0] > 0"}), weights


def test_6_a_tensor_column_scores_through_an_onnx_model(network):
    pipeline, weights = network
    values = np.random.default_rng(7).normal(size=(40, 29)).astype(np.float32)
    expected = values @ weights
    frame = pd.DataFrame({"tensor": list(values)})
    found = pipeline.infer(frame, dataset=["*", "metadata.last_model"])
    assert list(found) == ["time", "in.tensor", "out.dense_1", "check_failures", "metadata.last_model"]
    np.testing.assert_allclose(np.stack(found["out.dense_1"]), expected, rtol=1e-5, atol=1e-6)
    assert found["check_failures"].tolist() == (expected[:, 0] > 0).tolist()
    table = pipeline.infer(pa.table({"tensor": pa.array(list(values))}))
    assert table.schema.field("out.dense_1").type == pa.list_(pa.float32())
    assert table.num_rows == 40


def test_6_lists_in_json_are_tensors_too(network):
    pipeline, weights = network
    values = np.random.default_rng(8).normal(size=(3, 29)).astype(np.float32)
    found = pipeline.infer({"tensor": values.tolist()})
    np.testing.assert_allclose(found["out.dense_1"], values @ weights, rtol=1e-5, atol=1e-6)


def test_6_a_tensor_of_another_length_costs_its_row_alone(network):
    pipeline, _ = network
    cells = [np.zeros(29, np.float32), np.zeros(28, np.float32), np.zeros(29, np.float32)]
    found = pipeline.infer(pd.DataFrame({"tensor": cells}), on_error="null")
    assert found["out.dense_1"].isna().tolist() == [False, True, False]
    assert found["error"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize("name", ["tensor", "dense_input"])
def test_6_the_column_of_the_inputs_name_is_taken_beside_others(network, name):
    pipeline, _ = network
    rows = pd.DataFrame({"id": [1, 2], name: list(np.random.default_rng(3).normal(size=(2, 29)).astype(np.float32))})
    both, alone = pipeline.infer(rows), pipeline.infer(rows[[name]])
    assert both["out.dense_1"].tolist() == alone["out.dense_1"].tolist()
    with pytest.raises(SignatureMismatchError, match=r"has tensr \(did you mean 'tensor'\?\)"):
        pipeline.infer(rows[[name]].rename(columns={name: "tensr"}))
