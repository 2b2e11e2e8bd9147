"""Small records in the DAG itself."""

from __future__ import annotations

import pytest

from airflow_batch_inference.datasets.inline import MAX_INLINE_ROWS, inline_table, is_inline
from airflow_batch_inference.exceptions import ConfigurationError, DataError


@pytest.mark.parametrize(
    ("dataset", "inline"),
    [("/data", False), (["/a", "/b"], False), ([[1]], True), ([{"a": 1}], True), ({"a": [1]}, True), ([1], True)],
)
def test_records_are_told_from_uris(dataset, inline):
    assert is_inline(dataset) is inline


@pytest.mark.parametrize(
    "dataset", [[[1, "x"], [2, None]], [{"a": 1, "b": "x"}, {"a": 2}], {"a": [1, 2], "b": ["x", None]}]
)
def test_all_three_forms_give_one_table(dataset):
    assert inline_table(dataset, feature_columns=["a", "b"]).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_names_may_be_of_all_columns_or_of_those_that_are_kept():
    rows = [[9, 1, 2]]
    assert inline_table(rows, feature_columns=["id", "a", "b"], dropped=[0]).column_names == ["id", "a", "b"]
    assert inline_table(rows, model_names=["a", "b"], dropped=[0]).column_names == ["column_0", "a", "b"]
    with pytest.raises(ConfigurationError, match="have 3 values"):
        inline_table(rows, feature_columns=["a"])


def test_whole_and_broken_numbers_mix():
    assert inline_table({"a": [1, 2.5, None]}).column("a").to_pylist() == [1.0, 2.5, None]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ([[1, 2], [3]], "Row 1 of the inline dataset has 1 values"),
        ([[1], {"a": 1}], "Row 1 of the inline dataset is a dict"),
        ({"a": [1], "b": [1, 2]}, "differ in length"),
        ({"a": [1, "x"]}, "Column 'a' of the inline dataset mixes types.*row 1 holds 'x'"),
    ],
)
def test_records_that_are_no_table_are_refused(dataset, message):
    with pytest.raises(DataError, match=message):
        inline_table(dataset)


def test_more_rows_than_belong_into_a_dag_are_refused():
    with pytest.raises(ConfigurationError, match=f"the limit is {MAX_INLINE_ROWS}"):
        inline_table([[1]] * (MAX_INLINE_ROWS + 1))
