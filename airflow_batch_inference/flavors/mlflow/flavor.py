"""MLflow's model folders: an ``MLmodel`` file, and within it a model in a format of its own.

The model is handed to the flavor that loads such files, so MLflow is needed for ``python_function`` alone
(``mlflow.pyfunc.load_model``, which unpickles and imports whatever the folder says).

Invariants: the folder is trusted as little as the model within it; ``python_function`` and folders with modules of
their own are code.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, UntrustedModelError
from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat, require, take_options
from airflow_batch_inference.flavors.mlflow.files import (
    MLMODEL,
    Inner,
    choose_inner,
    pickles_of,
    predict_method,
    read_mlmodel,
    warn_of_params,
    warn_of_versions,
)
from airflow_batch_inference.flavors.mlflow.model import MlflowModel, PyfuncModel
from airflow_batch_inference.flavors.mlflow.signature import Signature, read_signature
from airflow_batch_inference.flavors.pickled import imported_by_file
from airflow_batch_inference.storage.temporary import HeldFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from airflow_batch_inference.records import ColumnSpec


DATA = ModelFormat(name="mlflow", suffixes=(), trust="data", is_folder=True)
ALLOW_LIST = ModelFormat(name="mlflow-allow-list", suffixes=(), trust="allow-list", is_folder=True)
CODE = ModelFormat(name="mlflow-code", suffixes=(), trust="code", is_folder=True)
_BY_TRUST = {known.trust: known for known in (DATA, ALLOW_LIST, CODE)}
_FLAVOR_OPTION = "mlflow_flavor"


class MlflowFlavor(Flavor):
    """Loads folders that hold an ``MLmodel`` file."""

    name = "mlflow"
    formats = (DATA, ALLOW_LIST, CODE)
    extra = "mlflow"
    safer = (
        "with MLflow in a format without code (xgboost, lightgbm, onnx, or sklearn with serialization_format='skops')"
    )

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:  # noqa: ARG002  # a folder has none
        """Recognise a folder with ``MLmodel``; its format says what loading the model within it can do.

        Raises
        ------
        ModelLoadError
            ``MLmodel`` is damaged.
        UntrustedModelError
            It leads out of the folder.
        """
        if not (path.is_dir() and (path / MLMODEL).is_file()):
            return None
        return _format_of(choose_inner(path, read_mlmodel(path), None))

    def with_options(self, path: Path, model_format: ModelFormat, options: Mapping[str, Any]) -> ModelFormat:
        """Return the format of what the load options ask for; see :class:`~.base.Flavor`."""
        wanted = options.get(_FLAVOR_OPTION)
        return model_format if wanted is None else _format_of(choose_inner(path, read_mlmodel(path), wanted))

    def imported_names(self, path: Path, model_format: ModelFormat) -> tuple[str, ...]:  # noqa: ARG002  # all alike
        """Return what the pickle within would import, as far as can be told without loading it."""
        document = read_mlmodel(path)
        inner = choose_inner(path, document, None)
        names: tuple[str, ...] = ()
        if inner.flavor is not None and inner.model_format is not None:
            names = inner.flavor.imported_names(inner.path, inner.model_format)
        return names or tuple(name for file in pickles_of(path, document) for name in imported_by_file(file))

    def require_followable(
        self,
        path: Path,
        model_format: ModelFormat,  # noqa: ARG002  # the model within has its own
        options: Mapping[str, Any],
    ) -> None:
        """Let the flavor of the model within look at it; see :class:`~.base.Flavor`."""
        inner = choose_inner(path, read_mlmodel(path), options.get(_FLAVOR_OPTION))
        if inner.flavor is not None and inner.model_format is not None:
            inner.flavor.require_followable(inner.path, inner.model_format, options)

    def load(
        self, path: Path, *, model_format: ModelFormat, trusted: tuple[str, ...], options: Mapping[str, Any]
    ) -> MlflowModel:
        """Load the model within; see :meth:`~.base.Flavor.load`.

        Parameters
        ----------
        options
            ``mlflow_flavor``: MLflow's name of the flavor to load, where there are several. All others are those of
            the flavor that loads the model within.

        Raises
        ------
        UntrustedModelError
            It can do more than the format says that was trusted.
        """
        document = read_mlmodel(path)
        inner = choose_inner(path, document, options.get(_FLAVOR_OPTION))
        if _format_of(inner) is not model_format:
            message = f"The MLflow model is {_format_of(inner).name}, but was taken for {model_format.name}."
            raise UntrustedModelError(message)
        signature = read_signature(document)
        rest = {name: value for name, value in options.items() if name != _FLAVOR_OPTION}
        if meant := difflib.get_close_matches(_FLAVOR_OPTION, rest, n=1, cutoff=0.8):
            message = f"load_options has {meant[0]!r}; did you mean {_FLAVOR_OPTION!r}?"
            raise ConfigurationError(message)
        with _importable(inner):
            if inner.flavor is not None and inner.model_format is not None:
                warn_of_versions(path)
                model = inner.flavor.load(inner.path, model_format=inner.model_format, trusted=trusted, options=rest)
            else:
                take_options(rest, (), flavor=self.name)
                model = _load_pyfunc(path, signature)
            if inner.flavor is None or _FLAVOR_OPTION in options:
                return _with_signature(model, signature)
        warn_of_params(document)
        return replace(_with_signature(model, signature), predict_by=predict_method(document, model.methods))


def _format_of(inner: Inner) -> ModelFormat:
    """Return the format of the folder: code where anything in it is."""
    if inner.model_format is None or inner.code is not None:
        return CODE
    return _BY_TRUST[inner.model_format.trust]


@contextlib.contextmanager
def _importable(inner: Inner) -> Iterator[None]:
    """Let the folder's own modules be imported while the model is loaded."""
    if inner.code is None or inner.flavor is None:  # python_function sees to it itself
        yield
        return
    sys.path.insert(0, str(inner.code))
    try:
        yield
    finally:
        sys.path.remove(str(inner.code))


def _load_pyfunc(path: Path, signature: Signature) -> PyfuncModel:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a task reports to nobody
    mlflow = require("mlflow", extra="mlflow")
    pyfunc = require("mlflow.pyfunc", extra="mlflow")
    # The model may open files of its folder when it predicts: it keeps a folder for as long as it lives.
    kept = HeldFolder()
    folder = shutil.copytree(path, kept.path / path.name)
    model = pyfunc.load_model(str(folder))  # logs versions that differ itself
    return PyfuncModel(
        model=model, signature=signature, versions={"mlflow": mlflow.__version__, "numpy": np.__version__}, kept=kept
    )


def _with_signature(model: LoadedModel, signature: Signature) -> MlflowModel:
    inputs = _inputs(model, signature.columns)
    return MlflowModel(
        inner=model,
        feature_names=None if inputs is None else tuple(spec.name for spec in inputs),
        inputs=inputs,
        output_names=model.output_names or _outputs(model, signature, inputs),
    )


def _inputs(model: LoadedModel, columns: tuple[ColumnSpec, ...] | None) -> tuple[ColumnSpec, ...] | None:
    """Return the model's inputs: its own names, and what the signature adds where the model does not say."""
    if columns is None:
        return model.inputs
    if model.inputs is None:
        return columns if model.n_features in (None, len(columns)) else None
    known = {spec.name: spec for spec in columns}
    return tuple(known.get(spec.name, spec) if spec.type == "any" else spec for spec in model.inputs)


def _outputs(model: LoadedModel, signature: Signature, inputs: tuple[ColumnSpec, ...] | None) -> tuple[str, ...] | None:
    """Return the signature's names of the outputs, where they are not those of inputs and mean what is predicted."""
    outputs = signature.outputs
    if outputs is None or {spec.name for spec in outputs} & {spec.name for spec in inputs or ()}:
        return None
    # A booster's own predict gives a probability, where MLflow's wrapper (and so the signature) gives the class.
    if "raw_score" in model.methods and not all(spec.type in ("double", "float") for spec in outputs):
        return None
    return tuple(spec.name for spec in outputs)
