from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from cases_torch import torch_network

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.torch.modules import (
    Placement,
    pickled_module,
    placement,
    safetensors_module,
    script_module,
    state_dict_module,
)

NET = Placement(model_class="torch_networks:Net")
X = torch.linspace(-1, 1, 12).reshape(3, 4)


def state_dict(path, tensors=None):
    torch.save(torch_network().state_dict() if tensors is None else tensors, path)
    return path


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"device": "tpu"}, "device 'tpu'; it must be 'cpu', 'cuda' or 'cuda:N'"),
        ({"device": 0}, "device 0; it must be"),
        ({"dtype": "int8"}, "dtype 'int8'; it must be one of float32"),
        ({"model_class": "a:B"}, "the file holds the whole model. Leave it out"),
        ({"model_kwargs": {"a": 1}}, "must be a dict of the model_class' arguments"),
    ],
)
def test_options_that_can_never_work_are_refused(options, fault):
    with pytest.raises(ConfigurationError, match=fault):
        placement(options, torch, needs_class=False)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="device 'cuda:1', but PyTorch finds no GPU"):
        placement({"device": "cuda:1"}, torch, needs_class=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert placement({"device": "cuda:1"}, torch, needs_class=False).device == "cuda:1"


def test_a_file_of_tensors_needs_a_class():
    with pytest.raises(ConfigurationError, match=r"tensors only, .*\{\"model_class\": \"package\.module:Class\"\}"):
        placement({}, torch, needs_class=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_module_is_in_evaluation_mode_and_of_the_type_that_is_asked_for(tmp_path, dtype):
    where = Placement(model_class="torch_networks:Net", model_kwargs={"hidden": 8}, dtype=dtype)
    module = state_dict_module(state_dict(tmp_path / "net.pt"), torch, where)
    assert not module.training
    assert {parameter.dtype for parameter in module.parameters()} == {getattr(torch, dtype)}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (3, "must read 'package.module:Class'"),
        ("torch_networks.Net", "must read 'package.module:Class'"),
        ("torch_networks:Net()", "must read 'package.module:Class'"),
        (":Net", "must read 'package.module:Class'"),
        ("no_such_module:Net", "cannot be imported: No module named 'no_such_module'"),
        ("torch_networks:Missing", "cannot be imported: module 'torch_networks' has no attribute"),
        ("torch_networks:Nothing", "no torch.nn.Module with a forward"),
        ("os:system", "no torch.nn.Module with a forward"),
        ("collections:OrderedDict", "no torch.nn.Module with a forward"),
    ],
)
def test_a_class_that_is_none_is_refused(tmp_path, name, fault):
    with pytest.raises(ConfigurationError, match=fault):
        state_dict_module(state_dict(tmp_path / "net.pt"), torch, Placement(model_class=name))


def test_arguments_that_the_class_does_not_take_are_refused(tmp_path):
    where = Placement(model_class="torch_networks:Net", model_kwargs={"layers": 2})
    with pytest.raises(ConfigurationError, match=r"model_kwargs \{'layers': 2\}: .*unexpected keyword argument"):
        state_dict_module(state_dict(tmp_path / "net.pt"), torch, where)


@pytest.mark.parametrize(
    "where",
    [
        Placement(model_class="torch_networks:TwoInputs"),
        Placement(model_class="torch_networks:Net", model_kwargs={"hidden": 9}),
    ],
    ids=["class", "size"],
)
def test_every_tensor_must_have_its_place_in_the_class(tmp_path, where):
    with pytest.raises(ModelLoadError, match=r"tensors are not those of torch_networks:\w+: .*(Missing|size mismatch)"):
        state_dict_module(state_dict(tmp_path / "net.pt"), torch, where)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"epoch": 3, "weights": {"a": torch.zeros(1)}}, "no state dict but epoch, weights"),
        ([torch.zeros(1)], "no state dict but list"),
        ({}, "no state dict but nothing"),
    ],
)
def test_a_checkpoint_that_holds_more_than_tensors_is_refused(tmp_path, held, said):
    with pytest.raises(ModelLoadError, match=said):
        state_dict_module(state_dict(tmp_path / "net.pt", held), torch, NET)


def test_a_pickle_that_imports_is_not_read_as_a_state_dict(tmp_path):
    torch.save(torch_network(), tmp_path / "net.pt")
    with pytest.raises(ModelLoadError, match="asks for more than tensors"):
        state_dict_module(tmp_path / "net.pt", torch, NET)


def test_a_changed_weight_is_noticed(tmp_path):
    path = state_dict(tmp_path / "net.pt")
    with zipfile.ZipFile(path) as archive:
        weights = archive.read(next(name for name in archive.namelist() if name.endswith("data/0")))
    changed = weights[:-1] + bytes([weights[-1] ^ 1])
    path.write_bytes(path.read_bytes().replace(weights, changed))
    with pytest.raises(ModelLoadError, match=r"checksum of .*data/0' is wrong"):
        state_dict_module(path, torch, NET)


def test_a_pickle_of_something_else_is_refused_with_what_to_do(tmp_path):
    torch.save({"a": 1}, tmp_path / "net.pt")
    with pytest.raises(ModelLoadError, match=r"holds a builtins\.dict, which is no torch\.nn\.Module\. Save the tens"):
        pickled_module(tmp_path / "net.pt", torch, Placement())


def test_a_script_in_training_mode_is_put_into_evaluation_mode(tmp_path):
    torch.jit.script(torch_network().train()).save(tmp_path / "net.pt")
    module = script_module(tmp_path / "net.pt", torch, Placement())
    np.testing.assert_array_equal(module(X).detach(), module(X).detach())
    np.testing.assert_array_equal(module(X).detach(), torch_network()(X).detach())


def header(entries, numbers=16):
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + bytes(numbers)


@pytest.mark.parametrize(
    "content",
    [
        (10 * 10**9).to_bytes(8, "little") + b"{}",
        header({"w": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}}),
        header({"w": {"dtype": "F32", "shape": [2], "data_offsets": [100, 108]}}),
        header(
            {
                "v": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
                "w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
            }
        ),
        header({"w": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 16]}}),
        header({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 16]}}),
    ],
    ids=["size", "out of file", "offset", "overlap", "overflow", "shape"],
)
def test_a_safetensors_header_that_lies_is_refused_by_the_library(tmp_path, content):
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(safetensors.SafetensorError):
        safetensors_module(path, torch, NET)
