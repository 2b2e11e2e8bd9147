"""What every flavor promises, for every model of ``conftest.py``."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError


def require_same(saved, predicted, expected):
    """Compare bit for bit; a network's kernels sum in another order for another number of rows."""
    if saved.is_exact or expected.dtype.kind != "f":
        np.testing.assert_array_equal(predicted, expected)
    else:
        np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-7)


def test_predictions_are_the_frameworks_own_to_the_bit(saved):
    assert saved.model.methods == tuple(saved.expected)
    for method, expected in saved.expected.items():
        predicted = saved.model.predict(saved.batch, method=method)
        assert predicted.shape == expected.shape
        assert predicted.dtype.kind == expected.dtype.kind
        np.testing.assert_array_equal(predicted, expected)
    assert len(np.unique(saved.expected["predict"])) > 1, "a constant model would prove nothing"


def test_row_i_of_the_predictions_belongs_to_row_i_of_the_batch(saved):
    order = np.random.default_rng(3).permutation(saved.batch.num_rows)
    for method, expected in saved.expected.items():
        predicted = saved.model.predict(saved.batch.take(order), method=method)
        require_same(saved, predicted, expected[order])


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_mini_batches_of_any_size_give_the_same_predictions(saved, rows):
    starts = range(0, saved.batch.num_rows, rows)
    # BLAS may sum a linear model's products in another order for other shapes; trees must not differ at all.
    compare = np.testing.assert_allclose if "decision_function" in saved.expected else partial(require_same, saved)
    predicted = np.concatenate([saved.model.predict(saved.batch.slice(start, rows)) for start in starts])
    require_same(saved, predicted, saved.expected["predict"])
    for method, expected in saved.expected.items():
        if expected.dtype.kind == "f":
            parts = [saved.model.predict(saved.batch.slice(start, rows), method=method) for start in starts]
            compare(np.concatenate(parts), expected)


def test_chunks_in_the_batch_change_nothing(saved):
    chunked = pa.concat_tables([saved.batch.slice(0, 50), saved.batch.slice(50)])
    np.testing.assert_array_equal(saved.model.predict(chunked), saved.expected["predict"])


def test_a_model_knows_its_columns(saved):
    assert saved.model.feature_names == saved.names
    assert saved.model.n_features == saved.batch.num_columns
    if saved.names is None:
        assert saved.model.inputs is None
    else:
        assert tuple(spec.name for spec in saved.model.inputs) == saved.names


def test_a_model_names_the_versions_that_determine_its_predictions(saved):
    versions = saved.model.versions
    assert versions["numpy"] == np.__version__
    assert ("lightgbm" in versions) == saved.name.startswith(("lgbm", "text"))
    assert ("sklearn" in versions) == (
        not saved.name.startswith(("text", "xgb", "onnx", "pyfunc", "keras", "tensorflow", "torch"))
    )


def test_a_method_that_a_model_lacks_is_refused_with_those_it_has(saved):
    with pytest.raises(ConfigurationError, match=r"no method 'transform'. Choose one of: predict"):
        saved.model.predict(saved.batch, method="transform")


def test_scoring_warns_of_nothing_and_leaves_the_batch_as_it_is(saved):
    before = saved.batch.to_pydict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved.model.predict(saved.batch)
    assert str(saved.batch.to_pydict()) == str(before)  # as text, where a NaN equals a NaN


def test_several_methods_in_one_pass_give_what_each_gives_alone(saved):
    if not hasattr(saved.model, "predict_all"):
        assert type(saved.model).__name__ == "SklearnModel", "all other flavors can"
        return
    found = saved.model.predict_all(saved.batch, methods=saved.model.methods)
    assert tuple(found) == saved.model.methods
    for method, values in found.items():
        alone = saved.model.predict(saved.batch, method=method)
        for name in alone if isinstance(alone, dict) else [None]:
            np.testing.assert_array_equal(
                values if name is None else values[name], alone if name is None else alone[name]
            )
