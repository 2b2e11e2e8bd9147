"""Edges that lose no value, keep repeated ones apart, and give back MLRun's histogram exactly."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_batch_inference.drift.bins import (
    QUANTILES,
    closed,
    equal_width_edges,
    is_one_point,
    reference_edges,
    regrouped,
)

LARGEST = np.finfo(float).max
TINY = 5e-324

ODD = [
    [7.5],
    [7.5] * 40,
    [0.0, 1.0] * 30,
    [0.0, -0.0],
    [1e308, -1e308],
    [LARGEST, -LARGEST],
    [LARGEST] * 3,
    [TINY, 0.0],
    [TINY, 2 * TINY],
    [0.0, 30 * TINY],
    [TINY, -1e308],
    [1e300, 1e300],
    [1.0, math.nextafter(1.0, 2.0)],
    [0.1] * 999 + [1e9],
]


@st.composite
def drawn(draw):
    """Some thousand numbers: continuous, rounded so that many repeat, or with one value that half of them have."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.normal(size=draw(st.integers(1, 3000))) * 10.0 ** draw(st.integers(-300, 300))
    digits = draw(st.sampled_from([None, 0, 1, 2]))
    if digits is not None:
        scale = np.abs(values).max()
        values = np.round(values / scale, digits) * scale
    values[: int(draw(st.sampled_from([0, 0.1, 0.5])) * len(values))] = values[0]
    return values.tolist()


ANY = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50) | drawn()


def edges_of(values):
    ordered = np.sort(np.array(values, dtype=float))
    histogram_edges = equal_width_edges(float(ordered[0]), float(ordered[-1]))
    return ordered, histogram_edges, reference_edges(ordered, histogram_edges)


def counted(ordered, edges):
    """Count in the plainest way: below the first edge, in each [edge, next edge), from the last edge on."""
    return np.bincount(np.searchsorted(edges, ordered, side="right"), minlength=len(edges) + 1)


def odd_examples(test):
    for values in ODD:
        test = example(values)(test)
    return test


@odd_examples
@given(ANY)
def test_edges_increase_strictly_and_are_few(values):
    _, _, edges = edges_of(values)
    assert np.all(np.isfinite(edges))
    assert np.all(edges[1:] > edges[:-1])
    assert len(edges) <= 1050


@odd_examples
@given(ANY)
def test_a_bin_of_more_than_one_value_holds_at_most_one_in_256_rows(values):
    ordered, _, edges = edges_of(values)
    place = np.searchsorted(edges, ordered, side="right")
    for held in np.split(ordered, np.flatnonzero(np.diff(place)) + 1):
        assert len(held) <= len(ordered) / QUANTILES or held[0] == held[-1]


@odd_examples
@given(ANY)
def test_a_value_that_repeats_has_a_bin_of_its_own(values):
    ordered, _, edges = edges_of(values)
    distinct, counts = np.unique(ordered, return_counts=True)
    atoms = distinct[(counts > len(ordered) / QUANTILES) & (distinct < LARGEST)]
    starts = edges[:-1][is_one_point(edges)]
    assert np.all(np.isin(atoms, starts))


@odd_examples
@given(ANY)
def test_every_value_falls_into_one_bin_between_the_edges(values):
    ordered, _, edges = edges_of(values)
    counts = counted(ordered, edges)
    assert counts.sum() == len(ordered)
    assert counts[0] == 0
    assert counts[-1] == np.count_nonzero(ordered == LARGEST)  # there is no edge after it


@odd_examples
@given(ANY)
def test_mlruns_edges_are_among_them_and_lose_no_value(values):
    ordered, histogram_edges, edges = edges_of(values)
    wanted = closed(histogram_edges)
    assert len(histogram_edges) == 21
    assert all(low <= high for low, high in pairwise(histogram_edges.tolist()))
    assert np.all(np.isin(wanted[np.isfinite(wanted)], edges))
    grouped = regrouped(counted(ordered, edges), edges, wanted)
    assert (grouped[0], grouped[1:-1].sum(), grouped[-1]) == (0, len(ordered), 0)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=80))
def test_regrouped_counts_are_numpys_histogram(values):
    ordered, histogram_edges, edges = edges_of(values)
    counts, numpys = np.histogram(ordered, bins=20)
    np.testing.assert_array_equal(histogram_edges, numpys)
    np.testing.assert_array_equal(regrouped(counted(ordered, edges), edges, closed(numpys))[1:-1], counts)


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=60),
    st.lists(st.floats(-150, 150, width=32), min_size=1, max_size=60),
)
def test_other_data_on_a_references_edges_are_numpys_histogram_and_two_ends(reference, current):
    _, histogram_edges, edges = edges_of(reference)
    values = np.sort(np.array(current))
    found = regrouped(counted(values, edges), edges, closed(histogram_edges))
    np.testing.assert_array_equal(found[1:-1], np.histogram(values, bins=histogram_edges)[0])
    assert found[0] == np.count_nonzero(values < histogram_edges[0])
    assert found[-1] == np.count_nonzero(values > histogram_edges[-1])


@given(st.lists(st.integers(0, 9), min_size=4, max_size=4), st.sets(st.sampled_from([0.0, 1.0, 2.0])))
def test_regrouping_keeps_every_row(counts, wanted):
    found = regrouped(np.array(counts), np.array([0.0, 1.0, 2.0]), np.array(sorted(wanted)))
    assert len(found) == len(wanted) + 1
    assert found.sum() == sum(counts)


def test_a_constant_has_numpys_edges_and_a_bin_of_its_own():
    _, histogram_edges, edges = edges_of([5.0] * 10)
    assert (histogram_edges[0], histogram_edges[-1]) == (4.5, 5.5)
    np.testing.assert_array_equal(histogram_edges, np.histogram([5.0] * 10, bins=20)[1])
    place = int(np.searchsorted(edges, 5.0))
    assert edges[place : place + 2].tolist() == [5.0, math.nextafter(5.0, 6.0)]


def test_a_large_continuous_column_has_about_280_edges():
    _, _, edges = edges_of(np.random.default_rng(0).normal(size=100_000))
    assert 256 <= len(edges) <= 290


def test_every_value_of_a_column_with_few_has_a_bin_of_its_own():
    values = np.tile(np.arange(100.0), 50)
    _, _, edges = edges_of(values)
    assert set(values) <= set(edges[:-1][is_one_point(edges)])


def test_no_values_have_no_edges():
    assert reference_edges(np.empty(0), np.empty(0)).tolist() == []
    assert closed(np.empty(0)).tolist() == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", ODD)
def test_no_range_is_too_wide_or_too_narrow_for_20_bins(values):
    ordered, histogram_edges, _ = edges_of(values)
    if ordered[0] < ordered[-1]:
        assert (histogram_edges[0], histogram_edges[-1]) == (ordered[0], ordered[-1])
    assert np.all(np.isfinite(histogram_edges))
