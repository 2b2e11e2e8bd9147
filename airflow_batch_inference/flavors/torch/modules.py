"""PyTorch modules from files: each format by the way of loading that can do least.

Invariants: a state dict is read by the restricted unpickler or by safetensors, into a class that the DAG's author
named, and every tensor must fit it; a module is put into evaluation mode; and only formats of which trust was decided
are read by a way that can run code.
"""

from __future__ import annotations

import importlib
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.archives import require_sound
from airflow_batch_inference.flavors.base import require

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from airflow_batch_inference.flavors.runtimes import FrameworkObject

DTYPES = ("float32", "float64", "float16", "bfloat16")

_CLASS = '{"model_class": "package.module:Class"}'
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How a module is made, from the load options.

    Attributes
    ----------
    device
        PyTorch's name of the device.
    dtype
        One of :data:`DTYPES`: what the parameters are cast to; None: as they are in the file.
    model_class
        ``package.module:Class``, for state dicts; None for formats that hold the whole model.
    model_kwargs
        The arguments that the class is called with.
    """

    device: str = "cpu"
    dtype: str | None = None
    model_class: str | None = None
    model_kwargs: Mapping[str, Any] = field(default_factory=dict)


def placement(options: Mapping[str, Any], torch: ModuleType, *, needs_class: bool) -> Placement:
    """Read the load options ``device``, ``dtype``, ``model_class`` and ``model_kwargs``.

    Raises
    ------
    ConfigurationError
        One of them is not what it may be, or can never work here.
    """
    device, dtype = options.get("device", "cpu"), options.get("dtype")
    name, arguments = options.get("model_class"), options.get("model_kwargs", {})
    if not isinstance(device, str) or device.partition(":")[0] not in ("cpu", "cuda"):
        message = f"load_options has device {device!r}; it must be 'cpu', 'cuda' or 'cuda:N'."
        raise ConfigurationError(message)
    if device.startswith("cuda") and not torch.cuda.is_available():
        message = f"load_options has device {device!r}, but PyTorch finds no GPU on this worker. Use 'cpu'."
        raise ConfigurationError(message)
    if dtype is not None and dtype not in DTYPES:
        message = f"load_options has dtype {dtype!r}; it must be one of {', '.join(DTYPES)}."
        raise ConfigurationError(message)
    if needs_class != (name is not None):
        message = (
            f"The file holds tensors only, so load_options must name the class that takes them: {_CLASS}."
            if needs_class
            else "load_options has model_class, but the file holds the whole model. Leave it out."
        )
        raise ConfigurationError(message)
    if not isinstance(arguments, Mapping) or (arguments and name is None):
        message = f"load_options has model_kwargs {arguments!r}; it must be a dict of the model_class' arguments."
        raise ConfigurationError(message)
    return Placement(device=device, dtype=dtype, model_class=name, model_kwargs=arguments)


def script_module(path: Path, torch: ModuleType, where: Placement) -> FrameworkObject:
    """Load a TorchScript archive."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its successor, torch.export, cannot read these files
        module = torch.jit.load(str(path), map_location=where.device)
    return _placed(module, torch, where)


def pickled_module(path: Path, torch: ModuleType, where: Placement) -> FrameworkObject:
    """Load a whole module that was pickled.

    Raises
    ------
    ModelLoadError
        The file holds something else.
    """
    module = torch.load(path, map_location=where.device, weights_only=False)
    if not isinstance(module, torch.nn.Module):
        message = (
            f"The file holds a {type(module).__module__}.{type(module).__qualname__}, which is no torch.nn.Module. "
            f"Save the tensors alone (torch.save(model.state_dict(), ...)) and load them with load_options={_CLASS}."
        )
        raise ModelLoadError(message)
    return _placed(module, torch, where)


def state_dict_module(path: Path, torch: ModuleType, where: Placement) -> FrameworkObject:
    """Load a pickled state dict, by the unpickler that knows tensors only, into the class that was named."""
    require_sound(path, reads_all=True)  # PyTorch does not look at the checksums
    try:
        tensors = torch.load(path, map_location=where.device, weights_only=True)
    except pickle.UnpicklingError as error:  # its text advises to load the file without restrictions
        message = (
            "The file asks for more than tensors, which PyTorch's restricted unpickler refuses. Save the tensors "
            "alone: torch.save(model.state_dict(), ...)."
        )
        raise ModelLoadError(message) from error
    return _filled(tensors, torch, where)


def safetensors_module(path: Path, torch: ModuleType, where: Placement) -> FrameworkObject:
    """Load a safetensors file into the class that was named."""
    safetensors = require("safetensors.torch", extra="torch")
    return _filled(safetensors.load_file(path, device=where.device), torch, where)


def _filled(tensors: FrameworkObject, torch: ModuleType, where: Placement) -> FrameworkObject:
    """Build the named class and give it the tensors, each of which must have its place in it.

    Raises
    ------
    ModelLoadError
        The file holds no state dict, or one of another class.
    """
    is_flat = isinstance(tensors, Mapping) and all(isinstance(each, torch.Tensor) for each in tensors.values())
    if not is_flat or not tensors:
        held = ", ".join(map(str, list(tensors)[:_SHOWN])) if isinstance(tensors, Mapping) else type(tensors).__name__
        message = (
            f"The file holds no state dict but {held or 'nothing'}. Save the tensors alone: "
            "torch.save(model.state_dict(), ...)."
        )
        raise ModelLoadError(message)
    module = _built(torch, where)
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        faults = " ".join(str(error).split())
        message = (
            f"The file's tensors are not those of {where.model_class}: {faults}. Name the class that it was saved from."
        )
        raise ModelLoadError(message) from error
    return _placed(module, torch, where)


def _built(torch: ModuleType, where: Placement) -> FrameworkObject:
    """Import the class that the DAG's author named, and make one.

    Raises
    ------
    ConfigurationError
        There is no such class, it does not take the arguments, or is no ``torch.nn.Module`` with ``forward``.
    """
    given = where.model_class
    module_name, colon, name = given.partition(":") if isinstance(given, str) else ("", "", "")
    if not (module_name and colon and name.isidentifier()):
        message = f"load_options has model_class {given!r}; it must read 'package.module:Class'."
        raise ConfigurationError(message)
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        message = (
            f"load_options has model_class {given!r}, which cannot be imported: {error}. Install its package, or put "
            "the module where the worker's Python finds it."
        )
        raise ConfigurationError(message) from error
    is_module = isinstance(found, type) and issubclass(found, torch.nn.Module)
    if not is_module or found.forward is torch.nn.Module.forward:
        message = (
            f"load_options has model_class {given!r}, which is no torch.nn.Module with a forward(x) of its own. Name "
            "the class of the model."
        )
        raise ConfigurationError(message)
    try:
        return found(**where.model_kwargs)
    except (TypeError, ValueError) as error:
        message = (
            f"load_options has model_class {given!r}, which cannot be made with model_kwargs "
            f"{dict(where.model_kwargs)!r}: {error}."
        )
        raise ConfigurationError(message) from error


def _placed(module: FrameworkObject, torch: ModuleType, where: Placement) -> FrameworkObject:
    module.eval()
    return module.to(device=where.device, dtype=getattr(torch, where.dtype) if where.dtype else None)
