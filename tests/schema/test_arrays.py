"""NumPy's arrays as columns and back: the values that pyarrow itself gives, and no pandas for it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.schema.arrays import from_numpy, to_doubles

ARRAYS = {
    "int8": np.array([-128, 0, 127], np.int8),
    "uint64": np.array([0, 2**64 - 1], np.uint64),
    "float16": np.array([1.5, np.nan], np.float16),
    "float64": np.array([np.nan, -0.0, np.inf]),
    "bools": np.arange(19) % 3 == 0,
    "no bool": np.array([], bool),
    "nothing": np.array([]),
    "every other one": np.arange(10.0)[::2],
    "text": np.array(["a", "é"]),
    "days": np.array(["2020-01-01"], "M8[D]"),
    "objects": np.array([1, None], object),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_column_of_an_array_is_what_pyarrow_makes_of_it(name):
    found, expected = from_numpy(ARRAYS[name]), pa.array(np.ascontiguousarray(ARRAYS[name]))
    found.validate(full=True)
    assert found.type == expected.type
    assert found.to_pylist() == pytest.approx(expected.to_pylist(), nan_ok=True) or found.equals(expected)


@pytest.mark.parametrize("values", [np.array([1.0], ">f8"), np.array([1], np.longdouble), np.zeros((2, 2))])
def test_what_no_column_holds_is_refused(values):
    with pytest.raises((pa.ArrowInvalid, pa.ArrowNotImplementedError)):
        from_numpy(values)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.0, 2.5]),
        pa.array([1.0, None, 3.0]),
        pa.array([0.0, None, 3.0, 4.0]).slice(1, 2),
        pa.array([5.0, 6.0, 7.0]).slice(2),
        pa.array([], pa.float64()),
        pa.nulls(3, pa.float64()),
        pa.chunked_array([], pa.float64()),
        pa.chunked_array([[1.0, None], [], [2.0]], pa.float64()),
    ],
)
def test_an_array_of_a_column_is_what_pyarrow_makes_of_it(column):
    np.testing.assert_array_equal(to_doubles(column), column.to_pandas().to_numpy())


def test_neither_imports_pandas():
    code = (
        "import sys, numpy as np; from airflow_batch_inference.schema.arrays import from_numpy, to_doubles; "
        "print(to_doubles(from_numpy(np.array([1.0, 2.0]))), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1. 2.] False"
