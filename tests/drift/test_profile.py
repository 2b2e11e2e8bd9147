"""Counting: any split of the rows, in any order, gives the same integers; nothing stops it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_inference.drift.analysis import Roles, analyse
from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.packing import pack, unpack_counts, unpack_numbers
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.rules.effect import EffectRule
from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.records import ProfileRecord

RNG = np.random.default_rng(0)
REFERENCE = pa.table(
    {
        "x": RNG.normal(size=3_000),
        "n": RNG.integers(0, 5, 3_000),
        "c": RNG.choice(["a", "b", "ä"], 3_000),
        "m": np.where(RNG.random(3_000) < 0.2, np.nan, RNG.exponential(size=3_000)),
    }
)
BASELINE = make_baseline(lambda: [REFERENCE], schema=REFERENCE.schema)


def counted(*tables):
    profiler = Profiler(BASELINE.columns)
    for table in tables:
        profiler.add(table)
    return profiler.profile()


def merged(columns, profiles):
    profiler = Profiler(columns)
    for profile in profiles:
        profiler.merge(profile)
    return profiler.profile()


def result(profile):
    return analyse(BASELINE, profile, column_names=REFERENCE.column_names, rule=EffectRule(), roles=Roles())


def integers(profile):
    """Return all that was counted, without the sums and means."""
    found = []
    for column in profile.columns:
        counts = unpack_counts(column.counts).tolist()
        if column.kind == "numeric":
            odd = (column.missing, column.negative_inf, column.positive_inf, column.min, column.max)
            found.append((column.name, column.rows, odd, counts))
        else:
            found.append((column.name, column.rows, column.missing, counts, column.other, column.unseen))
    return profile.rows, found, profile.changed, profile.skipped


values = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0]))
rows = st.fixed_dictionaries(
    {
        "x": values,
        "n": st.integers(-3, 9),
        "c": st.one_of(st.none(), st.sampled_from(["a", "b", "ä", "new", "newer", ""])),
        "m": st.one_of(st.none(), values),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=60), st.data())
def test_any_partition_in_any_order_gives_identical_integers_and_metrics_to_1e12(table, data):
    whole = pa.Table.from_pylist(table, schema=REFERENCE.schema)
    order = data.draw(st.permutations(range(len(table))))
    borders = sorted(data.draw(st.lists(st.integers(0, len(table)), max_size=5)))
    shuffled = whole.take(pa.array(order))
    parts = [
        shuffled.slice(start, stop - start) for start, stop in zip([0, *borders], [*borders, len(table)], strict=True)
    ]
    once, in_parts = counted(whole), counted(*parts)
    from_receipts = merged(BASELINE.columns, [counted(part) for part in data.draw(st.permutations(parts))])
    assert integers(once) == integers(in_parts) == integers(from_receipts)
    expected = result(once)
    for profile in (in_parts, from_receipts):
        found = result(profile)
        assert found.status == expected.status
        for left, right in zip(expected.columns, found.columns, strict=True):
            assert left.reference_counts == right.reference_counts
            assert left.current_counts == right.current_counts
            assert [c.status for c in left.checks] == [c.status for c in right.checks]
            assert right.metrics == pytest.approx(left.metrics, rel=1e-12, abs=1e-12)


def test_a_profile_comes_back_from_json_as_it_was():
    record = ProfileRecord(baseline_uri="file:///b", profile=counted(REFERENCE))
    assert ProfileRecord.from_json(record.to_json(), where="the test") == record


def test_the_mean_and_the_spread_are_those_of_all_values():
    table = pa.table({"x": np.random.default_rng(1).normal(5, 2, 200_001)})
    column = counted(*(table.slice(start, 7_001) for start in range(0, table.num_rows, 7_001))).columns[0]
    values = table["x"].to_numpy()
    assert column.mean == pytest.approx(values.mean(), rel=1e-12)
    assert column.m2 == pytest.approx(((values - values.mean()) ** 2).sum(), rel=1e-12)
    assert unpack_numbers(column.sums).sum() == pytest.approx(values.sum(), rel=1e-12)


def test_a_column_of_another_kind_is_named_and_one_of_nulls_fits_any():
    table = pa.table({"x": ["a"], "n": pa.nulls(1), "c": ["a"], "m": pa.nulls(1, pa.string())})
    profile = counted(table)
    assert profile.changed == {"x": "string"}
    assert [(column.name, column.missing) for column in profile.columns] == [("n", 1), ("c", 0), ("m", 1)]


def test_a_column_that_cannot_be_counted_is_named_and_stops_no_other():
    table = pa.table({"x": pa.array([[1.0]]), "n": [1], "c": ["a"], "m": [0.5]})
    profile = counted(table)
    assert profile.skipped == {"x": "columns of type list<item: double> are not compared"} or "x" in profile.changed
    assert [column.name for column in profile.columns] == ["n", "c", "m"]


def test_of_very_many_unseen_categories_some_are_kept_with_their_whole_counts():
    names = [f"new-{i:05d}" for i in range(5_000)]
    tables = [pa.table({"c": names[start : start + 900]}) for start in range(0, 5_000, 900)]
    profile = counted(*reversed(tables), *tables)
    (column,) = profile.columns
    assert column.other == 10_000
    assert column.unseen == tuple((name, 2) for name in names[:200])


def test_columns_that_the_baseline_lacks_are_passed_over():
    assert counted(pa.table({"other": [1.0]})).columns == ()


def test_no_rows_at_all_make_an_empty_profile():
    assert counted().rows == 0
    assert merged(BASELINE.columns, []).columns == ()


def test_numbers_at_the_ends_of_what_a_float_holds_stop_nothing():
    column = counted(pa.table({"x": [1.7e308, -1.7e308, 1.7e308, 5e-324]})).columns[0]
    assert unpack_counts(column.counts).sum() == 4
    assert result(counted(pa.table({"x": [1.7e308] * 40, "n": [1] * 40, "c": ["a"] * 40, "m": [1.0] * 40}))).columns


@pytest.mark.parametrize("text", ["no base64", "QUJD", pack(np.array([1, 2]))[:-8]])
def test_a_damaged_array_is_an_error_and_never_a_shorter_one(text):
    with pytest.raises(ArtifactIntegrityError, match="packed array"):
        unpack_counts(text)


def test_a_type_that_changes_only_in_a_later_part_is_found_too():
    good, bad = pa.table({"x": [1.0], "c": ["a"]}), pa.table({"x": ["a"], "c": ["a"]})
    for profile in (counted(good, bad), merged(BASELINE.columns, [counted(good), counted(bad)])):
        assert profile.changed == {"x": "string"}
        assert [column.name for column in profile.columns] == ["c"]
        assert profile.rows == 2


@pytest.mark.parametrize("number", [1, 70_000])
def test_very_large_numbers_have_a_spread_as_long_as_it_can_be_told(number):
    # The square of 1e160 overflows; that of a deviation of 1e150 does not.
    values = 1e160 + np.tile([-1e150, 1e150], number)
    column = counted(pa.table({"x": values})).columns[0]
    assert column.m2 == pytest.approx(2 * number * 1e300, rel=1e-4)
    (both,) = merged(BASELINE.columns, [counted(pa.table({"x": values}))] * 2).columns
    assert both.m2 == pytest.approx(2 * column.m2)
