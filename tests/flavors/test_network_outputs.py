from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from airflow_batch_inference.exceptions import ConfigurationError, PredictionError
from airflow_batch_inference.flavors.network_outputs import NetworkOutputs, network_outputs, plain

LOGITS = NetworkOutputs("logits")
FLOATS = st.floats(-1e4, 1e4, width=32)


@given(arrays(np.float32, array_shapes(min_dims=1, max_dims=2, max_side=6), elements=FLOATS))
def test_probabilities_of_logits_sum_to_one_and_keep_the_order_of_a_row(logits):
    found = LOGITS.probabilities(logits)
    assert found.dtype == np.float32
    assert found.shape == (len(logits), max(2, logits.reshape(len(logits), -1).shape[1]))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1, dtype=float), 1, atol=1e-5)
    if logits.ndim > 1 and logits.shape[1] > 1:
        best = np.take_along_axis(found, logits.argmax(axis=1)[:, None], axis=1)[:, 0]
        np.testing.assert_array_equal(best, found.max(axis=1))


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.just(1)), elements=st.floats(0, 1)))
def test_one_probability_a_row_is_that_of_the_second_class(positive):
    found = NetworkOutputs("probabilities").probabilities(positive)
    np.testing.assert_array_equal(found, np.column_stack([1 - positive[:, 0], positive[:, 0]]))


def test_known_values_of_the_softmax():
    # softmax(log 1, log 2, log 5) = 1/8, 2/8, 5/8 by its definition
    np.testing.assert_allclose(LOGITS.probabilities(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])


@pytest.mark.parametrize("values", [np.zeros((2, 3, 4)), np.zeros((2, 3), dtype=int), np.zeros((2, 0))], ids=str)
def test_outputs_that_are_no_rows_of_classes_have_no_probabilities(values):
    with pytest.raises(PredictionError, match=r"outputs are logits, but they are .* of shape"):
        LOGITS.probabilities(values)


def test_logits_are_not_handed_out_as_probabilities():
    with pytest.raises(PredictionError, match=r"row 1 of the batch has \[3\.0, -2\.0\]\. If these are logits"):
        NetworkOutputs("probabilities").probabilities(np.array([[0.2, 0.8], [3.0, -2.0]]))


def test_without_the_option_there_are_no_probabilities_and_predict_is_as_it_is():
    values = np.array([[0.25]])
    assert NetworkOutputs().methods == ("predict",)
    assert NetworkOutputs().classes(1) is None
    assert NetworkOutputs().answer(values, "predict") is values
    assert LOGITS.answer(values, "predict") is values
    with pytest.raises(ConfigurationError, match="no method 'predict_proba'"):
        NetworkOutputs().answer(values, "predict_proba")


@pytest.mark.parametrize(("width", "classes"), [(None, None), (1, (0, 1)), (2, (0, 1)), (4, (0, 1, 2, 3))])
def test_classes_are_numbered(width, classes):
    assert LOGITS.classes(width) == classes


def test_one_of_several_outputs_is_chosen_by_name():
    both = {"risk": np.array([[0.0]]), "size": np.array([5.0])}
    chosen = network_outputs({"outputs": "logits", "output": "risk"})
    assert chosen.require_known(("risk", "size")) == ("risk",)
    assert chosen.answer(both, "predict") is both["risk"]
    np.testing.assert_array_equal(chosen.answer(both, "predict_proba"), [[0.5, 0.5]])
    with pytest.raises(ConfigurationError, match="output 'risk', but the model's outputs are a, b"):
        chosen.require_known(("a", "b"))
    for ask in (lambda: LOGITS.require_known(tuple(both)), lambda: LOGITS.answer(both, "predict_proba")):
        with pytest.raises(ConfigurationError, match=r"several outputs: risk, size\. Say which one"):
            ask()


@pytest.mark.parametrize("options", [{"outputs": "classes"}, {"outputs": None}, {"output": 3}], ids=str)
def test_other_options_are_refused(options):
    with pytest.raises(ConfigurationError, match="load_options has output"):
        network_outputs(options)


def test_values_that_arrow_does_not_know_become_ones_that_it_does():
    assert plain(np.ones(2, dtype=ml_dtypes.bfloat16)).dtype == np.float32
    assert plain(np.array([[b"Ulm", b"K\xc3\xb6ln"]], dtype=object)).tolist() == [["Ulm", "Köln"]]
    same = np.ones(2, dtype=np.float32)
    assert plain(same) is same
