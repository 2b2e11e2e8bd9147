"""MLRun's numbers to 1e-12, and the faults of MLRun that must not be reproduced.

The reference below is written from the contract with numpy's own histogram, independent of the package's counting.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from airflow_batch_inference.compat.mlrun.metrics import MlrunDrift
from airflow_batch_inference.drift.analysis import Roles, not_analysed
from airflow_batch_inference.drift.baseline import baseline_of
from airflow_batch_inference.drift.comparison import incomparable
from airflow_batch_inference.drift.rules.base import Context
from airflow_batch_inference.drift.rules.mlrun import MlrunRule
from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.drift.statuses import status_at
from airflow_batch_inference.exceptions import ConfigurationError
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


@pytest.fixture(scope="session")
def by_mlrun(compare):
    """``compare`` under MLRun's rule."""

    def by_mlrun(reference, current, **options):
        result = compare(reference, current, name="mlrun", **options)
        assert result.drift_metric == result.metrics.get("mlrun_drift")
        return result

    return by_mlrun


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


def test_every_kind_of_column_is_compared_and_a_bad_one_stops_none(by_mlrun):
    text = pa.chunked_array([pa.array(["u", "v", None] * 20)])
    reference = {
        "float": np.arange(60.0),
        "nullable": pa.chunked_array([pa.array([1, None, 3] * 20)]),
        "text": text,
        "view": text.cast(pa.string_view()),
        "category": text.dictionary_encode(),
        "numbered category": pa.chunked_array([pa.array(pd.Categorical([7, 8, None] * 20))]),
        "nullable bool": pa.chunked_array([pa.array([True, None, False] * 20)]),
        "infinite": np.array([1.0, np.inf, -np.inf, np.nan] * 15),
        "single": np.arange(60, dtype=np.float32),
        "half": np.arange(60, dtype=np.float16),
        "largest": np.array([2**64 - 1, 0] * 30, dtype=np.uint64),
        "duration": pa.chunked_array([pa.array([1, 2, None] * 20, pa.duration("ms"))]),
        "hour": pa.chunked_array([pa.array([1, 2, None] * 20, pa.time32("s"))]),
        "bool": np.array([True, False, True] * 20),
        "day": pa.chunked_array([pa.array(pd.date_range("2026-01-01", periods=60).date)]),
        "time": pa.chunked_array([pa.array(pd.date_range("2026-01-01", periods=60, tz="UTC"))]),
        "decimal": pa.chunked_array([pa.array([Decimal("1.10"), Decimal("2.20"), None] * 20)]),
        "list": pa.chunked_array([pa.array([[1], [2], [3]] * 20)]),
        "bytes": pa.chunked_array([pa.array([b"1", b"2", None] * 20)]),
        "struct": pa.chunked_array([pa.array([{"a": 1}] * 60)]),
        "nothing": pa.chunked_array([pa.nulls(60)]),
    }
    result = by_mlrun(reference, reference)
    compared = {column.name: score(column) for column in result.columns}
    assert {name for name, drift in compared.items() if drift is None} == {"list", "bytes", "struct", "nothing"}
    assert {drift for drift in compared.values() if drift is not None} == {0.0}
    assert set(compared) == set(reference)
    assert result.status == DriftStatus.NO_DRIFT
    said = " ".join(result.reasons)
    assert all(name in said for name in ("list", "bytes", "struct", "nothing"))


def test_a_column_that_turned_into_a_list_stops_no_other_and_is_named(by_mlrun):
    numbers = np.arange(50.0)
    lists = pa.chunked_array([pa.array([[1.0]] * 50)])
    result = by_mlrun({"a": numbers, "b": numbers}, {"a": lists, "b": numbers + 1000})
    assert [score(column) for column in result.columns] == [None, 1.0]
    assert result.drift_metric == 1.0
    assert any(reason.startswith("Not compared: a (") for reason in result.reasons)


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_same_times_in_another_unit_are_the_same(by_mlrun, unit):
    times = pa.array(pd.date_range("2026-01-01", periods=60, freq="h").as_unit("ns"))
    before, now = (pa.chunked_array([times.cast(pa.timestamp(other))]) for other in ("ns", unit))
    assert by_mlrun({"t": before}, {"t": now}).drift_metric == 0.0


def test_a_category_is_the_same_however_it_is_stored(by_mlrun):
    text = pa.chunked_array([pa.array(["u", "v", None] * 20)])
    for other in (text.dictionary_encode(), text.cast(pa.large_string()), text.cast(pa.string_view())):
        (column,) = by_mlrun({"x": text}, {"x": other}).columns
        assert (score(column), column.unseen, column.current_missing_fraction) == (0.0, (), 1 / 3)


def test_missing_and_infinite_values_are_shares_of_their_own(by_mlrun):
    before = np.array([0.0, 1.0, 2.0, np.nan] * 25)
    now = np.array([0.0, 1.0, 2.0, np.nan, np.nan, np.inf] * 25)
    (column,) = (result := by_mlrun({"x": before}, {"x": now})).columns
    assert score(column) == 0.0
    assert (column.reference_missing_fraction, column.current_missing_fraction) == (0.25, 2 / 6)
    assert (column.reference_inf_fraction, column.current_inf_fraction) == (0.0, 1 / 6)
    said = " ".join(result.reasons)
    assert "Missing values: x 33% (was 25%)." in said
    assert "Infinite values: x 16.67%." in said


def test_categories_beyond_the_thousand_kept_share_one_bin_with_those_never_seen(by_mlrun):
    names = np.array([f"c{i:04d}" for i in range(1500)])
    (same,) = by_mlrun({"x": names}, {"x": names}).columns
    counts = same.reference_histogram
    assert (score(same), len(counts), counts[-1]) == (0.0, 1001, 500)
    (column,) = by_mlrun({"x": names}, {"x": np.array(["never seen"] * 60)}).columns
    assert (column.metrics["mlrun_tvd"], column.current_histogram[-1]) == (pytest.approx(2 / 3), 60)
    assert (column.unseen_fraction, column.unseen) == (None, ())  # "never seen" may be among the 500


def test_a_thousand_and_more_new_categories_are_counted_and_ten_named(by_mlrun):
    now = np.array([f"c{i:04d}" for i in range(1500)])
    (column,) = by_mlrun({"x": np.array(["a"] * 100)}, {"x": now}).columns
    assert (score(column), column.unseen_fraction, len(column.unseen)) == (1.0, 1.0, 10)


def test_missing_and_extra_columns_are_reported(by_mlrun):
    data = np.arange(50.0)
    result = by_mlrun({"kept": data, "gone": data}, {"kept": data, "new": data})
    assert (result.missing_columns, result.extra_columns) == (("gone",), ("new",))
    assert "Gone from the data: gone." in result.reasons
    assert "New, not in the reference: new." in result.reasons
    assert result.drift_metric == 0.0


@pytest.mark.parametrize("rows", [1, 29])
def test_too_few_rows_are_insufficient_with_the_numbers_still_given(by_mlrun, rows):
    result = by_mlrun({"x": np.arange(100.0)}, {"x": np.full(rows, 5.0)})
    assert result.status == DriftStatus.INSUFFICIENT
    assert result.drift_metric > 0.7
    assert result.columns[0].status == DriftStatus.INSUFFICIENT
    assert result.reasons[0].startswith(f"Only {rows} current rows: below 30 no verdict is given.")
    assert by_mlrun({"x": np.arange(100.0)}, {"x": np.full(30, 5.0)}).status == DriftStatus.DRIFT_DETECTED


def test_unseen_categories_are_counted_and_named(by_mlrun):
    (column,) = by_mlrun({"x": np.array(["a", "b"] * 50)}, {"x": np.array(["a", "b", "c", "c"] * 25)}).columns
    assert column.unseen_fraction == 0.5
    assert column.unseen == (("c", 50),)
    assert column.metrics["mlrun_tvd"] == 0.5


def test_a_reference_of_too_few_rows_judges_nothing(by_mlrun):
    result = by_mlrun({"x": np.arange(29.0)}, {"x": np.arange(100.0)})
    assert result.status == DriftStatus.INSUFFICIENT
    assert result.reasons[0].startswith("Only 29 reference rows")


def test_no_rows_at_all_are_insufficient_and_without_a_number(by_mlrun):
    result = by_mlrun({"x": np.arange(50.0)}, {"x": np.empty(0)})
    assert (result.status, result.drift_metric) == (DriftStatus.INSUFFICIENT, None)
    assert "x (there are no current rows)" in " ".join(result.reasons)


def test_a_column_with_too_few_values_is_insufficient_by_itself(by_mlrun):
    mostly_null = np.where(np.arange(100) < 5, 900.0, np.nan)
    data = np.arange(100.0)
    result = by_mlrun({"x": data, "y": data}, {"x": mostly_null, "y": data})
    assert [column.status for column in result.columns] == [DriftStatus.INSUFFICIENT, DriftStatus.NO_DRIFT]
    assert score(result.columns[0]) == 1.0


@pytest.mark.parametrize("edges", ["padded", "open"])
@pytest.mark.parametrize("before", [np.arange(50.0), np.array(["a", "b"] * 25), np.array([True, False] * 25)])
@pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.string()])
def test_a_column_that_lost_all_its_values_is_full_drift_and_said_so(by_mlrun, edges, before, kind):
    result = by_mlrun({"x": before}, {"x": pa.chunked_array([pa.nulls(50, kind)])}, edges=edges)
    assert (score(result.columns[0]), result.columns[0].current_missing_fraction) == (1.0, 1.0)
    assert result.status == DriftStatus.DRIFT_DETECTED
    assert "x (no current value is left)" in " ".join(result.reasons)


def test_a_column_of_nothing_but_nan_has_lost_all_its_values_too(by_mlrun):
    (column,) = by_mlrun({"x": np.arange(50.0)}, {"x": np.full(50, np.nan)}).columns
    assert (score(column), column.current_missing_fraction, column.reason) == (1.0, 1.0, "no current value is left")


def test_a_changed_type_is_named_and_not_guessed(by_mlrun):
    result = by_mlrun({"x": np.arange(50.0), "y": np.arange(50.0)}, {"x": np.array(["a"] * 50), "y": np.arange(50.0)})
    assert score(result.columns[0]) is None
    assert result.status == DriftStatus.NO_DRIFT
    assert "it was double in the reference and is string now" in " ".join(result.reasons)


def test_a_reference_that_shares_no_column_vouches_for_nothing(by_mlrun):
    result = by_mlrun({"x": np.arange(50.0)}, {"y": np.arange(50.0)})
    assert (result.status, result.drift_metric) == (DriftStatus.NOT_ANALYSED, None)


def test_without_a_reference_nothing_is_judged():
    result = not_analysed(50, RULE)
    assert (result.status, result.rule, result.current_rows) == (DriftStatus.NOT_ANALYSED, "mlrun", 50)
    assert (result.drift_metric, result.metrics, result.extra_columns) == (None, {}, ())


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "mean"},
        {"drift_threshold": 1.1},
        {"drift_threshold": 0.4, "possible_drift_threshold": 0.5},
        {"possible_drift_threshold": -0.1},
        {"drift_threshold": math.nan},
        {"inf_capping": math.inf},
        {"edges": "closed"},
    ],
)
def test_a_rule_that_can_never_work_is_refused(arguments):
    with pytest.raises(ConfigurationError):
        make_rule(**{"name": "mlrun", **arguments})


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
