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
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes the next one importable
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError, SignatureMismatchError

ROWS = 120


def frame():
    """A number, a town whose categories stand in an order of their own, whole numbers as categories, and a key."""
    rng = np.random.default_rng(5)
    towns = ["rom", "bern", "oslo", "wien"]
    return pd.DataFrame(
        {
            "number": rng.normal(size=ROWS),
            "town": pd.Categorical(rng.choice(towns, ROWS), categories=towns),
            "zone": pd.Categorical(rng.choice([30, 7, 110], ROWS), categories=[30, 7, 110]),
        }
    )


def target(data):
    return ((data["town"].isin(["bern", "wien"])) ^ (data["zone"] == 7) ^ (data["number"] > 1)).astype(int)


def lightgbm(**changed):
    return lgb.LGBMClassifier(n_estimators=6, min_child_samples=2, verbose=-1, n_jobs=1, **changed)


def xgboost(**changed):
    return xgb.XGBClassifier(n_estimators=6, enable_categorical=True, n_jobs=1, **changed)


def kept_columns():
    return ColumnTransformer(
        [("number", StandardScaler(), ["number"])], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")


class Halved(TransformerMixin, BaseEstimator):
    """A first step of a team's own, which keeps the columns' types and their names to itself."""

    def fit(self, data, labels=None):
        del labels
        self.columns_ = list(data.columns)
        return self

    def transform(self, data):
        return data.assign(number=data["number"] / 2)


class AsCategories(TransformerMixin, BaseEstimator):
    """One that makes categories of text itself, in capitals."""

    def fit(self, data, labels=None):
        del labels
        self.feature_names_in_ = np.array(data.columns, dtype=object)
        return self

    def transform(self, data):
        return data.assign(town=data["town"].astype(str).str.upper().astype("category"))


class OwnWrapper(ClassifierMixin, BaseEstimator):
    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, data, labels):
        self.estimator_ = self.estimator.fit(data, labels)
        self.classes_ = self.estimator_.classes_
        self.feature_names_in_ = np.array(data.columns, dtype=object)
        return self

    def predict(self, data):
        return self.estimator_.predict(data)

    def predict_proba(self, data):
        return self.estimator_.predict_proba(data)


BOOSTERS = {"lightgbm": lightgbm, "xgboost": xgboost}
AROUND = {
    "alone": lambda booster: booster(),
    "pipeline": lambda booster: make_pipeline(kept_columns(), booster()),
    "passthrough": lambda booster: make_pipeline("passthrough", booster()),
    "calibrated": lambda booster: CalibratedClassifierCV(booster(), cv=2),
    "grid-search": lambda booster: GridSearchCV(booster(), {"max_depth": [3]}, cv=2),
    "halving": lambda booster: HalvingGridSearchCV(booster(), {"max_depth": [3, 4]}, cv=2, random_state=1),
    "search-in-pipeline": lambda booster: make_pipeline(kept_columns(), GridSearchCV(booster(), {}, cv=2)),
    "vote": lambda booster: VotingClassifier([("a", booster()), ("b", booster(random_state=3))], voting="soft"),
    "stacking": lambda booster: StackingClassifier([("a", booster())], cv=2, final_estimator=booster()),
    "own-wrapper": lambda booster: OwnWrapper(booster()),
    "own-wrapper-of-a-pipeline": lambda booster: OwnWrapper(make_pipeline(kept_columns(), booster())),
}
NAMED_OUTSIDE = {"own-first-step": lambda booster: make_pipeline(Halved(), booster())}
SIGNATURE = {"number": "double", "town": "string", "zone": "int64"}


@pytest.fixture(params=BOOSTERS.values(), ids=BOOSTERS)
def booster(request):
    return request.param


@pytest.mark.parametrize("around", [*AROUND.values(), *NAMED_OUTSIDE.values()], ids=[*AROUND, *NAMED_OUTSIDE])
def test_predictions_are_those_on_trainings_frame_whatever_categories_the_day_has(tmp_path, booster, around):
    data = frame()
    estimator = around(booster).fit(data, target(data))
    expected = estimator.predict_proba(data)
    assert len(np.unique(expected)) > 10
    model = through_a_file(estimator, tmp_path)
    plain = pa.table({"zone": data["zone"].astype(int), "town": data["town"].astype(str), "number": data["number"]})
    stated = SIGNATURE if around in NAMED_OUTSIDE.values() else None
    np.testing.assert_array_equal(scored(model, plain, signature=stated), expected)
    for town in data["town"].cat.categories:  # one category a day
        rows = np.flatnonzero(data["town"] == town)
        np.testing.assert_array_equal(scored(model, plain.take(rows), signature=stated), expected[rows])
    dictionary = pa.Table.from_pandas(
        data.assign(town=data["town"].cat.reorder_categories(["wien", "rom", "oslo", "bern"]))
    )
    np.testing.assert_array_equal(scored(model, dictionary, signature=stated), expected)


def test_a_null_is_missing_and_what_training_never_saw_is_as_the_library_has_it(tmp_path, booster):
    data = frame()
    estimator = make_pipeline(kept_columns(), booster()).fit(data, target(data))
    model = through_a_file(estimator, tmp_path)
    few = data.head(3).assign(town=pd.Categorical([None, "rom", "rom"], categories=data["town"].cat.categories))
    np.testing.assert_array_equal(scored(model, few), estimator.predict_proba(few))
    unseen = data.head(2).assign(town=["rom", "ulm"])
    if booster is lightgbm:
        missing = data.head(2).assign(town=pd.Categorical(["rom", None], categories=data["town"].cat.categories))
        np.testing.assert_array_equal(scored(model, unseen), estimator.predict_proba(missing))
        return
    with pytest.raises(ValueError, match="column 'town', row 1 of the batch: the model never saw the category 'ulm'"):
        scored(model, unseen)
    tolerant = through_a_file(estimator, tmp_path, {"unseen_categories": "missing"})
    missing = data.head(2).assign(town=pd.Categorical(["rom", None], categories=data["town"].cat.categories))
    np.testing.assert_array_equal(scored(tolerant, unseen), estimator.predict_proba(missing))


def test_a_step_of_ones_own_that_makes_the_categories_itself_still_does(tmp_path):
    data = frame().astype({"town": str, "zone": int})
    estimator = make_pipeline(AsCategories(), lightgbm()).fit(data, target(data))
    expected = estimator.predict_proba(data)
    model = through_a_file(estimator, tmp_path)
    for rows in (None, 1):
        np.testing.assert_array_equal(scored(model, data, rows=rows), expected)


def test_several_outputs_take_the_lists_of_each(tmp_path):
    data = frame()
    labels = np.column_stack([target(data), data["zone"] == 30]).astype(int)
    estimator = MultiOutputClassifier(lightgbm())
    # scikit-learn makes an array of what it fits several outputs on, and so loses the categories.
    estimator.fit(data.assign(town=data["town"].cat.codes, zone=data["zone"].cat.codes), labels)
    estimator.estimators_ = [lightgbm().fit(data, column) for column in labels.T]
    model = through_a_file(estimator, tmp_path)
    plain = data.astype({"town": str, "zone": int})
    np.testing.assert_array_equal(scored(model, plain, method="predict"), estimator.predict(data))


def test_gradient_boosting_of_scikit_learn_finds_categories_by_their_values(tmp_path):
    data = frame()
    boosting = HistGradientBoostingClassifier(categorical_features="from_dtype", min_samples_leaf=2, max_iter=10)
    for estimator in (boosting, CalibratedClassifierCV(boosting, cv=2)):
        estimator.fit(data, target(data))
        expected = estimator.predict_proba(data)
        model = through_a_file(estimator, tmp_path)
        plain = data.astype({"town": str, "zone": int})
        for rows in (None, 1):
            np.testing.assert_array_equal(scored(model, plain, rows=rows), expected)


def test_encoded_beside_listed_columns_keep_apart(tmp_path):
    data = frame().assign(kind=np.resize(["a", "b"], ROWS))
    columns = ColumnTransformer(
        [("kind", OneHotEncoder(sparse_output=False), ["kind"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    estimator = make_pipeline(columns, lightgbm()).fit(data, target(data))
    model = through_a_file(estimator, tmp_path)
    assert {spec.name: spec.type for spec in model.inputs} == {
        "number": "any",
        "kind": "string",
        "town": "string",
        "zone": "int64",
    }
    np.testing.assert_array_equal(
        scored(model, data.astype({"town": str, "zone": int}), rows=5), estimator.predict_proba(data)
    )


def test_a_column_of_another_type_than_its_list_is_refused(tmp_path):
    data = frame()
    model = through_a_file(make_pipeline(kept_columns(), lightgbm()).fit(data, target(data)), tmp_path)
    with pytest.raises(SignatureMismatchError, match="'town' of the data holds int64, but the model takes string"):
        scored(model, data.assign(town=1))


def test_a_booster_that_was_pickled_itself_takes_its_columns_by_name(tmp_path):
    data = frame()
    booster = lightgbm().fit(data, target(data)).booster_
    model = through_a_file(booster, tmp_path)
    plain = data.astype({"town": str, "zone": int})[["town", "zone", "number"]]
    np.testing.assert_array_equal(scored(model, plain, method="predict"), booster.predict(data))


def test_ordered_categories_are_found_where_somebody_says_which_they_are(tmp_path):
    data = frame()
    data["town"] = data["town"].cat.as_ordered()
    estimator = make_pipeline("passthrough", lightgbm()).fit(data, target(data))
    with pytest.raises(ModelLoadError, match=r'not certain which is which .*"category_columns": \[\.\.\.\]'):
        through_a_file(estimator, tmp_path)
    model = through_a_file(estimator, tmp_path, {"category_columns": ["zone", "town"]})
    plain = data.astype({"town": str, "zone": int})
    np.testing.assert_array_equal(scored(model, plain, rows=9), estimator.predict_proba(data))
    for wrong, message in (
        (["town"], r"has 1 category_columns, but the LightGBM model was trained on 2"),
        (["twon", "zone"], "did you mean 'town'"),
        ("town", "must be a list of column names"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            through_a_file(estimator, tmp_path, {"category_columns": wrong})
