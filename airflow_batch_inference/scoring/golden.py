"""Rows with the predictions that a model once made for them: scored again at each load, and compared.

An upgraded library can predict something else from the same file, in silence. What must not be relaxed: the expected
predictions are those of the first time, however often the model is loaded; and a model that no longer makes them
scores nothing.
"""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_inference.datasets.dataset import MiniBatch, Origin
from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError, GoldenSetError
from airflow_batch_inference.flavors.base import require_method
from airflow_batch_inference.records import GoldenRecord, fingerprint
from airflow_batch_inference.scoring.batch import Predictor, label_names
from airflow_batch_inference.scoring.outputs import equal_rows
from airflow_batch_inference.signature import InputPlan, cast_inputs, plan_inputs
from airflow_batch_inference.storage import join_uri, sha256_of_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.datasets.dataset import Dataset
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.storage import Storage

log = logging.getLogger(__name__)

MOST_ROWS = 10_000
_INPUT, _EXPECTED = "input.", "expected."
_SHOWN = 3


def put_golden(
    dataset: Dataset,
    record: ModelRecord,
    model: LoadedModel,
    *,
    methods: tuple[str, ...],
    kwargs: Mapping[str, Any],
    tolerance: float,
    folder: str,
    storage: Storage,
) -> str:
    """Store a golden set with what the model predicts for it, or check the one that is stored; return its URI.

    Parameters
    ----------
    dataset
        A few rows that the model can score, 10,000 at most.
    record, model
        The model.
    methods, kwargs
        How it is called.
    tolerance
        How far a prediction may move, relative to its size (to 1 for small ones); 0: not at all.
    folder
        The model's folder in the artifact store.
    storage
        Reaches it.

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
    plan = plan_inputs(rows.schema, inputs=record.inputs, n_features=record.n_features, where=dataset.name)
    inputs = cast_inputs(rows, plan)
    predictor = _predictor(model, inputs.schema.names, methods, kwargs, record)
    predicted = predictor.predict(_mini_batch(inputs, dataset.name))
    _require_given(rows, pa.table(predicted, names=predictor.names), record, tolerance, dataset.name)
    asked = [record.sha256, methods, dict(kwargs), record.class_names, tolerance, _digest(inputs)]
    known = join_uri(folder, f"golden-of-{fingerprint(asked)[:32]}.txt")
    if storage.exists(known):
        uri = storage.read_bytes(known).decode()
        check_golden(uri, model, record, storage=storage, pointer=known)
        return uri
    expected = pa.table(predicted, names=[f"{_EXPECTED}{name}" for name in predictor.names])
    held = inputs.rename_columns([f"{_INPUT}{name}" for name in inputs.schema.names])
    for name in expected.schema.names:
        held = held.append_column(name, expected.column(name))
    buffer = io.BytesIO()
    pq.write_table(held, buffer, compression="zstd")
    data = buffer.getvalue()
    golden = GoldenRecord(
        model_sha256=record.sha256,
        data_uri=storage.put_content(folder, "golden", ".parquet", data),
        data_sha256=sha256_of_bytes(data),
        rows=rows.num_rows,
        methods=methods,
        predict_kwargs=dict(kwargs),
        tolerance=tolerance,
        versions=dict(model.versions),
    )
    uri = storage.put_record(folder, "golden", golden)
    storage.put(known, uri.encode())
    log.info("Golden set of %s: %d rows, stored with their predictions: %s", record.name, golden.rows, uri)
    return uri


def check_golden(
    uri: str, model: LoadedModel, record: ModelRecord, *, storage: Storage, pointer: str | None = None
) -> None:
    """Score a stored golden set again and compare.

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
    predictor = _predictor(model, inputs.schema.names, golden.methods, golden.predict_kwargs, record)
    predicted = predictor.predict(_mini_batch(inputs, uri))
    found = pa.table(predicted, names=predictor.names)
    problem = _difference(expected, found, golden.tolerance)
    if problem is not None:
        where = f" ({pointer})" if pointer else ""
        message = (
            f"The model {record.name} no longer predicts what it predicted when its golden set was stored: {problem}. "
            f"{_changed(golden.versions, model.versions)} Install the earlier versions; or, where the new predictions "
            f"are right, remove the file golden-of-….txt beside the golden set{where} and load the model again."
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
    model: LoadedModel, names: Sequence[str], methods: tuple[str, ...], kwargs: Mapping[str, Any], record: ModelRecord
) -> Predictor:
    for method in methods:
        require_method(method, model.methods)
    as_they_are = InputPlan(columns=tuple(names), names=tuple(names), types=(None,) * len(names), ignored=())
    return Predictor(model=model, inputs=as_they_are, methods=methods, kwargs=kwargs, class_names=record.class_names)


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
        same &= equal_rows(expected.column(name), found.column(name), relative=tolerance, absolute=tolerance)
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


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    changes = [f"{name} {then.get(name, 'absent')} → {now.get(name, 'absent')}" for name in sorted({*then, *now})
               if then.get(name) != now.get(name)]  # fmt: skip
    return f"Changed since: {', '.join(changes)}." if changes else "The versions of its packages are the same."
