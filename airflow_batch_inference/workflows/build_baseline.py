"""From a sample set to a baseline: the model's own predictions beside its inputs, importances, calibration.

Invariants: whatever the model makes of the sample set, its inputs get a baseline; what later drift
analyses will not see is said now.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.performance import fit_calibration
from airflow_batch_inference.drift.values import numbers
from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    ConfigurationError,
    EmptyDatasetError,
    ModelLoadError,
    WorkerError,
)
from airflow_batch_inference.flavors.base import require_method
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.output_table import default_names, label_names
from airflow_batch_inference.predictors.single import SinglePredictor
from airflow_batch_inference.records import CsvOptions
from airflow_batch_inference.schema.columns import append_columns
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.schema.names import known_names, plain_name
from airflow_batch_inference.sources.registry import open_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.scored_rows import ScoredRows
    from airflow_batch_inference.records import BaselineRecord, Calibration, ModelRecord, ReadOptions
    from airflow_batch_inference.sources.batches import MiniBatch
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_BATCH_ROWS = 65_536
_CALIBRATED_ROWS = 5_000_000
_CLASSES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceOptions:
    """How the sample set is read.

    Attributes
    ----------
    target_column
        Its column of true labels, of two classes: from it performance is later estimated without labels. None: none.
    decision_threshold
        The positive class is predicted for probabilities at or over it.
    predict_method, predict_kwargs
        How the model scores the sample set, where that does not hold predictions; as later batches are scored.
    csv
        What CSV files look like.
    """

    target_column: str | None = None
    decision_threshold: float = 0.5
    predict_method: str = "predict"
    predict_kwargs: Mapping[str, Any] = field(default_factory=dict)
    csv: CsvOptions = field(default_factory=CsvOptions)

    def __post_init__(self) -> None:
        """Refuse a decision that no probability is on either side of."""
        if not 0 <= self.decision_threshold <= 1:
            message = f"decision_threshold is {self.decision_threshold}; it must be a probability from 0 to 1."
            raise ConfigurationError(message)


def open_sample_set(
    sample_set: object, storage: Storage, *, names: Sequence[str] | None = None, reading: ReadOptions | None = None
) -> Dataset:
    """Open a sample set; ``names`` are those that a model takes, ``reading`` says how text is read.

    Raises
    ------
    EmptyDatasetError
        It has no rows: nothing could ever be compared with it.
    """
    sample = open_dataset(sample_set, storage, model_names=names, reading=reading)
    if next(sample.mini_batches(1), None) is None:
        message = f"The sample set {sample.name} has no rows, so nothing can be compared with it. Give another."
        raise EmptyDatasetError(message)
    return sample


def input_names(record: ModelRecord | None) -> list[str] | None:
    """Return the names of a model's inputs, where there is a model and it has names."""
    return None if record is None or record.inputs is None else [spec.name for spec in record.inputs]


def model_baseline(
    sample: Dataset, record: ModelRecord, model: LoadedModel, options: ReferenceOptions
) -> BaselineRecord:
    """Return the baseline of a model: its sample set, with the model's predictions for it.

    Predictions are those that the sample set has in columns of their names; else the model scores it.

    Raises
    ------
    ConfigurationError
        ``target_column`` is not there, has not two classes, or has no probability to go with it.
    DataError
        As reading the sample set raises.
    """
    _require_column(sample, options.target_column)
    _warn_of_gaps(record, sample)
    number = len(record.label_columns or record.output_names or ("",))
    expected = label_names(record.label_columns, record.output_names, default_names(number))
    own = tuple(name for name in expected if name in sample.schema.names)
    scorer = None if own else _scorer(sample, record, model, options)
    reading = _Reading(sample, scorer)
    predictions = own or reading.labels
    return make_baseline(
        reading.tables,
        schema=reading.schema,
        source=sample.identity,
        model_sha256=record.sha256,
        inputs=scorer.predictor.inputs.columns if scorer else matching(input_names(record), sample.schema.names),
        predictions=predictions,
        scored=bool(reading.labels),
        predict_method=options.predict_method if reading.labels else None,
        importances=_importances(model, sample),
        calibration=None if options.target_column is None else _calibration(reading, predictions, options),
        targets=() if options.target_column is None else (options.target_column,),
    )


def plain_baseline(
    sample: Dataset,
    *,
    record: ModelRecord | None = None,
    names: Mapping[str, str] | None = None,
    predictions: Sequence[str] = (),
) -> BaselineRecord:
    """Return the baseline of a dataset alone.

    Parameters
    ----------
    sample
        The dataset.
    record
        Tells which of its columns a model takes.
    names
        What it calls a column, to the name that later data have for it, where they differ.
    predictions
        Those of its columns, by that name, that a model has made: later data need not have them yet.
    """
    plain = [(names or {}).get(name, name) for name in sample.schema.names]
    return make_baseline(
        lambda: (batch.table.rename_columns(plain) for batch in sample.mini_batches(_BATCH_ROWS)),
        schema=pa.schema([field.with_name(name) for field, name in zip(sample.schema, plain, strict=True)]),
        source=sample.identity,
        inputs=matching(input_names(record), plain),
        predictions=tuple(dict.fromkeys(predictions)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scorer:
    predictor: SinglePredictor
    labels: tuple[str, ...]
    types: tuple[pa.DataType, ...]

    def scored(self, batch: MiniBatch) -> pa.Table:
        """Return the rows that can be scored with their predictions; as in later batches, the others do not count."""
        found = _isolated(self.predictor, batch)
        if found.rejected:
            log.warning(
                "%d rows of the sample set (%s) cannot be scored and are left out: %s",
                *(len(found.rejected), batch.describe(), found.rejected[0].error),
            )
        table = found.rows.table
        empty = [pa.array([], kind) for kind in self.types]
        scored = [values.cast(kind) for values, kind in zip(found.predicted, self.types, strict=True)]
        return append_columns(table, dict(zip(self.labels, scored if table.num_rows else empty, strict=True)))


def _isolated(predictor: SinglePredictor, batch: MiniBatch) -> ScoredRows:
    """Score the rows that can be scored."""
    return Isolator(predictor=predictor, allowed=None, is_strict=False, allow_nan=True).score(batch, 0)


class _Reading:
    """Reads a sample set, with predictions where a scorer is given."""

    def __init__(self, sample: Dataset, scorer: _Scorer | None) -> None:
        self._sample, self._scorer = sample, scorer
        self.labels = scorer.labels if scorer else ()
        added = [pa.field(name, kind) for name, kind in zip(self.labels, scorer.types if scorer else (), strict=True)]
        self.schema = pa.schema([*sample.schema, *added])

    def tables(self) -> Iterator[pa.Table]:
        for batch in self._sample.mini_batches(_BATCH_ROWS):
            yield batch.table if self._scorer is None else self._scorer.scored(batch)


def _scorer(sample: Dataset, record: ModelRecord, model: LoadedModel, options: ReferenceOptions) -> _Scorer | None:
    """Return what scores the sample set; None, with the reason in the log, where the model cannot."""
    require_method(options.predict_method, model.methods)
    try:
        names = [name for name in sample.schema.names if name != options.target_column]
        plan = plan_inputs(
            sample.select(names).schema,
            inputs=record.inputs,
            n_features=record.n_features,
            where=sample.name,
            takes_lists=model.takes_lists,
            tensor=model.tensor,
        )
        predictor = SinglePredictor(
            model=model,
            inputs=plan,
            methods=(options.predict_method,),
            kwargs=options.predict_kwargs,
            class_names=record.class_names,
        )
        first = next(sample.mini_batches(64))
        columns = _isolated(predictor, first).predicted
        if not columns:
            log.warning("None of the sample set's first rows can be scored: the drift of predictions will not be seen")
            return None
        labels = label_names(record.label_columns, record.output_names, predictor.outputs)
        taken = [label for label in labels if label in sample.schema.names]
        if taken:
            log.warning("The sample set has a column %r already: the drift of predictions will not be seen", taken[0])
            return None
    except BatchInferenceError as error:
        if isinstance(error, (ModelLoadError, WorkerError)):
            raise  # it has ended its process, and would again
        if isinstance(error, ConfigurationError) and str(error).startswith("predict_kwargs has"):
            raise  # it is none of the model's for later batches either
        log.warning(
            "The sample set cannot be scored, so the drift of predictions will not be seen. Give the LoadModelOperator "
            "the predict_method and predict_kwargs that the PredictOperator has: %s",
            error,
        )
        return None
    return _Scorer(predictor=predictor, labels=labels, types=tuple(column.type for column in columns))


def matching(wanted: Sequence[str] | None, names: Sequence[str]) -> tuple[str, ...] | None:
    """Return those of a dataset's names that a model takes; LightGBM writes blanks in names as underscores."""
    if wanted is None:
        return None
    plain = {plain_name(name) for name in wanted}
    return tuple(name for name in names if plain_name(name) in plain)


def _importances(model: LoadedModel, sample: Dataset) -> dict[str, float] | None:
    """Return the model's importances as shares, under the sample set's names."""
    found = model.importances
    total = sum(found.values()) if found else 0.0
    if not found or not total > 0:
        return None
    as_known = known_names(sample.schema.names)
    return {as_known(name): value / total for name, value in found.items()}


def _warn_of_gaps(record: ModelRecord, sample: Dataset) -> None:
    """Say which of the model's columns the baseline lacks: nothing will ever compare them."""
    there = {plain_name(name) for name in sample.schema.names}
    lacking = [name for name in input_names(record) or () if plain_name(name) not in there]
    if lacking:
        log.warning(
            "The sample set %s lacks %s, which the model takes: their drift will never be seen",
            sample.name,
            ", ".join(map(repr, lacking)),
        )


def _require_column(sample: Dataset, target: str | None) -> None:
    if target is not None and target not in sample.schema.names:
        there = ", ".join(sample.schema.names)
        message = f"target_column is {target!r}, which {sample.name} does not have. Its columns: {there}."
        raise ConfigurationError(message)


def _calibration(reading: _Reading, predictions: Sequence[str], options: ReferenceOptions) -> Calibration:
    """Fit the last prediction column (of two classes, the positive one's) to the true labels of the first rows."""
    target = str(options.target_column)
    numeric = [name for name in predictions if pa.types.is_floating(reading.schema.field(name).type)]
    kept, held = [], 0
    for table in reading.tables() if numeric else ():
        kept.append(table.select([target, numeric[-1]]))
        held += table.num_rows
        if held >= _CALIBRATED_ROWS:
            break
    scores, truth = _finite_rows(pa.concat_tables(kept)) if kept else (np.empty(0), pa.array([]))
    if not ((scores > 0) & (scores < 1)).any() or scores.min() < 0 or scores.max() > 1:
        message = (
            f"target_column is {target!r}, but the predictions ({', '.join(predictions) or 'none'}) hold no "
            "probabilities to estimate performance from. Give predict_method='predict_proba', or leave it out."
        )
        raise ConfigurationError(message)
    if pa.types.is_nested(truth.type):
        message = f"target_column {target!r} is of type {truth.type}; it must hold one label a row."
        raise ConfigurationError(message)
    classes = sorted(pc.unique(truth).to_pylist())
    if len(classes) != _CLASSES:
        shown = ", ".join(map(str, classes[:5]))
        message = f"target_column {target!r} has {len(classes)} classes ({shown}); performance is estimated for two."
        raise ConfigurationError(message)
    is_positive = np.array(pc.equal(truth, pa.scalar(classes[1], truth.type)).to_pylist(), dtype=bool)
    return fit_calibration(
        scores,
        is_positive,
        score_column=numeric[-1],
        target_column=target,
        positive=str(classes[1]),
        decision=options.decision_threshold,
    )


def _finite_rows(table: pa.Table) -> tuple[np.ndarray, pa.Array]:
    """Return the scores and labels of the rows that have both."""
    table = table.drop_null()
    for name in table.column_names:
        if pa.types.is_floating(table.schema.field(name).type):
            table = table.filter(pc.is_finite(table.column(name)))
    return np.concatenate([*numbers(table.column(1)), np.empty(0)]), table.column(0).combine_chunks()
