"""Fitted encoders tell the types of the columns that reach them as they are, and of no others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier, StackingRegressor, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, TargetEncoder

from airflow_batch_inference.exceptions import SignatureMismatchError
from airflow_batch_inference.flavors.sklearn.encoders import encoded_types
from airflow_batch_inference.flavors.sklearn.fitted_steps import fitted_steps
from airflow_batch_inference.flavors.sklearn.model import describe

DATA = pd.DataFrame(
    {
        "text": pd.Series(["007", "x", None, "y"] * 10, dtype=object),
        "whole": [1, 2, 3, 4] * 10,
        "real": [0.5, 1.0, np.nan, 2.0] * 10,
        "flag": [True, False, True, False] * 10,
        "mixed": pd.Series(["a", 1, "b", 2] * 10, dtype=object),
        "plain": np.arange(40.0),
    }
)
CODED = ["text", "whole", "real", "flag"]
TYPES = {"text": "string", "whole": "int64", "real": "double", "flag": "bool"}
ONE = OneHotEncoder(handle_unknown="ignore")
TARGET = np.arange(40) % 2


def columns(encoder=ONE, chosen=CODED, **more):
    return ColumnTransformer([("coded", encoder, chosen), ("plain", "passthrough", ["plain"])], **more)


def fitted(model, target=TARGET):
    return model.fit(DATA, target)


def told(model, names=tuple(DATA)):
    return {names[place]: kind for place, kind in encoded_types(fitted_steps(model)).items()}


MODELS = {
    "transformer": lambda: make_pipeline(columns(), LinearRegression()),
    "positions": lambda: make_pipeline(columns(chosen=[0, 1, 2, 3]), LinearRegression()),
    "slice": lambda: make_pipeline(columns(chosen=slice(0, 4)), LinearRegression()),
    "mask": lambda: make_pipeline(columns(chosen=[True, True, True, True, False, False]), LinearRegression()),
    "selector": lambda: make_pipeline(
        columns(chosen=make_column_selector("^(text|whole|real|flag)$")), LinearRegression()
    ),
    "nested": lambda: make_pipeline(columns(make_pipeline(FunctionTransformer(), ONE)), LinearRegression()),
    "union": lambda: make_pipeline(columns(FeatureUnion([("a", ONE), ("b", ONE)])), LinearRegression()),
    "search": lambda: GridSearchCV(make_pipeline(columns(), LogisticRegression()), {}, cv=2),
    "vote": lambda: VotingRegressor([("a", make_pipeline(columns(), LinearRegression()))]),
    "stack": lambda: StackingRegressor([("a", make_pipeline(columns(), LinearRegression()))], cv=2),
    "calibrated": lambda: CalibratedClassifierCV(make_pipeline(columns(), LogisticRegression()), cv=2),
    "target": lambda: TransformedTargetRegressor(make_pipeline(columns(), LinearRegression())),
}


@pytest.mark.parametrize("kind", MODELS)
def test_types_are_found_wherever_the_encoder_sits(kind):
    found = told(fitted(MODELS[kind]()))
    assert found == TYPES


def test_the_record_s_inputs_have_them():
    inputs = describe(fitted(MODELS["transformer"]())).inputs
    assert {spec.name: spec.type for spec in inputs} == {**TYPES, "plain": "any"}


@pytest.mark.parametrize("encoder", [OrdinalEncoder(), TargetEncoder(), OneHotEncoder()])
def test_an_imputer_before_the_encoder_keeps_the_columns(encoder):
    imputed = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    frame = DATA.assign(text=DATA["text"].fillna("z"))
    model = make_pipeline(ColumnTransformer([("c", imputed, ["text"])]), LinearRegression()).fit(frame, TARGET)
    assert told(model) == {"text": "string"}


@pytest.mark.parametrize(
    "step",
    [
        FunctionTransformer(lambda frame: frame.astype(str)),
        KBinsDiscretizer(n_bins=2, encode="ordinal", quantile_method="linear"),
        SimpleImputer(add_indicator=True),
    ],
)
def test_a_column_that_another_step_changes_is_not_told(step):
    model = make_pipeline(ColumnTransformer([("c", make_pipeline(step, ONE), ["whole"])]), LinearRegression())
    found = told(fitted(model))
    assert found in ({}, {"whole": "int64"} if isinstance(step, SimpleImputer) else {})


def test_values_of_several_kinds_tell_nothing():
    model = ColumnTransformer([("c", OrdinalEncoder(), ["text"])]).fit(DATA)
    model.transformers_[0][1].categories_ = [np.array(["a", 1], dtype=object)]
    assert told(model) == {}


def test_encoders_that_contradict_each_other_tell_nothing():
    as_text = make_pipeline(FunctionTransformer(), OneHotEncoder(handle_unknown="ignore"))
    model = ColumnTransformer([("a", ONE, ["whole"]), ("b", as_text, ["whole"])]).fit(DATA)
    model.transformers_[1][1][-1].categories_ = [np.array(["1", "2"], dtype=object)]
    assert told(model) == {}


def test_ensembles_of_what_takes_other_columns_tell_nothing():
    numbers = DATA[["whole", "plain"]]
    assert told(RandomForestClassifier(3).fit(numbers, TARGET)) == {}
    bagged = BaggingRegressor(LinearRegression(), 2, max_features=0.5).fit(numbers, TARGET)
    assert told(bagged) == {}


def test_a_model_without_names_takes_no_numbers_for_text_that_it_would_not_know():
    coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    rows = np.array([["007", 1.5], ["123", 2.5], ["124", 0.5]], dtype=object)
    columns_of_text = ColumnTransformer([("c", coder, [0])], remainder="passthrough")
    estimator = make_pipeline(columns_of_text, LinearRegression()).fit(rows, [1.0, 2.0, 4.0])
    model = describe(estimator)
    assert model.takes.encoded == {0: "string"}
    table = pa.table({"code": ["123", "124"], "x": [2.5, 0.5]})
    np.testing.assert_array_equal(model.predict(table), estimator.predict(rows[1:]))
    with pytest.raises(SignatureMismatchError, match=r"Column 'code' holds int64, .*signature=.*'code': 'string'"):
        model.predict(pa.table({"code": [123, 124], "x": [2.5, 0.5]}))
