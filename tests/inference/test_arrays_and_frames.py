"""Arrays, polars frames and record batches as requests: each answered in its own type, by the model's own values."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import ConfigurationError, DataError, PredictionError

X, Y = load_iris(return_X_y=True)
NAMES = ["a", "b", "c", "d"]


def networks(folder, shape, name="dense_input"):
    """An ONNX network of one input of a shape, which sums what a row holds."""
    axes = numpy_helper.from_array(np.arange(1, len(shape) + 1), "axes")
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", [name, "axes"], ["dense_1"], keepdims=0)],
        "sum",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, *shape])],
        [helper.make_tensor_value_info("dense_1", TensorProto.FLOAT, [None])],
        [axes],
    )
    path = folder / "sum.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return abi.Pipeline(str(path))


# Plain arrays.
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [RandomForestClassifier, RandomForestRegressor])
def test_an_array_is_answered_by_what_predict_returns(named, order, kind):
    given = np.asarray(X, order=order)
    estimator = kind(n_estimators=3, random_state=0).fit(pd.DataFrame(X, columns=NAMES) if named else X, Y)
    found = abi.infer(estimator, given)
    assert type(found) is np.ndarray
    expected = estimator.predict(pd.DataFrame(X, columns=NAMES) if named else X)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_probabilities_labels_in_words_and_several_outputs():
    words = np.array(["setosa", "versicolor", "virginica"])[Y]
    classifier = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, words)
    np.testing.assert_array_equal(abi.infer(classifier, X), classifier.predict(X))
    found = abi.infer(classifier, X, predict_method="predict_proba")
    np.testing.assert_array_equal(found, classifier.predict_proba(X))
    both = LinearRegression().fit(X, np.column_stack([Y, -Y]))
    np.testing.assert_array_equal(abi.infer(both, X), both.predict(X))
    with pytest.raises(ConfigurationError, match=r"outputs that make no one array: .*dataset=\['out\."):
        abi.infer(classifier, X, predict_method=["predict", "predict_proba"])
    one = abi.infer(classifier, X, predict_method=["predict", "predict_proba"], dataset=["out.predicted_probability"])
    np.testing.assert_array_equal(one, classifier.predict_proba(X))


@pytest.mark.parametrize("dtype", ["f4", "i4", "u1", "?"])
def test_the_type_of_an_array_reaches_the_model(make_model, dtype):
    seen = []
    model = make_model(lambda batch: seen.append(batch.schema.types) or np.zeros(batch.num_rows), None, None)
    abi.infer(model, np.array([[0, 1], [1, 0]]).astype(dtype))
    assert seen == [[pa.from_numpy_dtype(np.dtype(dtype))] * 2]


def test_no_rows_are_no_predictions(tmp_path):
    estimator = LinearRegression().fit(X, Y)
    assert abi.infer(estimator, X[:0]).shape == (0,)


def test_one_dimension_is_a_column_where_the_model_takes_one():
    for fitted in (X[:, :1], pd.DataFrame({"a": X[:, 0]})):
        estimator = LinearRegression().fit(fitted, Y)
        np.testing.assert_array_equal(abi.infer(estimator, X[:, 0]), estimator.predict(fitted))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (X[0], r"one dimension, of 4 values.*reshape\(1, -1\)"),
        (X[:, :3], r"has 3 column\(s\), but the model takes 4: a, b, c, d"),
        (np.zeros((2, 4, 4)), r"the shape \(2, 4, 4\), which is one tensor a row, but the model takes 4 columns"),
        (np.array(1.0), "has no dimension"),
        (np.array([[1, 2, 3, "x"]], dtype=object), "'d'"),
        (np.array([[1, 2, 3, 1j]]), "Column 'a' of the array is complex128"),
    ],
)
def test_arrays_of_another_shape_are_refused(array, words):
    estimator = LinearRegression().fit(pd.DataFrame(X, columns=NAMES), Y)
    with pytest.raises((DataError, PredictionError), match=words):
        abi.infer(estimator, array)


@pytest.mark.parametrize("dataset", [["in"], ["*", "metadata"], ["time"]])
def test_an_array_has_no_place_for_other_columns(dataset):
    pipeline = abi.Pipeline(LinearRegression().fit(X, Y))
    with pytest.raises(ConfigurationError, match="what the model returns and nothing else"):
        pipeline.infer(X, dataset=dataset)
    with pytest.raises(ConfigurationError, match="no place for errors"):
        pipeline.infer(X, on_error="null")
    assert pipeline.infer(X, dataset=["out"]).shape == (150,)


def test_many_arrays_and_one_in_pieces():
    estimator = LinearRegression().fit(X, Y)
    pipeline = abi.Pipeline(estimator, checks={"high": "out.predicted_label > 1"})
    found = pipeline.parallel_infer([X[:10], X[:, :2], X[10:]])
    np.testing.assert_array_equal(np.concatenate([found[0], found[2]]), estimator.predict(X))
    assert isinstance(found[1], DataError)
    np.testing.assert_array_equal(pipeline.parallel_infer(X, batch_size=7), estimator.predict(X))
    high = int((estimator.predict(X) > 1).sum())
    assert pipeline.check_counts()[0].rows == 2 * high


@pytest.mark.parametrize("shape", [(29,), (1,), (3, 4), (2, 3, 4)])
def test_arrays_are_tensors_for_a_network(tmp_path, shape):
    pipeline = networks(tmp_path, shape)
    array = np.random.default_rng(1).normal(size=(6, *shape)).astype(np.float32)
    expected = array.reshape(6, -1).sum(axis=1)
    np.testing.assert_allclose(np.ravel(pipeline.infer(array)), expected, rtol=1e-4)
    cells = pd.DataFrame({"dense_input": list(array)})
    np.testing.assert_allclose(np.ravel(np.stack(pipeline.infer(cells)["out.dense_1"])), expected, rtol=1e-4)


# Structured arrays.
def test_a_structured_array_is_answered_by_one(make_model):
    array = np.array([(1.0, 0.5, "x"), (2.0, 0.0, "y")], dtype=[("a", "f8"), ("b", "f4"), ("key", "U3")])
    found = abi.infer(make_model(), array, dataset=["in", "out"])
    assert found.dtype.names == ("in.a", "in.b", "in.key", "out.predicted_label")
    assert found.dtype["in.b"] == np.float32
    assert found["in.key"].tolist() == ["x", "y"]
    np.testing.assert_array_equal(found["out.predicted_label"], [3.0, 4.0])


def test_its_fields_go_by_name(make_model):
    array = np.array([(0.5, 1.0)], dtype=[("b", "f8"), ("a", "f8")])
    assert abi.infer(make_model(lambda batch: batch.column("a").to_numpy()), array)["out.predicted_label"] == [1.0]


def test_a_bad_row_of_a_structured_array(make_model):
    array = np.array([("1.0", 0.5), ("x", 0.0)], dtype=[("a", "U3"), ("b", "f8")])
    found = abi.infer(make_model(), array, on_error="null")
    assert found["error"][0] is None
    assert "'x'" in found["error"][1]
    assert np.isnan(found["out.predicted_label"][1])


# polars.
def test_a_polars_frame_is_answered_by_one_and_its_fields_keep_their_types(make_model):
    frame = pl.DataFrame(
        {"a": [1.0, 2.0], "b": [0.5, 0.0], "n": [1, 2], "c": ["u", "v"], "t": [[1, 2], [3]], "z": [None, None]},
        schema_overrides={"n": pl.UInt8, "c": pl.Enum(["v", "u"])},
    )
    found = abi.infer(make_model(), frame)
    assert isinstance(found, pl.DataFrame)
    assert found.columns == ["time", *(f"in.{name}" for name in frame.columns), "out.predicted_label", "check_failures"]
    for name in frame.columns:
        assert found[f"in.{name}"].rename(name).equals(frame[name], check_dtypes=True)
    assert found["out.predicted_label"].to_list() == [3.0, 4.0]
    assert found["check_failures"].dtype == pl.Int8
    assert found["time"].dtype == pl.Datetime("ms")


def test_polars_frames_are_scored_together_and_nested(make_model):
    frame = pl.DataFrame({"a": [1.0, None], "b": [0.5, 0.0]})
    found = abi.parallel_infer(make_model(), [frame, frame.drop("b"), frame])
    assert [type(each).__name__ for each in found] == ["DataFrame", "SignatureMismatchError", "DataFrame"]
    nested = abi.infer(make_model(), frame.drop_nulls(), dataset_separator=None)
    assert nested["in"].to_list() == [{"a": 1.0, "b": 0.5}]
    assert nested["out"].to_list() == [{"predicted_label": 3.0}]


def test_the_same_numbers_from_polars_as_from_pandas():
    estimator = RandomForestRegressor(n_estimators=5, random_state=0).fit(pd.DataFrame(X, columns=NAMES), Y)
    frame = pd.DataFrame(X, columns=NAMES)
    found = abi.infer(estimator, pl.from_pandas(frame))
    np.testing.assert_array_equal(found["out.predicted_label"].to_numpy(), estimator.predict(frame))


def test_polars_cells_of_lists_are_tensors(tmp_path):
    pipeline = networks(tmp_path, (3,))
    for kind in (pl.List(pl.Float32), pl.Array(pl.Float32, 3)):
        frame = pl.DataFrame({"dense_input": pl.Series([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=kind)})
        found = pipeline.infer(frame)
        np.testing.assert_allclose(np.ravel(found["out.dense_1"].to_list()), [6.0, 15.0])


def test_polars_is_not_imported_by_those_who_have_none(tmp_path):
    code = (
        "import sys, pandas as pd, airflow_batch_inference as abi\n"
        "from sklearn.linear_model import LinearRegression\n"
        "frame = pd.DataFrame({'a': [1.0, 2.0]})\n"
        "abi.infer(LinearRegression().fit(frame, [1, 2]), frame)\n"
        "assert 'polars' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # our own code


@pytest.mark.parametrize("data", [pl.LazyFrame({"a": [1]}), pl.Series([1]), pd.Series([1])])
def test_what_is_nearly_a_frame_says_what_to_write(make_model, data):
    with pytest.raises(TypeError, match=r"collect\(\)|to_frame\(\)"):
        abi.infer(make_model(), data)


# Arrow.
def test_a_record_batch_is_answered_by_one(make_model):
    batch = pa.record_batch({"a": [1.0, 2.0], "b": [0.5, 0.0]})
    found = abi.infer(make_model(), batch)
    assert isinstance(found, pa.RecordBatch)
    assert found["out.predicted_label"].to_pylist() == [3.0, 4.0]
    empty = abi.infer(make_model(), batch.slice(0, 0))
    assert isinstance(empty, pa.RecordBatch)
    assert empty.num_rows == 0
    pieces = abi.parallel_infer(make_model(), [batch, batch])
    assert [type(each) for each in pieces] == [pa.RecordBatch] * 2


# Dicts of other libraries' columns.
@pytest.mark.parametrize(
    "make", [list, tuple, np.array, pd.Series, pl.Series, pa.array, lambda v: pa.chunked_array([v])]
)
def test_the_columns_of_a_dict_may_be_series_and_arrays(make_model, make):
    data = {"a": make([1.0, 2.0]), "b": make([0.5, 0.0])}
    found = abi.infer(make_model(), data, dataset=["in.a", "out"])
    assert found == {"in.a": [1.0, 2.0], "out.predicted_label": [3.0, 4.0]}


@pytest.mark.parametrize("values", [{1.0, 2.0}, {"x": 1.0}, 5, "text", None])
def test_what_has_no_order_is_no_column(make_model, values):
    with pytest.raises(DataError, match="Column 'a' of the data is a"):
        abi.infer(make_model(), {"a": values, "b": [1.0, 2.0]})


@pytest.mark.parametrize("separator", ["None", "none", "null"])
def test_the_word_none_never_becomes_part_of_a_name(make_model, separator):
    with pytest.raises(ConfigurationError, match="give None for one column a parent"):
        abi.infer(make_model(), {"a": [1.0], "b": [1.0]}, dataset_separator=separator)
