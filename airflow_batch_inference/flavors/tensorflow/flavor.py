"""TensorFlow SavedModels: folders with ``saved_model.pb``, as ``tf.saved_model.save`` and Keras' ``export`` write them.

A graph is a program: it may read and write files, use the network and start processes (TensorFlow's ``SECURITY.md``:
"TensorFlow models are programs, and need to be treated as such").

Invariants: such a folder is loaded only once somebody vouches for its digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.base import Flavor, ModelFormat, take_options
from airflow_batch_inference.flavors.network_outputs import OUTPUT_OPTIONS, network_outputs
from airflow_batch_inference.flavors.runtimes import tensorflow_runtime
from airflow_batch_inference.flavors.tensorflow.model import TensorFlowModel
from airflow_batch_inference.flavors.tensors import TensorInput, TensorInputs, feature_names_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow_batch_inference.flavors.runtimes import FrameworkObject


SAVED_MODEL = ModelFormat(name="saved-model", suffixes=(), trust="code", is_folder=True)
_SIGNATURE = "serving_default"
_GRAPH = "saved_model.pb"


class TensorFlowFlavor(Flavor):
    """Loads SavedModel folders, to score with one of their signatures."""

    name = "tensorflow"
    formats = (SAVED_MODEL,)
    extra = "tensorflow"
    safer = "as a .keras file of Keras' own layers, or as ONNX"

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:  # noqa: ARG002  # a folder has none
        """Recognise the folder by the file that holds the graph."""
        return SAVED_MODEL if path.is_dir() and (path / _GRAPH).is_file() else None

    def load(
        self,
        path: Path,
        *,
        model_format: ModelFormat,  # noqa: ARG002  # there is one
        trusted: tuple[str, ...],  # noqa: ARG002  # the whole folder was trusted
        options: Mapping[str, Any],
    ) -> TensorFlowModel:
        """Load the graph and its variables; see :meth:`~.base.Flavor.load`.

        ``options``: ``signature`` (the default is ``serving_default``), ``feature_names``, and those of
        :mod:`~airflow_batch_inference.flavors.network_outputs`.
        """
        take_options(options, ("signature", "feature_names", *OUTPUT_OPTIONS), flavor=self.name)
        outputs, names = network_outputs(options), feature_names_option(dict(options))
        tensorflow = tensorflow_runtime()
        saved = tensorflow.saved_model.load(str(path))
        signature = _signature(saved, options.get("signature", _SIGNATURE))
        _, wanted = signature.structured_input_signature
        given = signature.structured_outputs
        kept = outputs.require_known(sorted(given))
        return TensorFlowModel(
            saved=saved,
            signature=signature,
            tensorflow=tensorflow,
            tensors=TensorInputs(tuple(_tensor_input(name, spec) for name, spec in sorted(wanted.items())), names),
            outputs=outputs,
            output_names=kept if len(kept) > 1 else None,
            only_output=kept[0] if len(kept) == 1 else None,
            classes=outputs.classes(_width(given[kept[0]].shape)),
            versions={"tensorflow": str(tensorflow.__version__), "numpy": np.__version__},
        )


def _signature(saved: FrameworkObject, name: object) -> FrameworkObject:
    """Return the signature of the name.

    Raises
    ------
    ConfigurationError
        There is none of that name.
    ModelLoadError
        It takes or gives nothing.
    """
    there = getattr(saved, "signatures", {})
    if name not in there:
        message = (
            f"load_options has signature {name!r} (or leaves it out), but the SavedModel has "
            f"{', '.join(sorted(there)) or 'none'}. Choose one of them, or save it with signatures=."
        )
        raise ConfigurationError(message)
    found = there[name]
    if not found.structured_input_signature[1] or not found.structured_outputs:
        message = f"The SavedModel's signature {name!r} takes or gives no tensor. Choose another one with load_options."
        raise ModelLoadError(message)
    return found


def _tensor_input(name: str, spec: FrameworkObject) -> TensorInput:
    """Describe an input.

    Raises
    ------
    ModelLoadError
        The number of its values, or of its rows, is not what a mini-batch can have.
    """
    shape: Sequence[int | None] | None = None if spec.shape.rank is None else spec.shape.as_list()
    if not shape or shape[0] is not None:
        message = (
            f"The SavedModel's input {name!r} is of shape {spec.shape}, but the first axis must be any number of rows. "
            "Save it with an input_signature of shape [None, ...]."
        )
        raise ModelLoadError(message)
    dtype = {"string": "str", "bfloat16": "float32"}.get(spec.dtype.name, spec.dtype.name)
    return TensorInput(name=name, dtype=dtype, shape=tuple(shape[1:]))


def _width(shape: FrameworkObject) -> int | None:
    if shape.rank is None:
        return None
    width: int | None = 1 if shape.rank == 1 else shape[-1]
    return width
