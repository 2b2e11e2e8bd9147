from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.sources.inline import MAX_INLINE_ROWS, inline_table, is_inline

ROWS = [[1, "x", 10.5], [2, "y", 20.5]]


@pytest.mark.parametrize("dataset", [[[1, 2]], [{"a": 1}], {"a": [1]}, {}, [[1], "x"]])
def test_records_are_inline(dataset):
    assert is_inline(dataset)


@pytest.mark.parametrize(
    "dataset", [[[1, "x"], [2, None]], [{"a": 1, "b": "x"}, {"a": 2}], {"a": [1, 2], "b": ["x", None]}]
)
def test_all_three_forms_give_one_table(dataset):
    assert inline_table(dataset, feature_columns=["a", "b"]).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


@pytest.mark.parametrize("dataset", ["/data", ["/data/a.csv"], [], None, 5])
def test_uris_and_other_things_are_not(dataset):
    assert not is_inline(dataset)


def test_a_list_of_lists_takes_the_given_names():
    table = inline_table(ROWS, feature_columns=["a", "b", "c"], model_names=["x", "y", "z"])
    assert table.to_pydict() == {"a": [1, 2], "b": ["x", "y"], "c": [10.5, 20.5]}


def test_a_list_of_lists_falls_back_to_the_model_s_names_and_then_to_numbers_as_mlrun_does():
    assert inline_table(ROWS, model_names=["x", "y", "z"]).column_names == ["x", "y", "z"]
    assert inline_table(ROWS).column_names == ["0", "1", "2"]


def test_names_may_leave_out_the_columns_that_are_dropped():
    table = inline_table(ROWS, dropped=[1], model_names=["a", "c"])
    assert table.to_pydict() == {"a": [1, 2], "1": ["x", "y"], "c": [10.5, 20.5]}


@pytest.mark.parametrize(
    ("arguments", "source"),
    [
        ({"feature_columns": ["a"]}, "feature_columns names 1"),
        ({"model_names": ["a"]}, "the model names 1"),
        ({"model_names": ["a"], "dropped": [0]}, r"3 values \(2 after drop_columns\)"),
    ],
)
def test_names_that_do_not_fit_the_width_are_refused(arguments, source):
    with pytest.raises(ConfigurationError, match=source):
        inline_table(ROWS, **arguments)


def test_dicts_may_lack_keys_and_differ_in_order():
    table = inline_table([{"a": 1, "b": 2}, {"b": 3}, {"c": 4, "a": 5}])
    assert table.to_pydict() == {"a": [1, None, 5], "b": [2, 3, None], "c": [None, None, 4]}


def test_integers_among_numbers_become_numbers():
    assert inline_table({"a": [1, 2.5, None]}).schema == pa.schema({"a": pa.float64()})


@pytest.mark.parametrize(
    ("dataset", "match"),
    [
        ([[1, 2], [3]], r"Row 1 of the inline dataset has 1 values; row 0 has 2"),
        ([[1], {"a": 2}], r"Row 1 of the inline dataset is a dict"),
        ([[1], "text"], r"Row 1 of the inline dataset is a str"),
        ({"a": [1, 2], "b": [1]}, r"differ in length: .*'a': 2, 'b': 1"),
        ({"a": [1, "x"]}, r"Column 'a' .* mixes types: row 0 holds a int, row 1 holds 'x'"),
        ([{"a": "x"}, {"a": None}, {"a": 2}], r"Column 'a' .* row 2 holds 2"),
    ],
)
def test_records_that_make_no_table_are_refused_with_their_place(dataset, match):
    with pytest.raises(DataError, match=match):
        inline_table(dataset)


@pytest.mark.parametrize(
    "dataset", [[[0]] * (MAX_INLINE_ROWS + 1), {"a": [0] * (MAX_INLINE_ROWS + 1)}, [{"a": 0}] * (MAX_INLINE_ROWS + 1)]
)
def test_more_rows_than_a_dag_should_carry_are_refused(dataset):
    with pytest.raises(ConfigurationError, match=f"has {MAX_INLINE_ROWS + 1} rows; the limit is {MAX_INLINE_ROWS}"):
        inline_table(dataset)


def test_no_records_give_no_rows():
    assert inline_table({}).num_rows == 0
    assert inline_table({"a": []}).column_names == ["a"]


@pytest.mark.parametrize("values", [[None, 1, "x"], [None, [1], 2]])
def test_leading_nulls_do_not_hide_which_value_is_odd(values):
    with pytest.raises(DataError, match=rf"row 2 holds {values[2]!r}"):
        inline_table({"a": values})


def test_an_integer_too_large_for_any_column_is_refused():
    with pytest.raises(DataError, match=r"Column 'a'.*more than 64 bits"):
        inline_table({"a": [1, 2**70]})


@pytest.mark.parametrize("values", ["text", b"bytes", 5, None])
def test_a_column_that_is_no_list_is_refused(values):
    with pytest.raises(DataError, match="Column 'a'"):
        inline_table({"a": values})


def test_a_name_that_is_given_twice_would_lose_a_column():
    with pytest.raises(ConfigurationError, match="'a' more than once"):
        inline_table([[1, 2]], feature_columns=["a", "a"])
