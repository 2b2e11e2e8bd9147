"""The arrays of scikit-learn's estimators that its compiled code reads without looking at their bounds.

What a skops file holds in them is the file's own. The compiled code behind ``predict`` and ``transform`` was looked at
for each type that skops trusts; these are the types whose arrays it follows: trees and their ensembles, histogram
boosting, libsvm, nearest neighbours, k-means, encoders that write sparse columns, sparse matrices, random generators.
What fills a part of a new array has a module of its own (:mod:`~.unfilled_arrays`). All others compute with NumPy, or
hand arrays to compiled code whose shapes they compare first. What must not be relaxed: an estimator that has no place
here and hands numbers of its own to compiled code comes off the list.
"""

from __future__ import annotations

import json
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from airflow_batch_inference.flavors.sklearn.unfilled_arrays import polynomial_fault, target_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Fault: TypeAlias = str | None

_LEAF = -1
_WORDS_OF_A_SET = 8
"""32 bits each, one for each of 256 categories."""
_KINDS_OF_SVM = ("c_svc", "nu_svc", "one_class", "epsilon_svr", "nu_svr")
_OF_CLASSES = ("c_svc", "nu_svc")
_MOST_THREADS = 4096
_MOST_COLUMNS = (1 << 31) - 1
_MERSENNE_WORDS, _PHILOX_WORDS = 624, 4
_NORMS = ("X_norm_squared", "Y_norm_squared")


def native_fault(part: object) -> Fault:
    """Say what is wrong with the arrays of an object that compiled code would read; None where nothing is.

    What is not fitted has no arrays, and Python says so before compiled code is reached.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> model = KMeans(2, n_init=1).fit([[0.0, 1.0], [5.0, 6.0], [0.0, 2.0]])
    >>> native_fault(model)
    >>> model.cluster_centers_ = model.cluster_centers_[:, :1]
    >>> native_fault(model)
    'its cluster_centers_ are of shape (2, 1), but it takes 2 inputs'
    """
    return _fault(part, _CHECKS)


def late_fault(part: object) -> Fault:
    """Say what is wrong with an ensemble that computes what its sums begin with, after all parts were looked at."""
    return _fault(part, _LATE_CHECKS)


def _fault(part: object, checks: Mapping[str, tuple[Callable[[Any], Fault], tuple[str, ...]]]) -> Fault:
    for kind in type(part).__mro__:
        check, marks = checks.get(kind.__name__, (None, ()))
        is_fitted = not marks or any(hasattr(part, mark) for mark in marks)
        if check is None or kind.__module__.partition(".")[0] not in _PACKAGES or not is_fitted:
            continue
        try:
            fault = check(part)
        except (AttributeError, TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            fault = f"it is no {kind.__name__} that was fitted ({type(error).__name__}: {error})"
        if fault:
            return fault
    return None


def width_of(part: Any) -> int:  # noqa: ANN401  # an estimator
    """Return how many inputs an estimator says that it takes; 0 where it does not say."""
    return int(getattr(part, "n_features_in_", 0))


def _of_tree(tree: Any) -> Fault:  # noqa: ANN401  # a compiled tree
    if not 0 < tree.node_count <= tree.capacity:
        return f"its tree says that it has {tree.node_count} nodes, but keeps {tree.capacity}"
    inner = (tree.children_left != _LEAF) | (tree.children_right != _LEAF)
    return _nodes_fault(inner, tree.children_left, tree.children_right, tree.feature, tree.n_features)


def _of_decision_tree(part: Any) -> Fault:  # noqa: ANN401  # a decision tree
    fault = _of_tree(part.tree_)
    if fault:
        return fault
    if part.tree_.n_features != width_of(part):
        return f"it takes {width_of(part)} inputs, but its tree takes {part.tree_.n_features}"
    return None


def _trees(part: Any) -> list[Any]:  # noqa: ANN401  # an ensemble
    return list(np.ravel(np.asarray(part.estimators_, dtype=object)))


def _of_forest(part: Any) -> Fault:  # noqa: ANN401  # a forest, or boosting
    return _trees_fault(_trees(part), width_of(part))


def _trees_fault(trees: Iterable[Any], width: int) -> Fault:
    """Say whether an ensemble, which checks its inputs once for all of its trees, has one that takes others."""
    for each in trees:
        tree: Any = getattr(each, "tree_", None)
        if type(tree).__name__ != "Tree":
            return f"it is an ensemble of trees, but has a {type(each).__name__}"
        if tree.n_features != width:
            return f"it takes {width} inputs, but its trees take others"
    return None


def _of_isolation_forest(part: Any) -> Fault:  # noqa: ANN401  # an isolation forest
    width, drawn = width_of(part), int(part._max_features)  # noqa: SLF001  # where it is
    if drawn != width and any(len(columns) != drawn for columns in part.estimators_features_):
        return f"its trees say that they take {drawn} inputs each, but are given others"
    return _trees_fault(_trees(part), drawn)


def _of_boosting(part: Any) -> Fault:  # noqa: ANN401  # gradient boosting
    """Say whether the trees of a stage add to other outputs than there are, which the initial estimator makes."""
    stages = np.asarray(part.estimators_, dtype=object)
    if stages.ndim != 2 or not stages.size:  # stages and outputs
        return "its trees are of no stages"
    row = np.zeros((1, width_of(part)), dtype=np.float32)
    outputs = np.shape(part._raw_predict_init(row))  # noqa: SLF001  # what the sums begin with
    if outputs != (1, stages.shape[1]):
        return f"its sums begin with an array of shape {outputs}, but {stages.shape[1]} trees are added to it a stage"
    return None


def _of_histogram_boosting(part: Any) -> Fault:  # noqa: ANN401  # histogram boosting
    width = width_of(part)
    if getattr(part, "_in_fit", False):
        return "it says that it is being fitted"
    mapper = part._bin_mapper  # noqa: SLF001  # where they are
    categorical = np.asarray(mapper.is_categorical_)
    categorical = np.zeros(width, dtype=bool) if categorical.ndim == 0 else categorical
    if categorical.shape != (width,) or len(mapper.bin_thresholds_) != width:
        return f"it takes {width} inputs, but its bins are of others"
    fault = None if getattr(part, "_preprocessor", None) is None else _preprocessor_fault(part._preprocessor, width)  # noqa: SLF001
    if fault:
        return fault
    predictors = [each for iteration in part._predictors for each in iteration]  # noqa: SLF001  # where they are
    return next((fault for each in predictors if (fault := _predictor_fault(each, width, categorical))), None)


def _preprocessor_fault(step: Any, width: int) -> Fault:  # noqa: ANN401  # a column transformer
    """Say whether what comes out has other columns than go in: it is not looked at again."""
    taken = 0
    places = step._transformer_to_input_indices  # noqa: SLF001  # where they are
    for name, each, columns in step.transformers_:
        kind = type(each).__name__
        function: Any = getattr(each, "func", None)
        is_known = kind == "OrdinalEncoder" or (
            kind == "FunctionTransformer" and getattr(function, "func", function).__name__ == "check_array"
        )
        chosen = np.asarray(columns)
        number = int(chosen.sum()) if chosen.dtype == bool else len(chosen)
        if name == "remainder" and isinstance(each, str) and not number:
            continue
        if not (is_known or number == 0) or number != len(places[name]):
            return f"its preprocessor has a {kind}, which is none of its own"
        taken += number
    return None if taken == width else f"it takes {width} inputs, but its preprocessor gives it {taken}"


def _predictor_fault(predictor: Any, width: int, categorical: np.ndarray) -> Fault:  # noqa: ANN401  # a tree
    nodes, sets = predictor.nodes, np.asarray(predictor.raw_left_cat_bitsets)
    if len(nodes) == 0:
        return "a tree has no nodes"
    inner = nodes["is_leaf"] == 0
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    fault = _nodes_fault(inner, left, right, nodes["feature_idx"].astype(np.int64), width)
    if fault:
        return fault
    lists = inner & (nodes["is_categorical"] != 0)
    if not lists.any():
        return None
    if sets.ndim != 2 or sets.shape[1] != _WORDS_OF_A_SET or (nodes["bitset_idx"][lists] >= len(sets)).any():
        return "a split of categories has no list of them"
    if not categorical[nodes["feature_idx"][lists]].all():
        return "a split of categories asks for an input that has none"
    return None


def _nodes_fault(inner: np.ndarray, left: np.ndarray, right: np.ndarray, feature: np.ndarray, width: int) -> Fault:
    """Say what is wrong with a tree's nodes: each one's children come after it, so that every path ends."""
    places = np.arange(len(inner))[inner]
    for children in (left[inner], right[inner]):
        if ((children <= places) | (children >= len(inner))).any():
            return f"a node of its tree points to none of the {len(inner)} nodes after it"
    if ((feature[inner] < 0) | (feature[inner] >= width)).any():
        return f"a node of its tree asks for an input beyond the {width} that there are"
    return None


def _of_libsvm(part: Any) -> Fault:  # noqa: ANN401  # an estimator of libsvm
    kind = part._impl  # noqa: SLF001  # as it is handed on
    support, counts, intercepts = (np.asarray(each) for each in (part.support_, part._n_support, part._intercept_))  # noqa: SLF001
    if kind not in _KINDS_OF_SVM or not all(each.ndim == 1 for each in (support, counts, intercepts)):
        return f"it is no support vector machine of a kind that is known ({kind!r})"
    number, classes = len(support), len(counts)
    is_of_classes = kind in _OF_CLASSES
    if is_of_classes and (classes < 2 or len(part.classes_) != classes):
        return f"it has {len(part.classes_)} classes, but support vectors of {classes}"
    if (counts < 0).any() or (not is_of_classes and classes != 2):  # the second one is not used
        return "the numbers of its support vectors are none"
    if int(counts.astype(np.int64).sum() if is_of_classes else counts[0]) != number:
        return f"it says that it has {counts.tolist()} support vectors, but has {number}"
    return _factors_fault(part, number, classes, len(intercepts)) or _vectors_fault(part, support)


def _factors_fault(part: Any, number: int, classes: int, intercepts: int) -> Fault:  # noqa: ANN401  # of libsvm
    factors, pairs = part._dual_coef_, classes * (classes - 1) // 2
    if tuple(factors.shape) != (classes - 1, number):
        return f"its factors (_dual_coef_) are of shape {tuple(factors.shape)}, not {(classes - 1, number)}"
    if part._sparse and len(factors.data) != (classes - 1) * number:  # noqa: SLF001
        return f"its factors (_dual_coef_) are {len(factors.data)}, not {(classes - 1) * number}"
    if intercepts != pairs:
        return f"it has {intercepts} intercepts, but should have {pairs}"
    needed = (pairs,) if part._sparse and getattr(part, "_effective_probability", False) else (0, pairs)  # noqa: SLF001
    one, other = len(part._probA), len(part._probB)  # noqa: SLF001
    if one != other or one not in needed:
        return f"its probabilities are of {one} and {other} pairs of classes, not {pairs}"
    return None


def _vectors_fault(part: Any, support: np.ndarray) -> Fault:  # noqa: ANN401  # an estimator of libsvm
    width, shape = width_of(part), tuple(part.support_vectors_.shape)
    if part.kernel == "precomputed" and not part._sparse:  # noqa: SLF001
        if width != part.shape_fit_[0]:
            return f"it takes {width} inputs, but its kernel {part.shape_fit_[0]}"
        return _within(support, width, "support_")
    if callable(part.kernel):
        return _within(support, np.shape(part._BaseLibSVM__Xfit)[0], "support_")  # noqa: SLF001
    return (
        None
        if shape == (len(support), width)
        else f"its support vectors are of shape {shape}, not {(len(support), width)}"
    )


def _of_kernel(part: Any) -> Fault:  # noqa: ANN401  # an estimator of libsvm
    """Say whether a kernel that is a function gives other numbers than one for each row that it compares with."""
    if not callable(part.kernel):
        return None
    rows = part._BaseLibSVM__Xfit  # noqa: SLF001  # what it compares with
    number, found = np.shape(rows)[0], np.shape(part.kernel(rows[:1], rows))
    if part._sparse or found != (1, number) or part.shape_fit_[0] != number:  # noqa: SLF001
        return f"its kernel gives an array of shape {found} for a row, but it compares a row with {number}"
    return None


def _within(places: np.ndarray, most: int, name: str) -> Fault:
    if places.dtype.kind not in "iu" or ((places < 0) | (places >= most)).any():
        return f"its {name} are not all from 0 to {most - 1}"
    return None


def _of_neighbours(part: Any) -> Fault:  # noqa: ANN401  # an estimator of nearest neighbours
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
        if neighbours is not None and not _is_whole(neighbours, 1, rows[0]):
            return f"it asks for {neighbours} neighbours of its {rows[0]} rows"
        return _within(labels, len(part.classes_), "labels")
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


def _of_neighbours_tree(part: Any) -> Fault:  # noqa: ANN401  # a tree of neighbours
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
    return _within(np.asarray(order), rows, "tree's rows") or _distance_fault(part.__getstate__()[11], columns)


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


def _of_means(part: Any) -> Fault:  # noqa: ANN401  # k-means
    centres = part.cluster_centers_
    if np.ndim(centres) != 2 or len(centres) < 1 or np.shape(centres)[1] != width_of(part):
        return f"its cluster_centers_ are of shape {np.shape(centres)}, but it takes {width_of(part)} inputs"
    threads = part._n_threads  # noqa: SLF001
    if not _is_whole(threads, 1, _MOST_THREADS):
        return f"it asks for {threads} threads"
    waiting = [part._bisecting_tree] if hasattr(part, "_bisecting_tree") else []  # noqa: SLF001
    while waiting:
        node = waiting.pop()
        if np.shape(node.center) != (width_of(part),):
            return f"a centre in its tree is of shape {np.shape(node.center)}, but it takes {width_of(part)} inputs"
        waiting += [each for each in (node.left, node.right) if each is not None]
    return None


def _of_vocabulary(part: Any) -> Fault:  # noqa: ANN401  # a vectorizer
    """Say whether a word has a column beyond those that there are: as many as words."""
    for name in ("vocabulary_", "vocabulary"):
        words = getattr(part, name, None)
        if not isinstance(words, dict):
            continue
        columns = list(words.values())
        if not all(_is_whole(each, 0, len(words) - 1) for each in columns) or len(set(columns)) != len(columns):
            return f"the {len(words)} words of its {name} are not in as many columns"
    return None


def _is_whole(value: object, least: int, most: int) -> bool:
    """Say whether a value is a whole number within bounds, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most


def _of_hashing(part: Any) -> Fault:  # noqa: ANN401  # a hashing vectorizer
    number = part.n_features
    if not _is_whole(number, 1, _MOST_COLUMNS):
        return f"it has {number!r} columns (n_features)"
    return None


def _of_one_hot(part: Any) -> Fault:  # noqa: ANN401  # an encoder
    """Say whether a category's column lies beyond those that there are.

    The columns of each input are those of its categories, the infrequent ones together, without the dropped one.
    """
    categories = part.categories_
    numbers, dropped = part._n_features_outs, part._drop_idx_after_grouping  # noqa: SLF001  # where they are
    infrequent = part._infrequent_enabled  # noqa: SLF001
    mappings = part._default_to_infrequent_mappings if infrequent else [None] * len(categories)  # noqa: SLF001
    groups = part._infrequent_indices if infrequent else [None] * len(categories)  # noqa: SLF001
    width = width_of(part)
    if not width == len(categories) == len(numbers) == len(mappings) == len(groups):
        return f"it takes {width} inputs, but its categories are of {len(categories)}"
    if dropped is not None and np.shape(dropped) != (width,):
        return f"it takes {width} inputs, but drops categories of {np.size(dropped)}"
    for place, (each, number, mapping, group) in enumerate(zip(categories, numbers, mappings, groups, strict=True)):
        codes = np.arange(len(each)) if mapping is None else np.asarray(mapping)
        if len(codes) != len(each) or (group is not None and _within(np.asarray(group), len(each), "groups")):
            return f"the infrequent categories of input {place} are none of its {len(each)}"
        if mapping is not None and group is not None and _handles_unknown(part):
            codes = np.append(codes, codes[np.asarray(group)[:1]])
        columns = int(codes.max(initial=-1)) + 1
        drop = None if dropped is None else dropped[place]
        if drop is not None and not _is_whole(drop, 0, columns - 1):
            return f"it drops category {drop} of the {columns} of input {place}"
        if _within(codes, columns, "columns") or int(number) != columns - (drop is not None):
            return f"the {len(each)} categories of input {place} are not in its {number} columns"
    return None


def _handles_unknown(part: Any) -> bool:  # noqa: ANN401  # an encoder
    """Say whether a category that training never saw is taken for an infrequent one."""
    return getattr(part, "handle_unknown", "error") != "error"


def _of_sparse(matrix: Any) -> Fault:  # noqa: ANN401  # a sparse matrix
    """Say what is wrong with a sparse matrix: SciPy looks at the bounds of its places only when it is asked to."""
    if matrix.format in ("csr", "csc", "bsr"):
        try:
            matrix.check_format(full_check=True)
        except ValueError as error:
            return f"its places are not within its shape {tuple(matrix.shape)} ({error})"
    elif matrix.format == "coo":
        return next((fault for each, most in zip(matrix.coords, matrix.shape, strict=True)
                     if (fault := _within(each, most, "places"))), None)  # fmt: skip
    return None


def _of_random_state(state: Any) -> Fault:  # noqa: ANN401  # a legacy generator of numbers
    return _position_fault(state.get_state(legacy=False))


def _of_generator(generator: Any) -> Fault:  # noqa: ANN401  # a generator of numbers
    return _position_fault(generator.bit_generator.state)


def _position_fault(state: Mapping[str, Any]) -> Fault:
    """Say whether a generator would read its next number from beyond its own."""
    kind = state["bit_generator"]
    place, most = {
        "MT19937": lambda: (state["state"]["pos"], _MERSENNE_WORDS),
        "Philox": lambda: (state["buffer_pos"], _PHILOX_WORDS),
    }.get(kind, lambda: (0, 0))()
    return None if 0 <= place <= most else f"its place {place} is beyond its {most} numbers"


def _of_spline(part: Any) -> Fault:  # noqa: ANN401  # a spline
    knots, number = np.asarray(part.t), np.shape(part.c)[0]
    if not _is_whole(part.k, 0, len(knots)) or knots.ndim != 1 or not 0 < len(knots) - int(part.k) - 1 <= number:
        return f"its spline of degree {part.k} has {len(knots)} knots, but {number} factors"
    if not np.isfinite(knots).all() or (np.diff(knots) < 0).any() or len(knots) < 2 * int(part.k) + 2:
        return "the knots of its spline are in no order"
    return None


def _of_birch(part: Any) -> Fault:  # noqa: ANN401, ARG001  # a tree of clusters
    return "nothing here looks at its clusters, and skops does not write them"


def _of_lightgbm(part: Any) -> Fault:  # noqa: ANN401  # LightGBM's wrapper
    """Say whether a booster is of other inputs or classes than its wrapper, which may tell it not to look."""
    booster = part._Booster  # noqa: SLF001  # where it is
    if booster is None:
        return None
    if type(booster).__name__ != "Booster" or booster.num_feature() != part._n_features:  # noqa: SLF001
        return f"it takes {part._n_features} inputs, but its booster others"  # noqa: SLF001
    if not hasattr(part, "_n_classes") or part._n_classes is None or part._n_classes < 0:  # noqa: SLF001
        return None
    classes, outputs = int(part._n_classes), booster.num_model_per_iteration()  # noqa: SLF001
    if len(part._classes) != classes or not (outputs == classes or (classes <= 2 and outputs == 1)):  # noqa: SLF001
        return f"it has {len(part._classes)} classes, but its booster {outputs} trees an iteration"  # noqa: SLF001
    return None


def _of_xgboost(part: Any) -> Fault:  # noqa: ANN401  # XGBoost's wrapper
    """Say whether a booster is of other classes than its wrapper."""
    booster, classes = part._Booster, getattr(part, "n_classes_", None)  # noqa: SLF001  # where they are
    if booster is None or classes is None:
        return None
    outputs = int(json.loads(booster.save_config())["learner"]["learner_model_param"]["num_class"])
    if int(classes) > 2 and outputs != int(classes):  # of two classes it keeps none
        return f"it has {classes} classes, but its booster {outputs}"
    return None


_PACKAGES = ("sklearn", "scipy", "numpy", "lightgbm", "xgboost")
_CHECKS: dict[str, tuple[Callable[[Any], Fault], tuple[str, ...]]] = {
    "Tree": (_of_tree, ()),
    "BaseDecisionTree": (_of_decision_tree, ("tree_",)),
    "BaseForest": (_of_forest, ("estimators_",)),
    "BaseGradientBoosting": (_of_forest, ("estimators_",)),
    "IsolationForest": (_of_isolation_forest, ("estimators_",)),
    "BaseHistGradientBoosting": (_of_histogram_boosting, ("_predictors",)),
    "BaseLibSVM": (_of_libsvm, ("support_vectors_", "support_")),
    "NeighborsBase": (_of_neighbours, ("_fit_X", "_tree")),
    **dict.fromkeys(("BinaryTree64", "BinaryTree32"), (_of_neighbours_tree, ())),
    "_BaseKMeans": (_of_means, ("cluster_centers_",)),
    **dict.fromkeys(("CountVectorizer", "DictVectorizer"), (_of_vocabulary, ())),
    **dict.fromkeys(("FeatureHasher", "HashingVectorizer"), (_of_hashing, ())),
    "OneHotEncoder": (_of_one_hot, ("categories_",)),
    "Birch": (_of_birch, ("subcluster_centers_", "root_")),
    **dict.fromkeys(("_spbase", "spmatrix"), (_of_sparse, ())),
    "RandomState": (_of_random_state, ()),
    "Generator": (_of_generator, ()),
    "BSpline": (_of_spline, ()),
    "PolynomialFeatures": (polynomial_fault, ("n_output_features_", "_n_out_full")),
    "TargetEncoder": (target_fault, ("encodings_",)),
    "LGBMModel": (_of_lightgbm, ("_Booster",)),
    "XGBModel": (_of_xgboost, ("_Booster",)),
}
"""What looks at which type, by the name of the class whose code it is; and what only a fitted one has."""
_LATE_CHECKS: dict[str, tuple[Callable[[Any], Fault], tuple[str, ...]]] = {
    "BaseGradientBoosting": (_of_boosting, ("estimators_",)),
    "BaseLibSVM": (_of_kernel, ("support_vectors_", "support_")),
}
