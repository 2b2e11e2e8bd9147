"""MLRun's distances against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from airflow_batch_inference.compat.mlrun.metrics import drift_score, kl_divergence_symmetric
from airflow_batch_inference.drift.metrics.distances import hellinger, total_variation


def shares(*counts):
    return np.array(counts) / sum(counts)


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


def test_a_divergence_worked_out_by_hand():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert kl_divergence_symmetric(p, q) == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(2500), abs=1e-15)


def test_an_empty_bin_stands_as_one_in_ten_thousand_on_either_side():
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert kl_divergence_symmetric(p, q) == pytest.approx(2 * math.log(1e4), abs=1e-12)


@pytest.mark.parametrize(("edges", "ceiling"), [("open", 0.75), ("padded", 1.0)])
def test_nothing_in_common_reaches_the_ceiling(edges, ceiling):
    outside = np.zeros(4) if edges == "open" else np.array([0, 0, 0, 0, 1.0])
    q = np.full(4, 0.25) if edges == "open" else np.array([0.25, 0.25, 0.25, 0.25, 0])
    assert drift_score(total_variation(outside, q), hellinger(outside, q)) == ceiling


@given(*(arrays(np.int64, 8, elements=st.integers(1, 10**9)) for _ in "pq"))
def test_the_symmetric_divergence_is_symmetric_and_nothing_of_itself(before, now):
    p, q = shares(*now), shares(*before)
    assert kl_divergence_symmetric(p, q) == pytest.approx(kl_divergence_symmetric(q, p), abs=1e-12)
    assert kl_divergence_symmetric(p, p) == 0.0
