from __future__ import annotations

import numpy as np
import pytest

from airflow_batch_inference.flavors.boosters.split_nodes import node_fault


def fault(left, right, splits, width=3):
    sides = {"left": np.array(left), "right": np.array(right)}
    return node_fault(sides, {name: found >= 0 for name, found in sides.items()}, np.array(splits), width=width)


@pytest.mark.parametrize(
    ("left", "right", "splits"),
    [([], [], []), ([-1], [-2], [0]), ([1, 2, -1], [-3, -4, -2], [0, 2, 1]), ([2, -1, 1], [-3, -4, -2], [0, 2, 1])],
)
def test_a_tree_whose_paths_all_end_is_fine_in_whatever_order_its_nodes_are(left, right, splits):
    assert fault(left, right, splits) is None


@pytest.mark.parametrize(
    ("left", "right", "splits", "said"),
    [
        ([2, -1], [-2, -3], [0, 0], "a node leads to none of its 2 nodes"),
        ([1, 0], [-2, -3], [0, 0], "a node leads to none of its 2 nodes"),
        ([1, -1], [1, -3], [0, 0], "two nodes lead to the same one"),
        ([1, 1], [-1, -2], [0, 0], "two nodes lead to the same one"),
        ([-1], [-2], [3], "a split asks for input 3 of 3"),
        ([-1], [-2], [-1], "a split asks for input -1 of 3"),
        ([-1], [-2], [0, 1], "its arrays are of different lengths"),
    ],
)
def test_a_tree_that_leads_elsewhere_or_back_is_not(left, right, splits, said):
    assert fault(left, right, splits) == said


@pytest.mark.parametrize(("levels", "is_fine"), [(2000, True), (2001, False)])
def test_a_tree_of_too_many_levels_is_not_followed(levels, is_fine):
    left = [*range(1, levels), -1]
    found = fault(left, [-2] * levels, [0] * levels)
    assert found is None if is_fine else "more than 2000 levels" in found
