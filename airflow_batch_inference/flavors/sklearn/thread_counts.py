"""Numbers of threads that were saved with a model, held to the share that this process was given.

A model that was fitted with ``n_jobs=-1`` would take all of the machine's cores in each of several worker processes, or
start processes of its own.

Invariants: numbers are only ever lowered, so nothing that says one thread gets more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_batch_inference.flavors.sklearn.objects import reachable
from airflow_batch_inference.processes.threads import native_threads

_NAMES = frozenset({"n_jobs", "nthread", "nthreads", "num_threads", "num_thread", "thread_count", "_n_threads"})
"""The last one is what k-means keeps of the machine that it was fitted on."""
_FURTHER = ("_other_params", "_init_params", "kwargs")
"""Where LightGBM's, CatBoost's and XGBoost's wrappers keep what was given under a further name."""
_ALL_BY_DEFAULT = ("lightgbm", "xgboost", "catboost")
"""They take all cores where nobody has said how many; scikit-learn takes one."""


def hold_threads(estimator: object) -> None:
    """Lower all numbers of threads within an estimator, at any depth, to what this process may use.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> forest = RandomForestClassifier(n_jobs=10**6)
    >>> hold_threads([forest])
    >>> forest.n_jobs == native_threads()
    True
    """
    most = native_threads()
    for part in reachable(estimator):
        package = type(part).__module__.partition(".")[0]
        # Of estimators only: any other dict may have such a key, and mean something else.
        held = vars(part) if hasattr(part, "get_params") and hasattr(part, "__dict__") else {}
        more = [held[name] for name in _FURTHER if package in _ALL_BY_DEFAULT and isinstance(held.get(name), dict)]
        for each in (held, *more):
            for name in _NAMES.intersection(each):
                each[name] = _lowered(each[name], most, is_all=package in _ALL_BY_DEFAULT)
        if package == "xgboost" and type(part).__name__ == "Booster":
            part.set_param({"nthread": most})  # type: ignore[attr-defined]  # a booster brings its own number


def _lowered(number: Any, most: int, *, is_all: bool) -> Any:  # noqa: ANN401  # whatever the model holds
    """Return a number of threads that is not above the most; what is no such number as it is."""
    if number is None:
        return most if is_all else None
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
        return number
    return number if 0 < number <= most else most
