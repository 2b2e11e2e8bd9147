"""Before the first row: open the dataset, match its columns to the model's, fix the output's schema and the job's key.

What must not be relaxed: all that can be checked is checked here; and the key holds all that determines the output.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from airflow_batch_inference import __version__
from airflow_batch_inference.checks.checks import columns_read
from airflow_batch_inference.exceptions import (
    ConfigurationError,
    EmptyDatasetError,
    SignatureMismatchError,
)
from airflow_batch_inference.formats.csv.numbers import number_hint
from airflow_batch_inference.formats.names import output_suffix
from airflow_batch_inference.formats.written_types import require_writable
from airflow_batch_inference.jobs.input_types import request_reading
from airflow_batch_inference.jobs.output_inference import outputs_of, outputs_without_rows, without_columns
from airflow_batch_inference.jobs.output_layout import OutputShape, make_shape
from airflow_batch_inference.jobs.plan import mini_batch_rows
from airflow_batch_inference.jobs.quarantine import QUARANTINE_COLUMNS
from airflow_batch_inference.predictors.chain import Call, StepModel
from airflow_batch_inference.predictors.input_validation import Screen, make_screen, policies
from airflow_batch_inference.predictors.loaded_lineup import Learned, LoadedLineup, learned_by
from airflow_batch_inference.predictors.single import (
    label_names,
    require_new_names,
)
from airflow_batch_inference.records import ColumnSpec, ModelRecord, fingerprint
from airflow_batch_inference.schema.column_types import is_number, is_text
from airflow_batch_inference.schema.inputs import InputPlan, plan_inputs
from airflow_batch_inference.schema.names import require_known
from airflow_batch_inference.sources.registry import open_dataset

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.jobs.request import ScoringOptions, ScoringRequest
    from airflow_batch_inference.predictors.base import BatchPredictor
    from airflow_batch_inference.predictors.explanations import Explain
    from airflow_batch_inference.predictors.lineup import Lineup
    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_PROTOCOL = 4
_NUMBER_TYPES = frozenset({"double", "float", "int64", "int32", "int16", "int8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedJob:
    """A checked job: everything is known but the rows. It can be sent to another process."""

    dataset: Dataset
    inputs: InputPlan
    screen: Screen | None
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
    learned: Learned
    """What the first rows have told of the models."""
    shape: OutputShape | None = None
    """How the rows are written, where that is not the ordinary way."""

    @property
    def base(self) -> pa.Schema:
        """The ordinary output: passed-through columns, then predictions."""
        return self.schema if self.shape is None else self.shape.base

    def predictor(self, request: ScoringRequest, model: LoadedModel) -> BatchPredictor:
        """Return a model, or several, with the way to call them."""
        return _predictor(request, model, self.inputs, self.screen, self.learned)


def open_input(request: ScoringRequest, storage: Storage) -> Dataset:
    """Open the dataset that is to be scored, with all its columns.

    Raises
    ------
    DataError, ConfigurationError, ArtifactNotFoundError
        As :func:`~airflow_batch_inference.sources.registry.open_dataset` says.
    """
    options, record = request.options, request.record
    output_suffix(options.output_format)
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
    options, lineup = request.options, request.lineup
    asked = {column for column in options.drop_columns if isinstance(column, str)}
    asked |= {name.removeprefix("in.") for name in columns_read(options.checks) if name.startswith("in.")}
    asked |= {*request.policy.redact_columns}
    if options.passthrough_columns not in (None, "all"):
        asked |= {*options.passthrough_columns}
    if lineup is not None:
        asked |= {spec.name for spec in lineup.specs(request.record)}
        asked |= {lineup.split.key} if lineup.split is not None and lineup.split.key is not None else set()
    return asked


def prepare(request: ScoringRequest, opened: Dataset, model: LoadedModel) -> PreparedJob:
    """Match the dataset's columns to the model's, and predict the first few rows to learn the output's types.

    Raises
    ------
    EmptyDatasetError
        No row, and ``on_empty="fail"``.
    DataError, ConfigurationError, PredictionError
        Whatever can be known to be wrong before the first row is scored.
    """
    options, record = request.options, request.record
    snapshot = opened.snapshot
    if not opened.schema.names:
        _allow_empty(request, opened)
        opened, options = without_columns(opened, options, record, request.lineup)
    kept = kept_columns(opened.schema.names, options.drop_columns, opened.name)
    inputs, screen = _screened(opened.select(kept), request, model)
    if inputs.ignored:
        log.info("The model does not use %d column(s): %s", len(inputs.ignored), ", ".join(inputs.ignored))
    passthrough = passed_columns(options.passthrough_columns, kept, opened)
    also = _further_columns(request.lineup, kept, opened)
    checked = columns_read(options.checks)
    read = [name for name in kept if f"in.{name}" in checked]
    dataset = opened.select(list(dict.fromkeys([*passthrough, *inputs.columns, *also, *read])))
    _require_quarantine_names(dataset, request)
    predictor = _predictor(request, model, inputs, screen)
    batch_rows = mini_batch_rows(request.rows_per_batch, dataset.schema, request.batch_bytes)
    with contextlib.closing(dataset.mini_batches(batch_rows)) as batches:  # a reader that is left open keeps memory
        outputs = outputs_of(predictor, batches, request)
    if outputs is None:
        _allow_empty(request, dataset)
        outputs = outputs_without_rows(predictor, dataset, request)
    answering = request.answering.record
    known = answering.output_names if len(options.methods) == 1 else None
    given = options.label_columns or (answering.label_columns if len(options.methods) == 1 else None)
    learned = learned_by(predictor, outputs)
    added = tuple(outputs.names[len(learned.outputs) :])
    labels = label_names(given, known, learned.outputs.names)
    named = (*labels, *added)
    require_new_names(named, passthrough)
    schema = pa.schema([*_passed_on(dataset.schema, passthrough, inputs), *map(pa.field, named, outputs.types)])
    shape = make_shape(request, schema, passthrough, inputs, dataset.schema)
    schema = schema if shape is None else shape.schema
    require_writable(schema, options.output_format)
    fingerprint_of = _fingerprint(request, model, dataset, snapshot)
    return PreparedJob(
        dataset=dataset,
        inputs=inputs,
        screen=screen,
        passthrough=passthrough,
        labels=labels,
        schema=schema,
        batch_rows=batch_rows,
        key=fingerprint(fingerprint_of),
        fingerprint=fingerprint_of,
        versions=dict(model.versions),
        shape=shape,
        features=_features(request.lineup, inputs, kept),
        added=added,
        learned=learned,
    )


def _further_columns(lineup: Lineup | None, kept: Sequence[str], opened: Dataset) -> tuple[str, ...]:
    """Return the columns that models beside the main one may take, and the key of a split.

    Raises
    ------
    ConfigurationError, SignatureMismatchError
        The dataset, or one of its files, does not have a column that cannot be done without.
    """
    if lineup is None:
        return ()
    key = lineup.split.key if lineup.split is not None else None
    if key is not None and key not in opened.schema.names:
        require_known("split", key, opened.schema.names, f"a column of {opened.name}")
    keys = () if key is None else (key,)
    _require_everywhere(opened, [*keys, *(lineup.columns(kept) if lineup.arms else ())])
    return (*lineup.columns(kept), *keys)


def _features(lineup: Lineup | None, inputs: InputPlan, kept: Sequence[str]) -> tuple[str, ...]:
    others = () if lineup is None else lineup.columns(kept, of_challengers=False)
    return tuple(dict.fromkeys([*inputs.columns, *others]))


def _predictor(
    request: ScoringRequest,
    model: LoadedModel,
    inputs: InputPlan,
    screen: Screen | None,
    learned: Learned | None = None,
) -> BatchPredictor:
    options = request.options
    call = Call(
        methods=options.methods,
        kwargs=options.predict_kwargs,
        threshold=options.decision_threshold,
        explain=_explain(options, request.answering.record),
        whole=options.output_schema == "wallaroo",
    )
    if isinstance(model, LoadedLineup):
        return model.predictor(
            inputs,
            call=call,
            screen=screen,
            is_tolerant=request.policy.is_tolerant,
            is_secret=bool(request.policy.redact_columns),
            labels=options.label_columns,
            learned=learned,
            as_wallaroo=call.whole,
        )
    return call.predictor(StepModel(model=model, record=request.record), inputs, screen)


def _explain(options: ScoringOptions, record: ModelRecord) -> Explain | None:
    if options.explain is None:
        return None
    labels = options.label_columns or record.label_columns or record.output_names
    return replace(options.explain, labels=labels)


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


def _screened(dataset: Dataset, request: ScoringRequest, model: LoadedModel) -> tuple[InputPlan, Screen | None]:
    """Match columns, and find out what happens to values that do not fit."""
    record, policy = request.record, request.policy
    names = dataset.schema.names if record.inputs is None else [spec.name for spec in record.inputs]
    asked = request.options.on_mismatch if names else {}  # without files nothing is known of positional inputs
    words = policies(asked, names, is_tolerant=policy.is_tolerant)
    mended = {name for name, word in words.items() if word in ("null", "quarantine")}
    plan = match_columns(dataset, record, model, tolerant=policy.is_tolerant, mended=mended)
    screen = make_screen(
        plan,
        words,
        record.contract,
        dataset.schema,
        has_names=record.inputs is not None,
        secret=policy.redact_columns,
    )
    return plan, screen


def match_columns(
    dataset: Dataset, record: ModelRecord, model: LoadedModel, *, tolerant: bool, mended: Collection[str]
) -> InputPlan:
    """Match columns; where text stands for a number and no row may be rejected, say which value is the first one."""
    there = set(dataset.schema.names)
    for spec in () if tolerant else record.inputs or ():
        if spec.type in _NUMBER_TYPES and spec.name in there and spec.name not in mended:
            _refuse_text(dataset, spec)
    # Positional models take what there is: a dataset without files has no columns to count.
    n_features = record.n_features if dataset.schema.names else None
    plan = plan_inputs(
        dataset.schema,
        inputs=record.inputs,
        n_features=n_features,
        where=dataset.name,
        parses_text=tolerant,
        mended=mended,
        takes_lists=model.takes_lists,
        tensor=model.tensor,
    )
    _require_everywhere(dataset, plan.columns)
    return plan


def _require_everywhere(dataset: Dataset, columns: Iterable[str]) -> None:
    for column in columns:
        if column in dataset.absent:
            message = (
                f"{dataset.absent[column]} lacks the column {column!r}, which the model needs and other files of the "
                "dataset have. Write that file again, or leave it out."
            )
            raise SignatureMismatchError(message)


def _refuse_text(dataset: Dataset, spec: ColumnSpec) -> None:
    kind = dataset.schema.field(spec.name).type
    if not is_text(kind) or pa.types.is_null(kind):
        return
    found, hint = dataset.first_unreadable_number(spec.name), ""
    if found is None:
        detail = f"Column {spec.name!r} of {dataset.name} holds numbers written as text"
    else:
        uri, row, value = found
        detail = f"Column {spec.name!r} of {uri} holds text: row {row} (from 0) is {value!r}"
        hint = "" if dataset.options is None else number_hint(uri, value, dataset.options.csv)
    message = (
        f"{detail}, but the model takes {spec.type}. {hint}Correct it where the dataset is made; or let such rows be "
        "rejected (error_threshold, max_rejected_fraction) or such values be null (on_mismatch)."
    )
    raise SignatureMismatchError(message)


def kept_columns(names: Sequence[str], drop: Sequence[str | int], where: str) -> list[str]:
    """Return the columns that ``drop_columns`` (names, or positions from 0) leaves."""
    dropped, there = set(), set(names)
    for column in drop:
        if isinstance(column, int) and 0 <= column < len(names):
            dropped.add(names[column])
        elif column in there:
            dropped.add(str(column))
        else:
            message = f"drop_columns names {column!r}, which {where} does not have. Its columns: {', '.join(names)}."
            raise ConfigurationError(message)
    return [name for name in names if name not in dropped]


def passed_columns(
    wanted: Literal["all"] | Sequence[str] | None, kept: Sequence[str], dataset: Dataset
) -> tuple[str, ...]:
    """Return the columns that ``passthrough_columns`` asks for."""
    if wanted == "all":
        return tuple(kept)
    there = set(dataset.schema.names)
    unknown = [name for name in wanted or () if name not in there]
    if unknown:
        message = (
            f"passthrough_columns names {unknown[0]!r}, which {dataset.name} does not have. "
            f"Its columns: {', '.join(dataset.schema.names)}."
        )
        raise ConfigurationError(message)
    return tuple(dict.fromkeys(wanted or ()))


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
    request: ScoringRequest, model: LoadedModel, dataset: Dataset, snapshot: tuple[DataFile, ...]
) -> dict[str, Any]:
    """Return all that determines the output's bytes; never a try, a time, or the number of workers."""
    return {
        "protocol": _PROTOCOL,
        "package": __version__,
        "pyarrow": pa.__version__,
        "model": _model_key(request.record, model),
        "inputs": None if request.record.inputs is None else [asdict(spec) for spec in request.record.inputs],
        "contract": [asdict(column) for column in request.record.contract] if request.options.on_mismatch else [],
        "dataset": {file.uri: [file.size_bytes, file.version] for file in snapshot},
        "order": [file.uri for file in snapshot],
        "schema": {column.name: str(column.type) for column in dataset.schema},
        "options": asdict(request.options),
        "policy": asdict(request.policy),
        "profile": request.baseline.data_sha256 if request.baseline else None,
        "batch_id": request.destination.batch_id,
        **({"models": model.key(_model_key)} if isinstance(model, LoadedLineup) else {}),
        # A digest, as values may be secret.
        **({"environment": fingerprint([dict(request.environment)])} if request.environment else {}),
    }
