"""Columns go to a model by name, in its order, and no cast changes a value."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.casts import LossyCastError, cast_inputs
from airflow_batch_inference.schema.inputs import OnlyTensor, plan_inputs
from airflow_batch_inference.schema.signature import refine_inputs, stated_inputs


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


def test_a_column_that_the_model_uses_already_is_no_guess():
    with pytest.raises(SignatureMismatchError, match=r"needs: 'f7'\. Its columns"):
        plan(pa.table({"f17": [1], "f3": [2]}), specs(f17="double", f7="double", f3="double"))


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
    sample = pa.schema([("a", pa.string()), ("b", pa.int64()), ("d", pa.list_(pa.int64()))])
    refined = refine_inputs(specs(a="any", b="double", c="any", d="any"), sample)
    assert [spec.type for spec in refined] == ["string", "double", "any", "any"]
    assert refine_inputs(None, sample) is None


def test_without_a_known_type_dictionaries_are_their_values_and_decimals_the_nearest_doubles():
    table = pa.table({"a": pa.array(["x", None]).dictionary_encode(), "b": [Decimal("0.10"), None], "c": [1, None]})
    for inputs in (specs(a="any", b="any", c="null"), None):
        found = cast_inputs(table, plan(table, inputs))
        assert found.schema.types == [pa.string(), pa.float64(), pa.int64()]
        assert found.to_pydict() == {"a": ["x", None], "b": [0.1, None], "c": [1, None]}


def test_an_integer_written_as_a_decimal_is_refused_where_a_double_would_change_it():
    with pytest.raises(LossyCastError) as excinfo:
        cast(pa.table({"a": [Decimal(7), Decimal(12345678901234567890)]}), a="any")
    assert (excinfo.value.row, excinfo.value.value) == (1, "12345678901234567890")


def test_the_row_that_a_double_would_change_is_the_one_that_is_named():
    with pytest.raises(LossyCastError) as excinfo:
        cast(pa.table({"a": [1, 2, 2**60]}), a="double")  # a power of two, which a double would hold
    assert excinfo.value.row == 2


def test_moments_are_cast_to_another_unit_and_zone_and_stay_the_same_instants():
    table = pa.table({"a": pa.array([1_767_268_800_000_000_000, None], pa.timestamp("ns", "Europe/Berlin"))})
    found = cast(table, a="timestamp[us, tz=UTC]").column("a")
    assert found.type == pa.timestamp("us", "UTC")
    assert found.cast(pa.int64()).to_pylist() == [1_767_268_800_000_000, None]
    with pytest.raises(LossyCastError):
        cast(pa.table({"a": pa.array([1], pa.timestamp("ns"))}), a="timestamp[s]")


@pytest.mark.parametrize(
    ("there", "wanted"), [("timestamp[us]", "timestamp[us, tz=UTC]"), ("timestamp[us, tz=UTC]", "timestamp[us]")]
)
def test_a_time_without_a_zone_is_no_instant(there, wanted):
    (spec,) = stated_inputs(specs(a="any"), {"a": there}, n_features=None)
    schema = pa.schema([("a", pa.timestamp("us", "UTC" if "tz" in spec.type else None))])
    with pytest.raises(SignatureMismatchError, match="nobody can tell the zone"):
        plan_inputs(schema, inputs=specs(a=wanted), n_features=None, where="the batch")


@pytest.mark.parametrize("inputs", [specs(a="any"), None])
@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float32(), 3), pa.struct({"x": pa.int64()})])
def test_lists_go_as_they_are_to_models_that_take_them_and_are_refused_for_others(inputs, kind):
    schema = pa.schema([("a", kind)])
    taken = plan_inputs(schema, inputs=inputs, n_features=1, where="the batch")
    assert taken.types == (None,)
    with pytest.raises(SignatureMismatchError, match=r"'a' of the batch holds .*one value a row.*signature=\{'a'"):
        plan_inputs(schema, inputs=inputs, n_features=1, where="the batch", takes_lists=False)


def test_lists_are_taken_where_the_signature_says_so_and_have_its_type():
    table = pa.table({"a": [[1, 2], [3, 4]]})
    inputs = specs(a="fixed_size_list<item: float>[2]")
    found = plan_inputs(table.schema, inputs=inputs, n_features=1, where="the batch", takes_lists=False)
    assert cast_inputs(table, found).column("a").type == pa.list_(pa.float32(), 2)
    with pytest.raises(LossyCastError) as excinfo:
        cast_inputs(pa.table({"a": [[1, 2], [3]]}), found)
    assert excinfo.value.row == 1


def test_a_list_is_no_number():
    with pytest.raises(SignatureMismatchError, match=r"holds list<item: double>, but the model takes double.*columns"):
        plan(pa.table({"a": [[1.0]]}), specs(a="double"))


def test_a_column_of_nulls_fits_every_input():
    table = pa.table({"a": pa.nulls(2), "b": pa.nulls(2), "c": pa.nulls(2), "d": pa.nulls(2, pa.string())})
    found = cast(table, a="double", b="string", c="timestamp[us, tz=UTC]", d="string")
    assert found.schema.types == [pa.float64(), pa.string(), pa.timestamp("us", "UTC"), pa.string()]
    assert found.to_pydict() == {name: [None, None] for name in "abcd"}


def test_an_empty_name_is_a_name():
    assert plan(pa.table({"": [1], "a": [2]}), specs(**{"a": "double", "": "double"})).columns == ("a", "")


def test_stated_types_take_the_place_of_known_ones_and_are_written_as_arrow_does():
    stated = {"petal length": "float64", "b": "any"}
    found = stated_inputs(specs(petal_length="any", b="double", c="int64"), stated, n_features=3)
    assert [(spec.name, spec.type) for spec in found] == [("petal_length", "double"), ("b", "any"), ("c", "int64")]
    assert stated_inputs(None, {}, n_features=2) is None


def test_stated_types_name_the_inputs_of_a_model_without_names():
    assert stated_inputs(None, {"x": "double", "y": "any"}, n_features=2) == specs(x="double", y="any")
    with pytest.raises(ConfigurationError, match=r"names 1 column.*takes 2 by position"):
        stated_inputs(None, {"x": "double"}, n_features=2)


@pytest.mark.parametrize(
    ("stated", "match"),
    [
        ({"agee": "int64"}, r"names 'agee', which is not an input of the model \(did you mean 'age'\?\)"),
        ({"age": "number"}, r"gives 'age' the type 'number', which is no Arrow type"),
    ],
)
def test_a_stated_column_or_type_that_there_is_not_is_refused(stated, match):
    with pytest.raises(ConfigurationError, match=match):
        stated_inputs(specs(age="any"), stated, n_features=1)


LISTS = pa.list_(pa.float32())


def tensor_plan(table, name="tensor", *, n_features=4, is_chosen=True):
    tensor = OnlyTensor(name, is_chosen=is_chosen)
    return plan_inputs(table.schema, inputs=None, n_features=n_features, where="the batch", tensor=tensor)


@pytest.mark.parametrize("name", ["tensor", "dense_input"])  # the network's own name, and what it is called elsewhere
def test_the_only_input_of_a_network_is_the_column_of_its_name_whatever_else_is_there(name):
    table = pa.table({"id": [1], name: pa.array([[1.0] * 4], LISTS), "other": pa.array([[2.0]], LISTS)})
    for called in {name, "dense_input"}:
        found = tensor_plan(table, called)
        assert (found.columns, found.ignored) == ((name,), ("id", "other"))
    assert tensor_plan(pa.table({"id": [1], "x": [0.5]}), "x", n_features=1).columns == ("x",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tensr": [[1.0] * 4]}, r"has tensr \(did you mean 'tensor'\?\).*\"feature_names\": \['tensr'\]"),
        ({"embedding": [[1.0] * 4]}, r"only input is 'tensor', but the batch has embedding\. Rename"),
        ({"id": [1], "tensr": [[1.0] * 4]}, r"has id, tensr \(did you mean 'tensor'\?\)"),
        ({"tensr": [1.0]}, r"did you mean 'tensor'"),
    ],
    ids=["near", "other", "beside", "number"],
)
def test_a_column_of_another_name_than_the_networks_only_input_is_refused(columns, message):
    with pytest.raises(SignatureMismatchError, match=message):
        tensor_plan(pa.table(columns))


def test_columns_of_numbers_are_the_values_of_the_only_input_in_their_order():
    table = pa.table({"a": [1.0], "x": [2.0], "c": [3.0], "d": [4.0]})
    assert tensor_plan(table, "x").columns == ("a", "x", "c", "d")
    assert tensor_plan(table, "x", n_features=None).columns == ("a", "x", "c", "d")


def test_a_name_that_a_framework_made_up_decides_nothing_where_there_is_one_column():
    table = pa.table({"embedding": pa.array([[1.0] * 4], LISTS)})
    assert tensor_plan(table, "keras_tensor_3", is_chosen=False).columns == ("embedding",)
