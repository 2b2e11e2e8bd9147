"""Where each fitted step of a scikit-learn estimator sits, and which of the model's columns it is given.

A pipeline, a search, a vote or a calibration hides the step that knows what a column was in training: an encoder's
categories, an imputer's missing value, a booster's lists.

Invariants: a position is told only for a column that comes to the step as the model gets it; past a step of somebody's
own it is the name at most, because that step may have made another column of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Column: TypeAlias = int | str | None
"""A model's column: by its position; by its name, where a step that is not known may have changed it; None: made of
several, or by a step that is known to change it."""
Columns: TypeAlias = tuple[Column, ...] | None
"""The columns that a step is given, in its order; None where nothing is known of them."""

_IMPUTERS = ("SimpleImputer", "KNNImputer", "IterativeImputer")
_PARTS = (
    *("best_estimator_", "calibrated_classifiers_", "estimator_", "estimators_", "final_estimator_", "regressor_"),
    *("classifier_", "unary_estimator_", "init_", "_preprocessor"),
)
_OF_TREES = ("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._iforest")
"""Ensembles of trees alone, of which there may be thousands."""
_MOST_DEPTH = 30


@dataclass(frozen=True, slots=True)
class FittedStep:
    """A step that is fitted itself, and composed of no others that are known.

    Attributes
    ----------
    step
        The transformer or estimator.
    columns
        What it is given.
    is_first
        Whether it is given just what the model is given.
    """

    step: Any
    columns: Columns
    is_first: bool

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.step).__name__


@dataclass(slots=True)
class _Walk:
    """What was found so far, each step once for each place that it has."""

    found: list[FittedStep] = field(default_factory=list)

    def visit(self, step: Any, columns: Columns, *, is_first: bool, depth: int = 0) -> Columns:  # noqa: ANN401
        """Add a step, or those that it is composed of; return the columns that come out of it."""
        if step is None or isinstance(step, str):
            return None if step == "drop" else columns
        if depth > _MOST_DEPTH:
            return None
        columns = _by_name(step) if columns is None else columns
        visit = {"Pipeline": self._pipeline, "ColumnTransformer": self._columns, "FeatureUnion": self._union}
        for kind in type(step).__mro__:
            if kind.__name__ in visit and _is_of(kind, "sklearn"):
                return visit[kind.__name__](step, columns, is_first, depth + 1)
        parts = list(_parts(step))
        is_known = _is_of(type(step), "sklearn")
        if not parts or not is_known:
            self.found.append(FittedStep(step, columns, is_first))
        for part in parts:
            self._part(step, part, columns if is_known else _by_name(part), is_first and is_known, depth + 1)
        return _passed(step, columns)

    def _part(self, whole: Any, part: Any, columns: Columns, is_first: bool, depth: int) -> None:  # noqa: ANN401
        """Add a part of an estimator that is composed of some, which gets the same columns, or some of them."""
        if columns is not None and part is getattr(whole, "final_estimator_", None):
            others = int(getattr(part, "n_features_in_", len(columns))) - len(columns)
            is_passed = bool(getattr(whole, "passthrough", False)) and others >= 0
            self.visit(part, (None,) * others + columns if is_passed else (), is_first=False, depth=depth)
            return
        self.visit(part, _taken(whole, part, columns), is_first=is_first, depth=depth)

    def _pipeline(self, step: Any, columns: Columns, is_first: bool, depth: int) -> Columns:  # noqa: ANN401
        for _, each in step.steps:
            is_nothing = each is None or isinstance(each, str)
            columns = self.visit(each, columns, is_first=is_first, depth=depth)
            is_first = is_first and is_nothing
        return columns

    def _union(self, step: Any, columns: Columns, is_first: bool, depth: int) -> Columns:  # noqa: ANN401
        outputs = [
            self.visit(each, columns, is_first=is_first, depth=depth)
            for _, each in step.transformer_list
            if each != "drop"
        ]
        known = [each for each in outputs if each is not None]
        return tuple(column for each in known for column in each) if len(known) == len(outputs) else None

    def _columns(self, step: Any, columns: Columns, is_first: bool, depth: int) -> Columns:  # noqa: ANN401, ARG002
        places = step._transformer_to_input_indices  # noqa: SLF001  # where they are
        outputs: dict[str, Columns] = {}
        for name, each, _ in step.transformers_:
            if isinstance(each, str) and each == "drop":
                continue
            given = None if columns is None else tuple(columns[place] for place in places.get(name, ()))
            outputs[name] = self.visit(each, given, is_first=False, depth=depth)
        width = max((bounds.stop for bounds in step.output_indices_.values()), default=0)
        put: list[Column] = [None] * width
        for name, output in outputs.items():
            bounds = step.output_indices_.get(name, slice(0, 0))
            if output is not None and len(output) == bounds.stop - bounds.start:
                put[bounds] = output
        return tuple(put)


def fitted_steps(estimator: object) -> tuple[FittedStep, ...]:
    """Return the fitted steps of an estimator, wherever they sit, with the columns that each is given.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    >>> [(each.kind, each.columns, each.is_first) for each in fitted_steps(fitted)]
    [('StandardScaler', (0, 1), True), ('LogisticRegression', (None, None), False)]
    """
    walk = _Walk()
    width = input_width(estimator)
    walk.visit(estimator, None if width is None else tuple(range(width)), is_first=True)
    return tuple(walk.found)


def columns_read(estimator: object) -> frozenset[int] | None:
    """Return the positions of the columns that an estimator reads; None where that is not known.

    A column transformer reads none of those that it drops.
    """
    width = input_width(estimator)
    if width is None:
        return None
    found: set[int] = set()
    for each in fitted_steps(estimator):
        if each.columns is None:
            return None
        found.update(column for column in each.columns if isinstance(column, int))
    return frozenset(found)


def input_names(step: object) -> tuple[str, ...] | None:
    """Return the names of the columns that a step was fitted on, as far as it keeps them.

    CatBoost and LightGBM keep them under names of their own, and number the columns of arrays; a pipeline keeps those
    of its first step.
    """
    found = getattr(step, "feature_names_in_", None)
    if found is None:
        found, is_numbered = _own_names(step)
        found = None if is_numbered else found
    if found is None:
        first = _first(step)
        return None if first is None else input_names(first)
    return tuple(str(name) for name in found)


def input_width(step: object) -> int | None:
    """Return how many columns a step was fitted on; None where it does not say."""
    names = input_names(step)
    if names is not None:
        return len(names)
    number = getattr(step, "n_features_in_", None) or len(_own_names(step)[0] or ())  # 0 where nothing is known
    first = None if number else _first(step)
    return (int(number) or None) if first is None else input_width(first)


def _own_names(step: Any) -> tuple[list[object] | None, bool]:  # noqa: ANN401  # any step
    """Return the names that CatBoost or LightGBM keeps, and whether they are mere numbers of columns."""
    if type(step).__module__ == "lightgbm.basic" and hasattr(step, "feature_name"):
        names, numbered = step.feature_name(), "Column_{}"
    else:  # of a DictVectorizer these are the columns that come out
        names, numbered = None if _is_of(type(step), "sklearn") else getattr(step, "feature_names_", None), "{}"
    if names is None:
        return None, False
    return list(names), list(names) == [numbered.format(place) for place in range(len(names))]


def _first(step: Any) -> Any:  # noqa: ANN401  # any step
    """Return the step that is given what a pipeline is given, or a part of an estimator of scikit-learn's own."""
    kinds = {kind.__name__ for kind in type(step).__mro__ if _is_of(kind, "sklearn")}
    if "Pipeline" in kinds:
        return next((each for _, each in step.steps if each is not None and not isinstance(each, str)), None)
    if "FeatureUnion" in kinds:
        return next((each for _, each in step.transformer_list if not isinstance(each, str)), None)
    if not _is_of(type(step), "sklearn") or hasattr(step, "estimators_features_"):
        return None
    return next(_parts(step), None)


def _by_name(step: object) -> Columns:
    return input_names(step)


def _is_of(kind: type, package: str) -> bool:
    return kind.__module__.partition(".")[0] == package


def _parts(step: Any) -> Iterator[Any]:  # noqa: ANN401  # any estimator
    """Yield the fitted estimators that one is composed of."""
    kind = type(step)
    if kind.__module__ in _OF_TREES:
        return
    if _is_of(kind, "sklearn"):
        names: Iterable[str] = _PARTS
    elif any(_is_of(kind, package) for package in ("lightgbm", "xgboost", "catboost")):
        return
    else:
        names = list(getattr(step, "__dict__", {}))
    if kind.__name__ == "FrozenEstimator":
        names = ("estimator",)
    seen: set[int] = set()
    for name in names:
        for part in _estimators(getattr(step, name, None)):
            if id(part) not in seen and _is_fitted(part):
                seen.add(id(part))
                yield part


def _estimators(held: object) -> Iterator[Any]:
    """Yield the estimators among what an attribute holds."""
    if isinstance(held, dict):
        held = list(held.values())
    if isinstance(held, np.ndarray):
        held = held.ravel().tolist() if held.dtype == object else []
    if isinstance(held, (list, tuple)):
        for each in held:
            yield from _estimators(each[1] if isinstance(each, tuple) and len(each) > 1 else each)
        return
    if type(held).__name__ == "_CalibratedClassifier":
        held = getattr(held, "estimator", None)
    if hasattr(held, "fit") and (hasattr(held, "predict") or hasattr(held, "transform")) and not isinstance(held, type):
        yield held


def _is_fitted(step: Any) -> bool:  # noqa: ANN401  # any estimator
    """Say whether an estimator is fitted; one that an estimator merely makes copies of is not."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(step)
    except NotFittedError:
        return callable(getattr(step, "is_fitted", None)) and bool(step.is_fitted())
    except TypeError:  # it is none of scikit-learn's kind
        return True
    return True


def _taken(whole: Any, part: Any, columns: Columns) -> Columns:  # noqa: ANN401  # estimators
    """Return which of an estimator's columns one of its parts is given: bagging may draw some."""
    drawn = getattr(whole, "estimators_features_", None)
    parts = getattr(whole, "estimators_", ())
    if columns is None or drawn is None or len(drawn) != len(parts):
        return columns
    place = next((place for place, each in enumerate(parts) if each is part), None)
    return columns if place is None else tuple(columns[int(column)] for column in drawn[place])


def _passed(step: Any, columns: Columns) -> Columns:  # noqa: ANN401  # any transformer
    """Return the columns that come out of a step: those that it lets through, and None for those that it makes."""
    if columns is None:
        return None
    kind = type(step).__name__
    if not _is_of(type(step), "sklearn"):
        return None  # a step of somebody's own: the next one may know its columns by name
    if kind == "FunctionTransformer":
        return columns if step.func is None else None
    if kind in _IMPUTERS:
        return _imputed(step, columns)
    if hasattr(step, "get_support"):
        chosen = step.get_support()
        return tuple(column for column, is_kept in zip(columns, chosen, strict=False) if is_kept)
    made = getattr(step, "_n_features_out", None)
    return (None,) * (len(columns) if made is None else int(made))


def _imputed(step: Any, columns: Columns) -> Columns:  # noqa: ANN401  # an imputer
    """Return an imputer's columns, whose values are those that came in, but for the missing ones."""
    statistics = getattr(step, "statistics_", None)
    is_whole = columns is not None and (statistics is None or len(statistics) == len(columns))
    if columns is None or not is_whole or getattr(step, "add_indicator", False):
        return None
    if statistics is not None and not getattr(step, "keep_empty_features", False):
        kept = [not (isinstance(value, float) and np.isnan(value)) for value in statistics]
        columns = tuple(column for column, is_kept in zip(columns, kept, strict=True) if is_kept)
    return columns
