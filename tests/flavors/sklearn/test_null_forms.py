from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from estimator_batches import scored, through_a_file
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    HistGradientBoostingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes the next one importable
from sklearn.impute import SimpleImputer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, HalvingGridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ROWS = 30
NULLS = {"None": None, "NaN": np.nan}


def frame(null, *, rows=ROWS):
    """A text and a truth whose nulls decide the target, as objects, beside a number."""
    rng = np.random.default_rng(7)
    town, is_new = rng.choice(["red", "blue"], rows).astype(object), rng.choice([True, False], rows).astype(object)
    count = rng.integers(1, 4, rows).astype(object)
    town[::3] = is_new[1::4] = count[2::5] = null
    return pd.DataFrame(
        {
            "number": rng.normal(size=rows),
            "town": pd.Series(town, dtype=object),
            "is_new": pd.Series(is_new, dtype=object),
            "count": pd.Series(count, dtype=object),
        }
    )


def target(data):
    return (data["town"].isna() | (data["is_new"].isna() & (data["number"] > 0)) | data["count"].isna()).astype(int)


def ordinal():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)


COLUMNS = ["town", "is_new", "count"]


def encoded(encoder=None):
    return ColumnTransformer([("e", encoder or ordinal(), COLUMNS)], remainder="passthrough")


def pipeline(encoder=None):
    return make_pipeline(encoded(encoder), DecisionTreeClassifier(random_state=1))


class OwnSearch(ClassifierMixin, BaseEstimator):
    """A wrapper of a team's own, which holds the fitted estimator under a name of its own."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, data, labels):
        self.chosen_ = self.estimator.fit(data, labels)
        self.classes_ = self.chosen_.classes_
        self.feature_names_in_ = self.chosen_.feature_names_in_
        return self

    def predict(self, data):
        return self.chosen_.predict(data)

    def predict_proba(self, data):
        return self.chosen_.predict_proba(data)


GRID = {"decisiontreeclassifier__max_depth": [5]}
FITTED = {
    "ordinal": pipeline,
    "one-hot": lambda: pipeline(OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
    "target": lambda: pipeline(TargetEncoder(cv=2, smooth=1.0)),
    "union": lambda: make_pipeline(
        FeatureUnion([("a", encoded()), ("b", encoded())]), DecisionTreeClassifier(random_state=1)
    ),
    "first-in-a-pipeline": lambda: make_pipeline(
        make_pipeline("passthrough", encoded()), DecisionTreeClassifier(random_state=1)
    ),
    "behind-an-imputer": lambda: make_pipeline(
        ColumnTransformer(
            [("e", make_pipeline(SimpleImputer(missing_values="?", strategy="most_frequent"), ordinal()), COLUMNS)]
        ),
        DecisionTreeClassifier(random_state=1),
    ),
    "grid-search": lambda: GridSearchCV(pipeline(), GRID, cv=2),
    "halving-search": lambda: HalvingGridSearchCV(pipeline(), GRID, cv=2, random_state=1),
    "calibrated": lambda: CalibratedClassifierCV(pipeline(), cv=2),
    "threshold": lambda: FixedThresholdClassifier(pipeline(), threshold=0.4),
    "vote": lambda: VotingClassifier([("a", pipeline()), ("b", pipeline())], voting="soft"),
    "stacking": lambda: StackingClassifier([("a", pipeline())], cv=2),
    "own-wrapper": lambda: OwnSearch(pipeline()),
}


@pytest.mark.parametrize("null", NULLS.values(), ids=NULLS)
@pytest.mark.parametrize("make", FITTED.values(), ids=FITTED)
def test_a_null_goes_in_as_the_one_that_was_fitted(tmp_path, make, null):
    data = frame(null)
    if null is not None and make is FITTED["behind-an-imputer"]:
        pytest.skip("scikit-learn's imputer takes no NaN beside a missing value of another kind")
    estimator = make().fit(data, target(data))
    model = through_a_file(estimator, tmp_path)
    expected = estimator.predict_proba(data)
    assert len(np.unique(expected)) > 1
    for rows in (None, 1, 7):  # some mini-batches have no null, and some nothing else
        np.testing.assert_array_equal(scored(model, data, rows=rows), expected)


@pytest.mark.parametrize("null", NULLS.values(), ids=NULLS)
@pytest.mark.parametrize("kind", [BaggingClassifier, AdaBoostClassifier], ids=lambda kind: kind.__name__)
def test_an_ensemble_that_makes_an_array_of_its_columns_gets_the_same_nulls(tmp_path, kind, null):
    data = frame(null)
    if null is not None and kind is AdaBoostClassifier:
        pytest.skip("AdaBoostClassifier takes no NaN")
    by_place = ColumnTransformer([("e", ordinal(), [1, 2, 3])], remainder="passthrough")
    base = make_pipeline(by_place, DecisionTreeClassifier(random_state=1))
    if kind is AdaBoostClassifier:  # it weighs rows, which a pipeline does not take
        data, base = data[["town", "is_new"]].assign(number=1), None
        estimator = make_pipeline(ColumnTransformer([("e", ordinal(), ["town", "is_new"])]), kind(base, n_estimators=3))
    else:
        estimator = kind(base, n_estimators=3, max_features=1.0, random_state=1)
    estimator.fit(data, data["town"].isna().astype(int))
    model = through_a_file(estimator, tmp_path)
    for rows in (None, 1):
        np.testing.assert_array_equal(scored(model, data, rows=rows), estimator.predict_proba(data))


@pytest.mark.parametrize("null", NULLS.values(), ids=NULLS)
def test_an_estimator_that_was_fitted_on_an_array_gets_the_same_nulls(tmp_path, null):
    data = frame(null)[COLUMNS]
    estimator = make_pipeline(ordinal(), DecisionTreeClassifier(random_state=1))
    labels = data["town"].isna().astype(int)
    estimator.fit(data.to_numpy(dtype=object), labels)
    model = through_a_file(estimator, tmp_path)
    expected = estimator.predict_proba(data.to_numpy(dtype=object))
    assert len(np.unique(expected)) > 1
    for rows in (None, 1):
        np.testing.assert_array_equal(scored(model, data, rows=rows), expected)


@pytest.mark.parametrize("null", NULLS.values(), ids=NULLS)
@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
def test_an_imputer_gets_the_null_that_it_looks_for(tmp_path, null, strategy):
    data = frame(null)
    imputer = SimpleImputer(
        missing_values=null, strategy=strategy, fill_value="gone" if strategy == "constant" else None
    )
    columns = ["town"] if strategy == "constant" else COLUMNS
    steps = ColumnTransformer([("i", make_pipeline(imputer, ordinal()), columns)])
    estimator = make_pipeline(steps, DecisionTreeClassifier(random_state=1)).fit(data, target(data))
    model = through_a_file(estimator, tmp_path)
    for rows in (None, 1):
        np.testing.assert_array_equal(scored(model, data, rows=rows), estimator.predict_proba(data))


def test_pandas_own_text_and_truths_keep_their_nulls(tmp_path):
    data = pd.DataFrame(
        {
            "town": pd.array(["red", None, "blue", None] * 8, dtype="string"),
            "is_new": pd.array([True, None, False, True] * 8, dtype="boolean"),
            "count": pd.array([1, 2, None, 1] * 8, dtype="Int64"),
        }
    )
    steps = ColumnTransformer(
        [
            ("t", make_pipeline(SimpleImputer(missing_values=pd.NA, strategy="most_frequent"), ordinal()), ["town"]),
            ("o", ordinal(), ["is_new", "count"]),
        ]
    )
    labels = (data["is_new"].isna() | data["count"].isna()).astype(int)
    estimator = make_pipeline(steps, DecisionTreeClassifier(random_state=1)).fit(data, labels)
    expected = estimator.predict_proba(data)
    assert len(np.unique(expected)) > 1
    model = through_a_file(estimator, tmp_path)
    for rows in (None, 1, 3):
        np.testing.assert_array_equal(scored(model, data, rows=rows), expected)


def test_gradient_boosting_with_categories_has_its_own_encoder(tmp_path):
    data = frame(None)[["number", "town"]]
    estimator = HistGradientBoostingClassifier(categorical_features=["town"], min_samples_leaf=2)
    estimator.fit(data, data["town"].isna().astype(int))
    expected = estimator.predict_proba(data)
    assert len(np.unique(expected)) > 1
    model = through_a_file(estimator, tmp_path)
    for rows in (None, 1):
        np.testing.assert_array_equal(scored(model, data, rows=rows), expected)


def test_a_regressor_of_a_transformed_target_and_one_of_several_outputs_get_it_too(tmp_path):
    data = frame(None)
    regressor = TransformedTargetRegressor(make_pipeline(encoded(), DecisionTreeRegressor(random_state=1)))
    regressor.fit(data, target(data).astype(float))
    several = MultiOutputClassifier(pipeline()).fit(data, np.column_stack([target(data), 1 - target(data)]))
    for estimator in (regressor, several):
        model = through_a_file(estimator, tmp_path)
        np.testing.assert_array_equal(scored(model, data, method="predict", rows=1), estimator.predict(data))


def test_past_a_step_of_somebodys_own_a_column_is_known_by_its_name(tmp_path):
    data = frame(None)
    own = FunctionTransformer(lambda_free, validate=False)
    estimator = make_pipeline(own, encoded(), DecisionTreeClassifier(random_state=1)).fit(data, target(data))
    expected = estimator.predict_proba(data)
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(scored(through_a_file(estimator, tmp_path), data, rows=1), expected)


def lambda_free(data):
    return data.assign(number=data["number"] * 2)


def test_a_null_in_a_column_that_was_fitted_on_both_kinds_fails_in_its_row_only(tmp_path):
    data = frame(None)
    data.loc[0, "town"] = np.nan
    estimator = pipeline().fit(data, target(data))
    model = through_a_file(estimator, tmp_path)
    whole = data[data["town"].notna()]
    np.testing.assert_array_equal(scored(model, whole), estimator.predict_proba(whole))
    with pytest.raises(ValueError, match=r"column 'town', row 2 of the batch is null, .* both None and NaN"):
        scored(model, pa.Table.from_pandas(data.iloc[1:], preserve_index=False))
