"""The distances against their definitions in plain Python, and the laws that rounding must not break."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from airflow_batch_inference.drift.metrics import drift_score, hellinger, kl_divergence_symmetric, total_variation


def shares(*counts):
    return np.array(counts) / sum(counts)


def any_shares(bins, largest=10**9):
    counts = arrays(np.int64, bins, elements=st.integers(0, largest))
    return counts.filter(lambda array: array.sum() > 0).map(lambda array: array / array.sum())


def by_definition(p, q):
    pairs = list(zip(p.tolist(), q.tolist(), strict=True))
    tvd = math.fsum(abs(x - y) for x, y in pairs) / 2
    distance = math.sqrt(max(0.0, 1 - math.fsum(math.sqrt(x * y) for x, y in pairs)))
    one = math.fsum(x * math.log(x / (y or 1e-4)) for x, y in pairs if x)
    other = math.fsum(y * math.log(y / (x or 1e-4)) for x, y in pairs if y)
    return tvd, distance, one + other


@pytest.mark.parametrize("seed", range(20))
def test_the_distances_are_mlruns_definitions(seed):
    rng = np.random.default_rng(seed)
    p, q = (shares(*(rng.integers(0, 50, 22) * rng.integers(0, 2, 22)), 1) for _ in "pq")
    found = total_variation(p, q), hellinger(p, q), kl_divergence_symmetric(p, q)
    assert found == pytest.approx(by_definition(p, q), abs=1e-12)


def test_golden_values_worked_out_by_hand():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert total_variation(p, q) == 0.25
    assert hellinger(p, q) == pytest.approx(math.sqrt(0.5 - math.sqrt(0.125)), abs=1e-15)
    assert kl_divergence_symmetric(p, q) == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(2500), abs=1e-15)


def test_an_empty_bin_stands_as_one_in_ten_thousand_on_either_side():
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert kl_divergence_symmetric(p, q) == pytest.approx(2 * math.log(1e4), abs=1e-12)


def test_near_identical_histograms_give_zero_and_no_nan():
    # 1.5e10 rows that differ by one: the square roots sum to 1 + 2e-16, of which MLRun makes a NaN.
    counts = [1883545441, 1832717849, 1213771865, 1652348965, 1167070364]
    counts += [1248557676, 1426923006, 1934286038, 1671145610, 1439699449]
    p, q = shares(*counts), shares(counts[0] + 1, *counts[1:])
    assert not np.array_equal(p, q)
    assert np.sum(np.sqrt(p * q)) > 1
    assert hellinger(p, q) == 0.0


def test_disjoint_shares_that_sum_to_a_hair_over_1_stay_at_1():
    p = np.array([*shares(3, 28, 16, 11, 20, 17, 8, 10, 21, 18), *[0] * 10])
    q = np.array([*[0] * 10, *shares(15, 10, 23, 12, 10, 26, 8, 7, 21, 19)])
    assert np.abs(p - q).sum() / 2 > 1
    assert total_variation(p, q) == 1.0


@pytest.mark.parametrize(("edges", "ceiling"), [("open", 0.75), ("padded", 1.0)])
def test_nothing_in_common_reaches_the_ceiling(edges, ceiling):
    outside = np.zeros(4) if edges == "open" else np.array([0, 0, 0, 0, 1.0])
    q = np.full(4, 0.25) if edges == "open" else np.array([0.25, 0.25, 0.25, 0.25, 0])
    assert drift_score(total_variation(outside, q), hellinger(outside, q)) == ceiling


@given(any_shares(8), any_shares(8))
def test_distances_are_symmetric_and_lie_between_0_and_1(p, q):
    for measure in (total_variation, hellinger):
        assert measure(p, q) == measure(q, p)
        assert 0 <= measure(p, q) <= 1
    assert kl_divergence_symmetric(p, q) == kl_divergence_symmetric(q, p)
    assert math.isfinite(kl_divergence_symmetric(p, q))


@given(any_shares(8, largest=20), any_shares(8, largest=20))
def test_hellinger_and_total_variation_bound_each_other(p, q):
    distance = hellinger(p, q)
    assert distance**2 - 1e-12 <= total_variation(p, q) <= math.sqrt(2) * distance + 1e-7


@given(any_shares(6), any_shares(6), any_shares(6))
def test_total_variation_and_hellinger_obey_the_triangle_inequality(p, q, r):
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r) + 1e-12
    assert hellinger(p, r) <= hellinger(p, q) + hellinger(q, r) + 1e-7


@given(any_shares(8), any_shares(8), st.permutations(range(8)))
def test_the_order_of_the_bins_does_not_matter(p, q, order):
    # Compared before the root, which magnifies rounding near 0.
    assert total_variation(p[order], q[order]) == pytest.approx(total_variation(p, q), abs=1e-12)
    assert hellinger(p[order], q[order]) ** 2 == pytest.approx(hellinger(p, q) ** 2, abs=1e-12)


@given(any_shares(8))
def test_a_distribution_is_at_no_distance_from_itself(p):
    assert total_variation(p, p) == 0.0
    assert hellinger(p, p) <= 1e-7
    assert kl_divergence_symmetric(p, p) == 0.0
