"""How likely a difference is where nothing has changed: p-values and noise floors.

Invariants: all p-values assume independent rows, and nobody may be told otherwise; a p-value is a
probability, never NaN.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KOLMOGOROV_ONE = 0.1
"""The tail differs from 1 by 1e-52 here."""
_KOLMOGOROV_SMALL = 0.82
"""Where SciPy changes from one sum to the other."""


def kolmogorov_smirnov_p(distance: float, n: int, m: int) -> float:
    """Return the two-sided p-value of a two-sample distance, in the limit of many rows.

    K(sqrt(n m / (n + m)) D). Source: Smirnov 1939. For few rows, and for values that repeat, it is too large rather
    than too small.

    Examples
    --------
    >>> round(kolmogorov_smirnov_p(0.1, 1000, 1000), 6)
    9.1e-05
    """
    return kolmogorov(math.sqrt(n * m / (n + m)) * distance)


def kolmogorov(x: float) -> float:
    """Return the upper tail of Kolmogorov's distribution, to the last digit what ``scipy.special.kolmogorov`` says.

    2 (v - v^4 + v^9 - v^16 + ...) with v = exp(-2 x^2); for small x, where that needs many terms, one less
    sqrt(2 pi) / x (u + u^9 + u^25 + u^49 + ...) with u = exp(-pi^2 / 8 x^2). Each as SciPy sums it: its import takes
    longer than the whole analysis of a small batch, which needs nothing else of it where all columns are numbers.

    Examples
    --------
    >>> kolmogorov(0.0), round(kolmogorov(0.5), 6), round(kolmogorov(1.0), 6)
    (1.0, 0.963945, 0.27)
    """
    if math.isnan(x):
        return x
    if x <= _KOLMOGOROV_ONE:
        return 1.0
    if x <= _KOLMOGOROV_SMALL:
        exponent = -math.pi * math.pi / (x * x)
        u, u8 = math.exp(exponent / 8), math.exp(exponent)
        terms = 1 + u8 * (1 + u8 * u8 * (1 + math.pow(u8, 3)))
        return min(1.0, max(0.0, 1 - math.sqrt(2 * math.pi) / x * u * terms))
    v = math.exp(-2 * x * x)
    v3 = math.pow(v, 3)
    return min(1.0, max(0.0, 2 * v * (1 - v3 * (1 - v3 * (v * v) * (1 - v3 * v3 * v)))))


def chi_squared_p(statistic: float, degrees: int) -> float:
    """Return the upper tail of the chi-squared distribution; 1 where there is no degree of freedom.

    Source: ``scipy.special.chdtrc``.

    Examples
    --------
    >>> round(chi_squared_p(3.841459, 1), 6)
    0.05
    """
    from scipy.special import chdtrc

    return float(chdtrc(degrees, statistic)) if degrees > 0 else 1.0


def two_shares_p(k: int, n: int, j: int, m: int) -> float:
    """Return the two-sided p-value of k of n rows against j of m rows.

    The z-test with the pooled share and Yates' correction for continuity, without which small numbers would seem
    significant too often. Source: Fleiss, "Statistical Methods for Rates and Proportions";
    ``scipy.stats.chi2_contingency(…, correction=True)``.

    Examples
    --------
    >>> round(two_shares_p(150, 1000, 100, 1000), 6)
    0.000923
    """
    pooled = (k + j) / (n + m)
    variance = pooled * (1 - pooled) * (1 / n + 1 / m)
    apart = max(0.0, abs(k / n - j / m) - (1 / n + 1 / m) / 2)
    return 1.0 if variance <= 0 else math.erfc(apart / math.sqrt(2 * variance))


def exceedance_p(k: int, n: int, m: int) -> float:
    """Return how likely at least k of n rows lie beyond the extreme of m others, where all come from one distribution.

    C(n, k) / C(n + m, k) = product over i < k of (n - i) / (n + m - i): the k most extreme of all n + m rows are then
    all among the n. Exact for k up to 10,000, and a bound from there on. Source: Gumbel, von Schelling, "The
    Distribution of the Number of Exceedances", 1950.

    Examples
    --------
    >>> exceedance_p(1, 100, 300)
    0.25
    """
    i = np.arange(min(k, 10_000))
    return float(np.prod((n - i) / (n + m - i)))


def upper_share_p(k: int, n: int, expected: float) -> float:
    """Return how likely at least k of n rows are, where a share of ``expected`` is (binomial).

    Source: ``scipy.special.bdtrc``.

    Examples
    --------
    >>> round(upper_share_p(5, 100, 0.01), 6)
    0.003432
    """
    from scipy.special import bdtrc

    return float(bdtrc(k - 1, n, min(1.0, expected))) if k > 0 else 1.0


def unseen_p(k: int, n: int, once: int, m: int) -> float:
    """Return how likely at least k of n rows are of categories that m others never had, where nothing has changed.

    The share of new categories to be expected is that of those seen once (Good 1953, Turing); since that number is
    small and uncertain, its upper limit (Poisson, 99.99 %) is taken.

    Examples
    --------
    >>> round(unseen_p(30, 1000, 0, 10_000), 6), round(unseen_p(30, 1000, 200, 10_000), 6)
    (0.0, 0.226115)
    """
    from scipy.special import gammaincinv

    return upper_share_p(k, n, float(gammaincinv(once + 1, 0.9999)) / m)


def psi_floor(bins: int, n: int, m: int) -> float:
    """Return the mean population stability index where nothing has changed, (bins - 1) (1 / n + 1 / m) (Yurdakul 2018).

    Examples
    --------
    >>> psi_floor(10, 100, 10_000)
    0.0909
    """
    return (bins - 1) * (1 / n + 1 / m)


def js_squared_floor(bins: int, n: int, m: int) -> float:
    """Return the mean squared Jensen-Shannon distance (base 2) where nothing has changed.

    (bins - 1) (1 / n + 1 / m) / (8 ln 2): to second order JS^2 is chi-squared over 8 ln 2.

    Examples
    --------
    >>> round(js_squared_floor(20, 100, 10_000), 6)
    0.034607
    """
    return psi_floor(bins, n, m) / (8 * math.log(2))


def wasserstein_floor(means: NDArray[np.float64], up_to: NDArray[np.float64], n: int, m: int) -> float:
    """Return the mean Wasserstein-1 distance where nothing has changed, in the values' unit.

    sqrt(2 / pi) sqrt(1 / n + 1 / m) times the integral of sqrt(F (1 - F)). Source: del Barrio, Giné, Matrán, "Central
    limit theorems for the Wasserstein distance between the empirical and the true distributions", 1999.

    Parameters
    ----------
    means
        Points of the reference, ascending, shape (k,).
    up_to
        Its distribution function at them, shape (k,).

    Examples
    --------
    >>> round(wasserstein_floor(np.array([0.0, 1.0]), np.array([0.5, 1.0]), 100, 100), 6)
    0.056419
    """
    spread = np.sqrt(np.clip(up_to[:-1] * (1 - up_to[:-1]), 0, None))
    return math.sqrt(2 / math.pi) * math.sqrt(1 / n + 1 / m) * float(np.sum(spread * np.diff(means)))
