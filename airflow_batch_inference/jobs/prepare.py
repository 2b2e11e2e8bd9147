"""Before the first row: open the dataset, match its columns to the model's, fix the output's schema and the job's key.

Invariants: all that can be checked is checked here; and the key holds all that determines the output.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference import __version__
from airflow_batch_inference.checks.checks import columns_read
from airflow_batch_inference.exceptions import (
    ConfigurationError,
    EmptyDatasetError,
)
from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.formats.written_types import require_writable
from airflow_batch_inference.jobs.columns import kept_columns, match_columns, passed_columns, require_everywhere
from airflow_batch_inference.jobs.input_types import request_reading
from airflow_batch_inference.jobs.output_inference import outputs_of, outputs_without_rows, without_columns
from airflow_batch_inference.jobs.output_layout import OutputLayout, get_layout, make_output_layout
from airflow_batch_inference.jobs.plan import mini_batch_rows
from airflow_batch_inference.jobs.quarantine import QUARANTINE_COLUMNS
from airflow_batch_inference.predictors.call import Call
from airflow_batch_inference.predictors.graphs.loaded import PredictorSetup
from airflow_batch_inference.predictors.input_validation import InputValidation, make_input_validation, policies
from airflow_batch_inference.predictors.output_table import label_names, require_new_names
from airflow_batch_inference.records import ModelRecord, fingerprint
from airflow_batch_inference.schema.column_types import is_number, is_text
from airflow_batch_inference.schema.names import require_known
from airflow_batch_inference.sources.registry import open_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.jobs.request import ScoringOptions, ScoringRequest
    from airflow_batch_inference.predictors.base import InferredOutputs, Predictor
    from airflow_batch_inference.predictors.explanations import Explain
    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels
    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.schema.inputs import InputPlan
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_PROTOCOL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedJob:
    """A checked job: everything is known but the rows. It can be sent to another process."""

    dataset: Dataset
    inputs: InputPlan
    validation: InputValidation | None
    """What happens to values that do not fit the inputs."""
    passthrough: tuple[str, ...]
    labels: tuple[str, ...]
    schema: pa.Schema
    """The output's."""
    batch_rows: int
    key: str
    fingerprint: dict[str, Any]
    """What the key is made of."""
    versions: dict[str, str]
    """Of the packages that determine the predictions."""
    features: tuple[str, ...]
    """The dataset's columns that the predictions may hang on."""
    added: tuple[str, ...]
    """The output's last columns, which are no predictions."""
    inferred: InferredOutputs
    """What the first rows have told of the models."""
    layout: OutputLayout | None = None
    """How the rows are written, where that is not the ordinary way."""

    @property
    def base(self) -> pa.Schema:
        """The ordinary output: passed-through columns, then predictions."""
        return self.schema if self.layout is None else self.layout.base

    def predictor(self, request: ScoringRequest, models: LoadedModels) -> Predictor:
        """Return the models with the way to call them."""
        return _predictor(request, models, self.inputs, self.validation, self.inferred)


def open_input(
    request: ScoringRequest, storage: Storage, raise_if_stopped: Callable[[], None] = lambda: None
) -> Dataset:
    """Open the dataset that is to be scored, with all its columns.

    Parameters
    ----------
    request, storage
        What is asked for, and what reaches the dataset.
    raise_if_stopped
        Called several times a second while many files are looked at; raises to stop.

    Raises
    ------
    DataError, ConfigurationError, ArtifactNotFoundError
        As :func:`~airflow_batch_inference.sources.registry.open_dataset` says.
    """
    options, record = request.options, request.record
    opened = open_dataset(
        request.dataset,
        storage,
        feature_columns=options.feature_columns,
        dropped_positions=[column for column in options.drop_columns if isinstance(column, int)],
        model_names=None if record.inputs is None else [spec.name for spec in record.inputs],
        reading=request_reading(request),
        tolerant=request.policy.is_tolerant,
        text_alike="null" in options.on_mismatch.values(),
        is_scored=True,
        raise_if_stopped=raise_if_stopped,
    )
    opened = opened.with_index(_asked_by_name(request))
    left_out = [name for name in opened.index.names if name not in opened.schema.names]
    if left_out:
        log.info(
            "%s: %s is pandas' index, and neither a feature nor part of the output. Name it in passthrough_columns to "
            "keep it, or write the files with reset_index()",
            opened.name,
            ", ".join(left_out),
        )
    return opened


def _asked_by_name(request: ScoringRequest) -> set[str]:
    """Return the columns that something other than the main model asks for by name."""
    options, models = request.options, request.models
    asked = {column for column in options.drop_columns if isinstance(column, str)}
    asked |= {name.removeprefix("in.") for name in columns_read(options.checks) if name.startswith("in.")}
    asked |= {*request.policy.redact_columns}
    if options.passthrough_columns not in (None, "all"):
        asked |= {*options.passthrough_columns}
    return asked | {spec.name for spec in models.further_inputs()} | {*models.routing_columns}


def prepare(
    request: ScoringRequest,
    opened: Dataset,
    models: LoadedModels,
    *,
    passed_over: Container[int] = (),
    on_sample: Callable[[int], None] = lambda _: None,
) -> PreparedJob:
    """Match the dataset's columns to the model's, and predict the first few rows to learn the output's types.

    Parameters
    ----------
    request, opened, models
        What is asked for, the whole dataset, and the models.
    passed_over, on_sample
        See :func:`~airflow_batch_inference.jobs.output_inference.outputs_of`.

    Raises
    ------
    EmptyDatasetError
        No row, and ``on_empty="fail"``.
    DataError, ConfigurationError, PredictionError
        Whatever can be known to be wrong before the first row is scored.
    """
    options, graph = request.options, request.models
    identity = opened.identity
    if not opened.schema.names:
        _allow_empty(request, opened)
        opened, options = without_columns(opened, options, graph)
    kept = kept_columns(opened.schema.names, options.drop_columns, opened.name)
    inputs, validation = _validated(opened.select(kept), request, models.first.model)
    if inputs.ignored:
        log.info("The model does not use %d column(s): %s", len(inputs.ignored), ", ".join(inputs.ignored))
    passthrough = passed_columns(options.passthrough_columns, kept, opened)
    also = _further_columns(graph, kept, opened)
    checked = columns_read(options.checks)
    read = [name for name in kept if f"in.{name}" in checked]
    dataset = opened.select(list(dict.fromkeys([*passthrough, *inputs.columns, *also, *read])))
    _require_quarantine_names(dataset, request)
    predictor = _predictor(request, models, inputs, validation)
    batch_rows = mini_batch_rows(request.rows_per_batch, dataset.schema, request.batch_bytes)
    with contextlib.closing(dataset.mini_batches(batch_rows)) as batches:  # a reader that is left open keeps memory
        outputs = outputs_of(predictor, batches, request, passed_over=passed_over, on_sample=on_sample)
    if outputs is None:
        _allow_empty(request, dataset)
        outputs = outputs_without_rows(predictor, dataset, request)
    own, added = _divided(outputs, predictor.added)
    labels = _labels(options, graph.output_model.record, own.names)
    named = (*labels, *added)
    require_new_names(named, passthrough)
    schema = pa.schema([*_passed_on(dataset.schema, passthrough, inputs), *map(pa.field, named, outputs.types)])
    layout = make_output_layout(request, schema, passthrough, inputs, dataset.schema)
    schema = schema if layout is None else layout.schema
    require_writable(schema, PART_FORMAT)
    fingerprint_of = _fingerprint(request, models, dataset, identity)
    return PreparedJob(
        dataset=dataset,
        inputs=inputs,
        validation=validation,
        passthrough=passthrough,
        labels=labels,
        schema=schema,
        batch_rows=batch_rows,
        key=fingerprint(fingerprint_of),
        fingerprint=fingerprint_of,
        versions=models.versions,
        layout=layout,
        features=tuple(dict.fromkeys([*inputs.columns, *graph.feature_columns(kept)])),
        added=added,
        inferred=predictor.infer_outputs(own),
    )


def _divided(outputs: pa.Schema, added: int) -> tuple[pa.Schema, tuple[str, ...]]:
    """Return the predictions' columns, and the names of the last ones, which are none."""
    number = len(outputs) - added
    return pa.schema([outputs.field(place) for place in range(number)]), tuple(outputs.names[number:])


def _labels(options: ScoringOptions, record: ModelRecord, names: Sequence[str]) -> tuple[str, ...]:
    """Return what the predictions are called; a record speaks of one method alone."""
    is_alone = len(options.methods) == 1
    given = options.label_columns or (record.label_columns if is_alone else None)
    return label_names(given, record.output_names if is_alone else None, names)


def _further_columns(models: ModelGraph, kept: Sequence[str], opened: Dataset) -> tuple[str, ...]:
    """Return the columns that models beside the first one may take, and those that say which model scores a row.

    Raises
    ------
    ConfigurationError, SignatureMismatchError
        The dataset, or one of its files, does not have a column that cannot be done without.
    """
    for column in models.routing_columns:
        if column not in opened.schema.names:
            require_known("split", column, opened.schema.names, f"a column of {opened.name}")
    require_everywhere(opened, models.required_columns(kept))
    return (*models.further_columns(kept), *models.routing_columns)


def _predictor(
    request: ScoringRequest,
    models: LoadedModels,
    inputs: InputPlan,
    validation: InputValidation | None,
    inferred: InferredOutputs | None = None,
) -> Predictor:
    options, layout = request.options, get_layout(request.options.layout)
    call = Call(
        methods=options.methods,
        kwargs=options.predict_kwargs,
        threshold=options.decision_threshold,
        explain=_explain(options, request.models.output_model.record),
        whole=layout.is_whole,
    )
    return models.predictor(
        PredictorSetup(
            inputs=inputs,
            call=call,
            validation=validation,
            is_tolerant=request.policy.is_tolerant,
            is_secret=bool(request.policy.redact_columns),
            labels=options.label_columns,
            inferred=inferred,
            challenger_column=layout.challenger_column,
        )
    )


def _explain(options: ScoringOptions, record: ModelRecord) -> Explain | None:
    if options.explain is None:
        return None
    labels = options.label_columns or record.label_columns or record.output_names
    return replace(options.explain, labels=labels)


def _validated(
    dataset: Dataset, request: ScoringRequest, model: LoadedModel
) -> tuple[InputPlan, InputValidation | None]:
    """Match columns, and find out what happens to values that do not fit."""
    record, policy = request.record, request.policy
    names = dataset.schema.names if record.inputs is None else [spec.name for spec in record.inputs]
    asked = request.options.on_mismatch if names else {}  # without files nothing is known of positional inputs
    words = policies(asked, names, is_tolerant=policy.is_tolerant)
    coerced = {name for name, word in words.items() if word in ("null", "quarantine")}
    plan = match_columns(dataset, record, model, tolerant=policy.is_tolerant, coerced=coerced)
    validation = make_input_validation(
        plan,
        words,
        record.contract,
        dataset.schema,
        has_names=record.inputs is not None,
        secret=policy.redact_columns,
    )
    return plan, validation


def _require_quarantine_names(dataset: Dataset, request: ScoringRequest) -> None:
    """Refuse columns whose names the quarantine has for itself, where rows may be rejected."""
    taken = [name for name in dataset.schema.names if name in QUARANTINE_COLUMNS]
    may_set_aside = any(check.action == "quarantine" for check in request.options.checks)
    if taken and (request.policy.is_tolerant or may_set_aside):
        message = (
            f"The column {taken[0]!r} of {dataset.name} has a name that the quarantine of rejected rows uses itself "
            f"({', '.join(QUARANTINE_COLUMNS)}). Rename it, or allow no rejects."
        )
        raise ConfigurationError(message)


def _allow_empty(request: ScoringRequest, dataset: Dataset) -> None:
    if request.on_empty == "fail":
        message = (
            f"{dataset.name} has no rows to score. Check the task that writes it, or set on_empty to 'skip' or "
            "'succeed' if an empty batch is right."
        )
        raise EmptyDatasetError(message)


def _passed_on(schema: pa.Schema, passthrough: Sequence[str], inputs: InputPlan) -> list[pa.Field]:
    """Return the passed-through columns; text that the model takes as numbers comes out as the numbers it was."""
    kinds = dict(zip(inputs.columns, inputs.types, strict=True))
    fields = [schema.field(name) for name in passthrough]
    return [
        field.with_type(kinds[field.name]) if _is_parsed(field.type, kinds.get(field.name)) else field
        for field in fields
    ]


def _is_parsed(kind: pa.DataType, wanted: pa.DataType | None) -> bool:
    return wanted is not None and is_number(wanted) and is_text(kind) and not pa.types.is_null(kind)


def _model_key(record: ModelRecord, model: LoadedModel) -> dict[str, Any]:
    return {
        "sha256": record.sha256,
        "flavor": record.flavor,
        "format": record.format,
        "versions": dict(model.versions),
        "load_options": record.load_options,
        "trusted_types": record.trusted_types,
        "labels": record.label_columns,
        "outputs": record.output_names,
        "class_names": record.class_names,
    }


def _fingerprint(
    request: ScoringRequest, models: LoadedModels, dataset: Dataset, identity: tuple[DataFile, ...]
) -> dict[str, Any]:
    """Return all that determines the output's bytes; never a try, a time, or the number of workers."""
    return {
        "protocol": _PROTOCOL,
        "package": __version__,
        "pyarrow": pa.__version__,
        "contract": [asdict(column) for column in request.record.contract] if request.options.on_mismatch else [],
        "dataset": {file.uri: [file.size_bytes, file.version] for file in identity},
        "order": [file.uri for file in identity],
        "schema": {column.name: str(column.type) for column in dataset.schema},
        "options": {**asdict(request.options), "output_format": PART_FORMAT},
        **({"layout": get_layout(request.options.layout).version} if request.options.layout else {}),
        "policy": asdict(request.policy),
        "profile": request.baseline.data_sha256 if request.baseline else None,
        "batch_id": request.destination.batch_id,
        "models": request.models.fingerprint(models, _model_key),
        # A digest, as values may be secret.
        **({"environment": fingerprint([dict(request.environment)])} if request.environment else {}),
    }
