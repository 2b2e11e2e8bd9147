"""MLRun's numbers to 1e-12, and the faults of MLRun that must not be reproduced.

The reference below is written from the contract with numpy's own histogram, independent of the package's counting.
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from airflow_batch_inference.drift.analysis import analyse
from airflow_batch_inference.drift.metrics import drift_score, hellinger, kl_divergence_symmetric, total_variation
from airflow_batch_inference.drift.rules import DriftRule
from airflow_batch_inference.drift.statistics import dataset_statistics
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DriftResult, DriftStatus

# The 21 features of MLRun's documentation; it prints a drift metric of 0.29934242566253266 and drift_status False.
DOCUMENTED = [
    0.028086840976606773, 0.04485072701663093, 0.7391279921664593, 0.043769819014849734, 0.042755641152500176,
    0.05184219833790496, 0.7262042202197605, 0.7297906294873706, 0.039060131873550404, 0.04468363504674985,
    0.042567035578799796, 0.7221431701127441, 0.7034787615778625, 0.04239724655474124, 0.046364723781764774,
    0.6329075683793959, 0.7181622588902428, 0.03587785749574268, 0.04443732609382538, 0.7902698698155215,
    0.017413285340161608,
]  # fmt: skip


def table(frame):
    columns = frame if isinstance(frame, dict) else {name: frame[name].to_numpy() for name in frame}
    return [
        (name, values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values)]))
        for name, values in columns.items()
    ]


def compare(reference, current, **rule) -> DriftResult:
    before, now = table(reference), table(current)
    rows = [len(columns[0][1]) if columns else 0 for columns in (before, now)]
    baseline = dataset_statistics(before, rows=rows[0], source=())
    names = [name for name, _ in now]
    result, _ = analyse(baseline, now, column_names=names, rows=rows[1], source=(), rule=DriftRule(**rule))
    assert DriftResult.from_json(result.to_json(), where="the test") == result
    return result


def contract(sample, inputs, edges):
    """TVD, Hellinger and KLD of one numeric column, straight from the contract."""
    sample, inputs = (values[np.isfinite(values)] for values in (sample, inputs))
    counts, bins = np.histogram(sample, bins=20)
    current, _ = np.histogram(inputs, bins=bins)
    if edges == "padded":
        counts = np.concatenate([[0], counts, [0]])
        current = np.concatenate([[(inputs < bins[0]).sum()], current, [(inputs > bins[-1]).sum()]])
    p, q = current / len(inputs), counts / len(sample)
    tvd = np.abs(p - q).sum() / 2
    distance = math.sqrt(max(0.0, 1 - np.sqrt(p * q).sum()))
    kld = 0.0
    for a, b in ((p, q), (q, p)):
        for x, y in zip(a, b, strict=True):
            kld += x * math.log(x / (y or 1e-4)) if x else 0.0
    return tvd, distance, kld


def assert_is_the_contract(result, sample, inputs, edges):
    expected = {name: contract(sample[name].to_numpy(float), inputs[name].to_numpy(float), edges) for name in sample}
    for column in result.columns:
        tvd, distance, kld = expected[column.name]
        assert column.tvd == pytest.approx(tvd, abs=1e-12)
        assert column.hellinger == pytest.approx(distance, abs=1e-12)
        assert column.kld == pytest.approx(kld, abs=1e-12)
        assert column.drift == pytest.approx((tvd + distance) / 2, abs=1e-12)
    tvds, distances, _ = zip(*expected.values(), strict=True)
    assert result.drift_metric == pytest.approx((np.mean(tvds) + np.mean(distances)) / 2, abs=1e-12)


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
def test_the_numbers_are_mlruns_on_biased_halves_of_real_data(load, edges):
    frame = load(as_frame=True).frame.astype(float)
    half = len(frame) // 2
    sample, inputs = frame.iloc[:half], frame.iloc[half:]
    assert_is_the_contract(compare(sample, inputs, edges=edges), sample, inputs, edges)


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0, 30.0])
def test_the_numbers_are_mlruns_under_shift_with_missing_and_infinite_values(edges, shift):
    rng = np.random.default_rng(3)
    sample = pd.DataFrame(rng.normal(size=(2000, 4)), columns=list("abcd"))
    inputs = pd.DataFrame(rng.normal(size=(700, 4)) + shift, columns=list("abcd"))
    inputs.loc[::5, "a"] = np.nan
    inputs.loc[::7, "b"] = np.inf
    sample.loc[::3, "c"] = np.nan
    sample.loc[::9, "d"] = -np.inf
    sample["constant"], inputs["constant"] = 4.0, 4.0 + shift
    assert_is_the_contract(compare(sample, inputs, edges=edges), sample, inputs, edges)


def test_the_documented_features_give_the_documented_metric_and_verdict():
    metric = math.fsum(DOCUMENTED) / len(DOCUMENTED)
    assert metric == pytest.approx(0.29934242566253266, abs=1e-15)
    assert DriftRule().status(metric) == DriftStatus.NO_DRIFT
    assert DriftRule().status(0.7390) == DriftStatus.DRIFT_DETECTED
    assert DriftRule().status(0.6329) == DriftStatus.POSSIBLE_DRIFT


@pytest.mark.parametrize(("edges", "ceiling"), [("open", 0.75), ("padded", 1.0)])
def test_a_column_wholly_outside_reaches_the_ceiling(edges, ceiling):
    values = np.linspace(0, 1, 100)
    (column,) = compare({"x": values}, {"x": values + 10}, edges=edges).columns
    assert column.drift == pytest.approx(ceiling, abs=1e-12)
    assert column.out_of_range_fraction == 1.0


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=1000),
        np.tile([0, 1], 50),
        np.tile([False, True], 50),
        np.full(50, 7.5),
        np.array(["a", "b"] * 40),
        np.array([0.1] * 999 + [1e9]),
        np.array([1e308, -1e308] * 30),
        np.array([5e-324, 1e-323] * 30),
        np.full(40, 1e300),
    ],
)
def test_identical_data_are_exactly_zero(values, edges):
    result = compare({"x": values}, {"x": values}, edges=edges)
    (column,) = result.columns
    assert (column.drift, column.tvd, column.hellinger, column.kld, result.drift_metric) == (0, 0, 0, 0, 0)


def test_near_identical_histograms_give_no_nan():
    # The square roots of these shares sum to a hair over 1.
    p = np.array([0.1] * 10)
    q = np.array([0.1] * 10) * (1 + 1e-16)
    assert hellinger(p, q) >= 0.0
    result = compare({"x": np.arange(3000.0)}, {"x": np.arange(3000.0)[::-1].copy()})
    assert result.drift_metric == 0.0


def test_every_kind_of_column_is_compared_and_a_bad_one_stops_none():
    text = pa.chunked_array([pa.array(["u", "v", None] * 20)])
    reference = {
        "float": np.arange(60.0),
        "nullable": pa.chunked_array([pa.array([1, None, 3] * 20)]),
        "text": text,
        "category": text.dictionary_encode(),
        "bool": np.array([True, False, True] * 20),
        "day": pa.chunked_array([pa.array(pd.date_range("2026-01-01", periods=60).date)]),
        "time": pa.chunked_array([pa.array(pd.date_range("2026-01-01", periods=60, tz="UTC"))]),
        "decimal": pa.chunked_array([pa.array([Decimal("1.10"), Decimal("2.20"), None] * 20)]),
        "list": pa.chunked_array([pa.array([[1], [2], [3]] * 20)]),
        "nothing": pa.chunked_array([pa.nulls(60)]),
    }
    result = compare(reference, reference)
    compared = {column.name: column.drift for column in result.columns}
    assert compared.pop("list") is None
    assert compared.pop("nothing") is None
    assert set(compared.values()) == {0.0}
    assert len(compared) == 8


def test_missing_and_extra_columns_are_reported():
    data = np.arange(50.0)
    result = compare({"kept": data, "gone": data}, {"kept": data, "new": data})
    assert (result.missing_columns, result.extra_columns) == (("gone",), ("new",))
    assert any("gone" in reason for reason in result.reasons)


@pytest.mark.parametrize("rows", [1, 29])
def test_too_few_rows_are_insufficient_with_the_numbers_still_given(rows):
    result = compare({"x": np.arange(100.0)}, {"x": np.full(rows, 5.0)})
    assert result.status == DriftStatus.INSUFFICIENT
    assert result.drift_metric > 0.7
    assert compare({"x": np.arange(100.0)}, {"x": np.full(30, 5.0)}).status == DriftStatus.DRIFT_DETECTED


def test_unseen_categories_are_counted_and_named():
    (column,) = compare({"x": np.array(["a", "b"] * 50)}, {"x": np.array(["a", "b", "c", "c"] * 25)}).columns
    assert column.unseen_fraction == 0.5
    assert column.unseen == (("c", 50),)
    assert column.tvd == 0.5


def test_a_column_that_lost_all_its_values_is_full_drift_and_said_so():
    result = compare({"x": np.arange(50.0)}, {"x": pa.chunked_array([pa.nulls(50)])})
    assert (result.columns[0].drift, result.columns[0].current_missing_fraction) == (1.0, 1.0)
    assert "no current value is left" in " ".join(result.reasons)


def test_a_changed_type_is_named_and_not_guessed():
    result = compare({"x": np.arange(50.0), "y": np.arange(50.0)}, {"x": np.array(["a"] * 50), "y": np.arange(50.0)})
    assert result.columns[0].drift is None
    assert "it was double in the reference and is string now" in " ".join(result.reasons)


def test_a_reference_that_shares_no_column_vouches_for_nothing():
    result = compare({"x": np.arange(50.0)}, {"y": np.arange(50.0)})
    assert (result.status, result.drift_metric) == (DriftStatus.NOT_ANALYSED, None)


def test_without_a_reference_there_are_only_statistics():
    columns = table({"x": np.arange(50.0)})
    result, statistics = analyse(None, columns, column_names=["x"], rows=50, source=(), rule=DriftRule())
    assert result.status == DriftStatus.NOT_ANALYSED
    assert statistics.columns[0].max == 49


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "mean"},
        {"drift_threshold": 1.1},
        {"drift_threshold": 0.4},
        {"possible_drift_threshold": -0.1},
        {"drift_threshold": math.nan},
    ],
)
def test_a_rule_that_can_never_work_is_refused(arguments):
    with pytest.raises(ConfigurationError):
        DriftRule(**arguments)


def shares(bins):
    counts = arrays(np.int64, bins, elements=st.integers(0, 10**9))
    return counts.filter(lambda array: array.sum() > 0).map(lambda array: array / array.sum())


@given(shares(8), shares(8))
def test_distances_are_symmetric_and_lie_between_0_and_1(p, q):
    for measure in (total_variation, hellinger):
        assert measure(p, q) == pytest.approx(measure(q, p), abs=1e-12)
        assert -1e-12 <= measure(p, q) <= 1 + 1e-12
    assert math.isfinite(kl_divergence_symmetric(p, q))
    assert drift_score(total_variation(p, p), hellinger(p, p)) == pytest.approx(0, abs=1e-7)


@given(
    arrays(np.float64, 40, elements=st.floats(allow_nan=True, allow_infinity=True, width=64)),
    arrays(np.float64, 40, elements=st.floats(allow_nan=True, allow_infinity=True, width=64)),
    st.randoms(use_true_random=False),
)
def test_any_numbers_give_a_valid_result_that_ignores_the_order_of_rows(reference, current, random):
    result = compare({"x": reference}, {"x": current})
    shuffled = list(current)
    random.shuffle(shuffled)
    again = compare({"x": reference}, {"x": np.array(shuffled)})
    assert [(c.drift, c.current_counts) for c in result.columns] == [(c.drift, c.current_counts) for c in again.columns]
    drift = result.columns[0].drift
    assert drift is None or 0 <= drift <= 1
