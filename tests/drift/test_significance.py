"""Probabilities against scipy, against counting by hand, and against seeded simulation."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from airflow_batch_inference.drift.metrics.distances import (
    chi_squared,
    g_statistic,
    jensen_shannon,
    population_stability_index,
)
from airflow_batch_inference.drift.significance import (
    chi_squared_p,
    exceedance_p,
    js_squared_floor,
    kolmogorov,
    kolmogorov_smirnov_p,
    psi_floor,
    two_shares_p,
    upper_share_p,
    wasserstein_floor,
)


@pytest.mark.parametrize("distance", [0.0, 0.001, 0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (50, 1000), (1000, 1000), (10**6, 10**7)])
def test_the_p_value_of_a_distance_is_smirnovs_limit(distance, n, m):
    expected = stats.kstwobign.sf(distance * math.sqrt(n * m / (n + m)))
    assert kolmogorov_smirnov_p(distance, n, m) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_kolmogorovs_tail_is_scipys_own():
    points = np.concatenate([np.linspace(-0.1, 4, 20_001), np.linspace(0.81, 0.83, 2_001), [20.0, 50.0, math.inf]])
    found = np.array([kolmogorov(float(x)) for x in points])
    assert found == pytest.approx(special.kolmogorov(points), rel=1e-14, abs=0)
    assert math.isnan(kolmogorov(math.nan))


def test_a_distance_needs_no_scipy(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert kolmogorov_smirnov_p(0.1, 1000, 1000) < 1e-4


@pytest.mark.parametrize("degrees", [1, 2, 19, 1000])
@pytest.mark.parametrize("statistic", [0.0, 0.5, 20.0, 1500.0])
def test_the_p_value_of_a_statistic_is_the_tail_of_chi_squared(degrees, statistic):
    expected = stats.chi2.sf(statistic, degrees)
    assert chi_squared_p(statistic, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_a_single_bin_says_nothing():
    assert chi_squared_p(0.0, 0) == 1.0


@pytest.mark.parametrize(("k", "n", "j", "m"), [(150, 1000, 100, 1000), (3, 40, 9, 500), (0, 50, 200, 1000)])
def test_two_shares_are_judged_as_by_a_table_of_four(k, n, j, m):
    # The square of the z statistic is Pearson's of the 2 x 2 table, corrected for continuity.
    table = [[k, n - k], [j, m - j]]
    assert two_shares_p(k, n, j, m) == pytest.approx(stats.chi2_contingency(table, correction=True).pvalue, rel=1e-9)
    assert two_shares_p(k, n, j, m) == two_shares_p(j, m, k, n)


@pytest.mark.parametrize("part", [0, 1])
def test_two_equal_shares_of_nothing_or_all_are_certain_to_be_alike(part):
    assert two_shares_p(part * 50, 50, part * 70, 70) == 1.0


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (5, 3), (6, 6), (7, 2)])
def test_the_chance_of_rows_beyond_an_extreme_is_that_of_counting_all_orders(n, m):
    # Which n of the n + m ranks are current is equally likely for every choice.
    orders = list(combinations(range(n + m), n))
    for k in range(n + 1):
        beyond = 0
        for current in orders:
            highest = max(set(range(n + m)) - set(current))
            beyond += sum(rank > highest for rank in current) >= k
        assert exceedance_p(k, n, m) == pytest.approx(beyond / len(orders), rel=1e-12)


@pytest.mark.parametrize(("k", "n", "m"), [(3, 1000, 5000), (40, 200, 300), (200, 5000, 200)])
def test_the_chance_of_rows_beyond_an_extreme_is_a_quotient_of_binomials(k, n, m):
    assert exceedance_p(k, n, m) == pytest.approx(float(Fraction(math.comb(n, k), math.comb(n + m, k))), rel=1e-9)


def test_very_many_rows_beyond_an_extreme_have_a_bound():
    assert 0 <= exceedance_p(10**6, 10**6, 10**6) <= exceedance_p(10_000, 10**6, 10**6) < 1e-300
    assert exceedance_p(10**6, 10**6, 1) <= exceedance_p(10_000, 10**6, 1) == pytest.approx(0.99, abs=0.01)


@given(st.integers(1, 40), st.floats(0, 1), st.data())
@settings(max_examples=50)
def test_the_chance_of_a_share_is_a_sum_of_binomials(n, expected, data):
    k = data.draw(st.integers(0, n))
    terms = (math.comb(n, i) * expected**i * (1 - expected) ** (n - i) for i in range(k, n + 1))
    assert upper_share_p(k, n, expected) == pytest.approx(math.fsum(terms), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("k", "n", "expected"), [(1, 10**6, 1e-6), (600, 10**6, 5e-4), (10, 30, 1.5)])
def test_the_chance_of_a_share_of_many_rows_is_scipys(k, n, expected):
    assert upper_share_p(k, n, expected) == pytest.approx(stats.binom.sf(k - 1, n, min(1, expected)), rel=1e-9)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1), st.data())
@settings(max_examples=50)
def test_no_probability_is_nan_or_out_of_0_to_1(n, m, share, data):
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    found = [
        kolmogorov_smirnov_p(share, n, m),
        chi_squared_p(share * n, m),
        two_shares_p(k, n, j, m),
        exceedance_p(k, n, m),
        upper_share_p(k, n, share),
    ]
    assert all(0 <= p <= 1 for p in found)


def alike(bins, n, m, times, seed=0):
    """Counts of two samples of one distribution, many times over."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(bins, 50.0))
    return rng.multinomial(n, shares, times), rng.multinomial(m, shares, times)


@pytest.mark.parametrize(("bins", "n", "m"), [(10, 1000, 1000), (20, 2000, 20_000), (2, 500, 5000)])
def test_the_floors_are_what_the_metrics_are_on_average_where_nothing_has_changed(bins, n, m):
    current, reference = alike(bins, n, m, 600)
    pairs = [(one / n, other / m) for one, other in zip(current, reference, strict=True)]
    psi = np.mean([population_stability_index(*pair) for pair in pairs])
    js = np.mean([jensen_shannon(*pair) ** 2 for pair in pairs])
    assert psi_floor(bins, n, m) == pytest.approx(psi, rel=0.1)
    assert js_squared_floor(bins, n, m) == pytest.approx(js, rel=0.1)


@pytest.mark.parametrize("draw", ["normal", "uniform", "exponential"])
def test_the_floor_of_the_wasserstein_distance_is_its_average_where_nothing_has_changed(draw):
    rng, n, m = np.random.default_rng(2), 300, 2000
    sample = getattr(rng, draw)
    found = [stats.wasserstein_distance(sample(size=n), sample(size=m)) for _ in range(300)]
    points = np.sort(sample(size=100_000))
    up_to = np.arange(1, len(points) + 1) / len(points)
    assert wasserstein_floor(points, up_to, n, m) == pytest.approx(np.mean(found), rel=0.1)


def test_the_floor_of_the_wasserstein_distance_of_a_uniform_column_is_its_closed_form():
    # The integral of sqrt(u (1 - u)) from 0 to 1 is pi / 8.
    grid = np.linspace(0, 1, 10_001)
    expected = math.sqrt(2 / math.pi) * math.sqrt(1 / 100 + 1 / 400) * math.pi / 8
    assert wasserstein_floor(grid, grid, 100, 400) == pytest.approx(expected, rel=1e-4)
    assert wasserstein_floor(np.array([3.0]), np.array([1.0]), 100, 400) == 0.0


@pytest.mark.parametrize("statistic", [chi_squared, g_statistic])
def test_a_test_of_counts_gives_a_false_alarm_as_often_as_it_says(statistic):
    current, reference = alike(12, 400, 4000, 1500, seed=4)
    p = [chi_squared_p(statistic(one, other), 11) for one, other in zip(current, reference, strict=True)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_the_test_of_distances_gives_a_false_alarm_no_more_often_than_it_says():
    rng = np.random.default_rng(6)
    p = []
    for _ in range(400):
        one, other = rng.normal(size=100), np.sort(rng.normal(size=1000))
        up_to = np.arange(1, 101) / 100
        share = np.searchsorted(other, np.sort(one)) / 1000
        p.append(kolmogorov_smirnov_p(max(np.max(up_to - share), np.max(share - up_to + 0.01)), 100, 1000))
    assert np.mean(np.array(p) < 0.05) <= 0.06
