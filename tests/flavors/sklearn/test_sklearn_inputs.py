from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost as xgb
from estimator_batches import scored, through_a_file
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError

ROWS = 40
TEXTS = ["late and broken", "thanks, great", "broken again", "great, and in time"] * 10
IS_BAD = np.array([1, 0, 1, 0] * 10)


def sales():
    """A key and a target, which training's frame still had, among what the model reads."""
    rng = np.random.default_rng(8)
    data = pd.DataFrame(
        {
            "order": [f"o-{number}" for number in range(ROWS)],
            "price": rng.normal(size=ROWS),
            "town": rng.choice(["rom", "bern"], ROWS),
            "when": pd.Timestamp("2024-05-01"),
            "weight": rng.normal(size=ROWS),
        }
    )
    return data.assign(target=((data["town"] == "rom") ^ (data["price"] > 0)).astype(int))


def steps(**changed):
    return ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["weight", "price"]),
            ("town", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["town"]),
            ("nothing", "drop", ["when"]),
        ],
        **changed,
    )


def tree():
    return DecisionTreeClassifier(random_state=1)


def chain():
    return make_pipeline(steps(), tree())


DROPPING = {
    "pipeline": chain,
    "framed": lambda: make_pipeline(steps().set_output(transform="pandas"), tree()),
    "search": lambda: GridSearchCV(chain(), {"decisiontreeclassifier__max_depth": [3]}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(chain(), cv=2),
    "vote": lambda: VotingClassifier([("a", chain()), ("b", chain())], voting="soft"),
    "stacking": lambda: StackingClassifier([("a", chain())], cv=2, final_estimator=tree()),
    "union": lambda: make_pipeline(FeatureUnion([("a", steps()), ("b", steps())]), tree()),
    "by-place": lambda: make_pipeline(ColumnTransformer([("n", StandardScaler(), [4, 1])]), tree()),
    "bagging": lambda: BaggingClassifier(
        make_pipeline(ColumnTransformer([("n", StandardScaler(), [4, 1])]), tree()), n_estimators=3, random_state=1
    ),
}


@pytest.mark.parametrize("make", DROPPING.values(), ids=DROPPING)
def test_columns_that_a_column_transformer_drops_are_not_demanded(tmp_path, make):
    data = sales()
    estimator = make().fit(data, data["target"])
    expected = estimator.predict_proba(data)
    model = through_a_file(estimator, tmp_path)
    read = ["price", "weight"] if "town" not in model.feature_names else ["price", "town", "weight"]
    assert list(model.feature_names) == read
    assert model.n_features == len(read)
    np.testing.assert_array_equal(scored(model, data[read[::-1]]), expected)
    np.testing.assert_array_equal(scored(model, data, rows=3), expected)  # they may be there
    with pytest.raises(SignatureMismatchError, match=r"the data lacks 1 column.*'weight'"):
        scored(model, data[[name for name in read if name != "weight"]])


def test_columns_that_pass_through_or_that_another_step_reads_are_demanded(tmp_path):
    data = sales().drop(columns=["order", "when"])
    passing = make_pipeline(
        ColumnTransformer([("town", OneHotEncoder(sparse_output=False), ["town"])], remainder="passthrough"), tree()
    )
    both = make_pipeline(
        FeatureUnion(
            [
                ("a", ColumnTransformer([("n", StandardScaler(), ["price"])])),
                ("b", ColumnTransformer([("n", StandardScaler(), ["target", "weight"])])),
            ]
        ),
        tree(),
    )
    for estimator, read in ((passing, list(data.columns)), (both, ["price", "weight", "target"])):
        model = through_a_file(estimator.fit(data, data["target"]), tmp_path)
        assert list(model.feature_names) == read


TEXT_MODELS = {
    "tf-idf": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
    "counts": lambda: make_pipeline(CountVectorizer(), tree()),
    "hashed": lambda: make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()),
    "union": lambda: make_pipeline(FeatureUnion([("w", TfidfVectorizer()), ("c", CountVectorizer())]), tree()),
    "search": lambda: GridSearchCV(make_pipeline(TfidfVectorizer(), tree()), {}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), tree()), cv=2),
    "vote": lambda: VotingClassifier([("a", make_pipeline(TfidfVectorizer(), tree()))], voting="soft"),
}


@pytest.mark.parametrize("make", TEXT_MODELS.values(), ids=TEXT_MODELS)
def test_a_model_of_texts_takes_one_column_of_them(tmp_path, make):
    estimator = make().fit(TEXTS, IS_BAD)
    model = through_a_file(estimator, tmp_path)
    assert (model.feature_names, model.n_features, model.unnamed) == (None, 1, None)
    expected = estimator.predict_proba(TEXTS)
    np.testing.assert_allclose(scored(model, pa.table({"whatever": TEXTS}), rows=3), expected, rtol=1e-12)
    tickets = pa.table({"id": range(ROWS), "text": TEXTS})
    np.testing.assert_array_equal(scored(model, tickets, signature={"text": "string"}), expected)
    with pytest.raises(SignatureMismatchError, match=r"takes 1 columns by position.*signature="):
        scored(model, tickets)
    with pytest.raises(ValueError, match="one column of texts, but got id: int64"):
        scored(model, tickets.select(["id"]))
    with pytest.raises(ValueError, match="column 'text', row 1 of the batch is null"):
        scored(model, pa.table({"text": ["good", None]}))


class Ratio(TransformerMixin, BaseEstimator):
    """A team's own first step: it takes a frame, finds its columns by name, and keeps nothing of them."""

    def fit(self, data, labels=None):
        del data, labels
        self.is_fitted_ = True
        return self

    def transform(self, data):
        return pd.DataFrame({"ratio": data["price"] / data["weight"], "is_rom": (data["town"] == "rom").astype(float)})


def test_a_first_step_of_ones_own_gets_a_frame_of_the_names_that_the_signature_says(tmp_path):
    data = sales()
    estimator = make_pipeline(Ratio(), tree()).fit(data, data["target"])
    model = through_a_file(estimator, tmp_path)
    assert model.unnamed == "Ratio"
    signature = {"town": "string", "price": "double", "weight": "double"}
    for rows in (None, 1):
        np.testing.assert_array_equal(
            scored(model, data, rows=rows, signature=signature), estimator.predict_proba(data)
        )
    with pytest.raises(ConfigurationError, match=r"first step, Ratio, keeps neither .* LoadModelOperator\(signature="):
        scored(model, data)


class CatBoostLike(ClassifierMixin, BaseEstimator):
    """Keeps the names of its columns as CatBoost does, and says of their number that it is 0."""

    n_features_in_ = 0

    def fit(self, data, labels):
        is_frame = isinstance(data, pd.DataFrame)
        self.feature_names_ = list(data.columns) if is_frame else [str(place) for place in range(data.shape[1])]
        self.classes_ = np.unique(labels)
        return self

    def predict(self, data):
        if isinstance(data, pd.DataFrame):
            assert list(data.columns) == self.feature_names_
        return (np.asarray(data)[:, 0] > 0).astype(int)


@pytest.mark.parametrize("around", [lambda model: model, lambda model: make_pipeline("passthrough", model)])
def test_names_that_catboost_keeps_are_the_models(tmp_path, around):
    data = sales()[["price", "weight"]]
    model = through_a_file(around(CatBoostLike()).fit(data, IS_BAD), tmp_path)
    assert model.feature_names == ("price", "weight")
    np.testing.assert_array_equal(
        scored(model, data[["weight", "price"]], method="predict"), (data["price"] > 0).astype(int)
    )


def test_a_catboost_model_of_an_array_takes_its_columns_by_place(tmp_path):
    data = sales()[["price", "weight"]]
    model = through_a_file(CatBoostLike().fit(data.to_numpy(), IS_BAD), tmp_path)
    assert (model.feature_names, model.n_features) == (None, 2)
    np.testing.assert_array_equal(scored(model, data, method="predict"), (data["price"] > 0).astype(int))
    with pytest.raises(SignatureMismatchError, match="takes 2 columns by position, but the data has 1"):
        scored(model, data[["price"]], method="predict")


BOOSTERS = {
    "lightgbm": lambda: lgb.LGBMClassifier(n_estimators=4, min_child_samples=3, verbose=-1),
    "xgboost": lambda: xgb.XGBClassifier(n_estimators=4, max_depth=3),
    "in a search": lambda: GridSearchCV(
        make_pipeline(lgb.LGBMClassifier(n_estimators=4, min_child_samples=3, verbose=-1)),
        {"lgbmclassifier__num_leaves": [4]},
        cv=2,
    ),
}


@pytest.mark.parametrize("make", BOOSTERS.values(), ids=BOOSTERS)
def test_truths_with_nulls_and_a_column_of_nulls_alone_are_numbers_for_a_booster(tmp_path, make):
    rng = np.random.default_rng(4)
    paid = pd.array(np.resize([True, False, None], 90), dtype="boolean")
    data = pd.DataFrame({"paid": paid, "age": rng.normal(size=90)})
    estimator = make().fit(data, (np.arange(90) % 3 == 2).astype(int) ^ (data["age"] > 1))
    model = through_a_file(estimator, tmp_path)
    expected = estimator.predict_proba(data)
    assert len(np.unique(expected)) > 3
    for rows in (None, 7, 1):
        np.testing.assert_array_equal(scored(model, data, rows=rows), expected)
    gone = pa.table({"paid": paid, "age": pa.nulls(90)})
    np.testing.assert_array_equal(scored(model, gone, rows=7), estimator.predict_proba(data.assign(age=np.nan)))


def test_a_dict_vectorizer_takes_the_columns_of_the_signature_as_records(tmp_path):
    records = [
        {"town": town, "age": age} for town, age in zip(["rom", "bern", "ulm", "rom"] * 10, range(40), strict=True)
    ]
    estimator = make_pipeline(DictVectorizer(), LogisticRegression(max_iter=500)).fit(records, IS_BAD)
    model = through_a_file(estimator, tmp_path)
    assert model.inputs is None
    assert model.unnamed == "DictVectorizer"
    data = pa.Table.from_pylist([*records, {"town": None, "age": 3}, {"town": "new", "age": 4}])
    expected = estimator.predict_proba(data.to_pylist())
    for rows in (None, 7, 1):
        found = scored(model, data, rows=rows, signature={"town": "string", "age": "int64"})
        np.testing.assert_array_equal(found, expected)
    assert len(np.unique(expected)) > 3
