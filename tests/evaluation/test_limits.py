"""What a metric must reach, and that nothing passes by mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.evaluation.limits import judge, parse_regressions, parse_thresholds
from airflow_batch_inference.exceptions import ConfigurationError

NUMBERS = st.floats(-1e6, 1e6)


def verdict(limits, value, *, undefined=None, before=None):
    (found,) = judge(limits, {limits[0].metric: value}, undefined or {}, {limits[0].metric: before})
    return found


@pytest.mark.parametrize(
    ("threshold", "least", "most"),
    [
        ({"accuracy": 0.9}, 0.9, None),
        ({"accuracy": "0.9"}, 0.9, None),
        ({"accuracy": " <= 0.9"}, None, 0.9),
        ({"log_loss": 0.5}, None, 0.5),
        ({"log_loss": ">=0.5"}, 0.5, None),
        ({"mae": {"min": 0, "max": "3"}}, 0.0, 3.0),
        ({"mae": {"min": 1}}, 1.0, None),
    ],
)
def test_thresholds_are_numbers_dicts_or_text(threshold, least, most):
    (limit,) = parse_thresholds(threshold)
    assert (limit.least, limit.most) == (least, most)


@pytest.mark.parametrize("value", [None, "", "> 0.9", "==1", "nan", float("inf"), [0.9], {}, {"min": None}, False])
def test_a_threshold_that_is_none_of_these_is_refused(value):
    with pytest.raises(ConfigurationError, match="thresholds of 'accuracy'"):
        parse_thresholds({"accuracy": value})


@given(NUMBERS, NUMBERS)
def test_a_value_keeps_a_limit_exactly_where_it_is_on_the_right_side_of_it(value, limit):
    assert verdict(parse_thresholds({"accuracy": limit}), value).passed == (value >= limit)
    assert verdict(parse_thresholds({"mae": limit}), value).passed == (value <= limit)


@given(NUMBERS, st.floats(0, 1e3))
def test_a_value_as_good_as_before_is_never_worse(before, by):
    for metric in ("accuracy", "mae"):
        assert verdict(parse_regressions({metric: by}), before, before=before).passed


def test_losing_exactly_what_is_allowed_passes_whatever_the_last_digit_says():
    (limit,) = parse_regressions({"accuracy": 0.1})
    assert verdict([limit], 0.7, before=0.8).passed  # 0.8 - 0.1 is 0.7000000000000001
    assert not verdict([limit], 0.699, before=0.8).passed
    assert verdict(parse_regressions({"mae": 0.1}), 0.3, before=0.2).passed


def test_a_missed_limit_is_told_with_value_and_limit():
    assert verdict(parse_thresholds({"mae": 3}), 3.25).reason == "mae is 3.25, over 3."
    worse = verdict(parse_regressions({"accuracy": 0.01}), 0.8, before=0.9)
    assert worse.reason == "accuracy is 0.8, below 0.89 (0.9 before, 0.01 worse allowed)."


def test_what_has_no_value_passes_nothing():
    found = verdict(parse_thresholds({"mae": {"min": 0}}), None, undefined={"mae": "Why."})
    assert (found.passed, found.reason) == (False, "mae has no value: Why.")
    assert not verdict(parse_regressions({"accuracy": 1}), 0.9, before=None).passed
