"""The arrays of scikit-learn's estimators that its compiled code reads without looking at their bounds.

What a skops file holds in them is the file's own. The compiled code behind ``predict`` and ``transform`` was looked at
for each type that skops trusts; these are the types whose arrays it follows: trees and their ensembles, histogram
boosting, libsvm, nearest neighbours, k-means, encoders that write sparse columns, sparse matrices, random generators.
What fills a part of a new array has a module of its own (:mod:`~.unfilled`). All others compute with NumPy, or
hand arrays to compiled code whose shapes they compare first.

Invariants: an estimator that has no place here and hands numbers of its own to compiled code comes off the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.flavors.sklearn.arrays.boosters import lightgbm_fault, xgboost_fault
from airflow_batch_inference.flavors.sklearn.arrays.encoders import (
    hashing_fault,
    one_hot_fault,
    sparse_fault,
    vocabulary_fault,
)
from airflow_batch_inference.flavors.sklearn.arrays.neighbours import (
    birch_fault,
    means_fault,
    neighbours_fault,
    neighbours_tree_fault,
)
from airflow_batch_inference.flavors.sklearn.arrays.numbers import generator_fault, random_state_fault, spline_fault
from airflow_batch_inference.flavors.sklearn.arrays.trees import (
    boosting_fault,
    decision_tree_fault,
    forest_fault,
    histogram_boosting_fault,
    isolation_forest_fault,
    tree_fault,
)
from airflow_batch_inference.flavors.sklearn.arrays.unfilled import polynomial_fault, target_fault
from airflow_batch_inference.flavors.sklearn.arrays.vectors import kernel_fault, libsvm_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_batch_inference.flavors.sklearn.arrays.base import Fault


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


_PACKAGES = ("sklearn", "scipy", "numpy", "lightgbm", "xgboost")
_CHECKS: dict[str, tuple[Callable[[Any], Fault], tuple[str, ...]]] = {
    "Tree": (tree_fault, ()),
    "BaseDecisionTree": (decision_tree_fault, ("tree_",)),
    "BaseForest": (forest_fault, ("estimators_",)),
    "BaseGradientBoosting": (forest_fault, ("estimators_",)),
    "IsolationForest": (isolation_forest_fault, ("estimators_",)),
    "BaseHistGradientBoosting": (histogram_boosting_fault, ("_predictors",)),
    "BaseLibSVM": (libsvm_fault, ("support_vectors_", "support_")),
    "NeighborsBase": (neighbours_fault, ("_fit_X", "_tree")),
    **dict.fromkeys(("BinaryTree64", "BinaryTree32"), (neighbours_tree_fault, ())),
    "_BaseKMeans": (means_fault, ("cluster_centers_",)),
    **dict.fromkeys(("CountVectorizer", "DictVectorizer"), (vocabulary_fault, ())),
    **dict.fromkeys(("FeatureHasher", "HashingVectorizer"), (hashing_fault, ())),
    "OneHotEncoder": (one_hot_fault, ("categories_",)),
    "Birch": (birch_fault, ("subcluster_centers_", "root_")),
    **dict.fromkeys(("_spbase", "spmatrix"), (sparse_fault, ())),
    "RandomState": (random_state_fault, ()),
    "Generator": (generator_fault, ()),
    "BSpline": (spline_fault, ()),
    "PolynomialFeatures": (polynomial_fault, ("n_output_features_", "_n_out_full")),
    "TargetEncoder": (target_fault, ("encodings_",)),
    "LGBMModel": (lightgbm_fault, ("_Booster",)),
    "XGBModel": (xgboost_fault, ("_Booster",)),
}
"""What looks at which type, by the name of the class whose code it is; and what only a fitted one has."""
_LATE_CHECKS: dict[str, tuple[Callable[[Any], Fault], tuple[str, ...]]] = {
    "BaseGradientBoosting": (boosting_fault, ("estimators_",)),
    "BaseLibSVM": (kernel_fault, ("support_vectors_", "support_")),
}
