from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.tensors import TensorInput, TensorInputs, feature_names_option
from airflow_batch_inference.records import ColumnSpec

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint64", "bool"]


def one(dtype="float32", shape=(2,), names=None):
    return TensorInputs((TensorInput("x", dtype, shape),), names)


def feed(columns, dtype="float32", shape=(2,)):
    return one(dtype, shape).feeds(columns if isinstance(columns, pa.Table) else pa.table(columns))["x"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_of_numbers_become_a_matrix_of_the_inputs_type_in_their_order(dtype):
    found = feed({"a": [0, 1, 1], "b": [1, 0, 1]}, dtype)
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.dtype(dtype), (3, 2), True)
    np.testing.assert_array_equal(found, np.array([[0, 1], [1, 0], [1, 1]], dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_null_is_a_nan_and_an_infinity_stays_one(dtype):
    found = feed({"a": [None, 1.5], "b": [float("inf"), -float("inf")]}, dtype)
    np.testing.assert_array_equal(found, np.array([[np.nan, np.inf], [1.5, -np.inf]], dtype))


@pytest.mark.parametrize(
    ("dtype", "values", "message"),
    [
        ("int64", [1, None], r"column 'a', row 1 of the batch: it is null"),
        ("int8", [1, 300], r"column 'a', row 1 of the batch: the value '300' cannot become int8"),
        ("uint8", [1, -1], r"row 1 of the batch: the value '-1' cannot become uint8"),
        ("int64", [1.0, 1.5], r"row 1 of the batch: the value '1.5' cannot become int64"),
        ("float64", [1, 2**53 + 1], r"row 1 of the batch: the value '9007199254740993' cannot become double"),
        ("bool", [1, 2], r"row 1 of the batch: the value 2 is none that bool"),
        ("bool", [1.0, 0.5], r"row 1 of the batch: the value '0.5'"),
        ("float16", [1.0, 7e4], r"row 1 of the batch: the value 70000.0 is none that float16"),
        ("float32", [1.0, -1e39], r"row 1 of the batch: the value -1e\+39 is none that float32"),
        ("str", [1.0, 2.0], "column 'a' holds double, but the model takes text"),
        ("str", ["x", None], r"row 1 of the batch: it is null"),
    ],
)
def test_a_value_that_the_input_cannot_hold_is_an_error_with_its_row(dtype, values, message):
    other = ["x", "y"] if dtype == "str" else [1, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            feed({"a": values, "b": other}, dtype)
        with pytest.raises(ValueError, match=message):
            feed({"a": values}, dtype, ())


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int64()])
@pytest.mark.parametrize(
    "make", [pa.list_, pa.large_list, lambda kind: pa.list_(kind, 2)], ids=["list", "large", "fixed"]
)
def test_a_column_of_lists_becomes_a_matrix_also_sliced_and_in_chunks(make, kind):
    rows = pa.array([[9, 9], [1, 2], [3, 4], [5, 6]], make(kind))
    whole = pa.table({"a": rows})
    chunked = pa.concat_tables([whole.slice(1, 1), whole.slice(2, 1)])
    for batch in (whole.slice(1, 2), chunked):
        np.testing.assert_array_equal(feed(batch), np.array([[1, 2], [3, 4]], np.float32))


def test_float32_lists_are_not_copied():
    flat = pa.array(np.arange(8, dtype=np.float32))
    batch = pa.table({"a": pa.FixedSizeListArray.from_arrays(flat, 2)})
    assert np.shares_memory(feed(batch), flat.to_numpy())


def test_nested_lists_keep_their_arrangement():
    rows = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2)
    batch = pa.table({"image": rows.tolist()})
    np.testing.assert_array_equal(feed(batch, shape=(3, 2)), rows)
    np.testing.assert_array_equal(feed(batch, shape=(None, None)), rows)
    np.testing.assert_array_equal(feed({"image": rows.reshape(2, 6).tolist()}, shape=(3, 2)), rows)
    np.testing.assert_array_equal(feed({"image": rows.reshape(2, 6).tolist()}, shape=(3, None)), rows)


@pytest.mark.parametrize(
    ("rows", "shape", "message"),
    [
        ([[1, 2], [3]], (2,), r"column 'a', row 1 of the batch: its list has 1 values, not 2"),
        ([[1, 2], [3]], (None,), r"row 1 of the batch: its list has 1 values"),
        ([[1, 2], None], (2,), r"row 1 of the batch: it is null"),
        ([[1, 2, 3], [4, 5, 6]], (2,), "'x' takes 2 values a row, not 3"),
        ([[1, 2, 3], [4, 5, 6]], (2, None), "takes 2 x any number of values a row, not 3"),
        ([[1, 2, 3]], (None, None), "arranged in several ways: give nested lists"),
        ([[[1, 2], [3, 4]], [[5, 6], [7]]], (2, 2), r"row 1 of the batch: its list has 1 values, not 2"),
        ([[[1, 2, 3], [4, 5, 6]]], (3, 2), "a row has 2 x 3 values, but the model takes 3 x 2"),
        ([[[1, 2]], [None]], (1, 2), r"row 1 of the batch: it is null"),
    ],
)
def test_lists_of_another_shape_are_refused_and_never_rearranged(rows, shape, message):
    with pytest.raises(ValueError, match=message):
        feed({"a": rows}, shape=shape)


@pytest.mark.parametrize("dtype", ["int64", "int8"])
def test_a_value_within_a_list_is_reported_with_its_row_in_the_batch(dtype):
    with pytest.raises(ValueError, match=r"column 'a', row 1 of the batch: it is null"):
        feed({"a": [[1, 2], [None, 4]]}, dtype)
    with pytest.raises(ValueError, match=r"column 'a', row 1 of the batch: the value '1.5'"):
        feed({"a": [[1.0, 2.0], [3.0, 1.5]]}, dtype)


def test_a_number_for_an_input_of_several_values_is_refused():
    with pytest.raises(ValueError, match="column 'a' holds double, but the model takes 2 values a row: lists"):
        feed({"a": [1.0]})


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_text_in_any_arrow_type_becomes_objects(kind):
    found = feed({"a": pa.array(["Köln", "Ulm", "Köln"]).cast(kind)}, "str", (1,))
    assert (found.dtype, found.shape, found.ravel().tolist()) == (object, (3, 1), ["Köln", "Ulm", "Köln"])
    assert feed({"a": ["x", "y"], "b": ["u", "v"]}, "str").tolist() == [["x", "u"], ["y", "v"]]


def test_several_inputs_take_a_column_each_by_name():
    inputs = TensorInputs(
        (TensorInput("town", "str", ()), TensorInput("floor", "int32", (1,)), TensorInput("image", "float32", (2, 1)))
    )
    batch = pa.table({"image": [[1.0, 2.0], [3.0, 4.0]], "floor": [1, 2], "town": ["x", "y"]})
    found = inputs.feeds(batch)
    assert {name: values.shape for name, values in found.items()} == {"town": (2,), "floor": (2, 1), "image": (2, 2, 1)}
    assert inputs.feature_names == ("town", "floor", "image")
    assert inputs.n_features == 3
    assert [spec.type for spec in inputs.specs] == ["string", "int32", "any"]


def test_a_single_input_is_taken_by_position_or_under_the_names_that_the_user_gives():
    assert (one().feature_names, one().n_features, one().specs) == (None, 2, None)
    named = one(names=("a", "b"))
    assert named.specs == (ColumnSpec(name="a", type="float"), ColumnSpec(name="b", type="float"))
    assert (named.feature_names, named.n_features) == (("a", "b"), 2)
    assert one(shape=(None,), names=("a", "b", "c")).n_features == 3
    assert one(shape=(3, 2)).n_features is None


def test_one_name_for_several_values_is_a_column_of_lists():
    lists = one(shape=(64,), names=("embedding",))
    assert (lists.specs, lists.n_features) == ((ColumnSpec(name="embedding", type="any"),), 1)
    assert lists.feeds(pa.table({"embedding": [[0.5] * 64]}))["x"].shape == (1, 64)


@pytest.mark.parametrize("inputs", [one().inputs, (*one().inputs, TensorInput("y", "int8", ()))])
def test_names_that_do_not_fit_the_inputs_are_refused(inputs):
    with pytest.raises(ConfigurationError, match=r"has 3 feature_names, but the model's inputs are x \[2\]"):
        TensorInputs(inputs, ("a", "b", "c"))


@pytest.mark.parametrize("given", ["abc", [1, 2], ["a", "a"], {"a": 1}, 7])
def test_names_must_be_a_list_of_different_names(given):
    with pytest.raises(ConfigurationError, match="must be a list of different column names"):
        feature_names_option({"feature_names": given})
    assert feature_names_option({}) is None


@given(
    rows=st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=20),
    split=st.integers(0, 20),
)
def test_any_cut_of_the_rows_gives_the_same_tensors_from_columns_and_from_lists(rows, split):
    expected = np.array(rows, np.float32)
    columns = pa.table({name: [row[at] for row in rows] for at, name in enumerate("abc")})
    lists = pa.table({"a": pa.array(rows, pa.list_(pa.float64()))})
    for batch in (columns, lists):
        parts = [part for part in (batch.slice(0, split), batch.slice(split)) if part.num_rows]
        found = np.concatenate([feed(part, shape=(3,)) for part in parts])
        np.testing.assert_array_equal(found, expected)
