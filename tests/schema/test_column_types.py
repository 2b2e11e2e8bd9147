"""Arrow types by name, and which type goes into which input."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_batch_inference.schema.column_types import arrow_type, is_nested, plain_type, target_type

NAMED = [
    pa.int64(), pa.uint8(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.null(),
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary(4),
    pa.date32(), pa.date64(), pa.time32("s"), pa.time64("ns"), pa.duration("ms"),
    pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.timestamp("s", "Europe/Berlin"), pa.timestamp("ms", "+02:00"),
    pa.decimal128(10, 2), pa.decimal128(38, -3), pa.decimal256(50, 0),
    pa.list_(pa.float32()), pa.large_list(pa.string()), pa.list_(pa.float64(), 3),
    pa.list_(pa.list_(pa.float32(), 3), 2),
]  # fmt: skip


@pytest.mark.parametrize("kind", NAMED, ids=str)
def test_every_type_is_found_again_by_the_name_that_arrow_gives_it(kind):
    assert arrow_type(str(kind)) == kind


@pytest.mark.parametrize(
    "name", ["number", "", "timestamp[us, tz=]", "decimal128(99, 2)", "list<item: number>", "list"]
)
def test_a_name_of_no_type_is_none(name):
    assert arrow_type(name) is None


def test_a_dictionary_is_its_values():
    kind = pa.dictionary(pa.int8(), pa.string())
    assert arrow_type(str(kind)) == plain_type(kind) == target_type(kind, pa.string()) == pa.string()
    assert target_type(kind, pa.float64()) is None


@pytest.mark.parametrize(
    ("there", "wanted", "found"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.float64(), pa.int64(), pa.float64()),
        (pa.decimal128(10, 2), pa.int64(), pa.float64()),
        (pa.int64(), pa.decimal128(10, 2), pa.float64()),
        (pa.bool_(), pa.float32(), pa.float32()),
        (pa.bool_(), pa.bool_(), pa.float64()),
        (pa.large_string(), pa.string_view(), pa.string()),
        (pa.timestamp("ns"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("us", "Europe/Berlin"), pa.timestamp("ms", "UTC"), pa.timestamp("ms", "UTC")),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
        (pa.date32(), pa.date64(), pa.date64()),
        (pa.time32("s"), pa.time64("us"), pa.time64("us")),
        (pa.duration("s"), pa.duration("ms"), pa.duration("ms")),
        (pa.binary(), pa.large_binary(), pa.large_binary()),
        (pa.list_(pa.int64()), pa.list_(pa.float32(), 2), pa.list_(pa.float32(), 2)),
        (pa.null(), pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
        (pa.null(), pa.list_(pa.float32()), pa.list_(pa.float32())),
    ],
)
def test_what_means_the_same_is_cast(there, wanted, found):
    assert target_type(there, wanted) == found


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (pa.int64(), pa.string()),
        (pa.string(), pa.float64()),
        (pa.binary(), pa.string()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us", "UTC"), pa.timestamp("us")),
        (pa.date32(), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.date32()),
        (pa.timestamp("us"), pa.float64()),
        (pa.int64(), pa.timestamp("us")),
        (pa.list_(pa.float64()), pa.float64()),
        (pa.float64(), pa.list_(pa.float64())),
        (pa.list_(pa.string()), pa.list_(pa.float64())),
        (pa.struct({"a": pa.int64()}), pa.float64()),
    ],
)
def test_what_does_not_mean_the_same_is_not_cast(there, wanted):
    assert target_type(there, wanted) is None


@pytest.mark.parametrize(("kind", "nested"), [
    (pa.list_(pa.int8()), True), (pa.list_(pa.int8(), 2), True), (pa.list_view(pa.int8()), True),
    (pa.map_(pa.string(), pa.int8()), True), (pa.dictionary(pa.int8(), pa.string()), False), (pa.string(), False),
])  # fmt: skip
def test_lists_structs_and_maps_hold_several_values_a_row(kind, nested):
    assert is_nested(kind) == nested
