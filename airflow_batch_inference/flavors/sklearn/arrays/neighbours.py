"""What compares rows with those of training: nearest neighbours, k-means, clusters."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_batch_inference.flavors.sklearn.arrays.base import Fault, is_whole, width_of, within

_MOST_THREADS = 4096
_NORMS = ("X_norm_squared", "Y_norm_squared")


def neighbours_fault(part: Any) -> Fault:  # noqa: ANN401  # an estimator of nearest neighbours
    """Say whether the rows that it compares with are others than it says."""
    rows = np.shape(part._fit_X)  # noqa: SLF001  # what it compares with
    if part.metric != "precomputed" and (len(rows) != 2 or rows[1] != width_of(part)):
        return f"its rows are of shape {tuple(rows)}, but it takes {width_of(part)} inputs"
    if int(part.n_samples_fit_) != rows[0]:
        return f"it says that it has {part.n_samples_fit_} rows, but has {rows[0]}"
    fault = _metric_fault(part)
    if fault:
        return fault
    tree = getattr(part, "_tree", None)
    if tree is not None and np.shape(tree.data) != tuple(rows):
        return f"its tree is of rows of shape {np.shape(tree.data)}, but its own are of {tuple(rows)}"
    if hasattr(part, "classes_") and not part.outputs_2d_:
        labels = np.asarray(part._y)  # noqa: SLF001
        if labels.shape != (rows[0],):
            return f"its labels are of shape {labels.shape}, but it has {rows[0]} rows"
        neighbours = getattr(part, "n_neighbors", None)
        if neighbours is not None and not is_whole(neighbours, 1, rows[0]):
            return f"it asks for {neighbours} neighbours of its {rows[0]} rows"
        return within(labels, len(part.classes_), "labels")
    return None


def _metric_fault(part: Any) -> Fault:  # noqa: ANN401  # an estimator of nearest neighbours
    """Say whether a distance weighs other inputs than there are: SciPy believes their number."""
    width = width_of(part)
    for name in ("metric_params", "effective_metric_params_"):
        given = getattr(part, name, None) or {}
        if any(norm in given for norm in _NORMS):
            return f"its {name} have norms of rows, which are not its own"
        wrong = [key for key, value in given.items() if np.ndim(value) and set(np.shape(value)) != {width}]
        if wrong:
            return f"the {wrong[0]} of its metric is of shape {np.shape(given[wrong[0]])}, not of its {width} inputs"
    return None


def neighbours_tree_fault(part: Any) -> Fault:  # noqa: ANN401  # a tree of neighbours
    """Say whether a node of a tree of neighbours leads out of its rows."""
    data, order, nodes, bounds, _, levels, number = part.__getstate__()[:7]
    rows, columns = np.shape(data)
    ends = np.stack([nodes["idx_start"], nodes["idx_end"]])
    if number != len(nodes) or levels < 1 or number != (1 << min(int(levels), 62)) - 1:
        return f"its tree of neighbours says that it has {number} nodes, but has {len(nodes)}"
    if len(order) != rows or np.shape(bounds)[1:] != (number, columns):
        return f"its tree of neighbours is of other rows than its {rows}"
    inner = (1 << (int(levels) - 1)) - 1
    if (ends < 0).any() or (ends > rows).any() or (ends[0] > ends[1]).any() or not nodes["is_leaf"][inner:].all():
        return f"a node of its tree of neighbours is of none of its {rows} rows"
    return within(np.asarray(order), rows, "tree's rows") or _distance_fault(part.__getstate__()[11], columns)


def _distance_fault(metric: Any, columns: int) -> Fault:  # noqa: ANN401  # a compiled distance
    """Say whether a distance weighs other columns than there are."""
    _, weights, matrix = metric.__getstate__()[:3]
    kind = type(metric).__name__
    is_weighed = kind.startswith("SEuclidean") or (kind.startswith("Minkowski") and np.size(weights) > 0)
    if (is_weighed and np.shape(weights) != (columns,)) or (
        kind.startswith("Mahalanobis") and np.shape(matrix) != (columns, columns)
    ):
        return f"the distance of its tree of neighbours is not of its {columns} columns"
    return None


def means_fault(part: Any) -> Fault:  # noqa: ANN401  # k-means
    """Say whether a centre has other columns than there are inputs."""
    centres = part.cluster_centers_
    if np.ndim(centres) != 2 or len(centres) < 1 or np.shape(centres)[1] != width_of(part):
        return f"its cluster_centers_ are of shape {np.shape(centres)}, but it takes {width_of(part)} inputs"
    threads = part._n_threads  # noqa: SLF001
    if not is_whole(threads, 1, _MOST_THREADS):
        return f"it asks for {threads} threads"
    waiting = [part._bisecting_tree] if hasattr(part, "_bisecting_tree") else []  # noqa: SLF001
    while waiting:
        node = waiting.pop()
        if np.shape(node.center) != (width_of(part),):
            return f"a centre in its tree is of shape {np.shape(node.center)}, but it takes {width_of(part)} inputs"
        waiting += [each for each in (node.left, node.right) if each is not None]
    return None


def birch_fault(part: Any) -> Fault:  # noqa: ANN401, ARG001  # a tree of clusters
    """Refuse it."""
    return "nothing here looks at its clusters, and skops does not write them"
