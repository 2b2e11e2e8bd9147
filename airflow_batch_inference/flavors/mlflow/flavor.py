"""MLflow's model folders: an ``MLmodel`` file, and within it a model in a format of its own.

The model is handed to the flavor that loads such files, so MLflow is needed for ``python_function`` alone
(``mlflow.pyfunc.load_model``, which unpickles and imports whatever the folder says). What must not be relaxed: the
folder is trusted as little as the model within it; ``python_function`` and folders with modules of their own are code.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError, UntrustedModelError
from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat, require, require_method, take_options
from airflow_batch_inference.flavors.frames import frame
from airflow_batch_inference.flavors.keywords import require_keywords
from airflow_batch_inference.flavors.mlflow.folder import (
    MLMODEL,
    Inner,
    choose_inner,
    pickles_of,
    predict_method,
    read_mlmodel,
    warn_of_params,
    warn_of_versions,
)
from airflow_batch_inference.flavors.mlflow.signature import Signature, read_signature
from airflow_batch_inference.flavors.pickled import imported_by_file
from airflow_batch_inference.flavors.tensors import TensorInputs
from airflow_batch_inference.flavors.wrapped import WrappedModel
from airflow_batch_inference.schema.columns import replace_columns
from airflow_batch_inference.storage.temporary import HeldFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.records import ColumnSpec

DATA = ModelFormat(name="mlflow", suffixes=(), trust="data", is_folder=True)
ALLOW_LIST = ModelFormat(name="mlflow-allow-list", suffixes=(), trust="allow-list", is_folder=True)
CODE = ModelFormat(name="mlflow-code", suffixes=(), trust="code", is_folder=True)

_BY_TRUST = {known.trust: known for known in (DATA, ALLOW_LIST, CODE)}
_FLAVOR_OPTION = "mlflow_flavor"


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowModel(WrappedModel):
    """A model from an MLflow folder: that of another flavor, with the names and types that the signature adds."""

    inner: LoadedModel
    feature_names: tuple[str, ...] | None
    inputs: tuple[ColumnSpec, ...] | None
    output_names: tuple[str, ...] | None
    predict_by: str = "predict"
    """The method of the model within that ``predict`` calls: ``predict_fn`` in ``MLmodel``."""
    is_one_pass: ClassVar[bool] = True

    @property
    def n_features(self) -> int | None:
        """How many columns are taken."""
        return self.inner.n_features if self.feature_names is None else len(self.feature_names)

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch; see :meth:`~.base.LoadedModel.predict`."""
        return self.inner.predict(batch, method=self._called(method), kwargs=kwargs)

    def _called(self, method: str) -> str:
        return self.predict_by if method == "predict" else method

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> Mapping[str, Prediction]:
        """Return what several methods give, in one pass where the model within can."""
        called = tuple(dict.fromkeys(map(self._called, methods)))
        found = self.inner.predict_all(batch, methods=called, kwargs=kwargs)
        return {method: found[self._called(method)] for method in methods}


@dataclass(frozen=True, slots=True, kw_only=True)
class PyfuncModel(LoadedModel):
    """A ``python_function``: it gets a data frame, or arrays where its signature says tensors.

    ``kwargs`` of :meth:`predict` are the model's ``params``.
    """

    model: Any
    signature: Signature
    versions: Mapping[str, str]
    kept: object
    """The folder that it was loaded from, removed with it."""
    methods: tuple[str, ...] = ("predict",)

    @property
    def tensors(self) -> TensorInputs | None:
        """The tensors that it takes; None where it takes a data frame."""
        return TensorInputs(self.signature.tensors) if self.signature.tensors else None

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """The input columns with their types; None where the signature does not say."""
        return self.tensors.specs if self.tensors else self.signature.columns

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The input columns; None where the signature does not say, then it gets all."""
        return None if self.inputs is None else tuple(spec.name for spec in self.inputs)

    @property
    def n_features(self) -> int | None:
        """How many columns are taken, where the signature says."""
        if self.tensors:
            return self.tensors.n_features
        return None if self.inputs is None else len(self.inputs)

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """None: the signature's are added outside."""
        return None

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch; see :meth:`~.base.LoadedModel.predict`."""
        require_method(method, self.methods)
        if kwargs:
            schema = self.model.metadata.get_params_schema()
            known = [] if schema is None else [each.name for each in schema.params]
            require_keywords(kwargs, known, "MLflow, whose model's signature has no such parameter,")
        return _arrays(self.model.predict(self._data(batch), params=dict(kwargs) if kwargs else None))

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return zeros of the tensors' shapes."""
        return self.tensors.example(batch) if self.tensors else {}

    def _data(self, batch: pa.Table) -> Any:  # noqa: ANN401  # a frame, an array, or arrays by name
        if self.tensors is not None:
            feeds = self.tensors.feeds(batch)
            return feeds if self.signature.named_tensors else next(iter(feeds.values()))
        # MLflow refuses wider types, such as int64 for its integer.
        stated = {place: spec.type for place, spec in enumerate(self.signature.columns or ()) if spec.type != "any"}
        cast = {place: batch.column(place).cast(pa.type_for_alias(kind)) for place, kind in stated.items()}
        return frame(replace_columns(batch, cast))


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


def _arrays(predicted: object) -> Prediction:
    """Return what a ``python_function`` returned as arrays: a frame's columns, a dictionary's values."""
    if hasattr(predicted, "columns") and hasattr(predicted, "to_numpy"):
        columns = {str(name): predicted[name].to_numpy() for name in predicted.columns}  # type: ignore[index]  # a frame
        return columns if len(columns) > 1 else next(iter(columns.values()))
    if isinstance(predicted, dict):
        return {str(name): np.asarray(values) for name, values in predicted.items()}
    return np.asarray(predicted)
