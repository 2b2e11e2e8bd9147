"""What an input was like in training is taken from the baseline, and values are held against it."""

from __future__ import annotations

import logging
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.predictors.input_contract import breaches, contract_of, is_comparable, warn_of_nulls
from airflow_batch_inference.records import ColumnContract

SAMPLE = pa.table(
    {
        "age": [18, 97, 40, 41],
        "petal length": [0.5, None, 2.5, 1.0],
        "city": ["Ulm", "Bonn", "Ulm", None],
        "member": [True, True, None, True],
        "day": pa.array([date(2026, 1, 1), date(2026, 3, 1), None, date(2026, 2, 1)]),
        "seen": pa.array([1_767_268_800_000_000] * 4, pa.timestamp("us", "UTC")),
        "list": [[1], [2], [3], [4]],
    }
)

LONG = st.integers(-(2**63), 2**63 - 1)


def contracts(sample=SAMPLE, inputs=None):
    baseline = make_baseline(lambda: [sample], schema=sample.schema)
    return {each.name: each for each in contract_of(baseline, inputs or sample.schema.names)}


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


def broken(contract, values):
    """Return limit to the rows that break it."""
    return {breach.limit: np.flatnonzero(breach.rows).tolist() for breach in breaches(contract, values)}


def test_it_holds_ranges_categories_and_shares_of_nulls():
    found = contracts()
    assert (found["age"].minimum, found["age"].maximum, found["age"].null_fraction) == (18, 97, 0)
    assert (found["petal length"].minimum, found["petal length"].null_fraction) == (0.5, 0.25)
    assert (found["city"].categories, found["city"].null_fraction) == (("Ulm", "Bonn"), 0.25)
    assert found["member"].categories == ("true",)
    assert "list" not in found


def test_it_goes_by_the_models_names_in_its_order():
    assert list(contracts(inputs=["city", "petal_length", "absent"])) == ["city", "petal_length"]


def test_without_names_it_has_the_columns_that_the_baseline_says_the_model_takes():
    baseline = make_baseline(lambda: [SAMPLE], schema=SAMPLE.schema, inputs=["city", "age"])
    assert [each.name for each in contract_of(baseline, None)] == ["city", "age"]


def test_two_hundred_categories_are_a_list_and_more_are_none():
    for number, is_complete in [(200, True), (201, False), (1_500, False)]:
        sample = pa.table({"a": [f"c{place}" for place in range(number)]})
        assert (contracts(sample)["a"].categories is not None) == is_complete


def test_where_the_sample_is_infinite_there_is_no_limit():
    found = contracts(pa.table({"a": [1.0, float("inf")]}))["a"]
    assert (found.minimum, found.maximum) == (1, None)
    assert broken(found, column([0.0, 5.0, float("-inf")])) == {"the training sample has nothing under 1.0": [0, 2]}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (
            "age",
            column([18, 214, None, 17]),
            {"the training sample has no null": [2], "the training sample has 18 to 97": [1, 3]},
        ),
        ("petal length", column([None, float("nan"), 2.5]), {}),
        ("petal length", column([2.5, 2.6], pa.float32()), {"the training sample has 0.5 to 2.5": [1]}),
        ("city", column(["Ulm", None, "Paris"]), {"the training sample has only 'Ulm', 'Bonn'": [2]}),
        ("city", column(["Ulm", "ulm"], pa.string_view()), {"the training sample has only 'Ulm', 'Bonn'": [1]}),
        ("member", column([True, False, None]), {"the training sample has only 'true'": [1]}),
        ("day", column([date(2026, 3, 2), None]), {"the training sample has 2026-01-01 to 2026-03-01": [0]}),
        (
            "seen",
            column([1_767_268_800_000, 1_767_268_800_001], pa.timestamp("ms", "UTC")),
            {"the training sample has 2026-01-01 12:00:00+00:00 to 2026-01-01 12:00:00+00:00": [1]},
        ),
        ("seen", column([1_767_268_800], pa.timestamp("s", "Europe/Berlin")), {}),
        ("city", pa.chunked_array([pa.nulls(2)]), {}),
        ("age", pa.chunked_array([pa.nulls(2)]), {"the training sample has no null": [0, 1]}),
    ],
)  # fmt: skip
def test_values_are_held_against_it(name, values, expected):
    assert broken(contracts()[name], values) == expected


@given(
    st.one_of(
        st.tuples(st.just(pa.float64()), st.lists(st.one_of(st.none(), st.floats(width=64)), min_size=1)),
        st.tuples(st.just(pa.int64()), st.lists(st.one_of(st.none(), LONG), min_size=1)),
        st.tuples(st.just(pa.timestamp("ns")), st.lists(st.one_of(st.none(), LONG), min_size=1)),
        st.tuples(st.just(pa.string()), st.lists(st.one_of(st.none(), st.text(max_size=300)), min_size=1)),
    )
)
def test_no_value_of_the_sample_breaks_its_own_contract(typed):
    kind, values = typed
    sample = pa.table({"a": pa.array(values, kind)})
    for contract in contracts(sample).values():
        assert broken(contract, sample.column("a")) == {}


def test_a_number_of_single_precision_is_that_of_the_sample_which_it_rounds():
    contract = contracts(pa.table({"a": [0.1, 0.3]}))["a"]
    assert broken(contract, column([0.1, 0.3], pa.float32())) == {}
    short = contracts(pa.table({"a": pa.array([0.1, 0.3], pa.float32())}))["a"]
    assert broken(short, column([0.1, 0.3])) == {}
    assert broken(short, column([0.0999])) != {}


@pytest.mark.parametrize(
    ("trained", "kind", "expected"),
    [
        ("double", pa.int8(), True),
        ("double", pa.string(), False),
        ("string", pa.large_string(), True),
        ("large_string", pa.string_view(), True),
        ("timestamp[us]", pa.date32(), True),
        ("bool", pa.int64(), False),
        ("double", pa.null(), True),
        ("null", pa.string(), True),
    ],
)
def test_only_values_of_one_kind_are_compared(trained, kind, expected):
    contract = ColumnContract(name="a", type=trained, minimum=None, maximum=None, categories=None, null_fraction=0.0)
    assert is_comparable(contract, kind) == expected


@pytest.mark.parametrize(("nulls", "warns"), [(5, False), (56, True)])
def test_a_share_of_nulls_far_over_the_samples_is_told(caplog, nulls, warns):
    sample = pa.table({"petal length": [None] * 10 + [1.0] * 390})
    baseline = make_baseline(lambda: [sample], schema=sample.schema)
    profiler = Profiler(baseline.columns)
    profiler.add(pa.table({"petal length": [None] * nulls + [1.0] * (400 - nulls)}))
    with caplog.at_level(logging.WARNING):
        warn_of_nulls(contract_of(baseline, ["petal_length"]), profiler.profile())
    told = "14.0 % of column 'petal_length' is null; in the training sample it was 2.5 %"
    assert (told in caplog.text) == warns
    assert bool(caplog.records) == warns
