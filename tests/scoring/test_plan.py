from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DataFile
from airflow_batch_inference.scoring.plan import mini_batch_rows, plan_parts

MIB = 1 << 20


def files(*sizes):
    return [DataFile(uri=f"file:///{number}", size_bytes=size, version="1") for number, size in enumerate(sizes)]


def positions(*sizes):
    return [part.positions for part in plan_parts(files(*sizes))]


@pytest.mark.parametrize(
    ("sizes_mib", "expected"),
    [
        ([], [()]),
        ([1], [(0,)]),
        ([100, 100, 56], [(0, 1, 2)]),
        ([100, 100, 57], [(0, 1), (2,)]),
        ([1000], [(0,)]),
        ([1, 1000, 1], [(0,), (1,), (2,)]),
    ],
)
def test_consecutive_files_are_packed_up_to_256_mib(sizes_mib, expected):
    assert positions(*[size * MIB for size in sizes_mib]) == expected


@given(st.lists(st.integers(0, 600 * MIB), max_size=30))
def test_every_file_is_in_exactly_one_part_in_order_and_no_part_is_too_large(sizes):
    parts = plan_parts(files(*sizes))
    assert [position for part in parts for position in part.positions] == list(range(len(sizes)))
    assert [part.index for part in parts] == list(range(len(parts)))
    for part in parts:
        assert len(part.positions) <= 1 or sum(sizes[position] for position in part.positions) <= 256 * MIB
        assert part.positions or not sizes


@pytest.mark.parametrize(("wanted", "expected"), [(1, 1), (70_000, 70_000), ("500", 500)])
def test_a_number_is_taken_as_it_is(wanted, expected):
    assert mini_batch_rows(wanted, pa.schema([])) == expected


@pytest.mark.parametrize("wanted", [0, -1, 1.5, True, None, "0", "-1", "1.5", "many", ""])
def test_anything_else_is_refused(wanted):
    with pytest.raises(ConfigurationError, match=r'must be "auto" or a whole number of at least 1'):
        mini_batch_rows(wanted, pa.schema([]))


@pytest.mark.parametrize(("columns", "expected"), [(1, 65_536), (100, 16 * MIB // 800), (5_000, 1_024)])
def test_auto_takes_16_mib_within_its_limits(columns, expected):
    doubles = pa.schema([(f"c{number}", pa.float64()) for number in range(columns)])
    assert mini_batch_rows("auto", doubles) == expected


def test_auto_reckons_with_text_booleans_and_lists():
    schema = pa.schema([("text", pa.string()), ("flag", pa.bool_()), ("list", pa.list_(pa.int8()))] * 10)
    assert mini_batch_rows("auto", schema) == 16 * MIB // ((32 + 1 + 32) * 10)
