"""Distances between two distributions over the same bins: pure functions of two arrays of shares.

What must not be relaxed: no thresholds, no state, no NaN out of finite input. Notation: p is the current data, q the
reference; both have shape (bins,), hold float64 shares in [0, 1], and sum to at most 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZERO_SHARE = 1e-4


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the total variation distance, min(1, sum|p - q| / 2), in [0, 1].

    The minimum keeps rounding (shares that sum to a hair over 1) from passing the bound. Source: Levin, Peres, Wilmer,
    "Markov Chains and Mixing Times", proposition 4.2; MLRun's ``tvd``.

    Examples
    --------
    >>> total_variation(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.5
    """
    return min(1.0, float(np.sum(np.abs(p - q)) / 2))


def hellinger(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the Hellinger distance, sqrt(max(0, 1 - sum sqrt(p q))), in [0, 1].

    The maximum keeps rounding (a sum a hair over 1) from making a NaN of two equal distributions. Source: Hellinger
    1909 by way of the Bhattacharyya coefficient; MLRun's ``hellinger``.

    Examples
    --------
    >>> hellinger(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    return float(np.sqrt(max(0.0, 1.0 - float(np.sum(np.sqrt(p * q))))))


def kl_divergence_symmetric(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return MLRun's symmetric Kullback-Leibler divergence, KL'(p, q) + KL'(q, p), in nats.

    KL'(a, b) is the sum over a > 0 of a ln(a / b), where a b of 0 stands as 1e-4. Source: MLRun's ``kld``. Shares that
    do not sum to 1 can make it negative.

    Examples
    --------
    >>> round(kl_divergence_symmetric(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 6)
    0.274653
    """
    return _one_sided(p, q) + _one_sided(q, p)


def _one_sided(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    present = a > 0
    floored = np.where(b[present] > 0, b[present], _ZERO_SHARE)
    return float(np.sum(a[present] * np.log(a[present] / floored)))


def drift_score(tvd: float, hellinger_distance: float) -> float:
    """Return MLRun's drift of a column, (TVD + Hellinger) / 2, in [0, 1].

    Examples
    --------
    >>> drift_score(0.5, 1.0)
    0.75
    """
    return (tvd + hellinger_distance) / 2
