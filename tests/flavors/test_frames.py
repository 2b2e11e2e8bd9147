from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from airflow_batch_inference.flavors.frames import array, frame, in_one_form, matrix

NUMBERS = st.one_of(st.none(), st.floats(width=64))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=20), st.booleans())
def test_a_matrix_holds_every_value_at_its_place_to_the_bit(rows, row_major):
    columns = list(zip(*rows, strict=True))
    batch = pa.table([pa.array(column, pa.float64()) for column in columns], names=["a", "b", "c"])
    expected = np.array([[np.nan if value is None else value for value in row] for row in rows])
    values = matrix(batch, row_major=row_major)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(np.signbit(values[values == 0]), np.signbit(expected[expected == 0]))
    assert values.flags.c_contiguous if row_major else values.flags.f_contiguous


def test_text_is_no_number():
    with pytest.raises((pa.ArrowInvalid, pa.ArrowNotImplementedError)):
        matrix(pa.table({"a": ["x"]}))


def test_a_frame_of_doubles_is_one_column_major_block_and_others_keep_their_types():
    doubles = frame(pa.table({"a": [1.0, None], "b": [3.0, 4.0]}))
    assert doubles.to_numpy().flags.f_contiguous
    assert list(doubles.columns) == ["a", "b"]
    assert np.isnan(doubles["a"][1])
    others = frame(
        pa.table({"n": pa.array([1, 2], pa.int32()), "t": ["x", None], "f": pa.array([0.5, 1.5], pa.float32())})
    )
    assert others["n"].dtype == np.int32
    assert others["f"].dtype == np.float32
    assert others["t"].isna().tolist() == [False, True]


ROWS = 60
TRAINING = pd.DataFrame(
    {
        "code": np.array([270, 271, 300])[np.arange(ROWS) % 3],
        "flag": np.arange(ROWS) % 2 == 0,
        "x": np.linspace(-1, 1, ROWS),
    }
)
TARGET = (np.arange(ROWS) % 3 == 0).astype(int) ^ (np.arange(ROWS) % 7 == 0)
WHOLE = pa.table({"code": [270, 300, 999], "flag": [True, False, True], "x": [0.1, 0.2, 0.3]})
WITH_NULL = pa.table({"code": [270, 300, None], "flag": [True, False, None], "x": [0.1, 0.2, 0.3]})


def as_text(data):
    return data.astype(str)


def on(column, step):
    return ColumnTransformer([("column", step, [column]), ("x", StandardScaler(), ["x"])])


def one_hot():
    return OneHotEncoder(handle_unknown="ignore")


MODELS = {
    "one-hot": lambda column: make_pipeline(on(column, one_hot()), LogisticRegression()),
    "ordinal": lambda column: make_pipeline(
        on(column, OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)), LogisticRegression()
    ),
    "one-hot of text": lambda column: make_pipeline(
        on(column, make_pipeline(FunctionTransformer(as_text), one_hot())), LogisticRegression()
    ),
    "scaler": lambda column: make_pipeline(on(column, StandardScaler()), HistGradientBoostingClassifier(max_iter=5)),
    "passthrough": lambda column: make_pipeline(on(column, "passthrough"), HistGradientBoostingClassifier(max_iter=5)),
    "hist-gb": lambda column: HistGradientBoostingClassifier(max_iter=5),
}


@pytest.mark.parametrize("column", ["code", "flag"])
@pytest.mark.parametrize("name", MODELS)
def test_a_null_in_a_column_changes_no_prediction_of_another_row(name, column):
    model = MODELS[name](column).fit(TRAINING[[column, "x"]], TARGET)

    def score(rows):
        return model.predict_proba(frame(rows))

    alone = in_one_form(WHOLE.select([column, "x"]), score)
    beside = in_one_form(WITH_NULL.select([column, "x"]), score)
    assert beside[:2].tolist() == alone[:2].tolist()


@pytest.mark.parametrize("name", ["one-hot", "ordinal", "scaler", "passthrough", "hist-gb"])
def test_scikit_learns_own_steps_take_a_column_with_nulls_as_it_is(name):
    model = MODELS[name]("code").fit(TRAINING[["code", "x"]], TARGET)
    alone, beside = (model.predict_proba(frame(rows.select(["code", "x"]))) for rows in (WHOLE, WITH_NULL))
    assert beside[:2].tolist() == alone[:2].tolist()


@pytest.mark.parametrize(("column", "frequent"), [("code", 270.0), ("flag", 1.0)])
def test_an_imputer_finds_the_null(column, frequent):
    training = pd.DataFrame({column: [frequent, frequent, 300.0, np.nan] * 15, "x": TRAINING["x"]})
    imputer = SimpleImputer(strategy="most_frequent")
    model = make_pipeline(on(column, make_pipeline(imputer, one_hot())), LogisticRegression()).fit(training, TARGET)
    filled = pa.table({column: [frequent] * 3, "x": WITH_NULL.column("x")})
    given = WITH_NULL.select([column, "x"])
    given = given.set_column(0, column, given.column(0).cast(pa.float64()))
    assert model.predict_proba(frame(given))[2].tolist() == model.predict_proba(frame(filled))[2].tolist()


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64()])
def test_an_integer_beside_a_null_keeps_its_digits_as_text(kind):
    value = 100 if kind.bit_width == 8 else 270
    batch = pa.table({"a": pa.array([value, None, value], kind), "b": [0.5, 1.5, 2.5]})
    found = in_one_form(batch, lambda rows: frame(rows).astype(str).to_numpy())
    assert found[[0, 2], 0].tolist() == [str(value)] * 2
    assert found[:, 1].tolist() == ["0.5", "1.5", "2.5"]


@given(
    st.lists(
        st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.booleans(), st.floats(0, 1)), min_size=1
    )
)
def test_every_row_is_scored_once_in_its_place_and_in_the_form_that_it_has_alone(rows):
    columns = zip(*rows, strict=True)
    kinds = (pa.int64(), pa.bool_(), pa.float64())
    batch = pa.table([pa.array(each, kind) for each, kind in zip(columns, kinds, strict=True)], names=["a", "b", "c"])

    def as_told(table):
        return np.array([repr(list(row)) for row in frame(table).itertuples(index=False)], dtype=object)

    alone = [as_told(batch.slice(row, 1))[0] for row in range(len(rows))]
    assert in_one_form(batch, as_told).tolist() == alone


def test_without_a_null_types_are_pandas_own():
    table = pa.table({"n": pa.array([1, 2], pa.int32()), "b": [True, False], "t": ["x", "y"]})
    pd.testing.assert_frame_equal(frame(table), table.to_pandas())


def test_a_column_of_nulls_is_missing_text_to_encoders_and_missing_numbers_to_imputers():
    table = pa.table({"code": pa.nulls(2), "x": [0.1, 0.2]})
    training = TRAINING.assign(code=np.where(np.arange(ROWS) % 5 == 0, None, "a"))
    encoder = make_pipeline(on("code", one_hot()), LogisticRegression()).fit(training[["code", "x"]], TARGET)
    assert np.isfinite(encoder.predict_proba(frame(table))).all()
    numbers = TRAINING.assign(code=np.where(np.arange(ROWS) % 5 == 0, np.nan, 270.0))
    imputer = make_pipeline(on("code", SimpleImputer()), LogisticRegression()).fit(numbers[["code", "x"]], TARGET)
    given_nan = pd.DataFrame({"code": [np.nan, np.nan], "x": [0.1, 0.2]})
    assert imputer.predict_proba(frame(table)).tolist() == imputer.predict_proba(given_nan).tolist()


def test_moments_lists_and_bytes_are_handed_over_as_they_are():
    data = frame(
        pa.table(
            {
                "zoned": pa.array([1], pa.timestamp("ms", "Europe/Berlin")),
                "plain": pa.array([1], pa.timestamp("ns")),
                "list": pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2)),
                "bytes": [b"x"],
            }
        )
    )
    assert [str(kind) for kind in data.dtypes[:2]] == ["datetime64[ms, Europe/Berlin]", "datetime64[ns]"]
    assert data["list"][0].tolist() == [1.0, 2.0]
    assert data["bytes"][0] == b"x"


def test_an_array_of_numbers_has_nan_for_null():
    values = array(pa.table({"a": [1, None], "b": [3, 4]}))
    assert values.dtype == np.float64
    assert np.isnan(values[1, 0])


@pytest.mark.parametrize("values", [[1, 2], [True, False], [Decimal("1.5"), Decimal(2)], [1, None]])
def test_a_matrix_takes_every_kind_of_number(values):
    found = matrix(pa.table({"a": values, "b": [0.0, 0.0]}))
    assert found[0].tolist() == [float(values[0]), 0.0]
