"""Trees of neighbours that lead beyond their rows or columns are refused before compiled code reads them."""

from __future__ import annotations

import numpy as np
import pytest
from array_data import X
from sklearn import neighbors
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # so that they are among all estimators
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.sklearn.objects import require_harmless


@pytest.mark.parametrize("kind", [neighbors.KDTree, neighbors.BallTree])
@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (1, lambda order: order + 10**6, "its tree's rows are not all from 0 to 59"),
        (1, lambda order: order[:3].copy(), "of other rows than its 60"),
        (6, lambda number: 10**6, "says that it has 1000000 nodes, but has"),
        (5, lambda levels: levels + 3, "nodes, but has"),
        (3, lambda bounds: bounds[:, :1].copy(), "of other rows than its 60"),
    ],
)
def test_trees_of_neighbours_that_lead_beyond_their_rows_are_refused(kind, place, change, said):
    tree = kind(X, leaf_size=4)
    require_harmless(make_pipeline(tree, LogisticRegression()))
    state = list(tree.__getstate__())
    state[place] = change(state[place])
    broken = kind.__new__(kind)
    broken.__setstate__(tuple(state))
    with pytest.raises(ModelLoadError, match=said):
        require_harmless(broken)


def test_a_node_of_a_tree_of_neighbours_beyond_its_rows_is_refused():
    tree = neighbors.KDTree(X, leaf_size=4)
    state = list(tree.__getstate__())
    state[2] = np.array(state[2])
    state[2]["idx_end"][-1] = 10**6
    broken = neighbors.KDTree.__new__(neighbors.KDTree)
    broken.__setstate__(tuple(state))
    with pytest.raises(ModelLoadError, match="is of none of its 60 rows"):
        require_harmless(broken)


@pytest.mark.parametrize(
    ("metric", "given", "size"),
    [
        ("seuclidean", {"V": np.ones(4)}, (2.0, np.ones(1), np.zeros((1, 1)))),
        ("mahalanobis", {"VI": np.eye(4)}, (2.0, np.zeros(1), np.eye(3))),
        ("minkowski", {"p": 3, "w": np.ones(4)}, (3.0, np.ones(3), np.zeros((1, 1)))),
    ],
)
def test_a_distance_of_other_columns_than_its_tree_is_refused(metric, given, size):
    tree = neighbors.BallTree(X, metric=metric, **given)
    require_harmless(tree)
    state = tree.__getstate__()
    state[11].__setstate__(size)
    broken = neighbors.BallTree.__new__(neighbors.BallTree)
    broken.__setstate__(state)
    with pytest.raises(ModelLoadError, match="is not of its 4 columns"):
        require_harmless(broken)
