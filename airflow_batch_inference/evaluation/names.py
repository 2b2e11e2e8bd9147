"""The metrics' names: which there are, which way is better, and which functions of scikit-learn may be named.

Invariants: a name that is not known is refused before anything is scored, with the nearest one that is.
"""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any

import sklearn.metrics

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_batch_inference.records import Problem

BINARY = ("precision", "recall", "f1")
SEVERAL = (
    *("precision_macro", "recall_macro", "f1_macro"),
    *("precision_weighted", "recall_weighted", "f1_weighted"),
)
OF_PROBABILITIES = ("log_loss", "brier_score", "expected_calibration_error")
CLASSIFICATION = (
    *("accuracy", "balanced_accuracy", "matthews_corrcoef"),
    *BINARY,
    *SEVERAL,
    *("roc_auc", "average_precision"),
    *OF_PROBABILITIES,
)
REGRESSION = ("mae", "rmse", "r2", "median_absolute_error", "mape", "max_error", "explained_variance")

_TWO = 2
_LESS_IS_BETTER = (*OF_PROBABILITIES, "mae", "rmse", "mape")
_LOSS_ENDINGS = ("_error", "_loss", "_deviance")
_FUNCTION_ENDINGS = (*_LOSS_ENDINGS, "_score", "_corrcoef")


def greater_is_better(name: str) -> bool:
    """Say which way a metric is better; functions of scikit-learn tell by the ends of their names.

    Examples
    --------
    >>> greater_is_better("roc_auc"), greater_is_better("mean_pinball_loss"), greater_is_better("mae")
    (True, False, False)
    """
    return name not in _LESS_IS_BETTER and not name.endswith(_LOSS_ENDINGS)


def names_of(problem: Problem | None, classes: int | None = None) -> tuple[str, ...]:
    """Return the names of the metrics that are measured for a problem unless others are chosen; None: of either.

    Parameters
    ----------
    problem
        What the model solves.
    classes
        How many classes it knows, where that is known.
    """
    if problem == "regression":
        return REGRESSION
    left_out = () if classes is None else SEVERAL if classes <= _TWO else BINARY
    found = tuple(name for name in CLASSIFICATION if name not in left_out)
    return found if problem == "classification" else (*found, *REGRESSION)


def function_of(name: str) -> Callable[[Any, Any], float] | None:
    """Return the function of ``sklearn.metrics`` that has a name and takes (y_true, y_pred), if there is one.

    Examples
    --------
    >>> function_of("mean_pinball_loss").__name__, function_of("roc_auc_score"), function_of("accuracy")
    ('mean_pinball_loss', None, None)
    """
    function: Callable[[Any, Any], float] | None = getattr(sklearn.metrics, name, None)
    if not name.endswith(_FUNCTION_ENDINGS) or not inspect.isfunction(function):
        return None
    parameters = list(inspect.signature(function).parameters.values())
    takes_both = [parameter.name for parameter in parameters[:2]] in (["y_true", "y_pred"], ["y1", "y2"])
    needs_more = any(
        parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        for parameter in parameters[2:]
    )
    return function if takes_both and not needs_more else None


def require_known(names: Iterable[str], argument: str, problem: Problem | None, classes: int | None = None) -> None:
    """Refuse names that are neither metrics for the problem nor functions of scikit-learn.

    Raises
    ------
    ConfigurationError
        Names the first such one, and the nearest that is known.
    """
    known = names_of(problem, classes)
    if problem != "regression" and classes is not None:
        known = tuple(dict.fromkeys((*known, *SEVERAL)))
    for name in names:
        if name in known or function_of(name) is not None:
            continue
        close = [each for each in known if each.startswith(name.casefold())]
        close = close or difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        of = f" of a {problem}" if problem else ""
        if classes is not None and problem != "regression":
            of += f" with {classes} classes"
        message = (
            f"{argument} names {name!r}{hint}, which is no metric{of}. There are {', '.join(known)}, and the functions "
            "of sklearn.metrics that take (y_true, y_pred), such as mean_pinball_loss."
        )
        raise ConfigurationError(message)
