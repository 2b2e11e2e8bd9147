"""Disagreements are what a plain computation over all rows says, in whatever pieces they were counted."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.model_statistics import ChainTotals
from airflow_batch_inference.predictors.challengers.disagreement_counts import MOST_LABELS, added_pairs, judged
from airflow_batch_inference.predictors.challengers.disagreements import Compared, DisagreementCounter, compared_outputs
from airflow_batch_inference.predictors.challengers.rule import DisagreementRule, parse_disagreements
from airflow_batch_inference.records import OTHER_LABELS, ChainRows, Receipt
from airflow_batch_inference.sources.batches import MiniBatch, Origin

ONE = Compared(output="p", challenger_output="q", champion=(0,), challenger=(0,))


def counted(ours, theirs, *, cuts=(), rule=None, compared=ONE):
    """Count two columns (or lists of columns) in pieces; return the sum."""
    rule = rule or DisagreementRule()
    ours, theirs = (
        [pa.array(each) for each in (side if isinstance(side, list) else [side])] for side in (ours, theirs)
    )
    rows = len(ours[0])
    parts = []
    for start, stop in zip((0, *cuts), (*cuts, rows), strict=True):
        counter = DisagreementCounter(compared=compared, rule=rule)
        batch = MiniBatch(pa.table({"_": range(stop - start)}), (Origin("file:///in", start, stop - start),))
        counter.add(batch, *([each.slice(start, stop - start) for each in side] for side in (ours, theirs)))
        parts.append(counter.pairs())
    return judged(added_pairs(parts), rule)


def cuts_of(data, rows, most=4):
    return sorted(data.draw(st.lists(st.integers(0, rows), max_size=most)))


# -- labels ---------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_labels_disagree_as_a_plain_comparison_says_in_any_pieces(data):
    label = st.one_of(st.none(), st.sampled_from(["no", "yes", "maybe"]))
    rows = data.draw(st.lists(st.tuples(label, label), min_size=1, max_size=60))
    frame = pd.DataFrame(rows, columns=["ours", "theirs"], dtype=object)
    found = counted(
        pa.array([a for a, _ in rows], pa.string()),
        pa.array([b for _, b in rows], pa.string()),
        cuts=cuts_of(data, len(rows)),
    )
    both = frame.dropna()
    disagreements = both[both["ours"] != both["theirs"]]
    assert (found.kind, found.rows, found.disagreements) == ("labels", len(both), len(disagreements))
    assert found.disagreement_fraction == (
        pytest.approx(len(disagreements) / len(both), rel=1e-8) if len(both) else None
    )
    cells = {(a, b): found.matrix[i][j] for i, a in enumerate(found.labels) for j, b in enumerate(found.labels)}
    assert {pair: rows for pair, rows in cells.items() if rows} == dict(
        Counter(zip(both["ours"], both["theirs"], strict=True))
    )
    assert [(each.row, each.champion, each.challenger) for each in found.examples] == [
        (row, a, b) for row, a, b in disagreements.head(5).itertuples()
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "disagreements"),
    [
        (pa.array([0, 1, 1]), pa.array([0, 0, 1], pa.int8()), 1),
        (pa.array([True, False, None]), pa.array([True, True, True]), 1),
        (pa.array([True, False]), pa.array([1, 1]), 1),
        (pa.array(["1", "2"]), pa.array([1, 3]), 1),
        (pa.array(["u", "v"]), pa.array(["u", "v"], pa.large_string()), 0),
    ],
)
def test_labels_of_different_types_are_compared_by_what_they_say(ours, theirs, disagreements):
    assert counted(ours, theirs).disagreements == disagreements


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_ever_so_many_labels_take_no_more_room_and_the_disagreements_stay_exact(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    ours = np.array([f"label {i:04}" for i in rng.integers(0, 300, 500)], dtype=object)
    theirs = np.where(rng.random(500) < 0.2, "label 0000", ours)
    found = counted(ours, theirs, cuts=cuts_of(data, 500))
    whole = counted(ours, theirs)
    assert found == whole
    assert found.disagreements == int((ours != theirs).sum())
    assert found.labels[-1] == OTHER_LABELS
    assert len(found.labels) <= 2 * MOST_LABELS + 1
    assert sum(map(sum, found.matrix)) == 500


# -- numbers --------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_numbers_are_compared_as_a_plain_computation_says_in_any_pieces(data):
    number = st.one_of(st.none(), st.floats(-1e6, 1e6, width=32), st.just(math.nan), st.just(math.inf))
    rows = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=60))
    tolerance = data.draw(st.sampled_from([0.0, 0.05, 0.5]))
    ours, theirs = (np.array([math.nan if row[side] is None else row[side] for row in rows]) for side in (0, 1))
    columns = [pa.array([row[side] for row in rows], pa.float64()) for side in (0, 1)]
    found = counted(*columns, cuts=cuts_of(data, len(rows)), rule=DisagreementRule(tolerance=tolerance))
    both = np.isfinite(ours) & np.isfinite(theirs)
    a, b = ours[both], theirs[both]
    assert found.rows == both.sum()
    if not both.any():
        assert found.numbers is None
        return
    larger = np.maximum(np.abs(a), np.abs(b))
    apart = np.abs(b / np.where(larger > 0, larger, 1) - a / np.where(larger > 0, larger, 1))
    is_unit = min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) <= 1
    disagreements = (a >= 0.5) != (b >= 0.5) if is_unit else apart > tolerance
    assert found.kind == ("decisions" if is_unit else "numbers")
    assert found.disagreements == disagreements.sum()
    assert found.numbers.mean_absolute == pytest.approx(np.abs(b - a).mean(), rel=1e-6, abs=1e-9)
    assert found.numbers.largest == pytest.approx(np.abs(b - a).max(), rel=1e-6)
    assert found.numbers.champion_mean == pytest.approx(a.mean(), rel=1e-6, abs=1e-6)
    assert sum(found.numbers.bins) == both.sum()
    assert found.numbers.bins[0] == (apart == 0).sum()
    assert (found.numbers.density != ()) == is_unit
    assert sum(rows for _, _, rows in found.numbers.density) == (both.sum() if is_unit else 0)
    places = np.flatnonzero(both)[disagreements][:5].tolist()
    assert [each.row for each in found.examples] == places


def test_the_correlation_is_numpy_s_however_the_rows_are_cut():
    rng = np.random.default_rng(0)
    ours = rng.normal(size=1000) + 1e6
    theirs = ours + rng.normal(size=1000)
    expected = np.corrcoef(ours, theirs)[0, 1]
    for cuts in ((), (1, 2, 500), (10, 20, 30, 999)):
        assert counted(ours, theirs, cuts=cuts).numbers.correlation == pytest.approx(expected, rel=1e-6)


def test_a_constant_number_has_no_correlation():
    assert counted(np.ones(3), np.arange(3.0)).numbers.correlation is None


def test_a_threshold_makes_decisions_of_any_numbers():
    found = counted(np.array([1.0, 5.0, 9.0]), np.array([4.0, 4.0, 8.0]), rule=DisagreementRule(threshold=5))
    assert (found.kind, found.disagreements, found.labels) == ("decisions", 1, ("< 5", "≥ 5"))
    assert found.matrix == ((1, 0), (1, 1))


def test_numbers_from_0_to_1_are_decided_at_a_half():
    found = counted(np.array([0.1, 0.5, 0.9, 0.4]), np.array([0.2, 0.4, 0.5, 0.6]))
    assert (found.kind, found.disagreements, found.matrix) == ("decisions", 2, ((1, 1), (1, 1)))


def test_one_number_outside_makes_distances_of_all():
    found = counted(np.array([0.1, 0.5, 0.9]), np.array([0.1, 0.5, 1.5]), cuts=(2,))
    assert (found.kind, found.disagreements, found.numbers.density) == ("numbers", 1, ())


def test_absurdly_large_numbers_still_make_a_record():
    found = counted(np.array([1e308, -1e308]), np.array([-1e308, 1e308]), cuts=(1,))
    assert math.isfinite(found.numbers.mean_absolute)
    assert math.isfinite(found.numbers.largest)
    assert found.disagreements == 2


# -- classes --------------------------------------------------------------------------------------------------


def test_shares_of_classes_are_compared_by_the_class_of_the_largest():
    compared = Compared(
        output="", challenger_output="", champion=(0, 1), challenger=(1, 0), classes=(("no", "yes"), ("no", "yes"))
    )
    ours = [pa.array([0.9, 0.2, 0.6]), pa.array([0.1, 0.8, 0.4])]
    theirs = [pa.array([0.9, 0.9, None]), pa.array([0.1, 0.1, 0.5])]
    found = counted(ours, theirs, compared=compared)
    assert (found.rows, found.disagreements, found.labels) == (2, 1, ("no", "yes"))
    assert found.matrix == ((0, 1), (0, 1))


# -- which outputs --------------------------------------------------------------------------------------------


def schema(**kinds):
    return pa.schema(list(kinds.items()))


def test_outputs_are_compared_one_by_one_in_their_order():
    pairs = compared_outputs(schema(p=pa.float64(), n=pa.int64()), schema(x=pa.float32(), y=pa.string()), ("predict",))
    assert [(each.output, each.challenger_output, each.champion) for each in pairs] == [
        ("p", "x", (0,)),
        ("n", "y", (1,)),
    ]


def test_of_several_methods_only_predict_is_compared():
    of = schema(predicted_label=pa.int64(), predicted_probability_0=pa.float64(), predicted_probability_1=pa.float64())
    (pair,) = compared_outputs(of, of, ("predict", "predict_proba"))
    assert (pair.champion, pair.challenger) == ((0,), (0,))


def test_probabilities_are_compared_as_classes_by_their_names():
    of = schema(predicted_label_0=pa.float64(), predicted_label_1=pa.float64())
    (pair,) = compared_outputs(of, of, ("predict_proba",), (("no", "yes"), None))
    assert (pair.champion, pair.classes) == ((0, 1), (("no", "yes"), ("0", "1")))


@pytest.mark.parametrize(
    ("theirs", "match"),
    [
        (schema(p=pa.float64(), q=pa.float64()), "it returns 2 outputs, the champion 1"),
        (schema(p=pa.int64()), "p holds int64, and the champion's p double"),
        (schema(p=pa.list_(pa.float64(), 3)), "p holds fixed_size_list"),
    ],
)
def test_what_cannot_be_compared_says_why(theirs, match):
    with pytest.raises(ConfigurationError, match=match):
        compared_outputs(schema(p=pa.float64()), theirs, ("predict",))


# -- adding up, and arguments ---------------------------------------------------------------------------------


def receipt(index, *chains):
    return Receipt(
        job_key="k", index=index, rows_in=1, rows_out=1, part=None, quarantine=None, rejections=(),
        row_hash_out="0", row_hash_rejected="0", seconds={}, chains=chains,
    )  # fmt: skip


def chain(name, rows, outputs=(), **changes):
    fields = {"name": name, "rows": rows, "rows_failed": 1, "seconds": 0.5, "error": None, "outputs": outputs}
    return ChainRows(**(fields | changes))


def pairs_of(ours, theirs, start=0):
    counter = DisagreementCounter(compared=ONE, rule=DisagreementRule())
    batch = MiniBatch(pa.table({"_": range(len(ours))}), (Origin("file:///in", start, len(ours)),))
    counter.add(batch, [pa.array(ours)], [pa.array(theirs)])
    return counter.pairs()


def added_chains(receipts):
    totals = ChainTotals()
    for each in sorted(receipts, key=lambda each: each.index):
        for part in each.chains:
            totals.add(part)
    return totals.whole()


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(4)))
def test_receipts_add_up_to_the_same_in_any_order(order):
    rng = np.random.default_rng(0)
    receipts = [
        receipt(at, chain("b", 50, (pairs_of(rng.random(50), rng.random(50), 50 * at),), error=f"{at}"))
        for at in range(4)
    ]
    expected = added_chains(receipts)
    assert added_chains([receipts[at] for at in order]) == expected
    assert (expected["b"].rows, expected["b"].rows_failed, expected["b"].error) == (200, 4, "0")


def test_a_part_that_could_not_be_compared_leaves_no_half_comparison():
    whole = chain("b", 3, (pairs_of([1.0], [2.0]),))
    broken = chain("b", 3, (), not_compared="TypeError: odd")
    found = added_chains([receipt(0, whole), receipt(1, broken)])["b"]
    assert (found.outputs, found.not_compared) == ((), "TypeError: odd")


def test_a_part_without_scored_rows_takes_nothing_from_the_others():
    found = added_chains([receipt(0, chain("b", 0)), receipt(1, chain("b", 1, (pairs_of([1.0], [2.0]),)))])["b"]
    assert len(found.outputs) == 1


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"treshold": 1}, "did you mean 'threshold'"),
        ({"threshold": "high"}, "threshold='high'"),
        ({"tolerance": -1}, "tolerance=-1; it must be a number from 0"),
        ({"tolerance": True}, "tolerance=True"),
    ],
)
def test_disagreements_that_cannot_be_are_refused(given, match):
    with pytest.raises(ConfigurationError, match=match):
        parse_disagreements(given)
