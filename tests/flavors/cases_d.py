"""Tiny networks of Keras, TensorFlow and PyTorch in every format, with their framework's own predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import keras
import numpy as np
import pyarrow as pa
import safetensors.torch
import tensorflow as tf
import torch
from torch_networks import Net

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("a", "b", "c", "d")
ROWS = 90


@dataclass(frozen=True)
class SavedNetwork:
    """A saved network, and what its framework predicts with the original in memory."""

    path: Path
    batch: pa.Table
    expected: dict[str, np.ndarray]
    names: tuple[str, ...] | None
    options: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkCase:
    """How to save a network into a folder; which flavor and format it is then, and whether that needs a pin."""

    name: str
    flavor: str
    format: str
    needs_pin: bool
    save: Callable[[Path], SavedNetwork]


def rows() -> np.ndarray:
    return np.random.default_rng(11).normal(size=(ROWS, 4)).astype(np.float32)


def batch_of(values: np.ndarray) -> pa.Table:
    return pa.table(dict(zip(NAMES, values.astype(np.float64).T, strict=True)))


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


def save_keras(folder: Path) -> SavedNetwork:
    network, values = keras_network(), rows()
    network.compile("adam", "sparse_categorical_crossentropy")
    path = folder / "model.keras"
    network.save(path)
    predicted = network.predict(values, batch_size=ROWS, verbose=0)
    options = {"outputs": "probabilities", "feature_names": list(NAMES)}
    return SavedNetwork(path, batch_of(values), {"predict": predicted, "predict_proba": predicted}, NAMES, options)


def two_inputs() -> keras.Model:
    keras.utils.set_random_seed(2)
    age = keras.Input((1,), name="age")
    town = keras.Input((1,), name="town", dtype="string")
    known = keras.layers.StringLookup(vocabulary=["Ulm", "Bonn"], output_mode="one_hot")(town)
    hidden = keras.layers.Concatenate()([age * 2.0, known])
    risk = keras.layers.Dense(1, activation=keras.activations.sigmoid)(hidden)
    return keras.Model({"age": age, "town": town}, risk)


def save_two_inputs(folder: Path) -> SavedNetwork:
    network = two_inputs()
    path = folder / "two.keras"
    network.save(path)
    ages = rows()[:, :1]
    towns = np.resize(["Ulm", "Bonn", "Trier"], ROWS)
    given = {"age": ages, "town": tf.constant(towns[:, None])}
    predicted = network.predict(given, batch_size=ROWS, verbose=0)
    batch = pa.table({"age": ages[:, 0], "town": towns})
    return SavedNetwork(path, batch, {"predict": predicted}, ("age", "town"))


def save_export(folder: Path) -> SavedNetwork:
    network, values = keras_network(), rows()
    network.export(folder / "exported", verbose=False)
    return SavedNetwork(folder / "exported", batch_of(values), {"predict": np.asarray(network(values))}, None)


class Linear(tf.Module):
    """One logit a row."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([[0.5], [-1.0], [0.25], [2.0]])

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def score(self, x):
        return {"logit": x @ self.weights}


def save_signature(folder: Path) -> SavedNetwork:
    network, values = Linear(), rows()
    tf.saved_model.save(network, str(folder / "linear"), signatures={"score": network.score})
    logits = network.score(tf.constant(values))["logit"].numpy()
    positive = tf.sigmoid(logits.astype(np.float64)).numpy()
    expected = {"predict": logits, "predict_proba": np.hstack([1 - positive, positive]).astype(np.float32)}
    options = {"signature": "score", "outputs": "logits", "feature_names": list(NAMES)}
    return SavedNetwork(folder / "linear", batch_of(values), expected, NAMES, options)


def torch_network() -> Net:
    torch.manual_seed(3)
    return Net().eval()


def save_torch(name: str, save: Callable[[Net, Path], object], **options: object) -> Callable[[Path], SavedNetwork]:
    def saved(folder: Path) -> SavedNetwork:
        network, values = torch_network(), rows()
        path = folder / name
        save(network, path)
        with torch.inference_mode():
            predicted = network(torch.from_numpy(values)).numpy()
        return SavedNetwork(path, batch_of(values), {"predict": predicted}, NAMES, options)

    return saved


def export(network: Net, path: Path) -> None:
    shapes = {"x": {0: torch.export.Dim("rows")}}
    torch.export.save(torch.export.export(network, (torch.from_numpy(rows()),), dynamic_shapes=shapes), path)


BY_NAME = {"feature_names": list(NAMES)}
BY_CLASS = {"model_class": "torch_networks:Net", "model_kwargs": {"hidden": 8}, **BY_NAME}

CASES = [
    NetworkCase("keras-sequential", "keras", "keras", needs_pin=False, save=save_keras),
    NetworkCase("keras-two-inputs", "keras", "keras", needs_pin=False, save=save_two_inputs),
    NetworkCase("tensorflow-keras-export", "tensorflow", "saved-model", needs_pin=True, save=save_export),
    NetworkCase("tensorflow-signature", "tensorflow", "saved-model", needs_pin=True, save=save_signature),
    NetworkCase(
        "torch-safetensors",
        "torch",
        "safetensors",
        needs_pin=False,
        save=save_torch(
            "net.safetensors", lambda net, path: safetensors.torch.save_file(net.state_dict(), path), **BY_CLASS
        ),
    ),
    NetworkCase(
        "torch-state-dict",
        "torch",
        "torch-state-dict",
        needs_pin=False,
        save=save_torch("net.pth", lambda net, path: torch.save(net.state_dict(), path), **BY_CLASS),
    ),
    NetworkCase(
        "torch-script",
        "torch",
        "torchscript",
        needs_pin=True,
        save=save_torch("net.pt", lambda net, path: torch.jit.script(net).save(path), **BY_NAME),
    ),
    NetworkCase(
        "torch-trace",
        "torch",
        "torchscript",
        needs_pin=True,
        save=save_torch(
            "net.ts", lambda net, path: torch.jit.trace(net, torch.from_numpy(rows())).save(path), **BY_NAME
        ),
    ),
    NetworkCase("torch-export", "torch", "torch-export", needs_pin=True, save=save_torch("net.pt2", export, **BY_NAME)),
    NetworkCase(
        "torch-pickle",
        "torch",
        "torch-pickle",
        needs_pin=True,
        save=save_torch("net.pt", lambda net, path: torch.save(net, path), **BY_NAME),
    ),
    NetworkCase(
        "torch-legacy-pickle",
        "torch",
        "torch-pickle",
        needs_pin=True,
        save=save_torch(
            "net.pth",
            lambda net, path: torch.save(net, path, _use_new_zipfile_serialization=False),
            **BY_NAME,
        ),
    ),
]
