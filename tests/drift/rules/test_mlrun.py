"""MLRun's numbers to 1e-12, and the faults of MLRun that must not be reproduced.

The reference below is written from the contract with numpy's own histogram, independent of the package's counting.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from airflow_batch_inference.compat.mlrun.metrics import MlrunDrift
from airflow_batch_inference.drift.analysis import Roles
from airflow_batch_inference.drift.baseline import baseline_of
from airflow_batch_inference.drift.comparison import incomparable
from airflow_batch_inference.drift.rules.base import Context
from airflow_batch_inference.drift.rules.mlrun import MlrunRule
from airflow_batch_inference.drift.statuses import status_at
from airflow_batch_inference.records import DriftStatus

# The 21 features of MLRun's documentation; it prints a drift metric of 0.29934242566253266 and drift_status False.
DOCUMENTED = [
    0.028086840976606773, 0.04485072701663093, 0.7391279921664593, 0.043769819014849734, 0.042755641152500176,
    0.05184219833790496, 0.7262042202197605, 0.7297906294873706, 0.039060131873550404, 0.04468363504674985,
    0.042567035578799796, 0.7221431701127441, 0.7034787615778625, 0.04239724655474124, 0.046364723781764774,
    0.6329075683793959, 0.7181622588902428, 0.03587785749574268, 0.04443732609382538, 0.7902698698155215,
    0.017413285340161608,
]  # fmt: skip


RULE = MlrunRule()


def score(column):
    return column.metrics.get("mlrun_drift")


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
    assert {column.name for column in result.columns} == set(expected)
    for column in result.columns:
        tvd, distance, kld = expected[column.name]
        assert column.metrics["mlrun_tvd"] == pytest.approx(tvd, abs=1e-12)
        assert column.metrics["mlrun_hellinger"] == pytest.approx(distance, abs=1e-12)
        assert column.metrics["mlrun_kld"] == pytest.approx(kld, abs=1e-12)
        assert column.metrics["mlrun_drift"] == pytest.approx((tvd + distance) / 2, abs=1e-12)
    tvds, distances, _ = zip(*expected.values(), strict=True)
    assert result.metrics["mlrun_drift"] == pytest.approx((np.mean(tvds) + np.mean(distances)) / 2, abs=1e-12)


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
def test_the_numbers_are_mlruns_on_biased_halves_of_real_data(by_mlrun, load, edges):
    frame = load(as_frame=True).frame.astype(float)
    half = len(frame) // 2
    sample, inputs = frame.iloc[:half], frame.iloc[half:]
    assert_is_the_contract(by_mlrun(sample, inputs, edges=edges), sample, inputs, edges)


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0, 30.0])
def test_the_numbers_are_mlruns_under_shift_with_missing_and_infinite_values(by_mlrun, edges, shift):
    rng = np.random.default_rng(3)
    sample = pd.DataFrame(rng.normal(size=(2000, 4)), columns=list("abcd"))
    inputs = pd.DataFrame(rng.normal(size=(700, 4)) + shift, columns=list("abcd"))
    inputs.loc[::5, "a"] = np.nan
    inputs.loc[::7, "b"] = np.inf
    sample.loc[::3, "c"] = np.nan
    sample.loc[::9, "d"] = -np.inf
    sample["constant"], inputs["constant"] = 4.0, 4.0 + shift
    assert_is_the_contract(by_mlrun(sample, inputs, edges=edges), sample, inputs, edges)


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_the_numbers_are_mlruns_for_a_batch_drawn_from_the_sample_with_its_label(by_mlrun, load, edges):
    sample = load(as_frame=True).frame
    inputs = sample.sample(200, replace=True, random_state=5).reset_index(drop=True)
    result = by_mlrun(sample, inputs, edges=edges)
    assert_is_the_contract(result, sample, inputs, edges)
    assert "target" in {column.name for column in result.columns}
    assert result.status == DriftStatus.NO_DRIFT


def numbered(name, drift, gap=0.0):
    """A column of that drift, which is the mean of a TVD and a Hellinger distance that are apart by twice the gap."""
    numbers = {"mlrun_drift": drift, "mlrun_tvd": drift - gap, "mlrun_hellinger": drift + gap}
    return replace(incomparable(name, ""), metrics=numbers)


def verdict(columns, metric):
    """The verdict of a thousand rows on either side."""
    metrics = {} if metric is None else {"mlrun_drift": metric}
    context = Context(
        baseline=baseline_of([], {}, rows=1000), rows=1000, metrics=metrics, missing_columns=(), extra_columns=()
    )
    return RULE.judge(columns, context).status


def test_the_documented_features_give_the_documented_metric_and_verdict():
    # Only the features' drift is printed there; any TVD and Hellinger with that mean give the same metric.
    gaps = np.linspace(0, 0.01, 21)
    columns = [numbered(f"feature_{i}", *pair) for i, pair in enumerate(zip(DOCUMENTED, gaps, strict=True))]
    nothing, baseline = incomparable("a column without a number", "a list"), baseline_of([], {}, rows=1000)
    metric = MlrunDrift().overall([*columns, nothing], baseline)
    assert metric == pytest.approx(0.29934242566253266, abs=1e-15)
    assert verdict(columns, metric) == DriftStatus.NO_DRIFT
    assert MlrunDrift().overall([nothing], baseline) is None
    statuses = [status_at(drift, RULE.thresholds()) for drift in DOCUMENTED]
    assert statuses.count(DriftStatus.DRIFT_DETECTED) == 7
    assert statuses.count(DriftStatus.POSSIBLE_DRIFT) == 1


@pytest.mark.parametrize(
    ("metric", "status"),
    [
        (0.7, DriftStatus.DRIFT_DETECTED),
        (math.nextafter(0.7, 0), DriftStatus.POSSIBLE_DRIFT),
        (0.5, DriftStatus.POSSIBLE_DRIFT),
        (math.nextafter(0.5, 0), DriftStatus.NO_DRIFT),
    ],
)
def test_a_metric_at_a_threshold_is_over_it(metric, status):
    assert verdict([], metric) == status


def test_predictions_that_were_made_by_scoring_the_reference_are_left_out_of_the_mean(by_mlrun):
    # MLRun has no predictions of the sample set: a column of theirs counts only where it stands in the sample set.
    data, answers = np.arange(100.0), np.arange(100.0) + 1000
    sides = {"x": data, "answer": data}, {"x": data + 3, "answer": answers}
    roles = Roles(inputs=("x",), predictions=("answer",))
    stood = by_mlrun(*sides, roles=roles, baseline_arguments={"predictions": ("answer",)})
    scored = by_mlrun(*sides, roles=roles, baseline_arguments={"predictions": ("answer",), "scored": True})
    drift = {column.name: score(column) for column in scored.columns}
    assert drift["answer"] == 1.0
    assert 0 < scored.metrics["mlrun_drift"] < 0.2
    assert scored.metrics["mlrun_drift"] == pytest.approx(drift["x"], abs=1e-12)
    assert stood.metrics["mlrun_drift"] == pytest.approx((drift["x"] + 1) / 2, abs=1e-12)
    assert [column.role for column in scored.columns] == ["input", "prediction"]


def test_the_numbers_are_the_same_whichever_rule_judges(compare, by_mlrun):
    frame = load_iris(as_frame=True).frame.astype(float)
    sides = frame.iloc[:75], frame.iloc[75:]
    one, other = compare(*sides), by_mlrun(*sides)
    assert one.metrics["mlrun_drift"] == other.metrics["mlrun_drift"]
    assert [column.metrics for column in one.columns] == [column.metrics for column in other.columns]


@pytest.mark.parametrize(("edges", "ceiling"), [("open", 0.75), ("padded", 1.0)])
def test_a_column_wholly_outside_reaches_the_ceiling(by_mlrun, edges, ceiling):
    values = np.linspace(0, 1, 100)
    (column,) = by_mlrun({"x": values}, {"x": values + 10}, edges=edges).columns
    assert score(column) == pytest.approx(ceiling, abs=1e-12)
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
def test_identical_data_are_exactly_zero(by_mlrun, values, edges):
    result = by_mlrun({"x": values}, {"x": values}, edges=edges)
    (column,) = result.columns
    found = [column.metrics[f"mlrun_{name}"] for name in ("drift", "tvd", "hellinger", "kld")]
    assert (*found, result.drift_metric) == (0, 0, 0, 0, 0)
    assert column.reference_histogram == column.current_histogram
    assert result.status == DriftStatus.NO_DRIFT


@pytest.mark.parametrize("edges", ["padded", "open"])
def test_a_dataset_against_itself_is_exactly_zero_labels_included(by_mlrun, edges):
    frame = load_breast_cancer(as_frame=True).frame
    result = by_mlrun(frame, frame, edges=edges)
    assert (result.drift_metric, {score(column) for column in result.columns}) == (0.0, {0.0})
    assert len(result.columns) == 31


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("seed", range(10))
def test_the_same_distribution_over_three_times_the_rows_is_exactly_zero(by_mlrun, edges, seed):
    values = np.random.default_rng(seed).normal(size=997)
    assert by_mlrun({"x": values}, {"x": np.tile(values, 3)}, edges=edges).drift_metric == 0.0


def test_distances_stay_within_1_where_the_shares_sum_to_a_hair_over_it(by_mlrun):
    def column(letter, counts):
        return np.repeat([f"{letter}{i}" for i in range(10)], counts)

    before = column("a", [15, 10, 23, 12, 10, 26, 8, 7, 21, 19])
    now = column("b", [3, 28, 16, 11, 20, 17, 8, 10, 21, 18])
    found = by_mlrun({"x": before}, {"x": now}).columns[0].metrics
    assert (found["mlrun_tvd"], found["mlrun_hellinger"], found["mlrun_drift"]) == (1.0, 1.0, 1.0)


@pytest.mark.filterwarnings("error")
@settings(max_examples=50)
@given(
    arrays(np.float64, 40, elements=st.floats(allow_nan=True, allow_infinity=True, width=64)),
    arrays(np.float64, 40, elements=st.floats(allow_nan=True, allow_infinity=True, width=64)),
    st.randoms(use_true_random=False),
)
def test_any_numbers_give_a_valid_result_that_ignores_the_order_of_rows(by_mlrun, reference, current, random):
    result = by_mlrun({"x": reference}, {"x": current})
    shuffled = list(current)
    random.shuffle(shuffled)
    again = by_mlrun({"x": reference}, {"x": np.array(shuffled)})
    assert [column.metrics for column in result.columns] == [column.metrics for column in again.columns]
    drift = score(result.columns[0])
    assert drift is None or 0 <= drift <= 1


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from(["a", "b", "c", "", "\N{LATIN SMALL LETTER E WITH ACUTE}", None]), min_size=1, max_size=60
    ),
    st.randoms(),
)
def test_any_categories_give_a_valid_result_that_ignores_the_order_of_rows(by_mlrun, current, random):
    reference = pa.chunked_array([pa.array(["a", "b", "\N{LATIN SMALL LETTER E WITH ACUTE}", None] * 10)])
    shuffled = list(current)
    random.shuffle(shuffled)
    (found,), (again,) = (
        by_mlrun({"x": reference}, {"x": pa.chunked_array([pa.array(values, pa.string())])}).columns
        for values in (current, shuffled)
    )
    assert found == again
    assert 0 <= score(found) <= 1
    assert sum(found.current_histogram) == sum(value is not None for value in current)


@settings(max_examples=50)
@given(
    arrays(np.float64, 40, elements=st.floats(-1e6, 1e6, width=32)),
    arrays(np.float64, 35, elements=st.floats(-1e6, 1e6, width=32)),
    st.sampled_from(["padded", "open"]),
)
def test_the_numbers_are_mlruns_on_any_data(by_mlrun, sample, inputs, edges):
    found = by_mlrun({"x": sample}, {"x": inputs}, edges=edges).columns[0].metrics
    tvd, distance, kld = contract(sample, inputs, edges)
    # Hellinger is compared squared: near 0 the root makes 1e-8 of the last bit of a sum.
    numbers = found["mlrun_tvd"], found["mlrun_hellinger"] ** 2, found["mlrun_kld"]
    assert numbers == pytest.approx((tvd, distance**2, kld), abs=1e-12)
