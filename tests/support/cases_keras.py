"""Tiny Keras models, with the predictions of Keras itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
from cases import NAMES, ROWS, Case, Saved, batch_of, rows

if TYPE_CHECKING:
    from pathlib import Path


def keras_network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def save_keras(folder: Path) -> Saved:
    network, values = keras_network(), rows()
    network.compile("adam", "sparse_categorical_crossentropy")
    path = folder / "model.keras"
    network.save(path)
    predicted = network.predict(values, batch_size=ROWS, verbose=0)
    options = {"outputs": "probabilities", "feature_names": list(NAMES)}
    return Saved(
        path, batch_of(values), {"predict": predicted, "predict_proba": predicted}, NAMES, options, is_exact=False
    )


def two_inputs() -> keras.Model:
    keras.utils.set_random_seed(2)
    age = keras.Input((1,), name="age")
    town = keras.Input((1,), name="town", dtype="string")
    known = keras.layers.StringLookup(vocabulary=["Ulm", "Bonn"], output_mode="one_hot")(town)
    hidden = keras.layers.Concatenate()([age * 2.0, known])
    risk = keras.layers.Dense(1, activation=keras.activations.sigmoid)(hidden)
    return keras.Model({"age": age, "town": town}, risk)


def save_two_inputs(folder: Path) -> Saved:
    network = two_inputs()
    path = folder / "two.keras"
    network.save(path)
    ages = rows()[:, :1]
    towns = np.resize(["Ulm", "Bonn", "Trier"], ROWS)
    given = {"age": ages, "town": tf.constant(towns[:, None])}
    predicted = network.predict(given, batch_size=ROWS, verbose=0)
    batch = pa.table({"age": ages[:, 0], "town": towns})
    return Saved(path, batch, {"predict": predicted}, ("age", "town"), is_exact=False)


def save_lambda(folder: Path) -> Saved:
    network = keras.Sequential([keras_network(), keras.layers.Lambda(lambda x: x * 2.0)])
    values = rows()
    network.save(folder / "lambda.keras")
    predicted = network.predict(values, batch_size=ROWS, verbose=0)
    return Saved(folder / "lambda.keras", batch_of(values), {"predict": predicted}, None, is_exact=False)


FRAMEWORK = ("keras", "tensorflow", ("keras", "tensorflow"))

CASES = [
    Case("keras-sequential", "keras", "keras", save_keras, *FRAMEWORK),
    Case("keras-two-inputs", "keras", "keras", save_two_inputs, *FRAMEWORK),
    Case("keras-lambda", "keras", "keras-code", save_lambda, *FRAMEWORK, needs_pin=True),
]
