"""What every flavor promises, for every model of ``suite.py``."""

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


def test_predictions_are_the_frameworks_own_to_the_bit(subject):
    assert subject.model.methods == tuple(subject.saved.expected)
    for method, expected in subject.saved.expected.items():
        predicted = subject.model.predict(subject.saved.batch, method=method)
        assert predicted.shape == expected.shape
        assert predicted.dtype.kind == expected.dtype.kind
        np.testing.assert_array_equal(predicted, expected)
    assert len(np.unique(subject.saved.expected["predict"])) > 1, "a constant model would prove nothing"


def test_row_i_of_the_predictions_belongs_to_row_i_of_the_batch(subject):
    order = np.random.default_rng(3).permutation(subject.saved.batch.num_rows)
    for method, expected in subject.saved.expected.items():
        predicted = subject.model.predict(subject.saved.batch.take(order), method=method)
        require_same(subject.saved, predicted, expected[order])


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_mini_batches_of_any_size_give_the_same_predictions(subject, rows):
    saved, model = subject.saved, subject.model
    starts = range(0, saved.batch.num_rows, rows)
    # BLAS may sum a linear model's products in another order for other shapes; trees must not differ at all.
    compare = np.testing.assert_allclose if "decision_function" in saved.expected else partial(require_same, saved)
    predicted = np.concatenate([model.predict(saved.batch.slice(start, rows)) for start in starts])
    require_same(saved, predicted, saved.expected["predict"])
    for method, expected in saved.expected.items():
        if expected.dtype.kind == "f":
            parts = [model.predict(saved.batch.slice(start, rows), method=method) for start in starts]
            compare(np.concatenate(parts), expected)


def test_chunks_in_the_batch_change_nothing(subject):
    chunked = pa.concat_tables([subject.saved.batch.slice(0, 50), subject.saved.batch.slice(50)])
    np.testing.assert_array_equal(subject.model.predict(chunked), subject.saved.expected["predict"])


def test_a_model_knows_its_columns(subject):
    assert subject.model.feature_names == subject.saved.names
    assert subject.model.n_features == subject.saved.batch.num_columns
    if subject.saved.names is None:
        assert subject.model.inputs is None
    else:
        assert tuple(spec.name for spec in subject.model.inputs) == subject.saved.names


def test_a_model_names_the_versions_that_determine_its_predictions(subject):
    versions = subject.model.versions
    assert versions["numpy"] == np.__version__
    assert set(versions) == {"numpy", *subject.case.versions}


def test_a_method_that_a_model_lacks_is_refused_with_those_it_has(subject):
    with pytest.raises(ConfigurationError, match=r"no method 'transform'. Choose one of: predict"):
        subject.model.predict(subject.saved.batch, method="transform")


def test_scoring_warns_of_nothing_and_leaves_the_batch_as_it_is(subject):
    before = subject.saved.batch.to_pydict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        subject.model.predict(subject.saved.batch)
    assert str(subject.saved.batch.to_pydict()) == str(before)  # as text, where a NaN equals a NaN


def test_several_methods_in_one_pass_give_what_each_gives_alone(subject):
    model, batch = subject.model, subject.saved.batch
    if not hasattr(model, "predict_all"):
        assert type(model).__name__ == "SklearnModel", "all other flavors can"
        return
    found = model.predict_all(batch, methods=model.methods)
    assert tuple(found) == model.methods
    for method, values in found.items():
        alone = model.predict(batch, method=method)
        pairs = [(values[name], alone[name]) for name in alone] if isinstance(alone, dict) else [(values, alone)]
        for together, by_itself in pairs:
            np.testing.assert_array_equal(together, by_itself)
