"""The rule `effect`: the cases that break other tools, and what its verdict rests on."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import Roles
from airflow_batch_inference.records import DriftStatus

NO, POSSIBLE, DRIFT = DriftStatus.NO_DRIFT, DriftStatus.POSSIBLE_DRIFT, DriftStatus.DRIFT_DETECTED
N, M = 5_000, 2_000


def check(column, name):
    return next(each for each in column.checks if each.name == name)


@pytest.mark.parametrize("outlier", ["reference", "current", "both"])
def test_an_outlier_of_1e9_does_not_hide_a_shift_of_half_a_deviation(one, rng, outlier):
    before, now = rng.normal(size=N), rng.normal(size=M) + 0.5
    if outlier != "current":
        before[0] = 1e9
    if outlier != "reference":
        now[0] = 1e9
    assert one(before, now).status == DRIFT


@pytest.mark.parametrize("outlier", ["reference", "current"])
def test_an_outlier_of_1e9_alone_is_no_drift(one, rng, outlier):
    before, now = rng.normal(size=N), rng.normal(size=M)
    (before if outlier == "reference" else now)[0] = 1e9
    assert one(before, now).status == NO


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e-3, 1.0, 1e9, 1e150])
def test_a_shift_of_one_deviation_is_seen_at_any_scale(one, rng, scale):
    column = one(rng.normal(size=N) * scale, (rng.normal(size=M) + 1) * scale)
    assert column.status == DRIFT
    assert check(column, "distance").value == pytest.approx(1.0, abs=0.1)


def test_missing_values_going_from_5_to_20_percent_are_drift(one, rng):
    before = np.where(rng.random(N) < 0.05, np.nan, rng.normal(size=N))
    now = np.where(rng.random(M) < 0.20, np.nan, rng.normal(size=M))
    column = one(before, now)
    assert column.status == DRIFT
    assert check(column, "missing").status == DRIFT
    assert check(column, "distance").status == NO


def test_a_column_that_lost_all_its_values_is_drift_and_stops_no_other(compare, rng):
    columns = compare(
        {"gone": rng.normal(size=N), "fine": rng.normal(size=N)},
        {"gone": np.full(M, np.nan), "fine": rng.normal(size=M)},
    ).columns
    assert [column.status for column in columns] == [DRIFT, NO]
    assert columns[0].reason == "no current value is left"


def test_a_reference_without_values_is_compared_by_its_missing_share_alone(compare, rng):
    result = compare(
        {"void": np.full(N, np.nan), "fine": rng.normal(size=N)},
        {"void": rng.normal(size=M), "fine": rng.normal(size=M)},
    )
    assert [column.status for column in result.columns] == [DriftStatus.NOT_ANALYSED, NO]
    assert "void (the reference has no values)" in " ".join(result.reasons)


@pytest.mark.parametrize("now", [np.full(M, 4.0), np.full(M, 3.0 + 1e-9), np.tile([3.0, 3.1], M // 2)])
def test_a_constant_that_moves_is_drift_however_little(one, now):
    assert one(np.full(N, 3.0), now).status == DRIFT


def test_a_constant_that_stays_is_none(one):
    column = one(np.full(N, 3.0), np.full(M, 3.0))
    assert (column.status, column.effect) == (NO, 0.0)


def test_identical_data_are_exactly_zero(compare, rng):
    columns = {
        "x": rng.normal(size=N),
        "c": rng.choice(list("abc"), N),
        "m": np.where(rng.random(N) < 0.1, np.nan, 1.0),
    }
    result = compare(columns, columns)
    assert (result.status, result.drift_metric, result.metrics["mlrun_drift"]) == (NO, 0.0, 0.0)
    for column in result.columns:
        of_shares = ("psi", "js", "kld", "tvd", "hellinger", "linf", "chi2")
        assert [column.metrics[name] for name in of_shares] == [0] * 7
        assert column.metrics.get("ks_low", 0.0) == column.metrics.get("w1", 0.0) == 0.0


def test_infinities_are_a_share_of_their_own(one, rng):
    now = rng.normal(size=M)
    now[: M // 5 : 2], now[1 : M // 5 : 2] = np.inf, -np.inf
    column = one(rng.normal(size=N), now)
    assert column.status == DRIFT
    assert (check(column, "infinite").value, check(column, "infinite").status) == (0.2, DRIFT)
    assert column.current_inf_fraction == 0.2
    assert check(column, "distance").status == NO


def test_unseen_categories_are_drift_and_named(one, rng):
    column = one(rng.choice(list("abc"), N), np.where(rng.random(M) < 0.06, "new", rng.choice(list("abc"), M)))
    assert column.status == DRIFT
    assert check(column, "unseen").status == DRIFT
    assert column.unseen[0][0] == "new"


def test_identifiers_that_are_always_new_are_no_drift(one):
    column = one([f"id-{i}" for i in range(900)], [f"id-{i}" for i in range(900, 1800)])
    assert check(column, "unseen").status == NO
    assert column.unseen_fraction == 1.0


def test_sixty_rows_are_judged_without_crying_wolf(compare):
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        names = [f"c{i}" for i in range(10)]
        result = compare({name: rng.normal(size=N) for name in names}, {name: rng.normal(size=60) for name in names})
        assert result.status in (NO, POSSIBLE, DRIFT)
        alarms += sum(column.status in (POSSIBLE, DRIFT) for column in result.columns)
    assert alarms <= 2  # of 200


def test_sixty_rows_show_a_shift_of_one_deviation(one, rng):
    assert one(rng.normal(size=N), rng.normal(size=60) + 1).status == DRIFT


@pytest.mark.parametrize(("before", "now"), [(N, 29), (29, M), (N, 1)])
def test_too_few_rows_are_insufficient_and_never_fine(compare, rng, before, now):
    result = compare({"x": rng.normal(size=before)}, {"x": rng.normal(size=now)})
    assert result.status == DriftStatus.INSUFFICIENT
    assert result.columns[0].status == DriftStatus.INSUFFICIENT
    assert result.reasons[0].startswith(f"Only {min(before, now)} ")


def test_a_column_with_too_few_values_is_insufficient_by_itself(compare, rng):
    few = np.full(N, np.nan)
    few[:20] = rng.normal(size=20)
    result = compare({"few": few, "x": rng.normal(size=N)}, {"few": few[:M], "x": rng.normal(size=M)})
    assert [column.status for column in result.columns] == [DriftStatus.INSUFFICIENT, NO]


def day(number):
    return dt.date(2026, 1, 1) + dt.timedelta(days=int(number))


KINDS = {
    "int": lambda rng, n, shift: pa.array(rng.poisson(20, n) + 4 * shift, pa.int64()),
    "unsigned": lambda rng, n, shift: pa.array(rng.poisson(20, n) + 4 * shift, pa.uint8()),
    "float32": lambda rng, n, shift: pa.array((rng.normal(size=n) + shift).astype(np.float32)),
    "bool": lambda rng, n, shift: pa.array(rng.random(n) < (0.7 if shift else 0.3)),
    "date": lambda rng, n, shift: pa.array([day(d + 30 * shift) for d in rng.integers(0, 90, n)]),
    "time": lambda rng, n, shift: pa.array(rng.integers(0, 50_000, n) + 30_000 * shift, pa.int32()).cast(
        pa.time32("s")
    ),
    "timestamp": lambda rng, n, shift: pa.array(rng.integers(0, 10**6, n) + 500_000 * shift, pa.timestamp("s")),
    "decimal": lambda rng, n, shift: pa.array([Decimal(int(v) + 50 * shift) / 100 for v in rng.integers(0, 200, n)]),
    "string": lambda rng, n, shift: pa.array(rng.choice(["x", "y"], n, p=[0.8, 0.2] if shift else [0.4, 0.6])),
    "dictionary": lambda rng, n, shift: pa.array(
        rng.choice(["x", "y"], n, p=[0.8, 0.2] if shift else [0.4, 0.6])
    ).dictionary_encode(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_column_is_quiet_without_drift_and_loud_with_it(one, rng, kind):
    before = KINDS[kind](rng, N, 0)
    assert one(before, KINDS[kind](rng, M, 0)).status == NO
    assert one(before, KINDS[kind](rng, M, 1)).status == DRIFT


def test_an_input_that_is_gone_is_drift_and_a_column_that_the_model_never_took_is_not(compare, rng):
    reference = {name: rng.normal(size=N) for name in ("a", "b", "label")}
    result = compare(reference, {"a": rng.normal(size=M)}, roles=Roles(inputs=("a", "b")))
    assert result.status == DRIFT
    assert {column.name: column.status for column in result.columns} == {"a": NO, "b": DRIFT}
    assert result.missing_columns == ("b", "label")
    assert "b: gone from the data." in result.reasons


def test_a_column_that_was_not_kept_with_the_predictions_is_not_gone(compare, rng):
    reference = {name: rng.normal(size=N) for name in ("a", "b")}
    result = compare(reference, {"a": rng.normal(size=M)}, roles=Roles(inputs=("a", "b"), unread=("b",)))
    assert result.status == NO
    assert "Not compared: b (it was not kept with the predictions)." in result.reasons


def test_a_column_whose_type_changed_is_drift_named_and_stops_no_other(compare, rng):
    result = compare(
        {"a": rng.normal(size=N), "b": rng.normal(size=N)}, {"a": rng.choice(["1", "2"], M), "b": rng.normal(size=M)}
    )
    assert result.status == DRIFT
    assert "a: it was double in the reference and is string now." in result.reasons
    assert result.columns[1].status == NO


def test_a_column_of_lists_is_named_and_stops_no_other(compare, rng):
    lists = [[1.0]] * M
    result = compare({"a": lists, "b": rng.normal(size=M)}, {"a": lists, "b": rng.normal(size=M)})
    assert result.status == NO
    assert {column.name: column.status for column in result.columns} == {"b": NO, "a": DriftStatus.NOT_ANALYSED}


# -- what the verdict rests on -----------------------------------------------------------------------------------------


def test_a_large_sample_makes_no_drift_of_what_is_too_small_to_matter(one, rng):
    column = one(rng.normal(size=200_000), rng.normal(size=200_000) + 0.05)
    assert check(column, "distance").p_adjusted < 1e-9
    assert column.status == NO


@pytest.mark.parametrize("rare", [20, 2_000])
def test_a_small_reference_with_many_rare_categories_does_not_cry_wolf(compare, rare):
    alarms = 0
    for seed in range(15):
        rng = np.random.default_rng(seed)
        shares = 1 / np.arange(1, rare + 1)
        names = np.arange(rare).astype(str)
        before, now = (rng.choice(names, n, p=shares / shares.sum()) for n in (300, 5_000))
        (column,) = compare({"c": before}, {"c": now}).columns
        alarms += column.status in (POSSIBLE, DRIFT)
    assert alarms <= 1


@pytest.mark.parametrize("short", ["reference", "current"])
def test_numbers_of_single_precision_are_the_same_numbers(one, rng, short):
    values = rng.choice(np.arange(1, 10) / 10, N)
    before, now = values, rng.permutation(values)
    if short == "reference":
        before = before.astype(np.float32)
    else:
        now = now.astype(np.float32)
    column = one(before, now)
    assert (column.status, column.out_of_range_fraction) == (NO, 0.0)


def test_one_outlier_beside_values_just_outside_is_no_larger_shift(one, rng):
    before, now = rng.normal(size=200_000), rng.normal(size=200_000)
    now[:4_000] = before.max() + 0.001
    plain = check(one(before, now), "distance").value
    now[0] = 1e12
    assert check(one(before, now), "distance").value == pytest.approx(plain, abs=0.001)


@pytest.mark.parametrize("now", [[[1.0]] * M, [b"x"] * M, [{"a": 1}] * M])
def test_a_number_that_becomes_something_else_altogether_changed_its_type(one, rng, now):
    assert one(rng.normal(size=N), now).status == DRIFT


def test_blanks_in_names_are_underscores_to_lightgbm_and_so_to_the_comparison(compare, rng):
    roles = Roles(inputs=("big_a",))
    result = compare({"big a": rng.normal(size=N)}, {"big_a": rng.normal(size=M) + 1}, roles=roles)
    assert (result.status, result.missing_columns, result.extra_columns) == (DRIFT, (), ())


def test_where_nobody_knows_the_inputs_a_column_that_is_gone_is_possible_drift(compare, rng):
    result = compare({"a": rng.normal(size=N), "label": rng.normal(size=N)}, {"a": rng.normal(size=M)})
    assert result.status == POSSIBLE


def test_predictions_that_the_reference_lacks_are_said_to_be_uncompared(compare, rng):
    roles = Roles(inputs=("a",), predictions=("score",))
    result = compare({"a": rng.normal(size=N)}, {"a": rng.normal(size=M), "score": rng.normal(size=M)}, roles=roles)
    assert "The predictions score were not compared: the reference has none of that name." in result.reasons


def test_the_verdict_says_what_decided_it(compare, rng):
    before = {name: rng.normal(size=N) for name in ("a", "b", "c")}
    now = {"a": rng.normal(size=M) + 1, "b": rng.normal(size=M), "c": rng.normal(size=M)}
    weights = {"importances": {"a": 0.96, "b": 0.03, "c": 0.01}}
    assert compare(before, now, baseline_arguments=weights).reasons[0] == (
        "1 of 3 columns has drifted; a matters to the model."
    )
    weights = {"importances": {"b": 0.96, "a": 0.03, "c": 0.01}}
    assert compare(before, now, baseline_arguments=weights).reasons[0] == "1 of 3 columns has drifted: more than 30%."


def test_a_reference_that_shares_no_column_vouches_for_nothing(compare, rng):
    result = compare({"a": rng.normal(size=N)}, {"b": rng.normal(size=M)}, roles=Roles(inputs=("b",)))
    assert result.status == DriftStatus.NOT_ANALYSED
