from __future__ import annotations

import joblib
import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pytest
import xgboost as xgb
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import EmptyDatasetError
from airflow_batch_inference.flavors.onnx.flavor import FILE, OnnxFlavor
from airflow_batch_inference.flavors.sklearn.model import describe
from airflow_batch_inference.flavors.xgboost.flavor import JSON, XGBoostFlavor

ROWS = 30
DATA = pd.DataFrame(
    {
        "number": np.linspace(-1, 1, ROWS),
        "town": np.resize(["rom", "bern", "oslo"], ROWS),
        "zone": np.resize([30, 7], ROWS),
        "at": pd.date_range("2024-05-01", periods=ROWS, freq="h"),
    }
)
LABELS = np.resize(["low", "middle", "high"], ROWS)
TEXTS = pa.table({"text": np.resize(["late", "in time"], ROWS)})


def strict_steps():
    encoders = [
        ("n", StandardScaler(), ["number"]),
        ("t", OneHotEncoder(sparse_output=False), ["town"]),
        ("z", OrdinalEncoder(), ["zone"]),
    ]
    return ColumnTransformer(encoders)


def hour(data):
    return data.assign(at=data["at"].dt.hour, town=data["town"].str.len())


def classifier(folder):
    del folder
    return describe(make_pipeline(strict_steps(), DecisionTreeClassifier()).fit(DATA, LABELS)), DATA


def regressor_of_times(folder):
    del folder
    return describe(make_pipeline(FunctionTransformer(hour), LinearRegression()).fit(DATA, DATA["number"])), DATA


def of_texts(folder):
    del folder
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS["text"].to_pylist(), LABELS)
    return describe(fitted), TEXTS


def of_categories(folder):
    data = DATA[["number"]].assign(town=pd.Categorical(DATA["town"]))
    parameters = {"nthread": 1, "objective": "multi:softprob", "num_class": 3}
    booster = xgb.train(parameters, xgb.DMatrix(data, np.arange(ROWS) % 3, enable_categorical=True), 2)
    booster.save_model(folder / "m.json")
    return XGBoostFlavor().load(folder / "m.json", model_format=JSON, trusted=(), options={}), DATA[["number", "town"]]


def graph(folder, *, outputs, several=False):
    """Write a graph that multiplies a tensor of 4 values, and adds an input of its own where there are several."""
    given = [helper.make_tensor_value_info("tensor", TensorProto.FLOAT, ["rows", 4])]
    nodes = [helper.make_node("MatMul", ["tensor", "w"], ["sum" if several else "dense_1"])]
    if several:
        given.append(helper.make_tensor_value_info("bias", TensorProto.FLOAT, ["rows", 1]))
        nodes.append(helper.make_node("Add", ["sum", "bias"], ["dense_1"]))
    made = [helper.make_tensor_value_info("dense_1", TensorProto.FLOAT, ["rows", 2])]
    if outputs == 2:
        nodes.append(helper.make_node("ArgMax", ["dense_1"], ["best"], axis=1, keepdims=0))
        made.append(helper.make_tensor_value_info("best", TensorProto.INT64, ["rows"]))
    weights = numpy_helper.from_array(np.arange(8, dtype=np.float32).reshape(4, 2), "w")
    model = helper.make_model(
        helper.make_graph(nodes, "g", given, made, [weights]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


def tensors(*, nullable=True):
    lists = np.ones((ROWS, 4), dtype=np.float32).tolist()
    return pa.table({"id": range(ROWS), "tensor": pa.array(lists, pa.list_(pa.field("item", pa.float32(), nullable)))})


def network(folder):
    path = graph(folder, outputs=1)
    return OnnxFlavor().load(path, model_format=FILE, trusted=(), options={}), tensors()


def network_of_several(folder):
    path = graph(folder, outputs=2, several=True)
    data = tensors().append_column("bias", pa.array(np.ones(ROWS, dtype=np.float32)))
    return OnnxFlavor().load(path, model_format=FILE, trusted=(), options={}), data


@pytest.mark.parametrize("methods", [("predict",), ("predict_proba",), ("predict", "predict_proba")], ids="-".join)
@pytest.mark.parametrize(
    "make",
    [classifier, regressor_of_times, of_texts, of_categories, network, network_of_several],
    ids=lambda make: make.__name__,
)
def test_no_rows_give_the_columns_and_types_of_many(bench, tmp_path, make, methods):
    model, data = make(tmp_path)
    if not set(methods) <= set(model.methods):
        pytest.skip("it has no probabilities")
    table = data if isinstance(data, pa.Table) else pa.Table.from_pandas(data, preserve_index=False)
    found = []
    for name, rows in (("many", table), ("none", table.slice(0, 0))):
        dataset = bench.write(f"{name}.parquet", rows)
        _, record = bench.score(dataset, model=model, on_empty="succeed", predict_method=methods)
        found.append(bench.output(record).schema)
    assert found[0] == found[1]


def test_the_same_holds_for_what_is_decided_by_a_threshold(bench):
    labels = np.where(DATA["number"] > 0, "yes", "no")
    model = describe(make_pipeline(strict_steps(), DecisionTreeClassifier()).fit(DATA, labels))
    table = pa.Table.from_pandas(DATA, preserve_index=False)
    found = []
    for name, rows in (("many", table), ("none", table.slice(0, 0))):
        dataset = bench.write(f"{name}.parquet", rows)
        _, record = bench.score(dataset, model=model, on_empty="succeed", decision_threshold=0.3)
        found.append(bench.output(record).schema)
    assert found[0] == found[1]


def test_a_file_without_rows_and_so_without_types_gives_the_predictions_types(bench, tmp_path):
    model, data = classifier(tmp_path)
    found = []
    for name, rows in (("many", data), ("none", data.head(0))):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        _, record = bench.score(str(tmp_path / f"{name}.csv"), model=model, on_empty="succeed", passthrough_columns=())
        found.append(bench.output(record).schema)
    assert found[0] == found[1] == pa.schema({"predicted_label": pa.string()})


@pytest.mark.parametrize("make", [network, network_of_several, classifier], ids=lambda make: make.__name__)
def test_a_folder_without_files_gives_the_predictions_types(bench, tmp_path, make):
    model, data = make(tmp_path)
    table = data if isinstance(data, pa.Table) else pa.Table.from_pandas(data, preserve_index=False)
    (tmp_path / "nothing").mkdir()
    found = []
    for dataset in (bench.write("many.parquet", table), str(tmp_path / "nothing")):
        _, record = bench.score(dataset, model=model, on_empty="succeed", passthrough_columns=())
        found.append(bench.output(record).schema)
    assert found[0] == found[1]


def test_a_model_that_takes_no_placeholder_row_is_an_error_and_no_guess(bench, make_model):
    def picky(batch):
        raise ValueError("no such row")

    dataset = bench.write("none.parquet", pa.schema({"a": pa.float64(), "b": pa.float64()}).empty_table())
    with pytest.raises(EmptyDatasetError, match=r"does not take a placeholder row \(.*no such row"):
        bench.score(dataset, model=make_model(answer=picky), on_empty="succeed")


def test_a_request_without_rows_is_answered_in_the_columns_of_one_with_rows(tmp_path):
    model = abi.Pipeline(str(graph(tmp_path, outputs=1)))
    found = [model.infer(table) for table in (tensors(), tensors().slice(0, 0))]
    assert found[0].schema == found[1].schema
    assert "out.dense_1" in found[0].schema.names
    fitted = make_pipeline(strict_steps(), DecisionTreeClassifier()).fit(DATA, LABELS)
    joblib.dump(fitted, tmp_path / "m.joblib")
    model = abi.Pipeline(fitted)
    table = pa.Table.from_pandas(DATA, preserve_index=False)
    assert model.infer(table).schema == model.infer(table.slice(0, 0)).schema
