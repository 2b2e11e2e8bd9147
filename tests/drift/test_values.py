"""Every Arrow type is numbers, or categories, or refused by name."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.values import (
    COLUMN_ERRORS,
    MAX_CATEGORY_CHARACTERS,
    UnsupportedColumnError,
    category_counts,
    family,
    is_categorical,
    most_frequent,
    number_counted,
    numbers,
    summed,
)


def floats(values):
    return np.concatenate([*numbers(pa.chunked_array([values])), np.empty(0)]).tolist()


def categories(values):
    counts = category_counts(pa.chunked_array([values]))
    return most_frequent(counts, counts.num_rows)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (pa.array([date(1970, 1, 2), date(1969, 12, 31)]), [86_400.0, -86_400.0]),
        (pa.array([date(1970, 1, 2), date(1969, 12, 31)], pa.date64()), [86_400.0, -86_400.0]),
        (pa.array([1_500, -2_000], pa.timestamp("ms", "UTC")), [1.5, -2.0]),
        (pa.array([-5, 5], pa.duration("us")), [-5e-6, 5e-6]),
        (pa.array([30, 90], pa.time32("s")), [30.0, 90.0]),
        (pa.array([30, 90], pa.time32("ms")), [0.03, 0.09]),
        (pa.array([30, 90], pa.time64("us")), [3e-5, 9e-5]),
        (pa.array([30, 90], pa.time64("ns")), [3e-8, 9e-8]),
    ],
)
def test_dates_and_times_are_numbers_of_seconds(values, seconds):
    assert floats(values) == seconds
    assert not is_categorical(values.type)


@pytest.mark.parametrize("make", [pa.timestamp, pa.duration])
def test_the_same_moments_are_the_same_numbers_in_any_unit(make):
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    found = [floats(pa.array([90_061 * each, -each], make(unit))) for unit, each in ticks.items()]
    assert found == [[90_061.0, -1.0]] * 4


def test_the_same_wall_clock_in_two_zones_is_two_moments_an_hour_apart():
    (utc,) = floats(pa.array([0], pa.timestamp("s", "UTC")))
    there = pa.array([pd.Timestamp("1970-01-01 00:00", tz="Europe/Berlin")])
    assert utc - floats(there)[0] == 3600.0


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint16(), pa.int32(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()]
)
def test_whole_and_broken_numbers_of_any_width_are_numbers(kind):
    values = pa.array(np.array([3, 0, 1], kind.to_pandas_dtype()), kind)
    assert floats(values) == [3.0, 0.0, 1.0]
    assert not is_categorical(kind)


@pytest.mark.parametrize("kind", [pa.decimal32(5, 2), pa.decimal64(9, 2), pa.decimal128(10, 2), pa.decimal256(40, 2)])
def test_decimals_of_any_width_are_numbers(kind):
    assert floats(pa.array([Decimal("1.10"), None, Decimal("-2.20")], kind)) == [1.1, -2.2]


def test_whole_numbers_over_2_to_the_53_are_rounded_and_refused_by_nothing():
    assert floats(pa.array([2**64 - 1, 2**53 + 1, None], pa.uint64())) == [2.0**64, 2.0**53]


@pytest.mark.parametrize("kind", ["Int64", "UInt8", "Float32", "Float64"])
def test_pandas_nullable_numbers_are_numbers_without_their_nulls(kind):
    assert floats(pa.array(pd.Series([3, None, 1], dtype=kind))) == [3.0, 1.0]


def test_nan_and_infinities_are_passed_on_and_nulls_are_not():
    found = floats(pa.array([1.0, None, float("nan"), float("inf"), float("-inf")]))
    np.testing.assert_array_equal(found, [1.0, np.nan, np.inf, -np.inf])


def test_a_column_of_nulls_only_has_no_numbers():
    assert floats(pa.nulls(3)) == []
    assert floats(pa.nulls(3, pa.float64())) == []


def test_slices_and_chunks_do_not_matter():
    values = pa.array([0.5, None, 2.5, 3.5, None])
    chunked = pa.chunked_array([values[1:3], values[:0], values[3:]])
    assert np.concatenate(list(numbers(chunked))).tolist() == [2.5, 3.5]
    words = pa.array(["a", "b", "a"]).dictionary_encode(), pa.array(["c", None, "a"]).dictionary_encode()
    assert most_frequent(category_counts(pa.chunked_array(words)), 9) == (("a", 3), ("b", 1), ("c", 1))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1]]),
        pa.array([b"a"]),
        pa.array([b"a"], pa.binary(1)),
        pa.array([{"a": 1}]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    ],
)
def test_a_type_without_a_distribution_is_refused_by_name(values):
    assert not is_categorical(values.type)
    with pytest.raises(UnsupportedColumnError, match=str(values.type)[:4]):
        floats(values)
    assert issubclass(UnsupportedColumnError, COLUMN_ERRORS)


def test_categories_are_text_however_they_are_stored_and_a_null_is_none_of_them():
    text = pa.array(["b", "a", None, "b", ""])
    stored = [text, text.dictionary_encode(), text.cast(pa.large_string()), text.cast(pa.string_view())]
    stored.append(text.cast(pa.large_string()).dictionary_encode())
    for values in stored:
        assert is_categorical(values.type)
        assert family(str(values.type)) == "category"
        assert categories(values) == (("b", 2), ("", 1), ("a", 1)), values.type


def test_a_null_in_a_dictionary_is_no_category():
    hidden = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), pa.array([None, "a"]))
    assert categories(hidden) == (("a", 2),)


def test_a_category_that_stands_twice_in_a_dictionary_is_one():
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["a", "b", "a"]))
    assert categories(twice) == (("a", 2), ("b", 1))


def test_booleans_and_numbered_categories_are_categories():
    assert categories(pa.array([True, False, None, True])) == (("true", 2), ("false", 1))
    assert categories(pa.array(pd.Categorical([7, 8, None, 8]))) == (("8", 2), ("7", 1))


def test_free_text_is_told_apart_by_its_first_characters_only():
    start = "\N{GRINNING FACE}" * MAX_CATEGORY_CHARACTERS
    assert MAX_CATEGORY_CHARACTERS == 200
    assert categories(pa.array([start + "a", start + "b", "c"])) == ((start, 2), ("c", 1))


def test_bytes_that_are_no_text_cannot_be_categories():
    broken = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([b"\xff"]))
    with pytest.raises(COLUMN_ERRORS):
        categories(broken)


@pytest.mark.parametrize("kind", [pa.string(), pa.bool_(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])
def test_a_column_of_no_rows_has_no_categories(kind):
    counts = category_counts(pa.chunked_array([], kind))
    assert (most_frequent(counts, 5), number_counted(counts)) == ((), 0)


def test_the_most_frequent_are_first_and_ties_go_by_name():
    counts = pa.table({"name": ["d", "b", "a", "c", "d"], "count": [1, 2, 2, 5, 1]})
    assert most_frequent(summed(counts), 3) == (("c", 5), ("a", 2), ("b", 2))
    assert number_counted(counts) == 11


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("string", "category"),
        ("string_view", "category"),
        ("dictionary<values=string, indices=int8, ordered=0>", "category"),
        ("bool", "category"),
        ("timestamp[us, tz=UTC]", "moment"),
        ("date64[ms]", "moment"),
        ("duration[ns]", "duration"),
        ("time32[s]", "time of day"),
        ("time64[us]", "time of day"),
        ("halffloat", "number"),
        ("decimal128(10, 2)", "number"),
    ],
)
def test_types_of_one_family_compare_and_others_do_not(kind, expected):
    assert family(kind) == expected


def test_numbers_are_read_without_importing_pandas(tmp_path):
    (tmp_path / "d.csv").write_text("x,k\n1,a\n,b\n")
    # pa.array would import pandas by itself; and a thread of Arrow that reads a Python file may outlive a process that
    # ends at once, and abort it.
    code = (
        "import sys\n"
        "from pyarrow import csv\n"
        "from airflow_batch_inference.drift.values import numbers\n"
        "assert sum(map(len, numbers(csv.read_csv(sys.argv[1])['x']))) == 1\n"
        "assert 'pandas' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "d.csv"], check=False).returncode == 0
