"""Few bins with enough rows each, chosen by both sides together; every row is in one of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from airflow_batch_inference.drift.bin_merging import EXPECTED_ROWS, merge_category_bins, merge_number_bins
from airflow_batch_inference.drift.bins import equal_width_edges, reference_edges

WITHOUT = st.tuples(st.integers(0, 500), st.integers(0, 500))
SEEDS = st.integers(0, 2**32)


def on_edges(values, edges):
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def sides(reference, current):
    ordered = np.sort(reference)
    edges = reference_edges(ordered, equal_width_edges(float(ordered[0]), float(ordered[-1])))
    return on_edges(reference, edges), on_edges(current, edges), edges


def expected(merged):
    """Rows of the smaller side that each bin would have if both were alike."""
    totals = merged.reference.sum(), merged.current.sum()
    return (merged.reference + merged.current) * min(totals) / max(1, sum(totals))


def assert_holds_every_row_once(merged, before, now, without):
    kept = without if merged.has_missing else (0, 0)
    assert merged.reference.sum() == before.sum() + kept[0]
    assert merged.current.sum() == now.sum() + kept[1]
    assert len(merged.reference) == len(merged.current)
    if merged.has_missing:
        assert (merged.reference[-1], merged.current[-1]) == without


@given(SEEDS, st.integers(1, 3000), st.integers(0, 3000), st.floats(-3, 3), st.sampled_from([0, 1, 9]), WITHOUT)
@settings(max_examples=60)
def test_every_number_is_in_one_bin_and_bins_have_enough_rows(seed, rows, number, shift, digits, without):
    rng = np.random.default_rng(seed)
    before, now, edges = sides(rng.normal(size=rows).round(digits), (rng.normal(size=number) + shift).round(digits))
    merged = merge_number_bins(before, now, edges, without)
    assert_holds_every_row_once(merged, before, now, without)
    assert len(merged.kept) == len(merged.reference) - 1 - merged.has_missing
    assert np.all(np.diff(merged.kept) > 0)
    values = merged.reference[: len(merged.kept) + 1], merged.current[: len(merged.kept) + 1]
    np.testing.assert_array_equal(values[0], on_edges_of(before, merged.kept))
    np.testing.assert_array_equal(values[1], on_edges_of(now, merged.kept))
    if len(merged.kept) and not sum(without):
        assert expected(merged).min() >= EXPECTED_ROWS - 1e-6


def on_edges_of(fine, kept):
    """Add up fine counts between the kept edges, in the plainest way."""
    borders = [0, *(edge + 1 for edge in kept), len(fine)]
    return [int(fine[start:stop].sum()) for start, stop in pairwise(borders)]


@given(
    arrays(np.int64, 12, elements=st.integers(0, 200)),
    arrays(np.int64, 12, elements=st.integers(0, 200)),
    WITHOUT,
)
@settings(max_examples=60)
def test_every_category_is_in_one_bin_and_named_ones_have_enough_rows(before, now, without):
    merged = merge_category_bins(before, now, without)
    assert_holds_every_row_once(merged, before, now, without)
    np.testing.assert_array_equal(merged.reference[: len(merged.kept)], before[merged.kept])
    np.testing.assert_array_equal(merged.current[: len(merged.kept)], now[merged.kept])
    assert 11 not in merged.kept  # the last are all that have no name


@given(arrays(np.int64, 8, elements=st.integers(0, 200)), arrays(np.int64, 8, elements=st.integers(0, 200)))
@settings(max_examples=40)
def test_categories_are_chosen_by_both_sides_together_whichever_is_the_reference(one, other):
    first, second = merge_category_bins(one, other, (0, 0)), merge_category_bins(other, one, (0, 0))
    assert first.kept.tolist() == second.kept.tolist()
    assert first.reference.tolist() == second.current.tolist()


def test_a_large_column_has_the_grids_bins():
    rng = np.random.default_rng(0)
    before, now, edges = sides(rng.normal(size=100_000), rng.normal(size=100_000))
    merged = merge_number_bins(before, now, edges, (0, 0))
    assert 22 <= len(merged.reference) <= 26
    middle = merged.reference[4:-4] / 100_000
    assert np.all(np.abs(middle - 0.05) < 0.006)


def test_a_value_that_makes_up_much_of_the_reference_has_a_bin_of_its_own():
    values = np.concatenate([np.random.default_rng(0).normal(size=5000), np.zeros(500)])
    before, now, edges = sides(values, values)
    merged = merge_number_bins(before, now, edges, (0, 0))
    assert 500 in merged.reference
    place = int(np.flatnonzero(merged.reference == 500)[0])
    assert edges[merged.kept[place - 1]] == 0.0


def test_what_lies_outside_the_references_range_is_in_bins_with_next_to_nothing_of_it():
    rng = np.random.default_rng(0)
    before, now, edges = sides(rng.random(5000), rng.random(5000) * 3 - 1)
    merged = merge_number_bins(before, now, edges, (0, 0))
    assert max(merged.reference[0], merged.reference[-1]) <= 5  # beyond its .001 and .999 quantiles
    assert min(merged.current[0], merged.current[-1]) > 1000


def test_few_rows_have_one_bin():
    before, now, edges = sides(np.arange(10.0), np.arange(10.0))
    merged = merge_number_bins(before, now, edges, (0, 0))
    assert (merged.reference.tolist(), merged.current.tolist(), merged.kept.tolist()) == ([10], [10], [])


@pytest.mark.parametrize(("without", "has_missing"), [((0, 0), False), ((10, 10), False), ((50, 50), True)])
def test_missing_values_have_a_bin_where_there_are_enough_of_them(without, has_missing):
    before, now, edges = sides(np.arange(1000.0), np.arange(1000.0))
    assert merge_number_bins(before, now, edges, without).has_missing is has_missing
    assert merge_category_bins(np.array([500, 500, 0]), np.array([500, 500, 0]), without).has_missing is has_missing


def test_rare_and_unnamed_categories_share_a_bin():
    before, now = np.array([900, 90, 5, 5, 0]), np.array([900, 90, 3, 2, 5])
    merged = merge_category_bins(before, now, (0, 0))
    assert (merged.kept.tolist(), merged.reference.tolist(), merged.current.tolist()) == (
        [0, 1],
        [900, 90, 10],
        [900, 90, 10],
    )
    named = merge_category_bins(np.array([900, 90, 0]), np.array([900, 90, 0]), (0, 0))
    assert named.reference.tolist() == [900, 90]


@pytest.mark.parametrize("counts", [np.array([0]), np.array([0, 0, 0])])
def test_nothing_at_all_is_no_error(counts):
    merged = merge_category_bins(counts, counts, (7, 9))
    assert merged.reference.sum() == 0
    numbers = merge_number_bins(counts[:1], counts[:1], np.empty(0), (7, 9))
    assert (numbers.reference.tolist(), numbers.kept.tolist()) == ([0], [])
