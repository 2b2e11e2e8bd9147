"""What the models' outputs are, told by the first rows, or by a placeholder row where there are none.

Invariants: a dataset without rows, or without files, gives an output of the same columns as one that has
some, or an error.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.checks.checks import columns_read
from airflow_batch_inference.exceptions import EmptyDatasetError, TooManyRejectedRowsError
from airflow_batch_inference.jobs.output_layout import get_layout
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.output_table import default_names
from airflow_batch_inference.predictors.placeholder import placeholder_row
from airflow_batch_inference.schema.column_types import arrow_type
from airflow_batch_inference.sources.rows import TableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from airflow_batch_inference.jobs.request import ScoringOptions, ScoringRequest
    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.sources.batches import MiniBatch
    from airflow_batch_inference.sources.dataset import Dataset

_SAMPLE_ROWS = 64
_MOST_SAMPLED_ROWS = 128


def outputs_of(
    predictor: Predictor,
    batches: Iterable[MiniBatch],
    request: ScoringRequest,
    *,
    passed_over: Container[int] = (),
    on_sample: Callable[[int], None] = lambda _: None,
) -> pa.Schema | None:
    """Predict a few rows, passing over those that fail where rows may be rejected; None where there is no row.

    Parameters
    ----------
    predictor, batches, request
        The models, the dataset's mini-batches, and what may be rejected.
    passed_over
        The samples that have ended a process: scoring finds out which of their rows did, and names it.
    on_sample
        Told the number of each sample before it is predicted.

    Raises
    ------
    TooManyRejectedRowsError
        None of the samples' rows can be scored.
    """
    policy = request.policy
    # Rows that are tried twice, and those that scoring rejects again, are counted there alone.
    isolator = Isolator(predictor=predictor, allowed=None, is_strict=not policy.is_tolerant, allow_nan=True)
    tried, error = 0, ""
    for number, sample in enumerate(itertools.chain.from_iterable(map(_samples, batches))):
        tried += sample.table.num_rows
        if number in passed_over:
            error = error or "they ended the process that scored them"
        else:
            on_sample(number)
            scored = isolator.score(sample, 0)
            if scored.rows.table.num_rows:
                return _named(predictor, scored.predicted)
            error = error or scored.rejected[0].error
        if tried >= _MOST_SAMPLED_ROWS:
            break
    if not tried:
        return None
    message = f"None of {tried} rows that were tried can be scored: {error}"
    raise TooManyRejectedRowsError(message)


def _named(predictor: Predictor, columns: Sequence[pa.Array]) -> pa.Schema:
    return pa.schema([pa.field(name, column.type) for name, column in zip(predictor.outputs, columns, strict=True)])


def _samples(batch: MiniBatch) -> Iterator[MiniBatch]:
    """Yield a mini-batch's first rows, then single ones from all over it."""
    rows = batch.table.num_rows
    yield batch.slice(0, min(_SAMPLE_ROWS, rows))
    if rows > _SAMPLE_ROWS:
        yield from (batch.slice(int(row), 1) for row in np.linspace(0, rows - 1, _SAMPLE_ROWS))


def without_columns(opened: Dataset, options: ScoringOptions, models: ModelGraph) -> tuple[Dataset, ScoringOptions]:
    """Give a dataset without any file the columns that the models take, so that an empty output has a schema.

    Columns that the options name and the model does not take are unknown here, and no mistake.
    """
    # What the model does not say is a null until a placeholder takes its place.
    record = models.first.record
    kinds = {spec.name: arrow_type(spec.type) or pa.null() for spec in record.inputs or ()}
    others = {spec.name: arrow_type(spec.type) or pa.null() for spec in models.further_inputs()}
    kinds |= {name: kind for name, kind in others.items() if name not in kinds}
    kinds = {**dict.fromkeys(models.routing_columns, pa.string()), **kinds}
    if record.inputs is not None:  # a model that takes columns by their places would take these, too
        kinds |= {name: pa.null() for name in _named_fields(options) if name not in kinds}
    schema = pa.schema([*kinds.items()])
    passthrough = options.passthrough_columns
    if passthrough not in (None, "all"):
        passthrough = tuple(name for name in passthrough if name in schema.names)
    source = TableSource(schema.empty_table()) if opened.source.is_inline else opened.source
    return (
        replace(opened, schema=schema, source=source),
        replace(options, drop_columns=(), passthrough_columns=passthrough),
    )


def _named_fields(options: ScoringOptions) -> list[str]:
    """Return the fields of the input that checks and the layout name."""
    checked = [path.removeprefix("in.") for path in columns_read(options.checks) if path.startswith("in.")]
    return [*checked, *get_layout(options.layout).input_fields(options.layout_arguments)]


def outputs_without_rows(predictor: Predictor, dataset: Dataset, request: ScoringRequest) -> pa.Schema:
    """Predict a placeholder row to learn the output's columns and types.

    Where there is no file, and so no column, and the model does not say what it takes either, nothing can be learnt:
    then one method's output is a column of doubles.

    Raises
    ------
    EmptyDatasetError
        The model does not take such a row, so nobody can tell.
    """
    try:
        return _named(predictor, predictor.predict(placeholder_row(dataset.schema, dataset.name)))
    except Exception as error:  # a model may refuse such a row in its own way
        record = request.models.output_model.record
        is_simple = len(request.options.methods) == 1 and request.options.explain is None and not request.models.beside
        if (
            is_simple
            and not dataset.schema.names
            and (request.record.inputs, request.record.n_features) == (None, None)
        ):
            names = request.options.label_columns or record.label_columns or record.output_names or ("",)
            return pa.schema([pa.field(name, pa.float64()) for name in default_names(len(names))])
        message = (
            f"{dataset.name} has no rows, and the model does not take a placeholder row ({type(error).__name__}: "
            f"{error}), so the types of its output are not known. Set on_empty to fail or skip."
        )
        raise EmptyDatasetError(message) from error
