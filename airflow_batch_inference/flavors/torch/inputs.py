"""What tensors a PyTorch module takes: as the user says, else as far as the module tells.

Invariants: where it is not certain which column belongs to which argument, the user must say it.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.tensors import TensorInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from airflow_batch_inference.flavors.runtimes import FrameworkObject

_DTYPES = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
_KEYS = {"name", "dtype", "shape"}
_EXAMPLE = '{"inputs": [{"name": "x", "dtype": "float32", "shape": [20]}]}'


def inputs_option(options: Mapping[str, Any]) -> tuple[TensorInput, ...] | None:
    """Read the load option ``inputs``: the tensors in the order in which ``forward`` takes them.

    Raises
    ------
    ConfigurationError
        It is no list of such dicts: ``name``, ``dtype`` (the default is float32), and ``shape`` without the axis of the
        rows, null where any size will do (the default is [null]).
    """
    given = options.get("inputs")
    if given is None:
        return None
    is_list = isinstance(given, (list, tuple)) and all(isinstance(each, dict) for each in given)
    inputs = tuple(_input(each) for each in given) if is_list else ()
    if not inputs or len({each.name for each in inputs}) != len(inputs):
        message = f"load_options has inputs {given!r}; it must be a list such as {_EXAMPLE}, each with its own name."
        raise ConfigurationError(message)
    return inputs


def _input(given: Mapping[str, Any]) -> TensorInput:
    name, dtype, shape = given.get("name"), given.get("dtype", "float32"), given.get("shape", [None])
    is_shape = isinstance(shape, (list, tuple)) and all(
        size is None or (isinstance(size, int) and size > 0) for size in shape
    )
    if not isinstance(name, str) or dtype not in _DTYPES or not is_shape or set(given) - _KEYS:
        message = (
            f"load_options has the input {dict(given)!r}. It must have a name, a dtype ({', '.join(_DTYPES)}), and a "
            f"shape without the axis of the rows: {_EXAMPLE}."
        )
        raise ConfigurationError(message)
    return TensorInput(name=name, dtype=dtype, shape=tuple(shape))


def module_inputs(module: FrameworkObject) -> tuple[TensorInput, ...]:
    """Return the input of a module that has one, of any number of columns: neither its type nor its shape is known.

    Raises
    ------
    ConfigurationError
        ``forward`` takes several arguments, or none.
    """
    names = _required(module)
    if len(names) != 1:
        there = ", ".join(names) or "none that are required"
        message = (
            f"The model's forward takes several arguments or none ({there}), so load_options must say which tensors it "
            f"takes, in that order: {_EXAMPLE}."
        )
        raise ConfigurationError(message)
    return (TensorInput(name=names[0], dtype="float32", shape=(None,)),)


def _required(module: FrameworkObject) -> list[str]:
    schema = getattr(module.forward, "schema", None)  # TorchScript's own
    if schema is not None:
        return [each.name for each in schema.arguments[1:] if not each.has_default_value()]
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in parameters if each.kind in positional and each.default is inspect.Parameter.empty]


def exported_inputs(program: FrameworkObject, torch: ModuleType) -> tuple[TensorInput, ...]:
    """Return the inputs of an exported program, which knows their names, types and shapes.

    Raises
    ------
    ModelLoadError
        One is no tensor, is passed by keyword, or has a fixed number of rows.
    """
    placeholders = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    _, keywords = program.call_spec.in_spec.children()
    if keywords.num_children:
        message = "The program was exported with keyword arguments. Export it with positional ones: args=(x, …)."
        raise ModelLoadError(message)
    inputs = []
    for name in program.graph_signature.user_inputs:
        value = placeholders.get(name)
        if not isinstance(value, torch.Tensor) or value.ndim == 0 or not isinstance(value.shape[0], torch.SymInt):
            shape = list(value.shape) if isinstance(value, torch.Tensor) else "no tensor"
            message = (
                f"The exported program's input {name!r} is {shape}, but the first axis must be any number of rows. "
                'Export it with dynamic_shapes={"' + str(name) + '": {0: torch.export.Dim("rows")}}.'
            )
            raise ModelLoadError(message)
        sizes = tuple(None if isinstance(size, torch.SymInt) else int(size) for size in value.shape[1:])
        inputs.append(TensorInput(name=name, dtype=numpy_name(value.dtype), shape=sizes))
    return tuple(inputs)


def numpy_name(dtype: FrameworkObject) -> str:
    """Return NumPy's name of a type of PyTorch's; values of bfloat16 come as float32 and are cast later."""
    name = str(dtype).removeprefix("torch.")
    return "float32" if name == "bfloat16" else name
