"""Rows with the predictions that a model once made for them: scored again at each load, and compared.

An upgraded library can predict something else from the same file, in silence.

Invariants: the expected predictions are those of the first time, however often the model is loaded; and a model that no
longer makes them scores nothing.
"""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ConfigurationError,
    GoldenSetError,
    SignatureMismatchError,
)
from airflow_batch_inference.flavors.base import require_method
from airflow_batch_inference.models.loading import load_recorded
from airflow_batch_inference.predictors.output_table import label_names
from airflow_batch_inference.predictors.outputs import equal_rows
from airflow_batch_inference.predictors.single import SinglePredictor
from airflow_batch_inference.records import GoldenRecord, fingerprint
from airflow_batch_inference.schema.casts import LossyCastError, cast_inputs
from airflow_batch_inference.schema.columns import append_columns
from airflow_batch_inference.schema.inputs import InputPlan, plan_inputs
from airflow_batch_inference.sources.batches import MiniBatch, Origin
from airflow_batch_inference.storage.digests import sha256_of_bytes
from airflow_batch_inference.storage.uris import join_uri, model_folder, normalize_uri
from airflow_batch_inference.trees.fast_model import accelerated, for_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.trees.fast_model import Accelerate

log = logging.getLogger(__name__)

MOST_ROWS = 10_000
_INPUT, _EXPECTED = "input.", "expected."
_POINTERS = ".golden-sets"
_SHOWN = 3


def put_golden(
    dataset: Dataset,
    record: ModelRecord,
    model: LoadedModel,
    *,
    methods: tuple[str, ...],
    kwargs: Mapping[str, Any],
    tolerance: float,
    root: str,
    storage: Storage,
) -> str:
    """Store a golden set with what the model predicts for it; return its URI.

    The set that was stored before for this very model is checked first, whatever its rows are: so no other rows,
    tolerance or name can make new predictions the expected ones in silence.

    Parameters
    ----------
    dataset
        A few rows that the model can score, 10,000 at most.
    record, model
        The model.
    methods, kwargs
        How it is called.
    tolerance
        How far a prediction may move, relative to its size, or to the mean size of its column for smaller ones; 0:
        not at all.
    root, storage
        The artifact store, and what reaches it.

    Raises
    ------
    ConfigurationError
        The set is empty or too large, or the model lacks a method.
    GoldenSetError
        The same set was stored before, and the model predicts something else now.
    DataError, PredictionError
        The model cannot score it.
    """
    rows = _rows(dataset)
    inputs = _inputs(rows, record, model, dataset.name)
    predictor = _predictor(model, inputs.schema.names, methods, kwargs)
    predicted = predictor.predict(_mini_batch(inputs, dataset.name))
    _require_given(rows, pa.table(predicted, names=predictor.outputs), record, tolerance, dataset.name)
    folder = model_folder(root, record.name)
    pointer = _pointer(record, methods, kwargs, root)
    digest = _digest(inputs)
    if storage.exists(pointer):
        uri = storage.read_bytes(pointer).decode()
        check_golden(uri, model, record, storage=storage, tolerance=tolerance)
        known = storage.read_record(uri)
        if isinstance(known, GoldenRecord) and (known.inputs_sha256, known.tolerance) == (digest, tolerance):
            return uri
    held = inputs.rename_columns([f"{_INPUT}{name}" for name in inputs.schema.names])
    expected = {f"{_EXPECTED}{name}": values for name, values in zip(predictor.outputs, predicted, strict=True)}
    held = append_columns(held, expected)
    buffer = io.BytesIO()
    pq.write_table(held, buffer, compression="zstd")
    data = buffer.getvalue()
    golden = GoldenRecord(
        model_sha256=record.sha256,
        inputs_sha256=digest,
        data_uri=storage.put_content(folder, "golden", ".parquet", data),
        data_sha256=sha256_of_bytes(data),
        rows=rows.num_rows,
        methods=methods,
        predict_kwargs=dict(kwargs),
        tolerance=tolerance,
        versions=dict(model.versions),
        pointer_uri=pointer,
    )
    uri = storage.put_record(folder, "golden", golden)
    storage.put(pointer, uri.encode())
    log.info("Golden set of %s: %d rows, stored with their predictions: %s", record.name, golden.rows, uri)
    return uri


def _pointer(record: ModelRecord, methods: tuple[str, ...], kwargs: Mapping[str, Any], root: str) -> str:
    """Name the file that holds the URI of a model's golden set, whatever the model is called."""
    asked = [record.sha256, record.load_options, methods, dict(kwargs)]
    return join_uri(normalize_uri(root), "models", _POINTERS, f"{fingerprint(asked)[:32]}.txt")


def _inputs(rows: pa.Table, record: ModelRecord, model: LoadedModel, where: str) -> pa.Table:
    plan = plan_inputs(
        rows.schema,
        inputs=record.inputs,
        n_features=record.n_features,
        where=where,
        takes_lists=model.takes_lists,
        tensor=model.tensor,
    )
    try:
        return cast_inputs(rows, plan)
    except LossyCastError as error:
        message = (
            f"Column {error.column!r} of the golden set {where}, row {error.row} (from 0): the value {error.value!r} "
            f"cannot become {error.kind} without a change. Leave the row out."
        )
        raise SignatureMismatchError(message) from error


def load_checked(
    record: ModelRecord,
    *,
    model_storage: Storage,
    storage: Storage,
    accelerate: Accelerate = "off",
    apart: bool = True,
) -> LoadedModel:
    """Load the model of a record, and score its golden set if it has one: what every task does before it scores.

    Parameters
    ----------
    record
        The model's.
    model_storage, storage
        Reach the model, and the artifact store.
    accelerate
        Whether a kernel scores a tree ensemble; see
        :func:`~airflow_batch_inference.trees.fast_model.accelerated`.
    apart
        As for :func:`~airflow_batch_inference.models.loading.load_model`.

    Raises
    ------
    ConfigurationError
        It must be accelerated, and cannot be.
    ArtifactError, ModelError
        It cannot be loaded (any more), or predicts something else than its golden set says.
    """
    model = accelerated(load_recorded(record, storage=model_storage, apart=apart), accelerate)
    if record.golden_uri is not None:
        check_golden(record.golden_uri, model, record, storage=storage)
    return model


def check_golden(
    uri: str, model: LoadedModel, record: ModelRecord, *, storage: Storage, tolerance: float | None = None
) -> None:
    """Score a stored golden set again and compare; ``tolerance`` None: that of the set.

    Raises
    ------
    GoldenSetError
        The model predicts something else than when the set was stored: how many rows, the first one, and the packages
        whose versions differ.
    ArtifactNotFoundError, ArtifactIntegrityError
        The set is gone or damaged, or of another model.
    """
    golden = storage.read_record(uri)
    if not isinstance(golden, GoldenRecord) or golden.model_sha256 != record.sha256:
        message = f"{uri} is no golden set of the model {record.name} (sha256 {record.sha256}). Load the model again."
        raise ArtifactIntegrityError(message)
    data = storage.read_bytes(golden.data_uri)
    if sha256_of_bytes(data) != golden.data_sha256:
        message = f"{golden.data_uri} was changed after it was stored: its SHA-256 is not the record's."
        raise ArtifactIntegrityError(message)
    held = pq.read_table(io.BytesIO(data))
    inputs = _part(held, _INPUT)
    expected = _part(held, _EXPECTED)
    asked = for_call(model, golden.methods, golden.predict_kwargs)
    predictor = _predictor(asked, inputs.schema.names, golden.methods, golden.predict_kwargs)
    predicted = predictor.predict(_mini_batch(inputs, uri))
    found = pa.table(predicted, names=predictor.outputs)
    problem = _difference(expected, found, golden.tolerance if tolerance is None else tolerance)
    if problem is not None:
        message = (
            f"The model {record.name} no longer predicts what it predicted when its golden set was stored: {problem}. "
            f"{_changed(golden.versions, model.versions)}; or, where the new predictions are right, remove "
            f"{golden.pointer_uri} and load the model again."
        )
        raise GoldenSetError(message)
    log.info("Golden set: %d rows are predicted as when it was stored (%s)", golden.rows, uri)


def _require_given(rows: pa.Table, found: pa.Table, record: ModelRecord, tolerance: float, where: str) -> None:
    """Compare with the predictions that the set itself holds, where it has columns of their names."""
    names = label_names(record.label_columns, None, found.schema.names)
    if not set(names) <= set(rows.schema.names):
        return
    problem = _difference(rows.select(list(names)), found.rename_columns(list(names)), tolerance)
    if problem is not None:
        message = (
            f"The model {record.name} does not predict what its golden set {where} says: {problem}. Make the set with "
            "this very model, or leave the column out."
        )
        raise GoldenSetError(message)


def _rows(dataset: Dataset) -> pa.Table:
    tables, rows = [], 0
    for batch in dataset.mini_batches(MOST_ROWS):
        tables.append(batch.table)
        rows += batch.table.num_rows
        if rows > MOST_ROWS:
            break
    if not 0 < rows <= MOST_ROWS:
        there = "no rows" if rows == 0 else f"more than {MOST_ROWS} rows"
        message = (
            f"The golden set {dataset.name} has {there}. It is scored at each load of the model: give some hundred "
            "rows that reach all of the model."
        )
        raise ConfigurationError(message)
    return pa.concat_tables(tables)


def _predictor(
    model: LoadedModel, names: Sequence[str], methods: tuple[str, ...], kwargs: Mapping[str, Any]
) -> SinglePredictor:
    for method in methods:
        require_method(method, model.methods)
    as_they_are = InputPlan(
        columns=tuple(names), names=tuple(names), types=(None,) * len(names), ignored=(), by_name=True
    )
    return SinglePredictor(model=model, inputs=as_they_are, methods=methods, kwargs=kwargs)


def _mini_batch(table: pa.Table, where: str) -> MiniBatch:
    return MiniBatch(table, (Origin(where, 0, table.num_rows),))


def _part(held: pa.Table, prefix: str) -> pa.Table:
    names = [name for name in held.schema.names if name.startswith(prefix)]
    return held.select(names).rename_columns([name.removeprefix(prefix) for name in names])


def _digest(inputs: pa.Table) -> str:
    """Return a digest of the rows' values and types, whatever file they came from."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, inputs.schema.remove_metadata()) as stream:
        stream.write_table(inputs.replace_schema_metadata(None).combine_chunks())
    return sha256_of_bytes(sink.getvalue().to_pybytes())


def _difference(expected: pa.Table, found: pa.Table, tolerance: float) -> str | None:
    """Describe how two sets of predictions differ; None where they do not."""
    if expected.schema.names != found.schema.names:
        return f"its outputs were {', '.join(expected.schema.names)}, and are {', '.join(found.schema.names)}"
    same = np.ones(expected.num_rows, dtype=bool)
    for name in expected.schema.names:
        column = expected.column(name)
        absolute = tolerance * _size(column)
        same &= equal_rows(column, found.column(name), relative=tolerance, absolute=absolute)
    if same.all():
        return None
    row = int(np.flatnonzero(~same)[0])
    values = [
        f"{name} was {expected.column(name)[row].as_py()!r} and is {found.column(name)[row].as_py()!r}"
        for name in expected.schema.names
        if expected.column(name)[row] != found.column(name)[row]
    ]
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return f"{int((~same).sum())} of {len(same)} rows differ; in row {row} (from 0) {'; '.join(values[:_SHOWN])}{more}"


def _size(column: pa.ChunkedArray) -> float:
    """Return the mean size of a column's finite numbers; 0 where it holds none."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    while pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    if not pa.types.is_floating(values.type):
        return 0.0
    numbers = np.abs(np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False)))
    finite = numbers[np.isfinite(numbers)]
    return float(finite.mean()) if finite.size else 0.0


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    changes = [f"{name} {then.get(name, 'absent')} → {now.get(name, 'absent')}" for name in sorted({*then, *now})
               if then.get(name) != now.get(name)]  # fmt: skip
    if changes:
        return f"Changed since: {', '.join(changes)}. Install the earlier versions"
    return "The versions of its packages are the same: see whether the code of its class, or the machine, has changed"
