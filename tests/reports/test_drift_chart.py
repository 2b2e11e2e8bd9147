"""A drawing holds nothing but numbers, uses one scale for both sides, and shows what lies outside."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_batch_inference.drift.comparison import incomparable
from airflow_batch_inference.records import Histogram
from airflow_batch_inference.reports.drift_chart import HEIGHT, MOST_CATEGORIES, WIDTH, draw_column

INSIDE = [5] * 24
COUNTS = st.lists(st.integers(0, 10**12) | st.integers(0, 3), min_size=26, max_size=26)
DRAWING = r'(<svg>(<path class="[rlt]" d="[MHVhz\d. -]+"/>)+</svg>)?'


def numeric(reference, current):
    """A column whose bins hold these shares of the rows: below, 24 inside, above."""
    shares = (tuple(count / (sum(side) or 1) for count in side) for side in (reference, current))
    before, now = shares
    return replace(
        incomparable("x", ""), kind="numeric", histogram=Histogram(low=0.0, high=1.0, reference=before, current=now)
    )


def categorical(reference, current, names=None, has_missing_bin=False):
    """A column of categories with these counts; the last is that of all further ones, unless all are named."""
    names = len(reference) - 1 if names is None else names
    return replace(
        incomparable("x", ""),
        kind="categorical",
        categories=tuple(f"<b>{i}" for i in range(names)),
        reference_counts=tuple(reference),
        current_counts=tuple(current),
        has_missing_bin=has_missing_bin,
    )


def paths(svg):
    return dict(re.findall(r'<path class="(\w)" d="([^"]*)"/>', svg))


def points(path):
    """Follow a path of absolute moves, H, V and relative h, and return every point on it."""
    x = y = 0.0
    found = []
    for command, numbers in re.findall(r"([MHVhz])([-\d. ]*)", path):
        values = [float(number) for number in numbers.split()]
        if command == "M":
            x, y = values
        elif command == "V":
            y = values[0]
        elif command in "Hh":
            x = values[0] + (x if command == "h" else 0)
        found.append((x, y))
    return found


def assert_inside(svg, slack=1e-6):
    assert re.fullmatch(DRAWING, svg)
    for path in paths(svg).values():
        assert all(0 <= x <= WIDTH + slack and 0 <= y <= HEIGHT for x, y in points(path))


@example([0] * 26, [0] * 26)
@example([1] + [0] * 25, [0] * 25 + [1])
@given(COUNTS, COUNTS)
@settings(max_examples=60)
def test_any_shares_are_drawn_inside_the_drawing(reference, current):
    assert_inside(draw_column(numeric(reference, current)))


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=3, max_size=40),
    st.booleans(),
    st.integers(0, 1),
)
@settings(max_examples=60)
def test_any_categories_are_drawn_inside_the_drawing_and_none_of_their_names(pairs, has_missing_bin, further):
    names = len(pairs) - has_missing_bin - further
    drawn = draw_column(categorical(*zip(*pairs, strict=True), names=names, has_missing_bin=has_missing_bin))
    assert_inside(drawn, slack=0.1)


@pytest.mark.parametrize("step", [1, 7, 11, 13])
def test_a_drawing_stays_around_half_a_kilobyte(step):
    reference, current = ([1 + i * step * k % 23 for i in range(26)] for k in (1, 5))
    assert 300 <= len(draw_column(numeric(reference, current))) <= 650
    assert len(draw_column(categorical(reference, current))) <= 650


def test_both_sides_are_drawn_on_one_scale_of_shares():
    drawn = paths(draw_column(numeric([0, *[10] * 24, 0], [0, *[1000] * 24, 0])))
    heights = {round(y, 1) for _, y in points(drawn["l"])}
    assert heights == {y for _, y in points(drawn["r"])} - {float(HEIGHT)} == {3.0}
    half = paths(draw_column(numeric([0, 20, *[0] * 24], [0, 10, 10, *[0] * 23])))
    assert min(y for _, y in points(half["r"])) == 3.0
    assert min(y for _, y in points(half["l"])) == 19.0


def test_the_line_goes_through_the_24_bins_from_end_to_end():
    current = list(range(24))
    line = points(paths(draw_column(numeric([0, *INSIDE, 0], [0, *current, 0])))["l"])
    places = sorted({x for x, _ in line})
    assert (places[0], places[-1], len(places)) == (12.0, WIDTH - 12.0, 25)
    assert [b - a for a, b in pairwise(places)] == [7.0] * 24
    heights = [y for x, y in line]
    assert heights == sorted(heights, reverse=True)  # an SVG counts from the top


def test_only_what_lies_outside_makes_bars_at_the_ends():
    assert "t" not in paths(draw_column(numeric([0, *INSIDE, 0], [0, *INSIDE, 0])))
    below = points(paths(draw_column(numeric([0, *INSIDE, 0], [9, *INSIDE, 0])))["t"])
    above = points(paths(draw_column(numeric([0, *INSIDE, 0], [0, *INSIDE, 9])))["t"])
    assert max(x for x, _ in below) < min(x for x, _ in above) == WIDTH - max(x for x, _ in below)


def test_what_the_reference_has_at_its_own_ends_is_part_of_the_grey():
    calm, tailed = (paths(draw_column(numeric([end, *INSIDE, end], [0, *INSIDE, 0]))) for end in (0, 2))
    assert calm["r"].count("z") == 1
    assert tailed["r"].count("z") == 3
    assert "t" not in tailed


def test_a_higher_bar_at_an_end_does_not_flatten_the_inside():
    reference = [0, *INSIDE, 0]
    calm, wild = (paths(draw_column(numeric(reference, [0, *INSIDE, outside]))) for outside in (0, 10**9))
    assert calm["r"] == wild["r"]
    assert min(y for _, y in points(wild["t"])) == 3.0


def test_the_most_frequent_categories_have_a_bar_each_and_all_others_one():
    counts = [*range(40, 10, -1), 0]
    drawn = paths(draw_column(categorical(counts, counts)))
    assert drawn["r"].count("z") == drawn["l"].count("M") == MOST_CATEGORIES + 1


def test_categories_that_are_all_named_leave_no_bar_for_others():
    drawn = paths(draw_column(categorical([6, 3], [3, 6], names=2)))
    assert drawn["r"].count("z") == drawn["l"].count("M") == 2
    assert "t" not in drawn


def test_unseen_categories_are_a_bar_at_the_end():
    drawn = paths(draw_column(categorical([5, 5, 0], [1, 1, 8])))
    assert drawn["t"].startswith(f"M{WIDTH - 9} ")


def test_missing_values_are_no_category():
    with_them = draw_column(categorical([5, 5, 0, 90], [1, 1, 8, 900], names=2, has_missing_bin=True))
    assert with_them == draw_column(categorical([5, 5, 0], [1, 1, 8]))


@pytest.mark.parametrize(
    "column",
    [
        incomparable("x", "a list"),
        numeric([0] * 26, [0] * 26),
        replace(incomparable("x", "no value is left"), kind="numeric"),
        categorical([0], [0]),
        categorical([7], [9], names=0, has_missing_bin=True),
    ],
)
def test_a_column_without_counts_has_no_drawing(column):
    assert draw_column(column) == ""
