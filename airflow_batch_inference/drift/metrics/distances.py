"""Distances between two distributions over the same bins: pure functions of two arrays of shares.

Invariants: no thresholds, no state, no NaN out of finite input. Notation: p is the current data, q the
reference; both have shape (bins,), hold float64 shares in [0, 1], and sum to at most 1. The Kolmogorov-Smirnov
interval and Wasserstein-1 need the bins' order and take counts and sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the total variation distance, min(1, sum|p - q| / 2), in [0, 1].

    The minimum keeps rounding (shares that sum to a hair over 1) from passing the bound. Source: Levin, Peres, Wilmer,
    "Markov Chains and Mixing Times", proposition 4.2.

    Examples
    --------
    >>> total_variation(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.5
    """
    return min(1.0, float(np.sum(np.abs(p - q)) / 2))


def hellinger(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the Hellinger distance, sqrt(max(0, 1 - sum sqrt(p q))), in [0, 1].

    The maximum keeps rounding (a sum a hair over 1) from making a NaN of two equal distributions. Source: Hellinger
    1909 by way of the Bhattacharyya coefficient.

    Examples
    --------
    >>> hellinger(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    return float(np.sqrt(max(0.0, 1.0 - float(np.sum(np.sqrt(p * q))))))


def kl_divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the Kullback-Leibler divergence of p from q, sum p ln(p / q), in nats; q must be positive where p is.

    Source: Kullback, Leibler, "On Information and Sufficiency", 1951; ``scipy.stats.entropy(p, q)``.

    Examples
    --------
    >>> round(kl_divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 6)
    0.143841
    """
    present = p > 0
    return max(0.0, float(np.sum(p[present] * np.log(p[present] / q[present]))))


def population_stability_index(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the population stability index, sum (p - q) ln(p / q), in nats; both must be positive.

    It is KL(p, q) + KL(q, p) (Jeffreys 1946). Source: Siddiqi, "Credit Risk Scorecards", 2006; Yurdakul, "Statistical
    Properties of the Population Stability Index", 2018, which also gives its mean where nothing has changed:
    (bins - 1) (1 / n + 1 / m).

    Examples
    --------
    >>> round(population_stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 6)
    0.274653
    """
    return max(0.0, float(np.sum((p - q) * np.log(p / q))))


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the Jensen-Shannon distance in base 2, sqrt((KL(p, m) + KL(q, m)) / (2 ln 2)), m = (p + q) / 2, in [0, 1].

    Source: Endres, Schindelin, "A New Metric for Probability Distributions", 2003;
    ``scipy.spatial.distance.jensenshannon(p, q, base=2)``.

    Examples
    --------
    >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (p + q) / 2
    divergence = (kl_divergence(p, middle) + kl_divergence(q, middle)) / (2 * np.log(2))
    return float(np.sqrt(min(1.0, max(0.0, divergence))))


def chebyshev(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the largest difference of two shares, max|p - q| (L-infinity), in [0, 1].

    Source: ``scipy.spatial.distance.chebyshev``; TensorFlow Data Validation's measure for categories.

    Examples
    --------
    >>> chebyshev(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    0.25
    """
    return float(np.max(np.abs(p - q), initial=0.0))


def chi_squared(current: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return Pearson's statistic of two samples, sum (observed - expected)^2 / expected over both rows of counts.

    Source: Pearson 1900; ``scipy.stats.chi2_contingency([current, reference], correction=False)``.

    Examples
    --------
    >>> round(chi_squared(np.array([10, 20]), np.array([20, 10])), 6)
    6.666667
    """
    observed, expected = _contingency(current, reference)
    present = expected > 0
    return float(np.sum((observed[present] - expected[present]) ** 2 / expected[present]))


def g_statistic(current: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the likelihood ratio of two samples, 2 sum observed ln(observed / expected).

    Source: Sokal, Rohlf, "Biometry"; ``scipy.stats.chi2_contingency(…, lambda_="log-likelihood", correction=False)``.

    Examples
    --------
    >>> round(g_statistic(np.array([10, 20]), np.array([20, 10])), 6)
    6.795961
    """
    observed, expected = _contingency(current, reference)
    present = observed > 0
    return max(0.0, float(2 * np.sum(observed[present] * np.log(observed[present] / expected[present]))))


def _contingency(
    current: NDArray[np.int64], reference: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what was observed and what would be expected of one distribution, shape (2, bins that are not empty)."""
    observed = np.array([current, reference], dtype=np.float64)
    observed = observed[:, observed.sum(axis=0) > 0]
    total = observed.sum()
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / total if total else observed
    return observed, expected


def kolmogorov_smirnov(
    current: NDArray[np.int64], reference: NDArray[np.int64], one_point: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return an interval that contains the two-sample Kolmogorov-Smirnov distance, sup|F - G|, in [0, 1].

    At a bin's edges both distribution functions are known. Inside a bin F lies between its values at the two edges,
    and so does G, so that |F - G| is at most the larger of upper F - lower G and upper G - lower F. A bin that a
    single value fills has no inside. The width is at most the largest share of the reference in any other bin.

    Parameters
    ----------
    current, reference
        Counts in ascending bins, shape (bins,), each with a sum of at least 1.
    one_point
        Shape (bins,): whether the bin can hold a single value only.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([1, 1]), np.array([2, 0]), np.array([False, True]))
    (0.5, 1.0)
    """
    f, g = (np.concatenate([[0.0], np.cumsum(side) / side.sum()]) for side in (current, reference))
    low = float(np.max(np.abs(f - g)))
    inside = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1])[~one_point]
    return low, max(low, float(np.max(inside, initial=0.0)))


def wasserstein(
    current_means: NDArray[np.float64],
    current_shares: NDArray[np.float64],
    reference_means: NDArray[np.float64],
    reference_shares: NDArray[np.float64],
) -> float:
    """Return the Wasserstein-1 distance of two weighted sets of points, the area between F and G, in their unit.

    With the means and shares of bins of at most 1/256 it is that of all values to about 0.01 standard deviations.
    Source: Vallender 1974; ``scipy.stats.wasserstein_distance``.

    Parameters
    ----------
    current_means, current_shares
        Points and their weights (sum 1), shape (k,), in any order.
    reference_means, reference_shares
        The same of the reference, shape (j,).

    Examples
    --------
    >>> wasserstein(np.array([1.0]), np.array([1.0]), np.array([0.0, 2.0]), np.array([0.5, 0.5]))
    1.0
    """
    points = np.concatenate([current_means, reference_means])
    weights = np.concatenate([current_shares, -reference_shares])
    order = np.argsort(points, kind="stable")
    apart = np.abs(np.cumsum(weights[order])[:-1])
    return float(np.sum(apart * np.diff(points[order])))
