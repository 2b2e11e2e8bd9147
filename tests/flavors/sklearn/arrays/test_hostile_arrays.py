"""Arrays that lead beyond others are refused before compiled code reads them."""

from __future__ import annotations

import copy

import lightgbm
import numpy as np
import pytest
import xgboost
from array_data import PERSONS, TEXTS, THREE, TOWNS, X, Y
from scipy import sparse
from sklearn import ensemble, neighbors, svm
from sklearn.cluster import BisectingKMeans, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # so that they are among all estimators
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.sklearn.objects import require_harmless


def fitted(model, data=None, label=None):
    return lambda: model.fit(X if data is None else data, Y if label is None else label)


def setting(**changes):
    """Put other values into attributes of a model, each made of what was there."""

    def change(model):
        for name, make in changes.items():
            setattr(model, name, make(getattr(model, name, None)))

    return change


def nodes_of_histograms(field, value, *, only=slice(0, 1)):
    def change(model):
        model._predictors[0][0].nodes[field][only] = value

    return change


def histograms(**more):
    data = np.hstack([TOWNS, X])
    model = ensemble.HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, categorical_features=[0], **more)
    return fitted(model, data, np.isin(TOWNS[:, 0], [0, 3]))


def without_mapping(model):
    model._default_to_infrequent_mappings[0] = np.full(len(model.categories_[0]), 10**6)


def other_stage(model):
    model.estimators_ = np.repeat(model.estimators_, 64, axis=1)


def other_tree(model):
    model.estimators_ = [DecisionTreeRegressor().fit(np.hstack([X, X]), Y)]


def hidden_tree(model):
    """Put a tree into an object that is none, of which a forest would ask it all the same."""
    hidden = LogisticRegression()
    hidden.tree_ = DecisionTreeClassifier().fit(np.hstack([X, X]), Y).tree_
    model.estimators_[0] = hidden


def cut(values):
    return values[..., :-1].copy()


def csr_beyond(values):
    made = sparse.csr_matrix(values)
    made.indices[0] = 10**6
    return made


def state_at(place):
    def change(_):
        state = np.random.RandomState(1)
        known = state.get_state(legacy=False)
        known["state"]["pos"] = place
        state.set_state(known)
        return state

    return change


HOSTILE = {
    "libsvm factors cut": (fitted(svm.SVC()), setting(_dual_coef_=cut), r"factors \(_dual_coef_\) are of shape"),
    "libsvm vectors cut": (fitted(svm.SVC()), setting(support_vectors_=cut), "support vectors are of shape"),
    "libsvm fewer rows": (fitted(svm.SVC()), setting(support_=lambda v: v[:-1]), "support vectors, but has"),
    "libsvm counts": (
        fitted(svm.SVC(), label=THREE),
        setting(_n_support=lambda v: np.array([*v, 900], dtype=np.int32)),
        "has 3 classes, but support vectors of 4",
    ),
    "libsvm negative counts": (
        fitted(svm.SVC()),
        setting(_n_support=lambda v: np.array([-900, v.sum() + 900], dtype=np.int32)),
        "numbers of its support vectors are none",
    ),
    "libsvm intercepts": (fitted(svm.SVC(), label=THREE), setting(_intercept_=cut), "has 2 intercepts, but should"),
    "libsvm probabilities": (
        fitted(svm.SVC(), label=THREE),
        setting(_probA=lambda _: np.ones(1), _probB=lambda _: np.ones(1)),
        "probabilities are of 1 and 1 pairs of classes, not 3",
    ),
    "libsvm of another kind": (
        fitted(svm.SVR(), label=X[:, 0]),
        setting(_impl=lambda _: "c_svc"),
        "it is no BaseLibSVM that was fitted",
    ),
    "libsvm without its inputs": (
        fitted(svm.SVC()),
        lambda model: delattr(model, "n_features_in_"),
        "support vectors are of shape",
    ),
    "libsvm of a kernel's values": (
        fitted(svm.SVC(kernel="precomputed"), X @ X.T),
        setting(support_=lambda v: np.full_like(v, 10**6)),
        "its support_ are not all from 0 to 59",
    ),
    "libsvm of a function's values": (
        fitted(svm.SVC(kernel=RBF())),
        setting(support_=lambda v: np.full_like(v, 10**6)),
        "its support_ are not all from 0 to 59",
    ),
    "libsvm of a function that compares with fewer rows": (
        fitted(svm.SVC(kernel=RBF())),
        setting(kernel=lambda _: np.matmul, _BaseLibSVM__Xfit=lambda _: np.ones((4, 60)), support_=lambda v: v % 4),
        r"array of shape|is no BaseLibSVM that was fitted",
    ),
    "libsvm of a function with other rows": (
        fitted(svm.SVC(kernel=RBF())),
        setting(shape_fit_=lambda _: (900, 4)),
        r"its kernel gives an array of shape \(1, 60\)",
    ),
    "polynomials of more columns": (
        fitted(PolynomialFeatures(2)),
        setting(_n_out_full=lambda _: 30, n_output_features_=lambda _: 30),
        "has 30 and 30 columns, but should have 15 and 15",
    ),
    "polynomials of a higher degree": (
        fitted(PolynomialFeatures((2, 2), include_bias=False)),
        setting(include_bias=lambda _: True),
        "has 14 and 10 columns, but should have 15 and 11",
    ),
    "targets cut": (
        fitted(TargetEncoder(), TOWNS, THREE),
        setting(encodings_=lambda v: v[:-1]),
        "takes 2 inputs, but has 5 encodings where it should have 6",
    ),
    "neighbours' covariance": (
        fitted(
            neighbors.KNeighborsClassifier(algorithm="brute", metric="mahalanobis", metric_params={"VI": np.eye(4)})
        ),
        setting(effective_metric_params_=lambda _: {"VI": np.eye(1)}),
        r"the VI of its metric is of shape \(1, 1\), not of its 4 inputs",
    ),
    "means' halves": (
        fitted(BisectingKMeans(3, n_init=1)),
        lambda model: setattr(model._bisecting_tree.left, "center", np.zeros(1)),
        r"a centre in its tree is of shape \(1,\)",
    ),
    "libsvm of sparse rows": (
        fitted(svm.SVC(), sparse.csr_matrix(X)),
        setting(support_vectors_=csr_beyond),
        "its places are not within its shape",
    ),
    "sparse factors beyond": (
        fitted(LogisticRegression()),
        setting(coef_=csr_beyond),
        "its places are not within its shape",
    ),
    "neighbours' rows cut": (
        fitted(neighbors.KNeighborsClassifier(algorithm="brute")),
        setting(_fit_X=cut),
        r"rows are of shape \(60, 3\)",
    ),
    "neighbours' rows more": (
        fitted(neighbors.KNeighborsClassifier(algorithm="brute")),
        setting(n_samples_fit_=lambda _: 900),
        "says that it has 900 rows, but has 60",
    ),
    "neighbours' labels": (
        fitted(neighbors.KNeighborsClassifier(algorithm="brute")),
        setting(_y=lambda v: v + 10**6),
        "its labels are not all from 0 to 1",
    ),
    "neighbours' labels cut": (
        fitted(neighbors.KNeighborsClassifier(algorithm="brute")),
        setting(_y=lambda v: v[:3]),
        r"of shape \(3,\)",
    ),
    "more neighbours than rows": (
        fitted(neighbors.KNeighborsClassifier(algorithm="brute")),
        setting(n_neighbors=lambda _: 900),
        "asks for 900 neighbours of its 60 rows",
    ),
    "neighbours' norms": (
        fitted(neighbors.KNeighborsClassifier(algorithm="brute")),
        setting(effective_metric_params_=lambda _: {"Y_norm_squared": np.zeros(1)}),
        "have norms of rows",
    ),
    "means' centres": (fitted(KMeans(2, n_init=1)), setting(cluster_centers_=cut), r"are of shape \(2, 3\), but it"),
    "means' threads": (fitted(KMeans(2, n_init=1)), setting(_n_threads=lambda _: -5), "asks for -5 threads"),
    "isolation": (
        fitted(ensemble.IsolationForest(n_estimators=2)),
        setting(_max_features=lambda _: 2),
        "2 inputs each, but are",
    ),
    "isolation's trees": (
        fitted(ensemble.IsolationForest(n_estimators=1)),
        other_tree,
        "takes 4 inputs, but its trees",
    ),
    "forest of what is no tree": (
        fitted(ensemble.RandomForestClassifier(1)),
        hidden_tree,
        "takes 4 inputs, but its trees take others",
    ),
    "more trees a stage than outputs": (
        fitted(ensemble.GradientBoostingClassifier(n_estimators=2)),
        other_stage,
        "but 64 trees are added to it",
    ),
    "boosting that says it has more outputs": (
        fitted(ensemble.GradientBoostingRegressor(n_estimators=2, init="zero")),
        setting(n_trees_per_iteration_=lambda _: 0),
        r"array of shape \(1, 0\)",
    ),
    "histograms' sets": (
        histograms(),
        nodes_of_histograms("bitset_idx", 10**6, only=slice(None)),
        "categories has no list",
    ),
    "histograms' sets cut": (
        histograms(),
        lambda model: setattr(
            model._predictors[0][0], "raw_left_cat_bitsets", model._predictors[0][0].raw_left_cat_bitsets[:, :1].copy()
        ),
        "categories has no list",
    ),
    "histograms' category that is none": (
        histograms(),
        lambda model: setattr(model._bin_mapper, "is_categorical_", np.zeros(6, dtype=bool)),
        "asks for an input that has none",
    ),
    "histograms' bins": (
        histograms(),
        lambda model: setattr(model._bin_mapper, "is_categorical_", np.ones(1, dtype=bool)),
        "takes 6 inputs, but its bins are of others",
    ),
    "histograms' preprocessor": (
        histograms(),
        lambda model: setattr(
            model, "_preprocessor", ColumnTransformer([("numerical", StandardScaler(), [0])]).fit(np.hstack([TOWNS, X]))
        ),
        "its preprocessor has a StandardScaler|its preprocessor gives it 1",
    ),
    "words beyond": (
        lambda: CountVectorizer(token_pattern="[a-z]").fit(TEXTS),
        setting(vocabulary_=lambda v: {**v, "a": 10**6}),
        "words of its vocabulary_ are not in as many columns",
    ),
    "words before": (
        lambda: TfidfVectorizer(token_pattern="[a-z]").fit(TEXTS),
        setting(vocabulary_=lambda v: {**v, "a": -7}),
        "words of its vocabulary_ are not in as many columns",
    ),
    "keys beyond": (
        lambda: DictVectorizer(sparse=False).fit(PERSONS),
        setting(vocabulary_=lambda v: {**v, "age": 10**6}),
        "words of its vocabulary_ are not in as many columns",
    ),
    "no hashes": (lambda: HashingVectorizer(), setting(n_features=lambda _: 0), "it has 0 columns"),
    "one-hot columns fewer": (
        lambda: OneHotEncoder(sparse_output=False).fit(TOWNS),
        setting(_n_features_outs=lambda v: [v[0], 1]),
        "categories of input 1 are not in its 1 columns",
    ),
    "one-hot columns cancelled": (
        lambda: OneHotEncoder(sparse_output=False).fit(TOWNS),
        setting(_n_features_outs=lambda v: [v[0] - 900, 900]),
        "categories of input 0 are not in its",
    ),
    "infrequent categories": (
        lambda: OneHotEncoder(min_frequency=12).fit(TOWNS),
        without_mapping,
        "categories of input 0 are not in its",
    ),
    "dropped category": (
        lambda: OneHotEncoder(drop="first").fit(TOWNS),
        setting(_drop_idx_after_grouping=lambda v: np.array([900, 0], dtype=object)),
        "drops category 900 of the 6",
    ),
    "random numbers beyond": (
        fitted(DummyClassifier(strategy="stratified")),
        setting(random_state=state_at(10**6)),
        "1000000 is beyond",
    ),
    "random numbers before": (
        fitted(DummyClassifier(strategy="stratified")),
        setting(random_state=state_at(-9)),
        "-9 is beyond its 624",
    ),
    "spline": (fitted(SplineTransformer()), lambda model: spline_cut(model), "knots, but 2 factors"),
    "LightGBM told not to look": (
        fitted(lightgbm.LGBMClassifier(n_estimators=1, verbose=-1, predict_disable_shape_check=True)),
        setting(_n_features=lambda _: 1),
        "takes 1 inputs, but its booster others",
    ),
    "LightGBM of other classes": (
        fitted(lightgbm.LGBMClassifier(n_estimators=1, verbose=-1)),
        setting(_n_classes=lambda _: 3, _classes=lambda _: np.arange(3)),
        "has 3 classes, but its booster 1 trees",
    ),
    "XGBoost of other classes": (
        fitted(xgboost.XGBClassifier(n_estimators=1), label=THREE),
        setting(n_classes_=lambda _: 9),
        "it has 9 classes, but its booster 3",
    ),
}


def spline_cut(model):
    """Take factors off a spline."""
    spline = model.bsplines_[0]
    spline.c = np.zeros((2, spline.c.shape[1]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HOSTILE)
def test_arrays_that_lead_beyond_others_are_refused(name):
    make, change, said = HOSTILE[name]
    model = make()
    require_harmless(copy.deepcopy(model))
    change(model)
    for hidden in (model, make_pipeline(StandardScaler(), model)):
        with pytest.raises(ModelLoadError, match=f"is damaged: .*({said})"):
            require_harmless(hidden)
