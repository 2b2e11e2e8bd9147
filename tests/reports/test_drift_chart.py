"""A drawing holds nothing but numbers, uses one scale for both sides, and shows what lies outside."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.drift.comparison import incomparable
from airflow_batch_inference.reports.drift_chart import HEIGHT, MOST_CATEGORIES, WIDTH, draw_column

COUNTS = st.lists(st.integers(0, 10**12), min_size=20, max_size=20)


def numeric(reference, current, edges=21):
    return replace(
        incomparable("x", ""),
        kind="numeric",
        edges=tuple(map(float, range(edges))),
        reference_counts=tuple(reference),
        current_counts=tuple(current),
    )


def categorical(reference, current):
    return replace(
        incomparable("x", ""),
        kind="categorical",
        categories=tuple(f"<b>{i}" for i in range(len(reference) - 1)),
        reference_counts=tuple(reference),
        current_counts=tuple(current),
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


@given(COUNTS, COUNTS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_any_counts_are_drawn_inside_the_drawing(reference, current, below, above):
    for drawn in (numeric([0, *reference, 0], [below, *current, above]), numeric(reference, current)):
        svg = draw_column(drawn)
        assert re.fullmatch(r'(<svg>(<path class="[rlt]" d="[MHVhz\d. -]+"/>)+</svg>)?', svg)
        assert all(0 <= x <= WIDTH + 1e-6 and 0 <= y <= HEIGHT for path in paths(svg).values() for x, y in points(path))


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=40))
def test_any_categories_are_drawn_inside_the_drawing_and_none_of_their_names(pairs):
    svg = draw_column(categorical(*zip(*pairs, strict=True)))
    assert re.fullmatch(r'(<svg>(<path class="[rlt]" d="[MHVhz\d. -]+"/>)+</svg>)?', svg)
    assert all(0 <= x <= WIDTH + 0.1 and 0 <= y <= HEIGHT for path in paths(svg).values() for x, y in points(path))


def test_both_sides_are_drawn_on_one_scale_of_shares():
    drawn = paths(draw_column(numeric([0, *[10] * 20, 0], [0, *[1000] * 20, 0])))
    heights = {round(y, 1) for _, y in points(drawn["l"])}
    assert heights == {y for _, y in points(drawn["r"])} - {float(HEIGHT)} == {3.0}
    half = paths(draw_column(numeric([20, *[0] * 19], [10, 10, *[0] * 18])))
    assert min(y for _, y in points(half["r"])) == 3.0
    assert min(y for _, y in points(half["l"])) == 19.0


def test_only_what_lies_outside_makes_bars_at_the_ends():
    inside = [5] * 20
    assert "t" not in paths(draw_column(numeric([0, *inside, 0], [0, *inside, 0])))
    assert "t" not in paths(draw_column(numeric(inside, inside)))
    below = points(paths(draw_column(numeric([0, *inside, 0], [9, *inside, 0])))["t"])
    above = points(paths(draw_column(numeric([0, *inside, 0], [0, *inside, 9])))["t"])
    assert max(x for x, _ in below) < min(x for x, _ in above) == WIDTH - max(x for x, _ in below)


def test_a_higher_bar_at_an_end_does_not_flatten_the_inside():
    reference = [0, *[5] * 20, 0]
    calm, wild = (paths(draw_column(numeric(reference, [0, *[5] * 20, outside]))) for outside in (0, 10**9))
    assert calm["r"] == wild["r"]


def test_the_most_frequent_categories_have_a_bar_each_and_all_others_one():
    counts = [*range(40, 10, -1), 0]
    drawn = paths(draw_column(categorical(counts, counts)))
    assert drawn["r"].count("z") == drawn["l"].count("M") == MOST_CATEGORIES + 1


def test_unseen_categories_are_a_bar_at_the_end():
    drawn = paths(draw_column(categorical([5, 5, 0], [1, 1, 8])))
    assert drawn["t"].startswith(f"M{WIDTH - 9} ")


@pytest.mark.parametrize(
    "column",
    [incomparable("x", "a list"), numeric([0] * 22, [0] * 22), categorical([0], [0]), numeric([0, 0], [0, 0], edges=0)],
)
def test_a_column_without_counts_has_no_drawing(column):
    assert draw_column(column) == ""
