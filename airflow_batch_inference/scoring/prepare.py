"""Before the first row: open the dataset, match its columns to the model's, fix the output's schema and the job's key.

What must not be relaxed: all that can be checked is checked here; and the key holds all that determines the output.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from airflow_batch_inference import __version__
from airflow_batch_inference.datasets.dataset import Dataset, MiniBatch, Origin, open_dataset
from airflow_batch_inference.datasets.formats import output_suffix
from airflow_batch_inference.exceptions import ConfigurationError, EmptyDatasetError, SignatureMismatchError
from airflow_batch_inference.records import ColumnSpec, ModelRecord, fingerprint
from airflow_batch_inference.scoring.batch import Predictor, label_names, require_new_names
from airflow_batch_inference.scoring.plan import mini_batch_rows
from airflow_batch_inference.signature import InputPlan, is_number, is_text, plan_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.scoring.request import ScoringOptions, ScoringRequest
    from airflow_batch_inference.storage import Storage

log = logging.getLogger(__name__)

_PROTOCOL = 1
_NUMBER_TYPES = frozenset({"double", "float", "int64", "int32", "int16", "int8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedJob:
    """A checked and planned job: everything is known but the rows."""

    dataset: Dataset
    predictor: Predictor
    passthrough: tuple[str, ...]
    labels: tuple[str, ...]
    schema: pa.Schema
    """The output's."""
    batch_rows: int
    key: str


def prepare(request: ScoringRequest, storage: Storage) -> PreparedJob:
    """Open the dataset, match its columns to the model's, and predict the first few rows to learn the output's types.

    Raises
    ------
    EmptyDatasetError
        No row, and ``on_empty="fail"``.
    DataError, ConfigurationError, PredictionError
        Whatever can be known to be wrong before the first row is scored.
    """
    options, record = request.options, request.record
    output_suffix(options.output_format)
    opened = open_dataset(
        request.dataset,
        storage,
        feature_columns=options.feature_columns,
        dropped_positions=[column for column in options.drop_columns if isinstance(column, int)],
        model_names=None if record.inputs is None else [spec.name for spec in record.inputs],
    )
    if not opened.schema.names:
        _allow_empty(request, opened)
        opened, options = _without_columns(opened, options, record)
    kept = _kept_columns(opened.schema.names, options.drop_columns, opened.name)
    inputs = _plan(opened.select(kept), record)
    if inputs.ignored:
        log.info("The model does not use %d column(s): %s", len(inputs.ignored), ", ".join(inputs.ignored))
    passthrough = _passthrough(options.passthrough_columns, kept, opened)
    dataset = opened.select(list(dict.fromkeys([*passthrough, *inputs.columns])))
    predictor = Predictor(
        model=request.model, inputs=inputs, method=options.predict_method, kwargs=options.predict_kwargs
    )
    batch_rows = mini_batch_rows(request.rows_per_batch, dataset.schema)
    first = next(dataset.mini_batches(batch_rows), None)
    if first is None:
        _allow_empty(request, dataset)
    types = _types_without_rows(predictor, dataset, request) if first is None else predictor.probe(first)
    labels = label_names(options.label_columns or record.label_columns, record.output_names, len(types))
    require_new_names(labels, passthrough)
    schema = pa.schema([*(dataset.schema.field(name) for name in passthrough), *map(pa.field, labels, types)])
    _refuse_nested_text(options, schema)
    return PreparedJob(
        dataset=dataset,
        predictor=predictor,
        passthrough=passthrough,
        labels=labels,
        schema=schema,
        batch_rows=batch_rows,
        key=_job_key(request, dataset),
    )


def _allow_empty(request: ScoringRequest, dataset: Dataset) -> None:
    if request.on_empty == "fail":
        message = (
            f"{dataset.name} has no rows to score. Check the task that writes it, or set on_empty to 'skip' or "
            "'succeed' if an empty batch is right."
        )
        raise EmptyDatasetError(message)


def _refuse_nested_text(options: ScoringOptions, schema: pa.Schema) -> None:
    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    if options.output_format == "csv" and nested:
        message = f"CSV cannot hold the column {nested[0]!r}, a list. Choose another output_format, or leave it out."
        raise ConfigurationError(message)


def _without_columns(opened: Dataset, options: ScoringOptions, record: ModelRecord) -> tuple[Dataset, ScoringOptions]:
    """Give a dataset without any file the columns that the model takes, so that an empty output has a schema.

    Columns that the options name and the model does not take are unknown here, and no mistake.
    """
    inputs = record.inputs or ()
    known = {kind: pa.type_for_alias(kind) for kind in ("double", "int64", "bool", "string")}
    schema = pa.schema([pa.field(spec.name, known.get(spec.type, pa.float64())) for spec in inputs])
    passthrough = options.passthrough_columns
    if passthrough not in (None, "all"):
        passthrough = tuple(name for name in passthrough if name in schema.names)
    inline = None if opened.inline is None else schema.empty_table()
    return (
        replace(opened, schema=schema, inline=inline),
        replace(options, drop_columns=(), passthrough_columns=passthrough),
    )


def _types_without_rows(predictor: Predictor, dataset: Dataset, request: ScoringRequest) -> list[pa.DataType]:
    """Predict a made-up row of zeros to learn the output's types; guess where the model does not take it."""
    row = {
        column.name: pa.nulls(1, column.type)
        if pa.types.is_null(column.type) or not is_number(column.type)
        else pa.array([0]).cast(column.type)
        for column in dataset.schema
    }
    try:
        return predictor.probe(MiniBatch(pa.table(row), (Origin(dataset.name, 0, 1),)))
    except Exception:  # noqa: BLE001  # a model may refuse such a row in its own way
        names = request.options.label_columns or request.record.label_columns or request.record.output_names or ("",)
        return [pa.float64()] * len(names)


def _plan(dataset: Dataset, record: ModelRecord) -> InputPlan:
    """Match columns; where text stands for a number, say which value is the first that is none."""
    for spec in record.inputs or ():
        if spec.type in _NUMBER_TYPES and spec.name in dataset.schema.names:
            _refuse_text(dataset, spec)
    # Positional models take what there is: a dataset without files has no columns to count.
    n_features = record.n_features if dataset.schema.names else None
    plan = plan_inputs(dataset.schema, inputs=record.inputs, n_features=n_features, where=dataset.name)
    for column in plan.columns:
        if column in dataset.absent:
            message = (
                f"{dataset.absent[column]} lacks the column {column!r}, which the model needs and other files of the "
                "dataset have. Write that file again, or leave it out."
            )
            raise SignatureMismatchError(message)
    return plan


def _refuse_text(dataset: Dataset, spec: ColumnSpec) -> None:
    kind = dataset.schema.field(spec.name).type
    if not is_text(kind) or pa.types.is_null(kind):
        return
    found = dataset.first_unreadable_number(spec.name)
    if found is None:
        detail = f"Column {spec.name!r} of {dataset.name} holds numbers written as text"
    else:
        uri, row, value = found
        detail = f"Column {spec.name!r} of {uri} holds text: row {row} (from 0) is {value!r}"
    message = f"{detail}, but the model takes {spec.type}. Correct it where the dataset is made."
    raise SignatureMismatchError(message)


def _kept_columns(names: Sequence[str], drop: Sequence[str | int], where: str) -> list[str]:
    """Return the columns that ``drop_columns`` (names, or positions from 0) leaves."""
    dropped = set()
    for column in drop:
        if isinstance(column, int) and 0 <= column < len(names):
            dropped.add(names[column])
        elif column in names:
            dropped.add(str(column))
        else:
            message = f"drop_columns names {column!r}, which {where} does not have. Its columns: {', '.join(names)}."
            raise ConfigurationError(message)
    return [name for name in names if name not in dropped]


def _passthrough(
    wanted: Literal["all"] | Sequence[str] | None, kept: Sequence[str], dataset: Dataset
) -> tuple[str, ...]:
    if wanted == "all":
        return tuple(kept)
    unknown = [name for name in wanted or () if name not in dataset.schema.names]
    if unknown:
        message = (
            f"passthrough_columns names {unknown[0]!r}, which {dataset.name} does not have. "
            f"Its columns: {', '.join(dataset.schema.names)}."
        )
        raise ConfigurationError(message)
    return tuple(dict.fromkeys(wanted or ()))


def _job_key(request: ScoringRequest, dataset: Dataset) -> str:
    """Hash all that determines the output's bytes; never a try number, a time or the size of a mini-batch."""
    options = asdict(request.options)
    return fingerprint(
        {
            "protocol": _PROTOCOL,
            "package": __version__,
            "pyarrow": pa.__version__,
            "model": [request.record.sha256, request.record.flavor, dict(request.model.versions)],
            "labels": request.record.label_columns,
            "dataset": [asdict(file) for file in dataset.snapshot],
            "schema": [[column.name, str(column.type)] for column in dataset.schema],
            "options": options,
            "batch_id": request.destination.batch_id,
        }
    )
