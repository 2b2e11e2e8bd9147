"""Keras 3 models in its own ``.keras`` files, with the backend that is installed.

A ``.keras`` file is a zip of ``config.json`` (which classes to build), ``model.weights.h5`` and assets. Where it names
Keras' own classes only it loads by default; else it is ``keras-code``: Keras runs what such a file says once its safe
mode is off, so the digest must be pinned.

Invariants: our own reading of the configuration, the archive and the weights comes before Keras', because its safe mode
alone was not safe (see ``keras_config`` and ``keras_weights``); and legacy ``.h5`` files are refused, as safe mode does
not look at them (CVE-2025-9905).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    FlavorNotInstalledError,
    ModelLoadError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.archives import ZIP, members, read_member, require_sound
from airflow_batch_inference.flavors.base import Flavor, ModelFormat, require, take_options
from airflow_batch_inference.flavors.keras.config import foreign_names
from airflow_batch_inference.flavors.keras.model import KerasModel
from airflow_batch_inference.flavors.keras.weights import WEIGHTS, require_plain_weights
from airflow_batch_inference.flavors.network_outputs import OUTPUT_OPTIONS, NetworkOutputs, network_outputs
from airflow_batch_inference.flavors.runtimes import require_version, tensorflow_runtime, torch_runtime
from airflow_batch_inference.flavors.tensors import TensorInput, TensorInputs, feature_names_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from airflow_batch_inference.flavors.runtimes import FrameworkObject


KERAS = ModelFormat(name="keras", suffixes=(".keras",), trust="allow-list")
KERAS_CODE = ModelFormat(name="keras-code", suffixes=(".keras",), trust="code")
_LEAST_KERAS = "3.15.1"  # the first with the fixes of all faults in loading that are known; 3.12.4 apart
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LEGACY = (".h5", ".hdf5")
_CONFIG = "config.json"
_TOP = {_CONFIG, "metadata.json", WEIGHTS}
_MOST_CONFIG_BYTES = 16 << 20  # nested lists take 20 times as much in memory
_BACKENDS = ("tensorflow", "torch", "jax")


class KerasFlavor(Flavor):
    """Loads ``.keras`` files of Keras 3 (``model.save("model.keras")``)."""

    name = "keras"
    formats = (KERAS, KERAS_CODE)
    extra = "tensorflow"
    safer = "with Keras' own layers only (no Lambda, no custom class, no vocabulary file)"
    packages = ("keras", "tensorflow", "tensorflow-cpu")

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:
        """Recognise the archive by its name and members, and by its configuration whether it can carry code.

        Raises
        ------
        UntrustedModelError
            A legacy HDF5 model.
        """
        if path.name.lower().endswith(_LEGACY) and head.startswith(_HDF5):
            message = (
                f"{path.name} is a legacy HDF5 model, which can run code in spite of Keras' safe mode "
                '(CVE-2025-9905). Load it where it was trained and save it with model.save("model.keras").'
            )
            raise UntrustedModelError(message)
        if path.is_dir() or not KERAS.names(path) or not head.startswith(ZIP):
            return None
        names = members(path)
        if names and _CONFIG not in names:
            return None
        return KERAS_CODE if self.imported_names(path, KERAS) else KERAS

    def imported_names(self, path: Path, model_format: ModelFormat) -> tuple[str, ...]:  # noqa: ARG002  # both alike
        """Return what the file names that is not Keras' own, or not safe; () too where it is damaged."""
        config = read_member(path, _CONFIG, most_bytes=_MOST_CONFIG_BYTES)
        try:
            return foreign_names(config) if config is not None else ()
        except (ValueError, RecursionError):
            return ()

    def require_followable(
        self,
        path: Path,
        model_format: ModelFormat,  # noqa: ARG002  # both alike
        options: Mapping[str, Any],  # noqa: ARG002  # none of them matters
    ) -> None:
        """Refuse a damaged archive before Keras is imported; see :class:`~.base.Flavor`."""
        require_sound(path, reads_all=True)

    def load(
        self, path: Path, *, model_format: ModelFormat, trusted: tuple[str, ...], options: Mapping[str, Any]
    ) -> KerasModel:
        """Look through the file and build the model, not compiled; see :meth:`~.base.Flavor.load`.

        ``options``: ``feature_names``, and those of :mod:`~airflow_batch_inference.flavors.network_outputs`.
        """
        take_options(options, ("feature_names", *OUTPUT_OPTIONS), flavor=self.name)
        outputs, names = network_outputs(options), feature_names_option(dict(options))
        _require_no_types(trusted)
        _require_archive(path)
        if model_format is KERAS:
            _require_own(path)
        require_plain_weights(path)
        keras = _keras()
        network = keras.saving.load_model(path, compile=False, safe_mode=model_format is KERAS)
        return _describe(network, keras, outputs, names)


def _require_no_types(trusted: Sequence[str]) -> None:
    if trusted:
        message = (
            f"trusted= names {', '.join(trusted)}, but a .keras file's own classes cannot be allowed one by one. Leave "
            "it out, and pin the file with sha256= if it needs other classes than Keras' own."
        )
        raise ConfigurationError(message)


def _require_archive(path: Path) -> None:
    """Refuse an archive that Keras did not write.

    Raises
    ------
    ModelLoadError
        It is not sound, or lacks a member, or has another one.
    """
    require_sound(path)
    names = set(members(path))
    lacking = {_CONFIG, WEIGHTS} - names
    foreign = sorted(name for name in names - _TOP if not name.startswith("assets/"))
    if lacking or foreign:
        fault = f"lacks {', '.join(sorted(lacking))}" if lacking else f"also holds {foreign[0]!r}"
        message = f'{path.name} {fault}: it is no file of Keras 3. Save the model with model.save("model.keras").'
        raise ModelLoadError(message)


def _require_own(path: Path) -> None:
    """Refuse a file that names what is not Keras' own, whatever it was taken for before.

    Raises
    ------
    UntrustedModelError
        Names them.
    ModelLoadError
        The configuration cannot be read.
    """
    config = read_member(path, _CONFIG, most_bytes=_MOST_CONFIG_BYTES)
    if config is None:
        message = f"{_CONFIG} in {path.name} is damaged, or larger than {_MOST_CONFIG_BYTES} bytes."
        raise ModelLoadError(message)
    try:
        names = foreign_names(config)
    except (ValueError, RecursionError) as error:
        message = f"{_CONFIG} in {path.name} cannot be read: {error}. Save or copy the model again."
        raise ModelLoadError(message) from error
    if names:
        message = f"{path.name} names what is not Keras' own, or not safe: {', '.join(names)}. Pin it with sha256=."
        raise UntrustedModelError(message)


def _keras() -> FrameworkObject:
    """Import Keras with the backend that ``KERAS_BACKEND`` names, else with the first that is installed.

    Raises
    ------
    FlavorNotInstalledError
        Keras or its backend is missing, or too old.
    """
    loaded = sys.modules.get("keras")
    backend = loaded.backend.backend() if loaded else os.environ.get("KERAS_BACKEND") or _installed_backend()
    os.environ["KERAS_BACKEND"] = backend
    if backend == "tensorflow":
        tensorflow_runtime()
    elif backend == "torch":
        torch_runtime()
    keras = require("keras", extra="tensorflow")
    require_version("keras", keras.__version__, _LEAST_KERAS, extra="tensorflow")
    return keras


def _installed_backend() -> str:
    for name in _BACKENDS:
        if importlib.util.find_spec(name) is not None:
            return name
    message = (
        f"The model needs Keras and a backend for it, one of {', '.join(_BACKENDS)}; none is installed. Run: pip "
        "install 'airflow-batch-inference[tensorflow]'."
    )
    raise FlavorNotInstalledError(message)


def _describe(
    network: FrameworkObject, keras: ModuleType, outputs: NetworkOutputs, names: tuple[str, ...] | None
) -> KerasModel:
    """Wrap a network that is in memory.

    Raises
    ------
    ModelLoadError
        It does not say what its inputs are, or has a fixed number of rows.
    ConfigurationError
        The load options do not fit it.
    """
    inputs = getattr(network, "inputs", None)
    if not inputs:
        message = (
            f"The Keras model is a {type(network).__name__}, which does not say what its inputs are. Build it from "
            "keras.Input (functional or Sequential) and save it again."
        )
        raise ModelLoadError(message)
    has_one = isinstance(network, keras.Sequential)
    output_names = (network.layers[-1].name,) if has_one else _output_names(network, keras)
    kept = outputs.require_known(output_names)
    widths = dict(zip(output_names, [_width(tensor.shape) for tensor in network.outputs], strict=True))
    backend = keras.backend.backend()
    return KerasModel(
        network=network,
        keras=keras,
        structure=inputs[0] if has_one else network.input,
        tensors=TensorInputs(tuple(_tensor_input(tensor) for tensor in inputs), names),
        outputs=outputs,
        all_output_names=output_names,
        output_names=kept if len(kept) > 1 else None,
        only_output=kept[0] if len(kept) == 1 else None,
        classes=outputs.classes(widths[kept[0]]),
        versions={
            "keras": str(keras.__version__),
            backend: str(sys.modules[backend].__version__),
            "numpy": np.__version__,
        },
    )


def _tensor_input(tensor: FrameworkObject) -> TensorInput:
    rows, *shape = tensor.shape
    if rows is not None:
        message = (
            f"The Keras model's input {tensor.name!r} takes {rows} rows at a time. Build it without batch_size or "
            "batch_shape, so that it takes any number, and save it again."
        )
        raise ModelLoadError(message)
    dtype = {"string": "str", "bfloat16": "float32"}.get(tensor.dtype, tensor.dtype)
    return TensorInput(name=tensor.name, dtype=dtype, shape=tuple(shape))


def _output_names(network: FrameworkObject, keras: ModuleType) -> tuple[str, ...]:
    """Return the keys of outputs that are a dict, else the names of the layers that they come from."""
    struct = network.output
    if isinstance(struct, dict) and all(hasattr(value, "shape") for value in struct.values()):
        return tuple(sorted(struct))  # the order in which keras.tree flattens a dict
    names = tuple(network.output_names) if hasattr(network, "output_names") else ()
    flat = keras.tree.flatten(struct)
    is_clear = len(names) == len(flat) == len(set(names))
    return names if is_clear else tuple(f"output_{position}" for position in range(len(flat)))


def _width(shape: Sequence[int | None]) -> int | None:
    return 1 if len(shape) == 1 else shape[-1]
