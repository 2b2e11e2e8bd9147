from __future__ import annotations

import json

import pytest

from airflow_batch_inference.flavors.keras.config import foreign_names

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}, "registered_name": None}


def within(node):
    """Put an object deep into a model, as Keras nests layers and their parts."""
    layers = [DENSE, {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": node}}]
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}).encode()


@pytest.mark.parametrize(
    "node",
    [
        DENSE,
        {"module": "keras.src.ops.numpy", "class_name": "Add", "config": {}, "registered_name": "Add"},
        {"module": "keras.optimizers.schedules", "class_name": "ExponentialDecay", "config": {}},
        {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"},
        {"module": "keras.activations", "class_name": "function", "config": "gelu", "registered_name": "gelu"},
        {"class_name": "__keras_tensor__", "config": {"shape": [None, 4]}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": ["a", "b"]}},
    ],
    ids=lambda node: node["class_name"],
)
def test_keras_own_classes_and_functions_are_fine(node):
    assert foreign_names(within(node)) == ()


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"module": "keras.layers", "class_name": "Lambda", "config": {}}, "keras.layers.Lambda"),
        ({"class_name": "__lambda__", "config": {"value": "code"}}, "__lambda__"),
        ({"module": "keras.layers", "class_name": "TFSMLayer", "config": {}}, "keras.layers.TFSMLayer"),
        ({"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}}, "keras.layers.TorchModule"),
        ({"module": "os", "class_name": "function", "config": "system"}, "os.system"),
        ({"module": "builtins", "class_name": "function", "config": "acme>fn"}, "builtins.acme>fn"),
        ({"module": "builtins", "class_name": "exec", "config": {}}, "builtins.exec"),
        ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, "keras.utils.get_file"),
        ({"module": "keras.models", "class_name": "load_model", "config": {}}, "keras.models.load_model"),
        ({"module": "keras.saving", "class_name": "function", "config": "load_model"}, "keras.saving.load_model"),
        ({"module": "keras.datasets.mnist", "class_name": "function", "config": "load_data"}, "load_data"),
        ({"module": "keras.layersx", "class_name": "Dense", "config": {}}, "keras.layersx.Dense"),
        ({"module": "keras_hub.models", "class_name": "Backbone", "config": {}}, "keras_hub.models.Backbone"),
        ({"module": None, "class_name": "Net", "config": {}, "registered_name": "acme>Net"}, "acme>Net"),
        (DENSE | {"registered_name": "acme>Dense"}, "keras.layers.Dense"),
        ({"class_name": ["Dense"], "config": {}}, "Dense"),
        ({"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/x"}}, "/etc/x"),
    ],
)
def test_anything_else_is_named_wherever_it_stands(node, said):
    (name,) = foreign_names(within(node))
    assert said in name


def test_the_compile_config_is_read_too():
    config = {"module": "keras", "class_name": "Sequential", "config": {}}
    loss = {"module": "acme", "class_name": "function", "config": "loss"}
    assert foreign_names(json.dumps(config | {"compile_config": {"loss": [loss]}}).encode()) == ("acme.loss",)


@pytest.mark.parametrize("config", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_error(config):
    with pytest.raises((ValueError, RecursionError)):
        foreign_names(config)
