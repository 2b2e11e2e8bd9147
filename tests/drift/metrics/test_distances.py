"""The distances against their definitions, against scipy's, and the laws that rounding must not break."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial import distance as scipy_distance

from airflow_batch_inference.drift.bins import is_one_point, reference_edges
from airflow_batch_inference.drift.metrics import distances
from airflow_batch_inference.drift.metrics.distances import (
    chebyshev,
    chi_squared,
    g_statistic,
    hellinger,
    jensen_shannon,
    kl_divergence,
    kolmogorov_smirnov,
    population_stability_index,
    total_variation,
    wasserstein,
)


def shares(*counts):
    return np.array(counts) / sum(counts)


def any_shares(bins, largest=10**9):
    counts = arrays(np.int64, bins, elements=st.integers(0, largest))
    return counts.filter(lambda array: array.sum() > 0).map(lambda array: array / array.sum())


def test_golden_values_worked_out_by_hand():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert total_variation(p, q) == 0.25
    assert hellinger(p, q) == pytest.approx(math.sqrt(0.5 - math.sqrt(0.125)), abs=1e-15)


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


@dataclass(frozen=True)
class Law:
    """What holds of a metric; ``least`` and ``most`` bound it, for counts in units of all rows."""

    name: str
    takes: str = "shares"
    is_symmetric: bool = True
    least: float = 0.0
    most: float = math.inf
    of_itself: float = 0.0

    def __call__(self, p, q):
        return getattr(distances, self.name)(p, q)


LAWS = [
    Law("total_variation", most=1),
    Law("hellinger", most=1, of_itself=1e-7),  # the root of a rounded 0
    Law("chebyshev", most=1),
    Law("jensen_shannon", most=1),
    Law("kl_divergence", takes="positive shares", is_symmetric=False),
    Law("population_stability_index", takes="positive shares"),
    Law("chi_squared", takes="counts", most=1),
    Law("g_statistic", takes="counts", most=2 * math.log(2)),
]
SIDES = st.tuples(*[arrays(np.int64, 8, elements=st.integers(0, 10**9) | st.integers(0, 3))] * 2)


def taken(law, counts):
    if law.takes == "counts":
        return counts
    smoothed = counts + 0.5 if law.takes == "positive shares" else counts
    return smoothed / smoothed.sum()


by_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)


@by_law
@settings(max_examples=40)
@given(sides=SIDES.filter(lambda sides: all(side.sum() for side in sides)))
def test_no_metric_is_nan_or_out_of_its_bounds(law, sides):
    p, q = (taken(law, side) for side in sides)
    found = law(p, q)
    rows = sum(map(int, [sides[0].sum(), sides[1].sum()])) if law.takes == "counts" else 1
    assert math.isfinite(found)
    assert law.least <= found <= law.most * rows * (1 + 1e-12)


@by_law
@settings(max_examples=40)
@given(sides=SIDES.filter(lambda sides: all(side.sum() for side in sides)))
def test_a_symmetric_metric_is_the_same_both_ways(law, sides):
    p, q = (taken(law, side) for side in sides)
    if law.is_symmetric:
        assert law(p, q) == pytest.approx(law(q, p), rel=1e-9, abs=1e-9)
    else:
        skewed = np.array([0.9, 0.1]), np.array([0.5, 0.5])
        assert law(*skewed) != pytest.approx(law(*reversed(skewed)))


@by_law
@settings(max_examples=40)
@given(counts=arrays(np.int64, 8, elements=st.integers(0, 10**9)).filter(lambda counts: counts.sum() > 0))
def test_a_distribution_is_at_no_distance_from_itself(law, counts):
    own = taken(law, counts)
    rounding = 1e-14 * int(counts.sum()) if law.takes == "counts" else 1e-12
    assert 0 <= law(own, own.copy()) <= law.of_itself + rounding


@by_law
def test_two_distributions_with_nothing_in_common_are_as_far_apart_as_can_be(law):
    p, q = (taken(law, np.array(side)) for side in ([10**6, 0], [0, 10**6]))
    found = law(p, q) / (2 * 10**6 if law.takes == "counts" else 1)
    assert found == pytest.approx(law.most) if math.isfinite(law.most) else found > 10


@by_law
def test_a_metric_of_no_rows_at_all_is_no_nan(law):
    empty = np.zeros(3, np.int64)
    other = np.array([1, 2, 0])
    if law.takes == "counts":
        assert law(empty, empty) == law(empty, other) == law(other, empty) == 0.0
    else:
        assert math.isfinite(law(taken(law, other), np.full(3, 1 / 3)))


@pytest.mark.parametrize("seed", range(10))
def test_metrics_of_shares_are_scipys(seed):
    rng = np.random.default_rng(seed)
    p, q = (shares(*rng.integers(1, 1000, 20)) for _ in "pq")
    assert kl_divergence(p, q) == pytest.approx(stats.entropy(p, q), abs=1e-12)
    assert population_stability_index(p, q) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-12)
    assert jensen_shannon(p, q) == pytest.approx(scipy_distance.jensenshannon(p, q, base=2), abs=1e-12)
    assert chebyshev(p, q) == pytest.approx(scipy_distance.chebyshev(p, q), abs=1e-15)
    assert total_variation(p, q) == pytest.approx(scipy_distance.cityblock(p, q) / 2, abs=1e-15)


def test_the_jensen_shannon_distance_takes_empty_bins_as_scipys_does():
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.0, 0.25, 0.75, 0.0])
    assert jensen_shannon(p, q) == pytest.approx(scipy_distance.jensenshannon(p, q, base=2), abs=1e-15)


@pytest.mark.parametrize("seed", range(10))
def test_statistics_of_counts_are_scipys_without_its_correction(seed):
    rng = np.random.default_rng(seed)
    bins = int(rng.integers(2, 20))  # with two, scipy would correct for continuity
    current, reference = rng.integers(0, 200, bins) + rng.integers(0, 2, bins), rng.integers(1, 3000, bins)
    both = [current, reference]
    pearson = stats.chi2_contingency(both, correction=False)
    likelihood = stats.chi2_contingency(both, correction=False, lambda_="log-likelihood")
    assert chi_squared(current, reference) == pytest.approx(pearson.statistic, rel=1e-12)
    assert g_statistic(current, reference) == pytest.approx(likelihood.statistic, rel=1e-9)
    padded = [np.append(side, 0) for side in both]  # a bin that neither side has says nothing
    assert chi_squared(*padded) == chi_squared(current, reference)
    assert g_statistic(*padded) == g_statistic(current, reference)


COUNTS = arrays(np.int64, 6, elements=st.integers(0, 30)).filter(lambda counts: counts.sum() > 1)


@given(COUNTS, COUNTS)
@settings(max_examples=50)
def test_the_kolmogorov_smirnov_distance_of_one_point_bins_is_scipys(current, reference):
    low, high = kolmogorov_smirnov(current, reference, np.ones(6, bool))
    sides = (np.repeat(np.arange(6), side) for side in (current, reference))
    assert low == high == pytest.approx(stats.ks_2samp(*sides, method="asymp").statistic, abs=1e-12)


def farthest(one, other):
    """The distance by its definition: the two shares up to a value differ most at one of the values."""
    at = np.concatenate([one, other])
    shares_up_to = (np.searchsorted(np.sort(side), at, side="right") / len(side) for side in (one, other))
    return float(np.max(np.abs(np.subtract(*shares_up_to))))


def on_edges(values, edges):
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


@given(st.integers(0, 2**32), st.integers(1, 2000), st.integers(1, 300), st.sampled_from([0, 1, 9]), st.floats(-1, 1))
@settings(max_examples=50)
def test_the_interval_holds_the_distance_of_all_values_and_is_no_wider_than_a_256th(seed, rows, few, digits, shift):
    rng = np.random.default_rng(seed)
    reference, current = rng.normal(size=rows).round(digits), (rng.normal(size=few) + shift).round(digits)
    edges = reference_edges(np.sort(reference), np.empty(0))
    one_point = np.concatenate([[False], is_one_point(edges), [False]])
    low, high = kolmogorov_smirnov(on_edges(current, edges), on_edges(reference, edges), one_point)
    exact = farthest(current, reference)
    assert 0 <= low <= exact + 1e-12
    assert exact - 1e-12 <= high <= 1 + 1e-12
    assert high - low <= 1 / 256 + 1e-12


@given(COUNTS, COUNTS)
@settings(max_examples=50)
def test_the_interval_is_the_same_both_ways_and_zero_for_equal_shares(current, reference):
    one_point = np.arange(6) % 2 == 0
    assert kolmogorov_smirnov(current, reference, one_point) == kolmogorov_smirnov(reference, current, one_point)
    assert kolmogorov_smirnov(current, 3 * current, np.ones(6, bool))[1] <= 1e-12


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=50)
def test_the_wasserstein_distance_is_scipys_in_any_order_and_the_same_both_ways(seed, k, j):
    rng = np.random.default_rng(seed)
    points, others = rng.normal(size=k).round(1), rng.normal(size=j).round(1)
    weights, other_weights = (shares(*rng.integers(1, 50, size)) for size in (k, j))
    found = wasserstein(points, weights, others, other_weights)
    assert found == pytest.approx(stats.wasserstein_distance(points, others, weights, other_weights), abs=1e-12)
    assert found == pytest.approx(wasserstein(others, other_weights, points, weights), abs=1e-12)
    assert wasserstein(points, weights, points, weights) == pytest.approx(0, abs=1e-12)
    assert found >= 0


def test_a_shift_is_a_wasserstein_distance_of_its_size():
    points, weights = np.arange(10.0), np.full(10, 0.1)
    assert wasserstein(points + 0.25, weights, points, weights) == pytest.approx(0.25, abs=1e-12)
