"""Columns go to a model by name, in its order, and no cast changes a value."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import SignatureMismatchError
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.signature import LossyCastError, cast_inputs, plan_inputs, refine_inputs


def specs(**types):
    return tuple(ColumnSpec(name=name, type=kind) for name, kind in types.items())


def plan(table, inputs, n_features=None):
    return plan_inputs(table.schema, inputs=inputs, n_features=n_features, where="the batch")


def cast(table, **types):
    return cast_inputs(table, plan(table, specs(**types)))


def test_columns_are_taken_by_name_in_the_models_order():
    table = pa.table({"b": [1], "extra": ["x"], "a": [2]})
    found = plan(table, specs(a="double", b="double"))
    assert (found.columns, found.ignored) == (("a", "b"), ("extra",))
    assert cast_inputs(table, found).to_pydict() == {"a": [2.0], "b": [1.0]}


def test_a_missing_column_is_named_with_a_guess_and_all_that_there_is():
    table = pa.table({"Age": [1], "income": [2]})
    with pytest.raises(SignatureMismatchError, match=r"'age' \(did you mean 'Age'\?\), 'zip'.*Age, income"):
        plan(table, specs(age="double", zip="double"))


def test_blanks_match_lightgbms_underscores_where_that_is_certain():
    assert plan(pa.table({"mean radius": [1.0]}), specs(mean_radius="double")).columns == ("mean radius",)
    both = pa.table({"mean radius": [1.0], "mean\tradius": [1.0]})
    with pytest.raises(SignatureMismatchError):
        plan(both, specs(mean_radius="double"))


def test_a_model_without_names_takes_columns_by_position_and_counts_them():
    table = pa.table({"x": [1], "y": [2]})
    assert plan(table, None, n_features=2).columns == ("x", "y")
    with pytest.raises(SignatureMismatchError, match=r"takes 3 columns by position.*has 2.*drop_columns"):
        plan(table, None, n_features=3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None], pa.int8()), [1.0, None]),
        (pa.array([True, False]), [1.0, 0.0]),
        (pa.array([0.5], pa.float32()), [0.5]),
        (pa.array([Decimal("1.25")]), [1.25]),
        (pa.array([2**53]), [float(2**53)]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_numbers_become_doubles_without_a_change(values, expected):
    assert cast(pa.table({"a": values}), a="double").column("a").to_pylist() == expected


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_an_integer_that_no_double_holds_is_refused_with_its_row(kind):
    with pytest.raises(LossyCastError) as excinfo:
        cast(pa.table({"a": pa.array([1, None, 2**53 + 1], kind)}), a="double")
    assert (excinfo.value.column, excinfo.value.row, excinfo.value.value) == ("a", 2, str(2**53 + 1))


@pytest.mark.parametrize("values", [["1"], [b"1"], [[1]]])
@pytest.mark.parametrize("kind", ["double", "int64"])
def test_other_kinds_are_never_cast_to_numbers(values, kind):
    with pytest.raises(SignatureMismatchError, match="No cast between them is safe"):
        cast(pa.table({"a": values}), a=kind)


def test_numbers_are_never_cast_to_text():
    with pytest.raises(SignatureMismatchError, match="holds int64, but the model takes string"):
        cast(pa.table({"a": [270]}), a="string")


def test_an_integer_input_keeps_integers_and_takes_fractions_as_they_are():
    assert cast(pa.table({"a": pa.array([270, None], pa.int32())}), a="int64").column("a").to_pylist() == [270, None]
    assert cast(pa.table({"a": [2.5]}), a="int64").column("a").to_pylist() == [2.5]


def test_an_unknown_type_is_left_as_it_is():
    table = pa.table({"a": [["list"]]})
    assert cast(table, a="any").column("a").type == table.schema.field("a").type


def test_a_sample_tells_the_types_that_the_model_does_not_know():
    sample = pa.schema([("a", pa.string()), ("b", pa.int64())])
    refined = refine_inputs(specs(a="any", b="double", c="any"), sample)
    assert [spec.type for spec in refined] == ["string", "double", "any"]
    assert refine_inputs(None, sample) is None
