"""Keyword arguments of a model's own predict: what a library would ignore in silence is refused.

Invariants: a misspelled ``num_iteration`` must not score with all trees; and XGBoost, which believes an
``iteration_range``, gets none that begins or ends before its first tree.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIGHTGBM = (
    *("start_iteration", "num_iteration", "raw_score", "pred_leaf", "pred_contrib", "validate_features"),
    *("data_has_header", "start_iteration_predict", "num_iteration_predict", "predict_disable_shape_check"),
    *("pred_early_stop", "pred_early_stop_freq", "pred_early_stop_margin"),
    *("num_threads", "num_thread", "nthread", "nthreads", "n_jobs", "verbosity", "verbose"),
)
"""Of ``Booster.predict`` and its wrappers: https://lightgbm.readthedocs.io/en/stable/Parameters.html#predict-parameters"""

_PAIR = 2
_MOST = (1 << 31) - 1


def require_keywords(given: Iterable[str], known: Iterable[str], who: str) -> None:
    """Refuse a keyword that is not among those that a predict looks at.

    Raises
    ------
    ConfigurationError
        Names it.
    """
    known = tuple(known)
    for name in given:
        if name not in known:
            there = f"It takes {', '.join(known)}" if known else "It takes none"
            message = (
                f"predict_kwargs has {name!r}{did_you_mean(name, known)}, which {who} would ignore in silence. {there}."
            )
            raise ConfigurationError(message)


def require_range(given: Mapping[str, Any]) -> None:
    """Refuse an ``iteration_range`` that is no pair of whole numbers from 0: XGBoost would look for trees elsewhere.

    Raises
    ------
    ConfigurationError
        Says what it must be.

    Examples
    --------
    >>> require_range({"iteration_range": (0, 3)})
    """
    bounds = given.get("iteration_range")
    if bounds is None:
        return
    is_pair = isinstance(bounds, (list, tuple)) and len(bounds) == _PAIR
    if not is_pair or not all(isinstance(each, Integral) and 0 <= int(each) <= _MOST for each in bounds):
        message = (
            f"predict_kwargs has iteration_range {bounds!r}; it must be two whole numbers that are not negative: the "
            "first iteration, and the one after the last, (0, 0) for all."
        )
        raise ConfigurationError(message)


def require_taken(estimator: object, given: Mapping[str, Any]) -> None:
    """Refuse keywords that an estimator, or the last step of a pipeline, would ignore; most raise by themselves.

    Raises
    ------
    ConfigurationError
        Names one.
    """
    require_range(given)
    while steps := getattr(estimator, "steps", None):
        estimator = steps[-1][1]
    if type(estimator).__module__.partition(".")[0] == "lightgbm":
        require_keywords(given, LIGHTGBM, f"the predict of LightGBM's {type(estimator).__name__}")
