"""An estimator in memory, described as a loaded model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.base import LoadedModel, require_method
from airflow_batch_inference.flavors.frames import has_large_integers, in_one_form
from airflow_batch_inference.flavors.keywords import require_taken
from airflow_batch_inference.flavors.sklearn.gil import releases_gil
from airflow_batch_inference.flavors.sklearn.inputs import EstimatorInputs, estimator_inputs
from airflow_batch_inference.flavors.sklearn.nameless import without_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from airflow_batch_inference.records import ColumnSpec

Label: TypeAlias = str | int | float | bool
_METHODS = ("predict", "predict_proba", "decision_function")
_NUMERIC_PACKAGES = ("sklearn", "lightgbm", "xgboost")
"""Their encoders and estimators compare numbers as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SklearnModel(LoadedModel):
    """An estimator with ``predict``; it gets what it was fitted on (:mod:`~.inputs`).

    ``nameless`` is what scores arrays in its place, where it sees no difference (:mod:`~.nameless`).
    """

    estimator: Any
    takes: EstimatorInputs
    methods: tuple[str, ...]
    versions: Mapping[str, str]
    takes_lists: ClassVar[bool] = False
    tells_forms: bool = False
    """Whether a step could tell 270 from 270.0."""
    releases_gil: bool = False
    """Whether all of its steps are known to (:mod:`~.gil`)."""
    classes: tuple[Label, ...] | None = None
    output_names: tuple[str, ...] | None = None
    nameless: Any | None = None

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The columns that it reads; None where it was fitted on none by name."""
        return self.takes.names

    @property
    def n_features(self) -> int | None:
        """How many columns it takes, where it knows."""
        return self.takes.n_features

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """Its columns with their types, which only lists of categories tell."""
        return self.takes.specs

    @property
    def unnamed(self) -> str | None:
        """The first step, where nobody can tell which columns it takes unless somebody names them."""
        return self.takes.first_step

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return a value that it takes for those columns of which that is known."""
        return self.takes.example(batch)

    @property
    def importances(self) -> dict[str, float] | None:
        """``feature_importances_`` of trees and their ensembles; None for others, and where inputs have no names."""
        found = getattr(self.estimator, "feature_importances_", None)
        if found is None or self.feature_names is None or len(found) != len(self.feature_names):
            return None
        return dict(zip(self.feature_names, np.asarray(found, dtype=np.float64).tolist(), strict=True))

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> np.ndarray:
        """Score one mini-batch; see :meth:`~.base.LoadedModel.predict`."""
        require_method(method, self.methods)
        require_taken(self.estimator, kwargs or {})
        name, extra = _ensemble_methods(self.estimator).get(method, (method, {}))

        def score(rows: pa.Table) -> np.ndarray:
            block = None if self.nameless is None else self.takes.block_of(rows)
            estimator, given = (self.estimator, self.takes.of(rows)) if block is None else (self.nameless, block)
            predicted = getattr(estimator, name)(given, **extra, **dict(kwargs or {}))
            if isinstance(predicted, list):  # one array an output: side by side, never one above the other
                return np.hstack([np.asarray(each).reshape(rows.num_rows, -1) for each in predicted])
            # A multilabel classifier may return a sparse matrix.
            return np.asarray(predicted.toarray() if hasattr(predicted, "toarray") else predicted)

        return in_one_form(batch, score) if self.tells_forms or has_large_integers(batch) else score(batch)


def describe(estimator: object, options: Mapping[str, Any] | None = None) -> SklearnModel:
    """Wrap an estimator that is in memory.

    Parameters
    ----------
    estimator
        Fitted.
    options
        Load options about its categories; see :func:`~.category_lists.category_lists`.

    Raises
    ------
    ModelLoadError
        It has no ``predict``, or it is not certain which columns its categories are of.
    ConfigurationError
        The options do not go with it.
    """
    methods = tuple(name for name in _METHODS if callable(getattr(estimator, name, None)))
    if "predict" not in methods:
        message = (
            f"The file holds a {type(estimator).__module__}.{type(estimator).__qualname__}, which has no predict(). "
            "Save the fitted estimator or pipeline itself."
        )
        raise ModelLoadError(message)
    return SklearnModel(
        estimator=estimator,
        takes=estimator_inputs(estimator, options or {}),
        methods=(*methods, *_ensemble_methods(estimator)),
        versions=_versions(estimator),
        classes=_classes(estimator),
        tells_forms=_tells_forms(estimator),
        releases_gil=releases_gil(estimator),
        nameless=without_names(estimator),
    )


def _classes(estimator: object) -> tuple[Label, ...] | None:
    """Return a classifier's labels; None for regressors, and where there are several outputs."""
    found = getattr(estimator, "classes_", None)
    if found is None or isinstance(found, list) or np.ndim(found) != 1:
        return None
    labels = np.asarray(found).tolist()
    return tuple(labels) if all(isinstance(label, (str, int, float, bool)) for label in labels) else None


def _ensemble_methods(estimator: object) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return those of our methods that a tree ensemble has under another name, with the arguments that ask for them."""
    module = type(estimator).__module__.partition(".")[0]
    if module == "lightgbm":
        return {
            "raw_score": ("predict", {"raw_score": True}),
            "leaf_index": ("predict", {"pred_leaf": True}),
            "contributions": ("predict", {"pred_contrib": True}),
        }
    if module == "xgboost":
        return {"raw_score": ("predict", {"output_margin": True}), "leaf_index": ("apply", {})}
    return {"leaf_index": ("apply", {})} if callable(getattr(estimator, "apply", None)) else {}


def _parts(estimator: object) -> tuple[object, ...]:
    """Return the estimator and all that it is composed of, parameters too."""
    return (estimator, *(estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()))


def _package(part: object) -> str:
    return type(part).__module__.partition(".")[0]


def _tells_forms(estimator: object) -> bool:
    """Say whether a step could tell 270 from 270.0: a function, or a step of somebody's own."""
    return any(
        hasattr(part, "fit")
        and (_package(part) not in _NUMERIC_PACKAGES or type(part).__name__ == "FunctionTransformer")
        for part in _parts(estimator)
    )


def _versions(estimator: object) -> dict[str, str]:
    """Return the versions of the packages of the estimator and of all that it is composed of."""
    packages = {_package(part) for part in _parts(estimator)}
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in packages | {"numpy", "sklearn"}}
    return {name: str(version) for name, version in sorted(found.items()) if version is not None}
