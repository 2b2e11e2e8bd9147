"""ONNX models, run by ONNX Runtime: a graph of known operators and numbers.

An ONNX file can name operators and other files as its tensors' data, and nothing else (onnx.proto; ONNX's
"ExternalData"); operators outside of ONNX Runtime need a library that only a caller could register, which this module
never does.

Invariants: the message is checked (:mod:`~.files`) before the runtime sees it, and the runtime gets the bytes that were
checked.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.base import Flavor, ModelFormat, require, take_options
from airflow_batch_inference.flavors.network_outputs import OUTPUT_OPTIONS, network_outputs
from airflow_batch_inference.flavors.onnx.files import read_onnx
from airflow_batch_inference.flavors.onnx.model import OnnxModel
from airflow_batch_inference.flavors.tensors import TensorInput, TensorInputs, feature_names_option
from airflow_batch_inference.processes.threads import native_threads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType


log = logging.getLogger(__name__)
FILE = ModelFormat(name="onnx", suffixes=(".onnx",), trust="data")
FOLDER = ModelFormat(name="onnx-folder", suffixes=(), trust="data", is_folder=True)
_VERSION_TAG = 0x08
# The fields that may follow the version: names, texts, numbers, the graph, operator sets, metadata (onnx.proto).
_NEXT_TAGS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})
_HEAD = 3
_NEWEST_VERSION = 0x7F
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    "tensor(string)": "str",
    **{f"tensor({kind})": kind for sign in ("", "u") for size in (8, 16, 32, 64) for kind in (f"{sign}int{size}",)},
}
_OPTIONS = ("providers", "feature_names", *OUTPUT_OPTIONS)
_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_MATRIX = 2


class OnnxFlavor(Flavor):
    """Loads ``.onnx`` files, and folders with one ``.onnx`` file and its data."""

    name = "onnx"
    formats = (FILE, FOLDER)
    extra = "onnx"
    packages = ("onnx", "onnxruntime", "onnxruntime-gpu")

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:
        """Recognise the name with the first fields of the message, or a folder with one such file at its top."""
        if path.is_dir():
            found = _models_in(path)
            if len(found) != 1:
                return None
            with found[0].open("rb") as file:
                return FOLDER if _starts_as_model(file.read(_HEAD)) else None
        return FILE if FILE.names(path) and _starts_as_model(head) else None

    def load(
        self,
        path: Path,
        *,
        model_format: ModelFormat,
        trusted: tuple[str, ...],  # noqa: ARG002  # it holds no types
        options: Mapping[str, Any],
    ) -> OnnxModel:
        """Make a session; see :meth:`~.base.Flavor.load`.

        Parameters
        ----------
        options
            ``providers``: ONNX Runtime's execution providers, by name or as ``[name, {option: value}]``; by default
            CUDA where the installed runtime has it, then the CPU. ``feature_names``: see :mod:`~.tensors`.
            ``outputs``, ``output``: see :mod:`~.network_outputs`.

        Raises
        ------
        UntrustedModelError
            A tensor's data lies outside of the model.
        ModelLoadError
            It takes or returns what is no tensor with an axis of rows.
        """
        chosen = take_options(options, _OPTIONS, flavor=self.name)
        runtime = require("onnxruntime", extra=self.extra)
        folder = path if model_format is FOLDER else None
        read = read_onnx(_models_in(path)[0] if folder is not None else path, folder=folder)
        session = _session(runtime, read.content, folder, chosen.get("providers"))
        return _describe(session, read.classes, chosen, {"numpy": np.__version__, "onnxruntime": runtime.__version__})


def _models_in(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if FILE.names(entry) and entry.is_file())


def _starts_as_model(head: bytes) -> bool:
    """Say whether bytes start with a format version and another field of an ONNX model: protobuf has no magic."""
    return len(head) >= _HEAD and head[0] == _VERSION_TAG and 0 < head[1] <= _NEWEST_VERSION and head[2] in _NEXT_TAGS


def _session(runtime: ModuleType, content: bytes, folder: Path | None, providers: object) -> Any:  # noqa: ANN401  # untyped
    options = runtime.SessionOptions()
    options.intra_op_num_threads = native_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    # Threads that wait must leave the cores to the other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if folder is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    wanted = _providers(providers, runtime.get_available_providers())
    try:
        session = runtime.InferenceSession(content, options, providers=wanted)
    except Exception as error:
        found = re.search(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)", str(error))
        if found is None:
            raise
        message = (
            f"The ONNX model has IR version {found.group(1)}, and onnxruntime {runtime.__version__} reads those up to "
            f"{found.group(2)}. Save it with ir_version={found.group(2)} (onnx.helper.make_model takes it), or install "
            "a newer onnxruntime."
        )
        raise ModelLoadError(message) from None
    there = session.get_providers()
    first = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
    if first not in there:
        message = f"ONNX Runtime could not start {first} here and would run on {', '.join(there)}"
        if providers is not None:
            raise ConfigurationError(f"{message}. Mend its installation, or name other providers in load_options.")
        log.warning("%s.", message)
    return session


def _providers(given: object, available: list[str]) -> list[Any]:
    """Return the execution providers for ONNX Runtime.

    Raises
    ------
    ConfigurationError
        The option is no list of names (or pairs of a name and options), or names one that is not installed.
    """
    if given is None:
        return [name for name in (_GPU, _CPU) if name in available]
    if not isinstance(given, list) or not given or not all(map(_is_provider, given)):
        message = (
            f"load_options has providers {given!r}; it must be a list of names such as {_CPU!r}, or of [name, "
            "{option: value}]."
        )
        raise ConfigurationError(message)
    for each in given:
        name = each if isinstance(each, str) else each[0]
        if name not in available:
            message = (
                f"load_options names the provider {name!r}, which the installed ONNX Runtime does not have: "
                f"{', '.join(available)}."
            )
            raise ConfigurationError(message)
    return [each if isinstance(each, str) else tuple(each) for each in given]


def _is_provider(entry: object) -> bool:
    is_pair = isinstance(entry, (list, tuple)) and len(entry) == _MATRIX
    return isinstance(entry, str) or (is_pair and isinstance(entry[0], str) and isinstance(entry[1], dict))  # type: ignore[index]  # a pair


def _describe(
    session: Any,  # noqa: ANN401  # untyped
    labels: tuple[str | int, ...] | None,
    options: dict[str, Any],
    versions: dict[str, str],
) -> OnnxModel:
    given, outputs = session.get_inputs(), session.get_outputs()
    tensors = TensorInputs(tuple(map(_input, given)), feature_names_option(options))
    meaning = network_outputs(options)
    is_classifier = _is_classifier(outputs)
    if not is_classifier:
        for output in outputs:
            _require_tensor(output, "returns")
    names = meaning.require_known([output.name for output in (outputs[:1] if is_classifier else outputs)])
    if not is_classifier:
        labels = meaning.classes(_width(next(output for output in outputs if output.name == names[0])))
    return OnnxModel(
        session=session,
        tensors=tensors,
        batch_size=_batch_size(given),
        meaning=meaning,
        probability_output=outputs[1].name if is_classifier else None,
        outputs=names,
        methods=("predict", "predict_proba") if is_classifier else meaning.methods,
        classes=labels,
        versions=versions,
    )


def _require_tensor(value: Any, does: str) -> None:  # noqa: ANN401  # untyped
    if value.type not in _DTYPES:
        message = (
            f"The ONNX model {does} {value.name!r}, which is {value.type}; it must be one of {', '.join(_DTYPES)}."
        )
        raise ModelLoadError(message)


def _input(value: Any) -> TensorInput:  # noqa: ANN401  # untyped
    _require_tensor(value, "takes")
    if not value.shape:
        message = f"The ONNX model takes {value.name!r}, a single value for all rows. Make it a constant of the graph."
        raise ModelLoadError(message)
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in value.shape[1:])
    return TensorInput(value.name, _DTYPES[value.type], shape)


def _batch_size(inputs: list[Any]) -> int | None:
    """Return the number of rows that the graph was made for.

    Raises
    ------
    ModelLoadError
        The inputs disagree.
    """
    found = {value.shape[0] for value in inputs if isinstance(value.shape[0], int) and value.shape[0] > 0}
    if len(found) > 1:
        message = f"The ONNX model's inputs are made for different numbers of rows ({sorted(found)}). Export it again."
        raise ModelLoadError(message)
    return found.pop() if found else None


def _width(output: Any) -> int | None:  # noqa: ANN401  # untyped
    """Return how many values a row of the output has, where the graph says so."""
    if len(output.shape) == 1:
        return 1
    fixed = len(output.shape) == _MATRIX and isinstance(output.shape[1], int)
    return int(output.shape[1]) if fixed else None


def _is_classifier(outputs: list[Any]) -> bool:
    """Say whether the outputs are labels and probabilities, as converters of scikit-learn's models name them."""
    if len(outputs) != _MATRIX:
        return False
    label, probability = outputs
    return (
        label.type in ("tensor(int64)", "tensor(string)")
        and probability.type in ("tensor(float)", "tensor(double)")
        and "label" in label.name.lower()
        and "prob" in probability.name.lower()
    )
