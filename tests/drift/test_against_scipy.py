"""Values equal scipy's on scikit-learn's data: halves, class-biased splits, with categories and missing values."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import chebyshev, jensenshannon
from scipy.special import kolmogorov
from scipy.stats import chi2, chi2_contingency, entropy, ks_2samp, wasserstein_distance
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from airflow_batch_inference.drift.packing import unpack_counts, unpack_numbers
from airflow_batch_inference.drift.significance import two_shares_p

DATASETS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
}


def halves(frame, target):
    half = len(frame) // 2
    return frame.iloc[:half], frame.iloc[half:]


def biased(frame, target):
    """Most rows of low targets on one side, most of high ones on the other."""
    order = np.argsort(target + np.random.default_rng(5).normal(size=len(frame)) * target.std() * 0.5, kind="stable")
    half = len(frame) // 2
    return frame.iloc[order[:half]], frame.iloc[order[half:]]


def enriched(frame):
    """Add categories and columns with missing values, made of the first columns."""
    frame = frame.copy()
    first = frame.columns[:3]
    for name in first:
        frame[f"{name} (category)"] = frame[name].rank(pct=True).mul(4).round().astype(int).map("class {}".format)
        holes = frame[name].astype(float).copy()
        holes[holes.rank(pct=True) > 0.8] = np.nan
        frame[f"{name} (with holes)"] = holes
    return frame


@pytest.fixture(
    scope="module",
    params=[(name, split) for name in DATASETS for split in (halves, biased)],
    ids=lambda case: f"{case[0]}-{case[1].__name__}",
)
def case(request, compare):
    name, split = request.param
    data = DATASETS[name](as_frame=True)
    before, now = split(enriched(data.data), np.asarray(data.target, dtype=float))
    tables = [pa.Table.from_pandas(side, preserve_index=False) for side in (before, now)]
    return before, now, compare(*tables), tables


def smoothed(counts):
    return (np.array(counts) + 0.5) / (sum(counts) + 0.5 * len(counts))


def test_the_distances_of_shares_are_scipys(case):
    _, _, result, _ = case
    for column in result.columns:
        p, q = smoothed(column.current_counts), smoothed(column.reference_counts)
        found = column.metrics
        assert found["psi"] == pytest.approx(entropy(p, q) + entropy(q, p), abs=1e-12)
        assert found["kld"] == pytest.approx(entropy(p, q), abs=1e-12)
        assert found["js"] == pytest.approx(jensenshannon(p, q, base=2), abs=1e-12)
        assert found["linf"] == pytest.approx(chebyshev(p, q), abs=1e-12)
        assert found["tvd"] == pytest.approx(wasserstein_like_tvd(p, q), abs=1e-12)
        assert found["hellinger"] == pytest.approx(math.sqrt(max(0.0, 1 - np.sqrt(p * q).sum())), abs=1e-12)


def wasserstein_like_tvd(p, q):
    """Total variation as the Wasserstein distance under the discrete metric: the mass that has to move."""
    return np.clip(p - q, 0, None).sum()


def test_chi_squared_and_the_p_values_are_scipys(case):
    _, _, result, _ = case
    for column in result.columns:
        counts = np.array([column.current_counts, column.reference_counts])
        checks = {check.name: check for check in column.checks}
        if counts.shape[1] > 1:
            pearson = chi2_contingency(counts, correction=False)
            ratio = chi2_contingency(counts, correction=False, lambda_="log-likelihood")
            assert column.metrics["chi2"] == pytest.approx(pearson.statistic, rel=1e-12)
            assert checks["divergence"].p == pytest.approx(chi2.sf(ratio.statistic, ratio.dof), rel=1e-9, abs=1e-300)
        if "distance" in checks:
            n, m = column.current_values, column.reference_values
            expected = kolmogorov(math.sqrt(n * m / (n + m)) * column.metrics["ks_low"])
            assert checks["distance"].p == pytest.approx(expected, rel=1e-12)


def test_the_missing_shares_test_is_scipys(case):
    before, now, result, _ = case
    for column in result.columns:
        k, j = int(now[column.name].isna().sum()), int(before[column.name].isna().sum())
        if k + j:
            table = [[k, len(now) - k], [j, len(before) - j]]
            assert two_shares_p(k, len(now), j, len(before)) == pytest.approx(chi2_contingency(table).pvalue, rel=1e-9)


def test_the_interval_holds_scipys_kolmogorov_smirnov_distance_and_is_narrow(case):
    before, now, result, _ = case
    seen = 0
    for column in result.columns:
        if column.kind == "numeric":
            expected = ks_2samp(now[column.name].dropna(), before[column.name].dropna()).statistic
            low, high = column.metrics["ks_low"], column.metrics["ks_high"]
            assert low - 1e-12 <= expected <= high + 1e-12
            assert high - low <= 1 / 256 + 1e-12
            seen += 1
    assert seen


def test_wasserstein_is_scipys_on_the_bins_and_close_to_that_of_the_values(case, make, count):
    before, now, result, (left, right) = case
    baseline = make(left)
    profile = {column.name: column for column in count(baseline, right).columns}
    for reference in baseline.columns:
        if reference.kind != "numeric":
            continue
        name = reference.profile.name
        found = next(column for column in result.columns if column.name == name).metrics
        means, weights = zip(*(bins(each) for each in (profile[name], reference.profile)), strict=True)
        assert found["w1"] == pytest.approx(wasserstein_distance(*means, *weights), rel=1e-12, abs=1e-12)
        of_values = wasserstein_distance(now[name].dropna(), before[name].dropna())
        sd = before[name].std()
        if sd:
            assert found["w1"] / sd == pytest.approx(of_values / sd, abs=0.011)


def bins(profile):
    counts = unpack_counts(profile.counts)
    filled = counts > 0
    return unpack_numbers(profile.sums)[filled] / counts[filled], counts[filled]


def test_on_large_continuous_data_the_interval_is_narrow_too(compare):
    rng = np.random.default_rng(3)
    for n, m in ((300, 400), (511, 100), (513, 5_000), (100_000, 30_000)):
        before, now = rng.normal(size=n), rng.normal(size=m) * 1.2
        (column,) = compare({"x": before}, {"x": now}).columns
        low, high = column.metrics["ks_low"], column.metrics["ks_high"]
        assert low - 1e-12 <= ks_2samp(now, before).statistic <= high + 1e-12
        assert high - low <= 1 / 256 + 1e-12
