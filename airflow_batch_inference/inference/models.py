"""What a request is scored with: a model from a file, a record or memory, ready to be asked.

Invariants: a file is loaded by :mod:`~airflow_batch_inference.models.loading` with all of its checks, and
nothing here vouches for it.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.base import LoadedModel, require_method
from airflow_batch_inference.flavors.registry import flavor_of
from airflow_batch_inference.inference.arrays import ArrayInputs
from airflow_batch_inference.inference.files import located
from airflow_batch_inference.models.describe import ModelRequest, describe_model
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.call import Call, StepModel
from airflow_batch_inference.predictors.chain import chain_predictor
from airflow_batch_inference.predictors.golden import load_checked
from airflow_batch_inference.predictors.input_validation import make_input_validation
from airflow_batch_inference.predictors.output_table import label_names
from airflow_batch_inference.predictors.single import SinglePredictor
from airflow_batch_inference.predictors.timed import TimedPredictor
from airflow_batch_inference.predictors.wiring import output_names, step_inputs
from airflow_batch_inference.records import ModelRecord
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import is_record_uri
from airflow_batch_inference.trees.fast_model import accelerated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.records import ColumnSpec
    from airflow_batch_inference.schema.inputs import InputPlan
    from airflow_batch_inference.trees.fast_model import Accelerate

THE_DATA = "the data"


@dataclass(frozen=True, slots=True)
class RequestPredictor:
    """What scores the mini-batches of one request; it counts the time of each step.

    Attributes
    ----------
    predictor
        Of the model, or of several behind one another.
    inputs
        How the request's fields become the first model's inputs.
    named
        Returns what outputs of these default names are called.
    """

    predictor: Predictor
    inputs: InputPlan
    named: Callable[[Sequence[str]], tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The outputs' names; known once a mini-batch was scored."""
        return self.named(self.predictor.outputs)


class Scorer(Protocol):
    """A model, or several of them."""

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """The columns that it takes, where it has names."""

    @property
    def name(self) -> str:
        """Of the last model."""

    @property
    def sha256(self) -> str | None:
        """Of the last model's file; None where it came from none."""

    @property
    def digests(self) -> tuple[str, ...]:
        """What tells the models, all together, from others."""

    @property
    def array_inputs(self) -> ArrayInputs:
        """What becomes of the columns of an array."""

    def predictor(self, schema: pa.Schema, *, tolerant: bool) -> RequestPredictor:
        """Match a request's fields to the model's inputs.

        Parameters
        ----------
        schema
            The request's.
        tolerant
            Whether a row may fail.

        Raises
        ------
        SignatureMismatchError
            A field is missing, or of a type that the model cannot take.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OneModel:
    """A loaded model with the way to call it.

    Attributes
    ----------
    model
        In memory.
    inputs, class_names, labels
        Its input columns, what its classes and its outputs are called; where its record says so.
    name, sha256, digests
        See :class:`Scorer`.
    methods, kwargs
        How it is called.
    """

    model: LoadedModel
    inputs: tuple[ColumnSpec, ...] | None
    class_names: tuple[str, ...] | None
    labels: tuple[str, ...] | None
    name: str
    sha256: str | None
    digests: tuple[str, ...]
    methods: tuple[str, ...]
    kwargs: Mapping[str, Any]

    @property
    def array_inputs(self) -> ArrayInputs:
        """See :class:`Scorer`."""
        return ArrayInputs.of(self.model, self.inputs)

    def predictor(self, schema: pa.Schema, *, tolerant: bool) -> RequestPredictor:
        """See :class:`Scorer`."""
        names = schema.names if self.inputs is None else [spec.name for spec in self.inputs]
        plan = plan_inputs(
            schema,
            inputs=self.inputs,
            n_features=self.model.n_features,
            where=THE_DATA,
            parses_text=tolerant,
            takes_lists=self.model.takes_lists,
            tensor=self.model.tensor,
        )
        plan = plan if self.inputs is not None else replace(plan, by_name=self.sha256 is None)
        validation = None
        if tolerant:
            words = dict.fromkeys(names, "quarantine")
            validation = make_input_validation(plan, cast("Any", words), (), schema, has_names=self.inputs is not None)
        predictor = SinglePredictor(
            model=self.model,
            inputs=plan,
            methods=self.methods,
            kwargs=self.kwargs,
            class_names=self.class_names,
            validation=validation,
            whole=True,
        )
        known = self.labels or self.model.output_names if len(self.methods) == 1 else None

        def named(default: Sequence[str]) -> tuple[str, ...]:
            return label_names(None, known, default)

        return RequestPredictor(TimedPredictor(predictor), plan, named)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsInSteps:
    """Loaded models, each of which takes what the one before it returns.

    Attributes
    ----------
    models
        With their records.
    call
        How the last one is called.
    """

    models: tuple[StepModel, ...]
    call: Call

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """See :class:`Scorer`."""
        return self.models[0].record.inputs

    @property
    def name(self) -> str:
        """See :class:`Scorer`."""
        return self.models[-1].record.name

    @property
    def sha256(self) -> str:
        """See :class:`Scorer`."""
        return self.models[-1].record.sha256

    @property
    def digests(self) -> tuple[str, ...]:
        """See :class:`Scorer`."""
        return tuple(step.record.sha256 for step in self.models)

    @property
    def array_inputs(self) -> ArrayInputs:
        """See :class:`Scorer`."""
        return ArrayInputs.of(self.models[0].model, self.models[0].record.inputs)

    def predictor(self, schema: pa.Schema, *, tolerant: bool) -> RequestPredictor:
        """See :class:`Scorer`."""
        plan = step_inputs(self.models[0], schema, THE_DATA, parses_text=tolerant)
        predictor = chain_predictor(self.models, schema, call=self.call, parses_text=tolerant)
        record, is_alone = self.models[-1].record, len(self.call.methods) == 1

        def named(default: Sequence[str]) -> tuple[str, ...]:
            return output_names(record, default, is_alone=is_alone)

        return RequestPredictor(TimedPredictor(predictor), plan, named)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Why a file may be loaded and how its model is called; see :class:`~.pipeline.Pipeline`."""

    sha256: str | None = None
    trusted: Sequence[str] | None = None
    flavor: str | None = None
    load_options: Mapping[str, Any] = field(default_factory=dict)
    predict_method: str | Sequence[str] = "predict"
    predict_kwargs: Mapping[str, Any] = field(default_factory=dict)
    storage: Storage = field(default_factory=Storage)
    accelerate: Accelerate = "auto"

    @property
    def methods(self) -> tuple[str, ...]:
        """How the model is called, or the last one of several."""
        return (self.predict_method,) if isinstance(self.predict_method, str) else tuple(self.predict_method)

    @property
    def is_about_a_file(self) -> bool:
        """Whether an argument says something of a model file."""
        return bool(self.sha256 or self.trusted or self.flavor or self.load_options)


def ready_model(given: object, options: ModelOptions) -> Scorer:
    """Load a model, or take one that is in memory; of a list, several behind one another.

    Raises
    ------
    TypeError
        It is neither.
    ConfigurationError
        Arguments about a file beside a model that is no file, or a method that it does not have.
    ArtifactError, ModelError
        As :func:`~airflow_batch_inference.models.loading.load_model` says.
    """
    if isinstance(given, (list, tuple)):
        return _several(given, options)
    if isinstance(given, (str, os.PathLike)):
        model, record = _from_storage(located(given), options)
    else:
        model, record = accelerated(_in_memory(given), options.accelerate), None
    if options.is_about_a_file and (record is None or is_record_uri(str(given))):
        what = "a record, which says them itself" if record is not None else "a model in memory"
        message = f"sha256, trusted, flavor and load_options are about a model's file, but {what} was given."
        raise ConfigurationError(message)
    for method in options.methods:
        require_method(method, model.methods)
    return OneModel(
        model=model,
        inputs=model.inputs if record is None else record.inputs,
        class_names=None if record is None else record.class_names,
        labels=None if record is None else record.label_columns,
        name=type(given).__name__ if record is None else record.name,
        sha256=None if record is None else record.sha256,
        digests=(uuid.uuid4().hex if record is None else record.sha256,),
        methods=options.methods,
        kwargs=dict(options.predict_kwargs),
    )


def _several(given: Sequence[object], options: ModelOptions) -> ModelsInSteps:
    """Load models behind one another, each by its own record or file."""
    if not given or options.is_about_a_file:
        message = (
            "A list of models must not be empty, and sha256, trusted, flavor and load_options are about one model's "
            "file. Give records of models that were loaded with them."
        )
        raise ConfigurationError(message)
    steps = []
    for each in given:
        if not isinstance(each, (str, os.PathLike)):
            kind = type(each).__name__
            message = f"Each model of a list must be the path or URI of a file or a record; one is a {kind}."
            raise TypeError(message)
        model, record = _from_storage(located(each), options)
        steps.append(StepModel(model=model, record=record))
    for method in options.methods:
        require_method(method, steps[-1].model.methods)
    call = Call(methods=options.methods, kwargs=dict(options.predict_kwargs), whole=True)
    return ModelsInSteps(models=tuple(steps), call=call)


def _from_storage(uri: str, options: ModelOptions) -> tuple[LoadedModel, ModelRecord]:
    storage = options.storage
    if not is_record_uri(uri):
        request = ModelRequest(
            model_uri=uri,
            flavor=options.flavor,
            trust=TrustRequest(sha256=options.sha256, trusted=options.trusted, asked_by="Pipeline"),
            load_options=options.load_options,
            predict_kwargs=options.predict_kwargs,
        )
        model, described = describe_model(request, storage=storage, apart=False)
        return accelerated(model, options.accelerate), described
    record = storage.read_record(uri)
    if not isinstance(record, ModelRecord):
        message = f"{uri} is a {record.to_dict()['kind']} record, not a model's."
        raise ConfigurationError(message)
    model = load_checked(record, model_storage=storage, storage=storage, accelerate=options.accelerate, apart=False)
    return model, record


def _in_memory(given: object) -> LoadedModel:
    """Return a model that is in memory, as its flavor describes it."""
    if isinstance(given, LoadedModel):
        return given
    flavor = flavor_of(given)
    if flavor is not None:
        return flavor.wrap(given)
    message = (
        f"A model is a path or URI of its file or record, a loaded model, an estimator with scikit-learn's interface, "
        f"or a LightGBM booster; not a {type(given).__name__}."
    )
    raise TypeError(message)
