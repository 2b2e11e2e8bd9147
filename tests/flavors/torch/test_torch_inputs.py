from __future__ import annotations

import pytest
import torch
from torch_networks import Net, TwoInputs

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.tensors import TensorInput
from airflow_batch_inference.flavors.torch.inputs import exported_inputs, inputs_option, module_inputs, numpy_name

ROWS = torch.export.Dim("rows")


def test_inputs_are_read_from_the_options():
    given = [{"name": "x", "shape": [3, None]}, {"name": "town", "dtype": "int64", "shape": []}]
    assert inputs_option({"inputs": given}) == (
        TensorInput("x", "float32", (3, None)),
        TensorInput("town", "int64", ()),
    )
    assert inputs_option({"inputs": [{"name": "x"}]}) == (TensorInput("x", "float32", (None,)),)
    assert inputs_option({}) is None


@pytest.mark.parametrize(
    "given",
    [
        "x",
        [],
        ["x"],
        [{}],
        [{"name": 3}],
        [{"name": "x", "dtype": "str"}],
        [{"name": "x", "shape": 4}],
        [{"name": "x", "shape": [0]}],
        [{"name": "x", "shape": [-1]}],
        [{"name": "x", "size": 4}],
        [{"name": "x"}, {"name": "x"}],
    ],
    ids=str,
)
def test_inputs_that_are_none_are_refused_with_an_example(given):
    with pytest.raises(ConfigurationError, match=r'load_options has .*\{"inputs": \[\{"name": "x"'):
        inputs_option({"inputs": given})


class WithDefaults(torch.nn.Module):
    def forward(self, rows, scale: float = 2.0):
        return rows * scale


class OfAnything(torch.nn.Module):
    def forward(self, *rows):
        return rows[0]


@pytest.mark.parametrize("make", [WithDefaults, lambda: torch.jit.script(WithDefaults())], ids=["python", "script"])
def test_the_one_argument_without_a_default_is_the_input(make):
    assert module_inputs(make()) == (TensorInput("rows", "float32", (None,)),)


@pytest.mark.parametrize(
    ("make", "there"),
    [
        (TwoInputs, "vector, town"),
        (lambda: torch.jit.script(TwoInputs()), "vector, town"),
        (OfAnything, "none that are required"),
    ],
)
def test_several_arguments_must_be_described_by_the_user(make, there):
    with pytest.raises(ConfigurationError, match=rf"several arguments or none \({there}\)"):
        module_inputs(make())


def test_an_exported_program_knows_its_inputs():
    shapes = {"vector": {0: ROWS}, "town": {0: ROWS}}
    program = torch.export.export(
        TwoInputs(), (torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)), dynamic_shapes=shapes
    )
    assert exported_inputs(program, torch) == (
        TensorInput("vector", "float32", (3,)),
        TensorInput("town", "int64", ()),
    )


def test_an_exported_program_of_a_fixed_number_of_rows_is_refused():
    program = torch.export.export(Net().eval(), (torch.zeros(4, 4),))
    with pytest.raises(ModelLoadError, match=r"input 'x' is \[4, 4\], .* dynamic_shapes=\{\"x\": \{0: torch\.export"):
        exported_inputs(program, torch)


def test_an_exported_program_with_keyword_arguments_is_refused():
    program = torch.export.export(Net().eval(), (), {"x": torch.zeros(4, 4)}, dynamic_shapes={"x": {0: ROWS}})
    with pytest.raises(ModelLoadError, match="exported with keyword arguments"):
        exported_inputs(program, torch)


@pytest.mark.parametrize(("dtype", "name"), [(torch.int64, "int64"), (torch.bool, "bool"), (torch.bfloat16, "float32")])
def test_types_have_numpys_names(dtype, name):
    assert numpy_name(dtype) == name
