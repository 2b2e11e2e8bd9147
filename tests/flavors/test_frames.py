from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.flavors.frames import frame, matrix

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
