"""Which estimators can predict in several threads of one process side by side.

scikit-learn's own estimators keep nothing of a call, and most of their compiled parts release Python's lock. Those that
work on Python objects (text, encoders of strings) or call functions of somebody's own hold it; so do gradient boosting
(but for the histogram-based one), naive Bayes and networks, by and large. And Mahalanobis' distance is computed in a
buffer that all threads would share, so that each gets distances of the others.

Invariants: whatever is not on the list counts as holding the lock: it is scored in worker processes.
"""

from __future__ import annotations

from airflow_batch_inference.flavors.sklearn.objects import reachable

_RELEASING: dict[str, frozenset[str] | None] = {
    "sklearn.linear_model": None,
    "sklearn.tree": None,
    "sklearn.svm": None,
    "sklearn.ensemble": frozenset(
        {
            *(
                f"{start}{end}"
                for start in ("RandomForest", "ExtraTrees", "Bagging", "Voting", "Stacking", "HistGradientBoosting")
                for end in ("Classifier", "Regressor")
            ),
            *("_BinMapper", "TreePredictor"),  # of histogram-based boosting
        }
    ),
    "sklearn.neighbors": frozenset({"KNeighborsClassifier", "KNeighborsRegressor"}),
    "sklearn.pipeline": frozenset({"Pipeline", "FeatureUnion"}),
    "sklearn.compose": frozenset({"ColumnTransformer"}),
    "sklearn.calibration": frozenset({"CalibratedClassifierCV", "_CalibratedClassifier", "_SigmoidCalibration"}),
    "sklearn.isotonic": frozenset({"IsotonicRegression"}),
    "sklearn.impute": frozenset({"SimpleImputer"}),
    "sklearn.decomposition": None,
    "sklearn.preprocessing": frozenset(
        {
            *("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer", "PolynomialFeatures"),
            "LabelEncoder",  # of the classes, which estimators keep
        }
    ),
    "lightgbm.sklearn": None,
    "lightgbm.basic": frozenset({"Booster"}),
    "xgboost.sklearn": None,
    "xgboost.core": frozenset({"Booster"}),
}
"""By package or module: the classes that were measured, or are of one kind with those; None: all of it."""

_STEPS = ("get_params", "fit", "transform", "predict")
"""What has one of these may be called for a prediction; somebody's own step need not have the others."""


def releases_gil(estimator: object) -> bool:
    """Say whether every estimator within an estimator, at any depth, lets other threads go on while it predicts.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer, StandardScaler
    >>> releases_gil(make_pipeline(StandardScaler(), LogisticRegression()))
    True
    >>> releases_gil(make_pipeline(FunctionTransformer(abs), LogisticRegression()))
    False
    """
    steps = (part for part in reachable(estimator) if part is estimator or any(hasattr(part, each) for each in _STEPS))
    return all(map(_is_known, steps))


def _is_known(part: object) -> bool:
    kind = type(part)
    if getattr(part, "booster", None) == "gblinear":
        return False  # XGBoost: safe in several threads for other boosters only
    if kind.__name__ == "FunctionTransformer" and part.func is None and part.inverse_func is None:  # type: ignore[attr-defined]  # they are its parameters
        return True  # what passes columns on
    package = ".".join(kind.__module__.split(".")[:2])
    if package not in _RELEASING:
        return False
    names = _RELEASING[package]
    if names is not None and kind.__name__ not in names:
        return False
    return not package.startswith("sklearn.") or not (_shares_a_buffer(part) or _calls_back(part))


def _shares_a_buffer(part: object) -> bool:
    """Say whether neighbors measure distances in a way that several threads would disturb, or that nobody knows."""
    metric = getattr(part, "effective_metric_", None) or getattr(part, "metric", "")
    return not isinstance(metric, str) or metric == "mahalanobis"


def _calls_back(part: object) -> bool:
    """Say whether a kernel or a weight is a function of somebody's own."""
    return callable(getattr(part, "kernel", None)) or callable(getattr(part, "weights", None))
