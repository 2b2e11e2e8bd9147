"""Ticks that people can read, over any range."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_batch_inference.reports.axes import HEIGHT, WIDTH, Axes, labelled, ticks


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks_are_few_in_order_and_within_the_range(low, width):
    high = low + width
    assume(high - low > abs(low) * 1e-6)
    found = ticks(low, high)
    assert 2 <= len(found) <= 11
    assert found == sorted(found)
    assert low - 1e-6 * width <= found[0] <= found[-1] <= high + 1e-6 * width


@given(st.floats(-1e15, 1e15), st.floats(1e-9, 1e15))
def test_labels_of_different_ticks_differ_and_are_short(low, width):
    high = low + width
    assume(high - low > max(abs(low), abs(high)) * 1e-3)
    written = labelled(ticks(low, high))
    assert len(set(written)) == len(written)
    assert max(map(len, written)) <= 11


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0, 1), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ((0, 40_000), ["0", "10k", "20k", "30k", "40k"]),
        ((-1, 1), ["-1", "-0.5", "0", "0.5", "1"]),
        ((0, 3e7), ["0", "10M", "20M", "30M"]),
        ((0, 5e-5), ["0", "1e-05", "2e-05", "3e-05", "4e-05", "5e-05"]),
    ],
)
def test_ticks_are_round_numbers(ends, expected):
    assert labelled(ticks(*ends)) == expected


def test_what_lies_beyond_the_ends_is_drawn_at_them():
    axes = Axes(x=(0.0, 1.0), y=(0.0, 1.0), x_label="x", y_label="y")
    assert axes.at(-5, 9) == axes.at(0, 1)
    for x, y in (axes.at(0, 0), axes.at(1, 1)):
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT
