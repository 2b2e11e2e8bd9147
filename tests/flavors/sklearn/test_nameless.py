"""An array in place of a data frame: the same bits, no warning, and the estimator that was loaded as it was."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.flavors.sklearn.model import describe
from airflow_batch_inference.flavors.sklearn.nameless import without_names

NAMES = [f"f{place}" for place in range(7)]
ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 7)), columns=NAMES)
LABELS = (ROWS["f0"] + ROWS["f1"] * ROWS["f2"] > 0).astype(int)


class Derived(LogisticRegression):
    pass


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        LinearRegression(),
        PoissonRegressor(),
        DecisionTreeClassifier(max_depth=4),
        RandomForestClassifier(5),
        GradientBoostingClassifier(n_estimators=5),
        IsolationForest(n_estimators=5),
        GaussianNB(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(RobustScaler(), MinMaxScaler(), Ridge()),
    ],
    ids=str,
)
def test_an_array_gives_the_same_bits(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # IsolationForest's own
        model = describe(estimator.fit(ROWS, LABELS))
    assert model.nameless is not None
    for rows in (1, 2, 17, 500):
        batch = pa.Table.from_pandas(ROWS[:rows]).replace_schema_metadata(None)
        for method in model.methods:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = model.predict(batch, method=method)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # GradientBoosting.apply's, of its own trees
                expected = replace(model, nameless=None).predict(batch, method=method)
            assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())
    assert estimator.feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize(
    "estimator",
    [
        Derived(),
        SVC(),  # its kernel may be a function of what it is given
        make_pipeline(FunctionTransformer(), LogisticRegression()),
        make_pipeline(ColumnTransformer([("s", StandardScaler(), ["f0"])]), LogisticRegression()),
        make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()),
        make_pipeline(StandardScaler(), Derived()),
    ],
    ids=str,
)
def test_what_may_see_a_difference_is_given_data_frames(estimator):
    assert without_names(estimator.fit(ROWS, LABELS)) is None


def test_columns_that_are_no_doubles_are_given_as_a_data_frame():
    model = describe(LogisticRegression().fit(ROWS, LABELS))
    whole = pa.table({name: pa.array([1, 2, 3]) for name in NAMES})

    assert model.takes.block_of(whole) is None
    assert model.takes.block_of(whole.cast(pa.schema([(name, pa.float64()) for name in NAMES]))).flags.f_contiguous
    assert len(model.predict(whole)) == 3
