from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.units import Unit
from airflow_batch_inference.jobs.plan import mini_batch_rows, plan_parts

MIB = 1 << 20


def unit(rows, mib=0, *, divisible=True, start=0):
    return Unit(start, start + 1, rows, mib * MIB, divisible=divisible)


def shape(*files):
    """The parts as lists of (file, first row, rows)."""
    return [[(r.split, r.first_row, r.rows) for r in part.ranges] for part in plan_parts(files)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], [[]]),
        ([[]], [[]]),
        ([[unit(10)]], [[(0, 0, 10)]]),
        # small files are packed together, in order
        ([[unit(60_000)], [unit(60_000)], [unit(60_000)]], [[(0, 0, 60_000), (1, 0, 60_000)], [(2, 0, 60_000)]]),
        ([[unit(10, 100)], [unit(10, 100)]], [[(0, 0, 10)], [(1, 0, 10)]]),
        # units of one file that follow each other are one range
        ([[unit(10), unit(20, start=1)]], [[(0, 0, 30)]]),
        # large units are cut by rows, or by bytes
        ([[unit(300_000)]], [[(0, 0, 131_072)], [(0, 131_072, 131_072)], [(0, 262_144, 37_856)]]),
        ([[unit(100, 256)]], [[(0, 0, 50)], [(0, 50, 50)]]),
        ([[unit(300_000, divisible=False)]], [[(0, 0, 300_000)]]),
        # a small file after a large one shares the last part
        ([[unit(140_000)], [unit(5)]], [[(0, 0, 131_072)], [(0, 131_072, 8_928), (1, 0, 5)]]),
    ],
)
def test_parts_are_cut_by_rows_and_bytes(files, expected):
    assert shape(*files) == expected


def test_a_range_knows_where_its_units_begin_and_how_many_rows_to_pass_over():
    first, second = plan_parts([[unit(100_000), unit(200_000, start=1)]])[:2]
    assert [(r.start, r.stop, r.skip) for r in first.ranges] == [(0, 1, 0)]
    assert [(r.start, r.stop, r.skip) for r in second.ranges] == [(1, 2, 0)]


UNITS = st.builds(
    lambda rows, size, divisible: Unit(0, 1, rows, size, divisible=divisible),
    st.integers(0, 400_000),
    st.integers(0, 400 * MIB),
    st.booleans(),
)


@given(st.lists(st.lists(UNITS, max_size=5), max_size=8))
def test_every_row_is_in_exactly_one_part_in_order_and_no_part_is_too_large(files):
    parts = plan_parts(files)
    assert [part.index for part in parts] == list(range(len(parts)))
    runs = [(r.split, r.first_row, r.rows) for part in parts for r in part.ranges]
    for file, units in enumerate(files):
        mine = [(first, rows) for where, first, rows in runs if where == file]
        ends = [first + rows for first, rows in mine]
        assert [first for first, _ in mine] == [0, *ends][: len(mine)]
        assert (ends or [0])[-1] == sum(unit.rows for unit in units)
    assert [where for where, _, _ in runs] == sorted(where for where, _, _ in runs)
    for part in parts:
        assert part.rows == sum(r.rows for r in part.ranges)
        undivided = any(not unit.divisible for units in files for unit in units)
        assert part.rows <= 131_072 or undivided


@pytest.mark.parametrize(("wanted", "expected"), [(1, 1), (70_000, 70_000), ("500", 500)])
def test_a_number_is_taken_as_it_is(wanted, expected):
    assert mini_batch_rows(wanted, pa.schema([])) == expected


@pytest.mark.parametrize("wanted", [0, -1, 1.5, True, None, "0", "-1", "1.5", "many", ""])
def test_anything_else_is_refused(wanted):
    with pytest.raises(ConfigurationError, match=r'must be "auto" or a whole number of at least 1'):
        mini_batch_rows(wanted, pa.schema([]))


@pytest.mark.parametrize(("columns", "expected"), [(1, 65_536), (100, 8_192), (20, 32_768), (5_000, 1_024)])
def test_auto_takes_8_mib_within_its_limits(columns, expected):
    doubles = pa.schema([(f"c{number}", pa.float64()) for number in range(columns)])
    assert mini_batch_rows("auto", doubles) == expected


def test_auto_reckons_with_text_booleans_and_lists():
    schema = pa.schema([("text", pa.string()), ("flag", pa.bool_()), ("list", pa.list_(pa.int8()))] * 10)
    assert mini_batch_rows("auto", schema) == 8_192  # 65 bytes, ten times
