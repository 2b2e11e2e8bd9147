"""PyTorch models: safetensors and state dicts by a named class, TorchScript, exported programs, pickled modules.

What each can do when it is loaded was read in PyTorch 2.13:

- safetensors: numbers under names; the library checks that the header's offsets fit the file.
- a plain state dict (``torch.save(model.state_dict())``): a pickle, read by the unpickler that builds tensors and
  nothing else (``torch/_weights_only_unpickler.py``).
- TorchScript: a program; PyTorch's ``SECURITY.md`` says to treat it like code of an unknown source.
- an exported program (``.pt2``): its shapes are expressions that ``sympy.sympify`` evaluates, its constants may be
  pickles that are loaded without restrictions (``torch.export.pt2_archive._package``: ``pickle.loads``,
  ``weights_only=False``), and compiled code (AOTInductor) is a shared library that is loaded.
- a whole pickled module: whatever the pickle says.

Invariants: the last three are ``code``; the first two need a class that the DAG's author named, and take no code from
the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.archives import require_sound
from airflow_batch_inference.flavors.base import Flavor, ModelFormat, require, take_options
from airflow_batch_inference.flavors.network_outputs import OUTPUT_OPTIONS, network_outputs
from airflow_batch_inference.flavors.runtimes import torch_runtime
from airflow_batch_inference.flavors.tensors import TensorInput, TensorInputs, feature_names_option
from airflow_batch_inference.flavors.torch.inputs import exported_inputs, inputs_option, module_inputs
from airflow_batch_inference.flavors.torch.model import TorchModel
from airflow_batch_inference.flavors.torch.modules import (
    Placement,
    pickled_module,
    placement,
    safetensors_module,
    script_module,
    state_dict_module,
)
from airflow_batch_inference.flavors.torch_files import imported, kind

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.flavors.runtimes import FrameworkObject


SAFETENSORS = ModelFormat(name="safetensors", suffixes=(".safetensors",), trust="data")
STATE_DICT = ModelFormat(name="torch-state-dict", suffixes=(".pt", ".pth"), trust="allow-list")
TORCHSCRIPT = ModelFormat(name="torchscript", suffixes=(".pt", ".pth", ".ts"), trust="code")
EXPORTED = ModelFormat(name="torch-export", suffixes=(".pt2",), trust="code")
PICKLED = ModelFormat(name="torch-pickle", suffixes=(".pt", ".pth"), trust="code")
_BY_KIND = {
    "safetensors": SAFETENSORS,
    "state-dict": STATE_DICT,
    "torchscript": TORCHSCRIPT,
    "exported": EXPORTED,
    "pickle": PICKLED,
}
_LOADERS = {
    SAFETENSORS.name: safetensors_module,
    STATE_DICT.name: state_dict_module,
    TORCHSCRIPT.name: script_module,
    PICKLED.name: pickled_module,
}
_OPTIONS = ("inputs", "feature_names", "device", "dtype", "model_class", "model_kwargs", *OUTPUT_OPTIONS)


class TorchFlavor(Flavor):
    """Loads PyTorch's formats and safetensors."""

    name = "torch"
    formats = (SAFETENSORS, STATE_DICT, TORCHSCRIPT, EXPORTED, PICKLED)
    extra = "torch"
    safer = "as safetensors (with load_options model_class), or as ONNX"
    packages = ("torch", "safetensors")

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:
        """Recognise by the archive's members or the first bytes; the name must be one that the format has."""
        if path.is_dir() or not any(known.names(path) for known in self.formats):
            return None
        found = kind(path, head)
        known = _BY_KIND[found] if found else None
        return known if known is not None and known.names(path) else None

    def imported_names(self, path: Path, model_format: ModelFormat) -> tuple[str, ...]:
        """Return what a pickled module would import, as far as can be told without loading it."""
        return imported(path) if model_format.name == PICKLED.name else ()

    def require_followable(
        self,
        path: Path,
        model_format: ModelFormat,
        options: Mapping[str, Any],  # noqa: ARG002  # none of them matters
    ) -> None:
        """Refuse a damaged file before PyTorch is imported; see :class:`~.base.Flavor`."""
        if model_format is STATE_DICT:
            require_sound(path, reads_all=True)
        elif model_format is SAFETENSORS:
            with require("safetensors", extra="torch").safe_open(path, framework="numpy"):
                pass  # it compares the header with the file when it opens it

    def load(
        self, path: Path, *, model_format: ModelFormat, trusted: tuple[str, ...], options: Mapping[str, Any]
    ) -> TorchModel:
        """Load the module; see :meth:`~.base.Flavor.load`.

        ``options``: ``inputs`` (a list of ``name``, ``dtype``, ``shape``), ``feature_names``, ``device``, ``dtype``,
        ``model_class`` and ``model_kwargs`` for state dicts, and those of
        :mod:`~airflow_batch_inference.flavors.network_outputs`.
        """
        take_options(options, _OPTIONS, flavor=self.name)
        if trusted:
            message = "trusted= is for skops files; PyTorch's own list of types cannot be added to. Leave it out."
            raise ConfigurationError(message)
        outputs, names, asked = network_outputs(options), feature_names_option(dict(options)), inputs_option(options)
        torch = torch_runtime()
        where = placement(options, torch, needs_class=model_format.name in (SAFETENSORS.name, STATE_DICT.name))
        if model_format.name == EXPORTED.name:
            module, inputs = _exported(path, torch, where)
        else:
            module = _LOADERS[model_format.name](path, torch, where)
            inputs = asked or module_inputs(module)
        model = TorchModel(
            module=module,
            torch=torch,
            tensors=TensorInputs(_sized(inputs, names), names),
            outputs=outputs,
            device=where.device,
            dtype=where.dtype,
            versions=_versions(torch, model_format),
        )
        return _probed(model)


def _exported(path: Path, torch: ModuleType, where: Placement) -> tuple[FrameworkObject, tuple[TensorInput, ...]]:
    """Load an exported program as a module, with the inputs that it knows.

    Raises
    ------
    ConfigurationError
        A type is asked for; the graph has its own.
    ModelLoadError
        The archive holds compiled code only.
    """
    if where.dtype:
        message = "load_options has dtype, but an exported program's types are fixed. Export it in that type."
        raise ConfigurationError(message)
    try:
        program = torch.export.load(path)
    except KeyError as error:
        message = (
            "The archive holds no exported program named 'model', so perhaps compiled code only, which runs on one "
            "kind of machine. Save it with torch.export.save."
        )
        raise ModelLoadError(message) from error
    if where.device != "cpu":
        moving = require("torch.export.passes", extra="torch")
        program = moving.move_to_device_pass(program, where.device)
    return program.module(), exported_inputs(program, torch)


def _sized(inputs: tuple[TensorInput, ...], names: tuple[str, ...] | None) -> tuple[TensorInput, ...]:
    """Return the inputs, a single one as wide as the names say."""
    if names is not None and len(inputs) == 1 and inputs[0].shape == (None,):
        return (replace(inputs[0], shape=(len(names),)),)
    return inputs


def _probed(model: TorchModel) -> TorchModel:
    """Return the model with its outputs' names and its classes, from one row of zeros where the shapes are known.

    Raises
    ------
    ConfigurationError
        The load options name an output that it does not have, or do not say which one they are about.
    """
    feeds = {}
    for each in model.tensors.inputs:
        if each.size is None:
            return model
        feeds[each.name] = np.zeros((1, *(size or 1 for size in each.shape)), dtype=each.dtype)
    found: Prediction | None = None
    with contextlib.suppress(Exception):  # a model may refuse such a row; then nothing is known
        found = model.run(feeds, {})
    if found is None:
        return model
    names = model.outputs.require_known(tuple(found)) if isinstance(found, Mapping) else ()
    if len(names) > 1:
        return replace(model, output_names=names)
    only = found[names[0]] if isinstance(found, Mapping) else found
    return replace(model, classes=model.outputs.classes(only.shape[-1] if only.ndim > 1 else 1))


def _versions(torch: ModuleType, model_format: ModelFormat) -> dict[str, str]:
    found = {"torch": str(torch.__version__), "numpy": np.__version__}
    if model_format.name == SAFETENSORS.name:
        found["safetensors"] = str(require("safetensors", extra="torch").__version__)
    return found
