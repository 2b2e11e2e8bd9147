"""Arrays, data frames and Arrow tables as a dataset: each column as its own library gives it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.sources.digest import digest_of
from airflow_batch_inference.sources.inline import MAX_INLINE_ROWS, inline_table, is_inline
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

FRAME = pd.DataFrame(
    {
        "age": pd.array([31, None, 7], dtype="Int64"),
        "name": ["x", None, "z"],
        "day": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
        "zone": pd.to_datetime(["2026-01-01", None, "2026-01-03"]).tz_localize("Europe/Berlin"),
        "kind": pd.Categorical(["a", None, "b"], categories=["b", "a", "unused"]),
        "small": np.array([1, 2, 3], np.int8),
        "single": np.array([1, np.nan, 3], np.float32),
        "flag": [True, False, True],
    }
)


def digest(dataset, **arguments):
    return open_dataset(dataset, Storage(), **arguments).snapshot[0].version


def test_a_pandas_frame_is_the_table_that_its_parquet_file_holds(tmp_path):
    path = tmp_path / "frame.parquet"
    FRAME.to_parquet(path, index=False)
    expected = open_dataset(str(path), Storage()).whole()
    found = inline_table(FRAME)
    assert found.to_pylist() == expected.to_pylist()
    assert found.schema.names == expected.schema.names
    assert found.schema.field("single").type == pa.float32()
    assert found.schema.field("small").type == pa.int8()


@pytest.mark.parametrize("make", [pl.from_pandas, lambda frame: pa.Table.from_pandas(frame, preserve_index=False)])
def test_polars_and_arrow_give_the_same_values(make):
    assert inline_table(make(FRAME)).to_pylist() == inline_table(FRAME).to_pylist()


def test_a_record_batch_is_a_table():
    assert inline_table(pa.record_batch({"a": [1, 2]})).to_pydict() == {"a": [1, 2]}


def test_a_polars_frame_keeps_its_types():
    frame = pl.DataFrame(
        {"a": [1], "s": ["x"], "c": ["u"], "d": [dt.date(2026, 1, 2)], "l": [[1.5, 2.5]]},
        schema_overrides={"a": pl.UInt8, "c": pl.Categorical},
    )
    found = inline_table(frame)
    assert found.schema.field("a").type == pa.uint8()
    assert found.to_pylist() == [{"a": 1, "s": "x", "c": "u", "d": dt.date(2026, 1, 2), "l": [1.5, 2.5]}]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "?", "U3", "M8[ms]"])
def test_an_array_keeps_its_type_and_takes_the_names_of_the_model(dtype):
    array = np.arange(6).reshape(3, 2).astype(dtype)
    found = inline_table(array, model_names=["a", "b"])
    for place, name in enumerate(["a", "b"]):
        np.testing.assert_array_equal(np.array(found[name].to_pylist(), dtype), array[:, place])
        assert found.schema.field(name).type == pa.array(array[:, place]).type


@pytest.mark.parametrize(
    "make", [np.asfortranarray, lambda array: array[::-1, ::-1][::-1, ::-1], lambda array: list(array)]
)
def test_an_array_is_read_as_it_is_indexed_however_it_lies_in_memory(make):
    array = np.arange(6.0).reshape(3, 2)
    assert inline_table(make(array)).to_pydict() == {"0": [0.0, 2.0, 4.0], "1": [1.0, 3.0, 5.0]}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_an_array():
    assert inline_table(np.matrix([[0.0, 1.0], [2.0, 3.0]])).to_pydict() == {"0": [0.0, 2.0], "1": [1.0, 3.0]}


def test_an_array_of_more_dimensions_is_one_column_of_tensors():
    array = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    found = inline_table(array, model_names=["image"])
    np.testing.assert_array_equal(np.array(found["image"].to_pylist(), np.float32), array)


def test_a_structured_array_has_names_and_types_of_its_own():
    array = np.array([(1, "x", [1.0, 2.0])], dtype=[("a", "i4"), ("b", "U5"), ("t", "f4", (2,))])
    found = inline_table(array, model_names=["other"])
    assert found.to_pylist() == [{"a": 1, "b": "x", "t": [1.0, 2.0]}]
    assert found.schema.field("a").type == pa.int32()


def test_what_is_masked_is_null():
    array = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, True], [False, False]])
    assert inline_table(array).to_pydict() == {"0": [1.0, 3.0], "1": [None, 4.0]}


def test_an_array_of_objects_has_a_type_in_each_column():
    array = np.array([[1, "x"], [2, None], [3, np.nan]], dtype=object)
    assert inline_table(array).to_pydict() == {"0": [1, 2, 3], "1": ["x", None, None]}


def test_one_dimension_is_a_column_where_the_model_takes_one_input():
    assert inline_table(np.array([1.0, 2.0]), model_names=["a"]).to_pydict() == {"a": [1.0, 2.0]}


def test_a_frame_with_numbered_columns_takes_the_names_that_are_given():
    frame = pd.DataFrame([[1, 2.5]])
    assert inline_table(frame).column_names == ["0", "1"]
    assert inline_table(frame, feature_columns=["a", "b"]).column_names == ["a", "b"]
    # Its own names are never passed over for the model's by position.
    assert inline_table(frame, model_names=["a", "b"]).column_names == ["0", "1"]


def test_a_list_of_lists_and_the_frame_that_is_made_of_it_have_the_same_names():
    rows = [[1, "x"], [2, "y"]]
    assert inline_table(rows).to_pydict() == inline_table(pd.DataFrame(rows)).to_pydict()


def test_an_index_with_a_name_is_told_of(caplog):
    assert inline_table(pd.DataFrame({"a": [1], "k": [2]}).set_index("k")).column_names == ["a"]
    assert "The index of the data frame (k) is no column here" in caplog.text


def test_tensors_in_cells_are_stacked():
    frame = pd.DataFrame({"t": [np.zeros((2, 2)), np.ones((2, 2))]})
    assert inline_table(frame)["t"].to_pylist() == [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]]


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'"),
        (pd.DataFrame({1: [1], "1": [2]}), "two columns named '1'"),
        (pa.table([[1], [2]], names=["a", "a"]), "two columns named 'a'"),
        ({1: [1], "1": [2]}, "two columns named '1'"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])), "have 2 levels"),
        (pd.DataFrame({"a": [1, "x"]}), "'a' of the inline dataset mixes types: row 0 holds a int, row 1 holds 'x'"),
        (pd.DataFrame({"a": [object()]}), "holds a object, row 0"),
        (pl.DataFrame({"a": [object()]}), "'a' of the polars frame holds Python objects"),
        (np.array([[1 + 2j]]), "'0' of the array is complex128"),
        (np.array(5), "has no dimension"),
        (np.array([1.0, 2.0]), r"may be one row or one column. Give array.reshape\(1, -1\)"),
        (np.ma.masked_array(np.zeros((2, 2, 2)), mask=True), "tensor with masked values"),
        (np.array([[object(), 1]], dtype=object), "holds a object, row 0"),
        ([FRAME, FRAME], "A list of frames or tables is no dataset"),
        ({"a": {0: 1}}, "Column 'a' of the inline dataset is a dict"),
        ({"a": {1, 2}}, "Column 'a' of the inline dataset is a set"),
        ({"a": [2**60 + 1, 0.5]}, "Column 'a'.*outside of the range"),
    ],
)
def test_what_makes_no_table_is_refused_with_its_place(dataset, words):
    assert is_inline(dataset)
    with pytest.raises(DataError, match=words):
        inline_table(dataset)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (pd.Series([1]), r"pandas Series, which is no data frame. Make a frame of it: to_frame\(\)"),
        (pl.Series([1]), r"polars Series, .* to_frame\(\)"),
        (pl.LazyFrame({"a": [1]}), r"polars LazyFrame, .* collect\(\)"),
        (5, "dataset is a int; give a URI"),
    ],
)
def test_what_is_nearly_a_frame_says_what_to_write(dataset, words):
    with pytest.raises(ConfigurationError, match=words):
        open_dataset(dataset, Storage())


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_more_rows_than_a_dag_should_carry_are_refused(make):
    with pytest.raises(ConfigurationError, match=f"{MAX_INLINE_ROWS + 1} rows; the limit is {MAX_INLINE_ROWS}"):
        inline_table(make({"a": np.zeros(MAX_INLINE_ROWS + 1)}))


def test_so_are_more_bytes():
    with pytest.raises(ConfigurationError, match="takes 80,000,000 bytes; the limit is 67,108,864"):
        inline_table(np.zeros((10_000, 1_000)))


def test_the_version_of_a_dataset_is_that_of_all_its_values():
    plain = digest(FRAME)
    assert digest(FRAME.copy()) == digest(FRAME.set_index(pd.Index([9, 8, 7]))) == plain
    assert digest(pd.concat([FRAME, FRAME]).iloc[3:]) == plain
    changed = [
        FRAME.assign(age=pd.array([31, 0, 7], dtype="Int64")),
        FRAME.assign(name=["x", "", "z"]),
        FRAME.assign(day=FRAME["day"] + pd.Timedelta(1, "us")),
        FRAME.assign(kind=["a", "a", "b"]),
        FRAME.assign(single=np.array([1, 0, 3], np.float32)),
        FRAME.assign(flag=[True, True, True]),
        FRAME.rename(columns={"flag": "flags"}),
        FRAME.iloc[::-1],
        FRAME.iloc[:2],
        FRAME.astype({"small": "int16"}),
    ]
    assert len({plain, *map(digest, changed)}) == len(changed) + 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([None, 1.0], [float("nan"), 1.0]),
        ([[1], [2, 3]], [[1, 2], [3]]),
        ([[1], None], [[1], []]),
        (["ab", "c"], ["a", "bc"]),
        ([b"ab"], [b"ba"]),
        ([{"x": 1, "y": None}], [{"x": None, "y": 1}]),
        ([0.0], [-0.0]),
        ([True, None], [True, False]),
    ],
)
def test_values_that_look_alike_have_digests_of_their_own(left, right):
    first, second = (pa.table({"a": pa.array(each)}) for each in (left, right))
    assert digest_of(first) != digest_of(second)
    padded = pa.concat_tables([first.slice(0, 1), first]).slice(1)
    assert digest_of(padded) == digest_of(first)
