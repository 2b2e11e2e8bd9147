"""Arrays that compiled code follows: those of fitted estimators pass, and predict the same bits."""

from __future__ import annotations

import warnings

import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from array_data import THREE, TOWNS, X, Y
from scipy import sparse
from sklearn import ensemble, neighbors, svm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch, BisectingKMeans, KMeans
from sklearn.dummy import DummyClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils import all_estimators

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.sklearn.flavor import SKOPS, SklearnFlavor
from airflow_batch_inference.flavors.sklearn.objects import require_harmless


@pytest.mark.parametrize("kind", [kind for _, kind in all_estimators()], ids=lambda kind: kind.__name__)
def test_whatever_scikit_learn_fits_is_harmless(kind):
    try:
        model = kind()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, Y)
    except (TypeError, ValueError, AttributeError, IndexError):
        pytest.skip("it takes no table of numbers, or needs arguments")
    if kind is Birch:
        with pytest.raises(ModelLoadError, match="nothing here looks at its clusters"):
            require_harmless(model)
        return
    require_harmless(model)


def same(model, data, folder, method="predict"):
    """Save a model with skops and load it as the flavor does; it answers the same bits."""
    path = folder / "m.skops"
    skops.io.dump(model, path)
    trusted = tuple(skops.io.get_untrusted_types(file=path))
    loaded = SklearnFlavor().load(path, model_format=SKOPS, trusted=trusted, options={})
    answers = [getattr(each, method)(data) for each in (model, loaded.estimator)]
    dense = [each.toarray() if sparse.issparse(each) else each for each in answers]
    np.testing.assert_array_equal(*dense)


BENIGN = {
    "svc": lambda: svm.SVC(random_state=1).fit(X, THREE),
    "svc of two classes": lambda: svm.SVC(kernel="poly").fit(X, Y),
    "svc of a kernel's values": lambda: svm.SVC(kernel="precomputed").fit(X[:4] @ X[:4].T, [0, 1, 0, 1]),
    "svc of sparse rows": lambda: svm.SVC().fit(sparse.csr_matrix(X), THREE),
    "svc of a kernel that is a function": lambda: svm.SVC(kernel=RBF()).fit(X, Y),
    "polynomials": lambda: make_pipeline(
        PolynomialFeatures((2, 3), interaction_only=True, include_bias=False), LogisticRegression()
    ).fit(X, Y),
    "targets": lambda: make_pipeline(TargetEncoder(), LogisticRegression()).fit(TOWNS.repeat(2, axis=1), THREE),
    "neighbours by weighed balls": lambda: neighbors.KNeighborsClassifier(
        algorithm="ball_tree", metric="minkowski", p=3, metric_params={"w": np.arange(1.0, 5.0)}
    ).fit(X, Y),
    "neighbours by variance": lambda: neighbors.KNeighborsClassifier(
        algorithm="ball_tree", metric="seuclidean", metric_params={"V": np.arange(1.0, 5.0)}
    ).fit(X, Y),
    "neighbours by covariance": lambda: neighbors.KNeighborsClassifier(
        algorithm="brute", metric="mahalanobis", metric_params={"VI": np.eye(4)}
    ).fit(X, Y),
    "means by halves": lambda: BisectingKMeans(3, n_init=1, random_state=1).fit(X),
    "nu-svc": lambda: svm.NuSVC(nu=0.1).fit(X, Y),
    "svr": lambda: svm.SVR().fit(X, X[:, 0]),
    "svr of sparse rows": lambda: svm.NuSVR().fit(sparse.csr_matrix(X), X[:, 0]),
    "one class": lambda: svm.OneClassSVM().fit(X),
    "neighbours": lambda: neighbors.KNeighborsClassifier(3, algorithm="brute").fit(X, THREE),
    "neighbours of several outputs": lambda: neighbors.KNeighborsClassifier(3).fit(X, np.c_[Y, THREE]),
    "neighbours by a tree": lambda: neighbors.KNeighborsRegressor(3, algorithm="kd_tree").fit(X, X[:, 0]),
    "neighbours by balls": lambda: neighbors.KNeighborsClassifier(3, algorithm="ball_tree").fit(X, Y),
    "radius": lambda: neighbors.RadiusNeighborsClassifier(9.0, algorithm="brute").fit(X, Y),
    "outliers": lambda: neighbors.LocalOutlierFactor(n_neighbors=4, novelty=True).fit(X),
    "means": lambda: KMeans(3, n_init=1, random_state=1).fit(X),
    "isolation": lambda: ensemble.IsolationForest(n_estimators=5, random_state=1).fit(X),
    "isolation of some columns": lambda: ensemble.IsolationForest(n_estimators=5, max_features=2, random_state=1).fit(
        X
    ),
    "boosting of classes": lambda: ensemble.GradientBoostingClassifier(n_estimators=3).fit(X, THREE),
    "boosting from zero": lambda: ensemble.GradientBoostingRegressor(n_estimators=3, init="zero").fit(X, X[:, 0]),
    "boosting from a model": lambda: ensemble.GradientBoostingClassifier(n_estimators=3, init=LogisticRegression()).fit(
        X, THREE
    ),
    "forest of several outputs": lambda: ensemble.RandomForestClassifier(3, random_state=1).fit(X, np.c_[Y, THREE]),
    "embedding": lambda: make_pipeline(ensemble.RandomTreesEmbedding(3, random_state=1), LogisticRegression()).fit(
        X, Y
    ),
    "bins": lambda: make_pipeline(KBinsDiscretizer(4), LogisticRegression()).fit(X, Y),
    "splines": lambda: make_pipeline(SplineTransformer(), LogisticRegression()).fit(X, Y),
    "sparse factors": lambda: LogisticRegression().fit(X, Y).sparsify(),
    "search": lambda: GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2).fit(X, Y),
    "calibrated": lambda: CalibratedClassifierCV(svm.SVC(), cv=2).fit(X, Y),
    "guesses": lambda: DummyClassifier(strategy="stratified", random_state=np.random.RandomState(3)).fit(X, Y),
    "lgbm": lambda: make_pipeline(StandardScaler(), lightgbm.LGBMClassifier(n_estimators=3, verbose=-1)).fit(X, THREE),
    "lgbm of two classes in two": lambda: lightgbm.LGBMClassifier(
        n_estimators=2, verbose=-1, objective="multiclass", num_class=2
    ).fit(X, Y),
    "lgbm regressor": lambda: lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, linear_tree=True).fit(X, X[:, 0]),
    "lgbm booster": lambda: lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y).booster_,
    "lgbm calibrated": lambda: CalibratedClassifierCV(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1), cv=2).fit(
        X, Y
    ),
    "xgb": lambda: make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=3)).fit(X, THREE),
    "xgb dart": lambda: xgboost.XGBRegressor(n_estimators=3, booster="dart", rate_drop=0.5).fit(X, X[:, 0]),
    "xgb search": lambda: GridSearchCV(xgboost.XGBClassifier(n_estimators=2), {"max_depth": [1, 2]}, cv=2).fit(X, Y),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BENIGN)
def test_models_whose_arrays_are_looked_at_load_with_the_same_bits(tmp_path, name):
    model = BENIGN[name]()
    same(model, X[:, :4] if name != "svc of a kernel's values" else X[:4] @ X[:4].T, tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(),
        OneHotEncoder(drop="first"),
        OneHotEncoder(drop="if_binary", sparse_output=False),
        OneHotEncoder(min_frequency=12, handle_unknown="infrequent_if_exist"),
        OneHotEncoder(max_categories=3, drop="first", handle_unknown="infrequent_if_exist"),
        OneHotEncoder(max_categories=1, handle_unknown="warn"),
        OneHotEncoder(categories=[range(9), range(6)], handle_unknown="ignore"),
        OneHotEncoder(min_frequency=12, handle_unknown="ignore"),
    ],
    ids=str,
)
def test_encoders_are_harmless_and_put_even_unseen_categories_into_their_columns(tmp_path, encoder):
    fitted = encoder.fit(TOWNS)
    require_harmless(make_pipeline(fitted, LogisticRegression()))
    odd = TOWNS if encoder.handle_unknown == "error" else np.vstack([TOWNS, [[77, 0], [0, 77]]])
    same(make_pipeline(fitted, LogisticRegression()).fit(TOWNS, Y), odd, tmp_path)


def test_categories_of_histogram_boosting_are_harmless(tmp_path):
    data = np.hstack([TOWNS, X])
    for categorical in ([0, 1], [0], None, "all"):
        data = TOWNS if categorical == "all" else data
        categorical = [0, 1] if categorical == "all" else categorical
        model = ensemble.HistGradientBoostingClassifier(
            max_iter=4, min_samples_leaf=2, categorical_features=categorical
        ).fit(data, np.isin(TOWNS[:, 0], [0, 3]))
        require_harmless(model)


def test_what_is_not_fitted_is_harmless():
    for model in (svm.SVC(), neighbors.KNeighborsClassifier(), KMeans(), OneHotEncoder(), lightgbm.LGBMClassifier()):
        require_harmless(make_pipeline(StandardScaler(), model))
