"""What each argument of the rule `effect` does, and which are refused."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_batch_inference.drift.analysis import Roles
from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DriftStatus

NO, POSSIBLE, DRIFT = DriftStatus.NO_DRIFT, DriftStatus.POSSIBLE_DRIFT, DriftStatus.DRIFT_DETECTED

N, M = 5_000, 2_000


def check(column, name):
    return next(each for each in column.checks if each.name == name)


def test_between_the_limits_drift_is_possible(one, rng):
    assert one(rng.normal(size=N), rng.normal(size=M) + 0.15).status == POSSIBLE


def test_limits_may_be_set_for_all_columns_and_for_each(compare, rng):
    before, now = ({name: rng.normal(size=n) + shift for name in "ab"} for n, shift in ((N, 0), (M, 0.25)))
    assert [c.status for c in compare(before, now, drift_threshold=0.5).columns] == [POSSIBLE, POSSIBLE]
    own = {"b": {"drift_threshold": 1.0, "possible_drift_threshold": 0.6}}
    assert [c.status for c in compare(before, now, limits=own).columns] == [DRIFT, NO]


def test_a_share_may_have_a_limit_of_its_own(one, rng):
    now = np.where(rng.random(M) < 0.15, np.nan, rng.normal(size=M))
    limits = {"x": {"missing": 0.8, "drift_threshold": 0.6, "possible_drift_threshold": 0.5}}
    column = one(rng.normal(size=N), now, limits=limits)
    assert (check(column, "missing").possible, check(column, "missing").drift) == (0.16, 0.8)
    assert column.status == NO


def test_a_limit_for_missing_values_is_not_bypassed_by_the_distance_of_shares(one, rng):
    now = np.where(rng.random(M) < 0.2, np.nan, rng.normal(size=M))
    assert one(rng.normal(size=N), now).status == DRIFT
    column = one(rng.normal(size=N), now, limits={"x": {"missing": 1.0}})
    assert (column.status, column.has_missing_bin) == (POSSIBLE, False)
    assert check(column, "divergence").status == NO


def test_ignored_columns_are_named_and_not_judged(compare, rng):
    result = compare(
        {"a": rng.normal(size=N)} | {"b": rng.normal(size=N)},
        {"a": np.zeros(M), "b": rng.normal(size=M)},
        ignore=("a",),
    )
    assert result.status == NO
    assert "Ignored: a." in result.reasons


def test_only_what_matters_to_the_model_makes_the_datasets_drift(compare, rng):
    before = {name: rng.normal(size=N) for name in ("much", "little", "other")}
    moved = before | {"little": rng.normal(size=M) + 1, "much": rng.normal(size=M), "other": rng.normal(size=M)}
    weights = {"importances": {"much": 0.97, "little": 0.01, "other": 0.02}}
    assert compare(before, moved, baseline_arguments=weights, max_drifted_fraction=0.5).status == POSSIBLE
    assert compare(before, moved, baseline_arguments=weights, max_drifted_fraction=0.2).status == DRIFT
    assert compare(before, moved, baseline_arguments=weights, watch=("little",)).status == DRIFT
    assert compare(before, moved).status == DRIFT  # nobody knows what matters: everything does


def test_drift_of_the_predictions_alone_is_drift(compare, rng):
    before = {"a": rng.normal(size=N), "score": rng.beta(2, 5, N)}
    now = {"a": rng.normal(size=M), "score": rng.beta(4, 5, M)}
    weights = {"importances": {"a": 1.0}}
    result = compare(before, now, roles=Roles(inputs=("a",), predictions=("score",)), baseline_arguments=weights)
    assert result.status == DRIFT
    assert [column.role for column in result.columns] == ["input", "prediction"]


def test_what_the_model_does_not_take_is_shown_and_judged_only_if_it_is_watched(compare, rng):
    before = {"a": rng.normal(size=N), "key": np.arange(N)}
    now = {"a": rng.normal(size=M), "key": np.arange(N, N + M)}
    result = compare(before, now, roles=Roles(inputs=("a",)))
    assert (result.status, result.columns[1].status) == (NO, DRIFT)
    assert [column.is_judged for column in result.columns] == [True, False]
    assert "key" not in " ".join(result.reasons)
    assert compare(before, now, roles=Roles(inputs=("a",)), watch=("key",)).status == DRIFT


def test_holm_is_never_weaker_than_bonferroni(compare, rng):
    before = {f"c{i}": rng.normal(size=N) for i in range(10)}
    now = {f"c{i}": rng.normal(size=300) + 0.12 * (i < 8) for i in range(10)}
    holm, bonferroni = (compare(before, now, correction=name).columns for name in ("holm", "bonferroni"))
    for left, right in zip(holm, bonferroni, strict=True):
        assert check(left, "distance").p_adjusted <= check(right, "distance").p_adjusted


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "psi"}, "rule is 'psi'"),
        ({"drift_threshold": 0.1, "possible_drift_threshold": 0.2}, "the first not over the second"),
        ({"drift_threshold": float("nan")}, "drift_threshold is nan"),
        ({"significance": 2.0}, "significance is 2.0"),
        ({"correction": "none"}, "correction is 'none'"),
        ({"max_drifted_fraction": -0.1}, "max_drifted_fraction is -0.1"),
        ({"min_rows": -1}, "min_rows is -1"),
        ({"limits": {"a": {"drft": 1}}}, "A limit of column 'a' is 'drft'"),
        ({"limits": {"a": {"missing": float("inf")}}}, "missing of column 'a' is inf"),
        ({"limits": {"a": {"unseen": 1.5}}}, "unseen of column 'a' is 1.5"),
        ({"watch": ("a",), "ignore": ("a",)}, "'a' is among both"),
        ({"name": "mlrun", "drift_threshold": 1.5}, r"\[0, 1\]"),
    ],
)
def test_a_rule_that_can_never_work_is_refused(rule, said):
    with pytest.raises(ConfigurationError, match=said):
        make_rule(**{"name": "effect", **rule})


@pytest.mark.parametrize("argument", [{"watch": ("b",)}, {"ignore": ("b",)}, {"limits": {"b": {"missing": 0.1}}}])
def test_a_rule_that_names_an_unknown_column_is_refused(compare, rng, argument):
    with pytest.raises(ConfigurationError, match=r"names 'b'.*Their columns: a"):
        compare({"a": rng.normal(size=N)}, {"a": rng.normal(size=M)}, **argument)
