"""Which model a row meets: by what the module's docstring says, whatever the types, the platform and the batches."""

from __future__ import annotations

import decimal
import hashlib
import subprocess
import sys
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.shares import Split, key_shares, key_texts, parse_split
from airflow_batch_inference.sources.batches import MiniBatch, Origin

NAMES = ("a", "b", "c")


def batch_of(keys, uri="file:///1", first_row=0):
    table = pa.table({"key": keys})
    return MiniBatch(table, (Origin(uri, first_row, table.num_rows),))


def by_hand(key, seed="0"):
    """What anybody can compute elsewhere."""
    return int(hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()[:13], 16) / 16**13


# -- by weight ------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(weights=st.lists(st.floats(0.05, 1), min_size=2, max_size=3), seed=st.integers(0, 9), keyed=st.booleans())
def test_each_model_gets_its_share_of_the_rows(weights, seed, keyed):
    names = NAMES[: len(weights)]
    given_split = {"weights": dict(zip(names, weights, strict=True)), "seed": seed} | ({"key": "key"} if keyed else {})
    which = parse_split(given_split, names).route(batch_of(np.arange(20_000)))
    found = np.bincount(which, minlength=len(names)) / len(which)
    expected = np.array(weights) / sum(weights)
    # Five standard deviations of a share of 20,000 rows.
    assert np.all(np.abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / len(which)) + 1e-9)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), keyed=st.booleans())
def test_any_cut_into_mini_batches_and_any_order_route_each_row_alike(data, keyed):
    rows = data.draw(st.integers(1, 80))
    split = Split(arms=NAMES, weights=(0.5, 0.3, 0.2), key="key" if keyed else None)
    whole = batch_of([f"k{row % 7}" for row in range(rows)])
    expected = split.route(whole).tolist()
    cut = data.draw(st.integers(0, rows))
    found = [which for part in (whole.slice(0, cut), whole.slice(cut, rows - cut)) for which in split.route(part)]
    assert found == expected
    order = data.draw(st.permutations(range(rows)))
    shuffled = MiniBatch(whole.table.take(pa.array(order)), tuple(Origin("file:///1", row, 1) for row in order))
    assert split.route(shuffled).tolist() == [expected[row] for row in order]


def test_a_key_is_hashed_as_the_documents_say():
    keys = ["ann", "bob", "", "Köln", "x" * 10_000]
    assert key_shares(pa.array(keys), "7").tolist() == [by_hand(key, "7") for key in keys]
    split = parse_split({"weights": {"a": 0.25, "b": 0.75}, "key": "key", "seed": 7}, ["a", "b"])
    assert split.route(batch_of(keys)).tolist() == [int(by_hand(key, "7") >= 0.25) for key in keys]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, 270], pa.int16()),
        pa.array([1, 2, 270], pa.int32()),
        pa.array([1, 2, 270], pa.uint64()),
        pa.array([1.0, 2.0, 270.0], pa.float64()),
        pa.array([1.0, 2.0, 270.0], pa.float32()),
        pa.array(["1", "2", "270"]),
        pa.array(["1", "2", "270"], pa.large_string()),
        pa.array(["1", "2", "270"]).dictionary_encode(),
        pa.array([decimal.Decimal(1), decimal.Decimal(2), decimal.Decimal(270)], pa.decimal128(9, 2)),
    ],
    ids=lambda array: str(array.type),
)
def test_one_value_of_any_type_has_one_text(values):
    assert key_texts(pa.chunked_array([values]), "key").to_pylist() == ["1", "2", "270"]


def test_other_types_have_texts_of_their_own():
    def texts(values, kind=None):
        return key_texts(pa.chunked_array([pa.array(values, kind)]), "key").to_pylist()

    assert texts([True, False, None]) == ["true", "false", None]
    assert texts([date(2026, 11, 22), None]) == ["2026-11-22", None]
    assert texts([-0.0, 1.5, float("nan"), None, 1e300]) == ["0", "1.5", None, None, "1e+300"]
    assert texts([2**63, 2**64 - 1], pa.uint64()) == [str(2**63), str(2**64 - 1)]
    assert texts([None, None], pa.null()) == [None, None]
    assert texts([]) == []


def test_a_key_without_a_text_is_refused_by_its_type():
    with pytest.raises(ConfigurationError, match=r"split has the key 'key', which holds timestamp\[us\]"):
        Split(arms=NAMES, weights=(1, 0, 0), key="key").route(batch_of(pa.array([0], pa.timestamp("us"))))


def test_rows_without_a_key_are_spread_and_not_all_one_model_s():
    which = Split(arms=NAMES[:2], weights=(0.5, 0.5), key="key").route(batch_of(pa.array([None] * 1000, pa.string())))
    assert 400 < which.sum() < 600


def test_another_seed_and_another_file_give_another_split():
    split = Split(arms=NAMES[:2], weights=(0.5, 0.5))
    rows = [None] * 200
    first = split.route(batch_of(rows)).tolist()
    assert split.route(batch_of(rows)).tolist() == first
    assert Split(arms=NAMES[:2], weights=(0.5, 0.5), seed="1").route(batch_of(rows)).tolist() != first
    assert split.route(batch_of(rows, uri="file:///2")).tolist() != first


def test_another_process_with_another_hash_seed_routes_alike():
    code = (
        "import pyarrow as pa; from airflow_batch_inference.predictors.shares import Split; "
        "from airflow_batch_inference.sources.batches import MiniBatch, Origin; "
        "batch = MiniBatch(pa.table({'key': list('abcdefgh')}), (Origin('file:///1', 0, 8),)); "
        "print([Split(arms=('a', 'b'), weights=(0.5, 0.5), key=key).route(batch).tolist() for key in ('key', None)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    batch = batch_of(list("abcdefgh"))
    here = [Split(arms=("a", "b"), weights=(0.5, 0.5), key=key).route(batch).tolist() for key in ("key", None)]
    assert outputs == {f"{here}\n"}


def test_a_model_without_weight_gets_no_row():
    which = parse_split({"weights": {"a": 0, "b": 1, "c": 0}}, NAMES).route(batch_of(range(1000)))
    assert set(which.tolist()) == {1}


# -- by value -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "named", "expected"),
    [
        (["gold", "blue", None, "gold"], {"gold": "b"}, [1, 0, 0, 1]),
        ([1, 2, None, 3], {1: "b", "3": "c"}, [1, 0, 0, 2]),
        ([1.0, 2.5, None], {"1": "b", 2.5: "c"}, [1, 2, 0]),
        ([True, False, None], {True: "b", "false": "c"}, [1, 2, 0]),
    ],
)
def test_named_values_meet_their_model_and_all_others_the_default(values, named, expected):
    split = parse_split({"key": "key", "values": named, "default": "a"}, NAMES)
    assert split.route(batch_of(values)).tolist() == expected


# -- what cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_split", "match"),
    [
        ({}, "either weights .* or values .*; it has nothing"),
        ({"weight": {}}, "split has 'weight' .did you mean 'weights'."),
        ({"weights": {"a": 1}, "values": {"x": "a"}}, "either weights"),
        ({"weights": {"a": 1}}, "weight None for the model 'b'"),
        ({"weights": {"a": 1, "b": "much"}}, "weight 'much'"),
        ({"weights": {"a": 1, "b": -1}}, "weight -1"),
        ({"weights": {"a": 1, "b": True}}, "weight True"),
        ({"weights": {"a": 1, "b": float("nan")}}, "weight nan"),
        ({"weights": {"a": 0, "b": 0}}, "add up to 0"),
        ({"weights": {"a": 1, "z": 1}}, "names 'z', which is no model.*The models: a, b"),
        ({"weights": {"a": 1, "b": 1}, "default": "a"}, "weights and default"),
        ({"weights": {"a": 1, "b": 1}, "key": 3}, "key=3"),
        ({"key": "k", "values": {"x": "b"}}, "no default"),
        ({"values": {"x": "b"}, "default": "a"}, "no key"),
        ({"key": "k", "values": {"x": "z"}, "default": "a"}, "names 'z'"),
        ({"key": "k", "values": {"x": "b"}, "default": "z"}, "names 'z'"),
        ({"key": "k", "values": {}, "default": "a"}, r"values=\{\}"),
    ],
)
def test_a_split_that_cannot_be_is_refused(given_split, match):
    with pytest.raises(ConfigurationError, match=match):
        parse_split(given_split, ["a", "b"])
