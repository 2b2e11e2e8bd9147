"""Estimators that give the same for an array as for a data frame of it, so that pandas is not needed to call them.

scikit-learn reads two things of a data frame: its values, and its names, which it compares with those of training. A
mini-batch comes with training's names in training's order, so only the values are left; but an array, which has no
names, is warned about at each call, where the estimator knows some.

Invariants: the array is the very block of numbers that the data frame would hold, in the same memory order; the
estimator that was loaded stays as it is; and a step that may look at anything else of a data frame gets one.
"""

from __future__ import annotations

import copy
from typing import Any

_NAMES = "feature_names_in_"
_OUTPUT = "_sklearn_output_config"
"""What ``set_output`` leaves: a step with it makes data frames, whose index and names come from its input."""
_MODULES = (
    *("linear_model", "tree", "ensemble._forest", "ensemble._gb", "ensemble._iforest", "naive_bayes"),
    *("discriminant_analysis", "cluster._kmeans", "decomposition._pca", "neural_network", "preprocessing._data"),
)
"""Where scikit-learn has estimators and scalers of plain numbers, each of which begins by making an array."""
_MODULE_NAMES = tuple(f"sklearn.{name}" for name in _MODULES)


def without_names(estimator: Any) -> Any | None:  # noqa: ANN401  # any estimator
    """Return a shallow copy that knows no names, so that it takes arrays; None where it must be given data frames.

    Examples
    --------
    >>> import pandas
    >>> from sklearn.linear_model import LinearRegression
    >>> fitted = LinearRegression().fit(pandas.DataFrame({"a": [1.0, 2.0]}), [2.0, 4.0])
    >>> hasattr(without_names(fitted), "feature_names_in_"), hasattr(fitted, "feature_names_in_")
    (False, True)
    """
    if type(estimator).__module__ == "sklearn.pipeline" and type(estimator).__name__ == "Pipeline":
        return _pipeline_without_names(estimator)
    if not _takes_arrays(estimator) or _NAMES not in vars(estimator):
        return None
    copied = copy.copy(estimator)
    delattr(copied, _NAMES)
    return copied


def _pipeline_without_names(pipeline: Any) -> Any | None:  # noqa: ANN401  # a Pipeline
    """Return a copy with another first step; the steps after it see no names, whatever the first one is given."""
    (name, first), *others = pipeline.steps
    if getattr(pipeline, "transform_input", None) or any(
        _NAMES in vars(step) or not _takes_arrays(step) for _, step in others
    ):
        return None
    copied = without_names(first)
    if copied is None:
        return None
    whole = copy.copy(pipeline)
    whole.steps = [(name, copied), *others]
    return whole


def _takes_arrays(step: object) -> bool:
    """Say whether a step is one of scikit-learn's own, not derived from it, that has numbers made of what it gets."""
    module = type(step).__module__
    is_known = any(module == name or module.startswith(f"{name}.") for name in _MODULE_NAMES)
    return is_known and hasattr(step, "__dict__") and not vars(step).get(_OUTPUT)
