"""Tiny SavedModels, with the predictions of TensorFlow itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from cases import NAMES, Case, Saved, batch_of, rows
from cases_keras import keras_network

if TYPE_CHECKING:
    from pathlib import Path


def save_export(folder: Path) -> Saved:
    network, values = keras_network(), rows()
    network.export(folder / "exported", verbose=False)
    return Saved(folder / "exported", batch_of(values), {"predict": np.asarray(network(values))}, None, is_exact=False)


class Linear(tf.Module):
    """One logit a row."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([[0.5], [-1.0], [0.25], [2.0]])

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def score(self, x):
        return {"logit": x @ self.weights}


def save_signature(folder: Path) -> Saved:
    network, values = Linear(), rows()
    tf.saved_model.save(network, str(folder / "linear"), signatures={"score": network.score})
    logits = network.score(tf.constant(values))["logit"].numpy()
    positive = tf.sigmoid(logits.astype(np.float64)).numpy()
    expected = {"predict": logits, "predict_proba": np.hstack([1 - positive, positive]).astype(np.float32)}
    options = {"signature": "score", "outputs": "logits", "feature_names": list(NAMES)}
    return Saved(folder / "linear", batch_of(values), expected, NAMES, options, is_exact=False)


FRAMEWORK = ("tensorflow", "tensorflow", ("tensorflow",))

CASES = [
    Case("tensorflow-keras-export", "tensorflow", "saved-model", save_export, *FRAMEWORK, needs_pin=True),
    Case("tensorflow-signature", "tensorflow", "saved-model", save_signature, *FRAMEWORK, needs_pin=True),
]
