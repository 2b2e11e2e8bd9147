"""A split as it predicts: each row goes to the one model that it meets, and the answers come back in the rows' order.

Invariants: no row meets two models, or none; and all models give the same columns, so that nobody who
reads the output need know which one it was.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, PredictionError
from airflow_batch_inference.predictors.base import InferredOutputs
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.records import ChainRows
from airflow_batch_inference.schema.column_types import is_text
from airflow_batch_inference.sources.batches import MiniBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.predictors.base import ModelStatistics, Predictor
    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.predictors.scored_rows import RejectedRow, ScoredRows
    from airflow_batch_inference.predictors.shares import Split

SCORED_BY = "scored_by"
"""The column that says which model scored a row."""


@dataclass(frozen=True, slots=True)
class PickedRows(MiniBatch):
    """Some rows of a mini-batch, which know their places; every second row of it would need an origin of its own."""

    whole: MiniBatch | None = None
    places: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def locate(self, row: int) -> tuple[str, int]:
        """Return the file of a row, and its number there."""
        return self.whole.locate(int(self.places[row])) if self.whole is not None else MiniBatch.locate(self, row)

    def slice(self, start: int, rows: int) -> PickedRows:
        """Return a run of these rows."""
        return replace(self, table=self.table.slice(start, rows), places=self.places[start : start + rows])

    def describe(self) -> str:
        """Return where the rows lie, for messages."""
        rows = self.table.num_rows
        if rows == 1:
            return "{}, row {} (from 0)".format(*self.locate(0))
        return f"{rows} rows of those of {self.whole.describe()}" if self.whole is not None else "some rows"


@dataclass(slots=True, kw_only=True)
class SplitPredictor:
    """Scores each row with the one model that it meets, and says which that was in one more column.

    Attributes
    ----------
    split
        Which model scores a row.
    predictors
        The models, as they predict.
    validation
        What happens to values of the dataset that do not fit.
    kinds
        The types of the models' columns; None: all models are tried on the first mini-batch, and must agree.
    spent
        Nanoseconds that each model has taken so far.
    """

    split: Split
    predictors: tuple[Predictor, ...]
    validation: InputValidation | None = None
    kinds: tuple[pa.DataType, ...] | None = None
    elapsed: list[int] = field(default_factory=list)
    spent: Counter[int] = field(default_factory=Counter)

    @property
    def outputs(self) -> Sequence[str]:
        """Those of the first model that was called, and of the column that says which model it was."""
        return [*next((each.outputs for each in self.predictors if each.outputs), ()), SCORED_BY]

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions."""
        return self.predictors[0].added + 1

    @property
    def main(self) -> SplitPredictor:
        """The predictor itself."""
        return self

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Predict; see :class:`~.base.Predictor`.

        Raises
        ------
        ConfigurationError
            The models' columns differ.
        """
        began = time.perf_counter_ns()
        which = self.split.route(batch)
        whole = batch if self.validation is None else replace(batch, table=self.validation.coerce(batch.table))
        if self.kinds is None:
            self.kinds = self._agreed(whole, which)
        order, found = [], []
        for place, each in enumerate(self.predictors):
            rows = np.flatnonzero(which == place)
            if len(rows):
                order.append(rows)
                found.append(self._typed(each.predict(_picked(whole, rows)), place, whole))
                self.spent[place] += sum(each.elapsed)
        back = pa.array(np.argsort(np.concatenate(order), kind="stable"))
        joined = [pa.concat_arrays(columns).take(back) for columns in zip(*found, strict=True)]
        self.elapsed[:] = [max(1, time.perf_counter_ns() - began)]
        return [*joined, pa.DictionaryArray.from_arrays(pa.array(which), pa.array(self.split.models)).cast(pa.string())]

    def infer_outputs(self, own: pa.Schema) -> InferredOutputs:
        """See :class:`~.base.Predictor`."""
        return InferredOutputs(outputs=own, kinds=self.kinds)

    def statistics(self, inferred: InferredOutputs, labels: Sequence[str]) -> ModelStatistics:  # noqa: ARG002  # see there
        """See :class:`~.base.Predictor`."""
        return SplitStatistics(split=self.split, spent=self.spent)

    def exclude(self, name: str, reason: str) -> None:
        """See :class:`~.base.Predictor`: no model of a split may be left out."""

    def _typed(self, columns: list[pa.Array], place: int, batch: MiniBatch) -> list[pa.Array]:
        kinds = self.kinds or ()
        if len(columns) == len(kinds):
            try:
                return [
                    values if values.type == kind else values.cast(kind)
                    for values, kind in zip(columns, kinds, strict=True)
                ]
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                reason = str(error)
        else:
            reason = f"{len(columns)} columns, not {len(kinds)}"
        message = (
            f"The predictions of the model {self.split.models[place]!r} for {batch.describe()} differ from those of "
            f"the first rows: {reason}."
        )
        raise PredictionError(message)

    def _agreed(self, batch: MiniBatch, which: np.ndarray) -> tuple[pa.DataType, ...]:
        """Try every model, on rows that it meets if there are any, and return the types that hold what they return."""
        schemas = []
        for place, each in enumerate(self.predictors):
            rows = np.flatnonzero(which == place)
            tried = _picked(batch, rows) if len(rows) else _picked(batch, np.arange(batch.table.num_rows))
            scored = Isolator(predictor=each, allowed=None, allow_nan=True).score(tried, 0)
            if not scored.predicted:
                raise PredictionError(scored.rejected[0].error)
            names = zip(each.outputs, scored.predicted, strict=True)
            schemas.append(pa.schema([pa.field(name, values.type) for name, values in names]))
        return tuple(
            _common(
                [schema.field(at).type if at < len(schema) else None for schema in schemas],
                schemas[0].names[at] if at < len(schemas[0]) else "",
                self.split.models,
            )
            for at in range(max(map(len, schemas)))
        )


@dataclass(slots=True, kw_only=True)
class SplitStatistics:
    """Counts how many rows each model of a split has scored, and how many of its own were rejected.

    Attributes
    ----------
    split
        Which model scores a row.
    spent
        Nanoseconds that each model has taken; its predictor adds to them.
    """

    split: Split
    spent: Counter[int]
    _rows: Counter[str] = field(default_factory=Counter)
    _failed: Counter[str] = field(default_factory=Counter)
    _errors: dict[str, str] = field(default_factory=dict)

    def count(self, scored: ScoredRows) -> None:
        """See :class:`~.base.ModelStatistics`."""
        if scored.predicted:
            counts = pc.value_counts(scored.predicted[-1])
            self._rows.update({each["values"].as_py(): each["counts"].as_py() for each in counts})

    def count_rejected(self, batch: MiniBatch, rejected: Sequence[RejectedRow]) -> None:
        """See :class:`~.base.ModelStatistics`."""
        tried = [row for row in rejected if row.stage != "read"]
        for row in tried:
            model = self.split.models[int(self.split.route(batch.slice(row.row, 1))[0])]
            self._failed[model] += 1
            self._errors.setdefault(model, row.error)

    def chains(self) -> tuple[ChainRows, ...]:
        """See :class:`~.base.ModelStatistics`."""
        return tuple(
            ChainRows(
                name=name,
                rows=self._rows[name],
                rows_failed=self._failed[name],
                seconds=round(self.spent[place] / 1e9, 3),
                error=self._errors.get(name),
            )
            for place, name in enumerate(self.split.models)
        )


def _common(kinds: Sequence[pa.DataType | None], name: str, models: Sequence[str]) -> pa.DataType:
    """Return the type that holds a column of all models: the wider number of a kind, but no labels beside shares."""
    first = kinds[0]
    if None not in kinds:
        if all(kind == first for kind in kinds):
            return first
        for is_kind, wide in ((pa.types.is_floating, pa.float64()), (pa.types.is_integer, pa.int64())):
            if all(is_kind(kind) for kind in kinds):
                return wide
        if all(is_text(kind) for kind in kinds):
            return pa.string()
    told = ", ".join(
        f"{model} {'nothing' if kind is None else kind}" for model, kind in zip(models, kinds, strict=True)
    )
    message = (
        f"The models of the split do not give the same columns: as {name or 'a further one'} they return {told}. All "
        "must answer alike: choose a predict_method that they share, or models of one kind."
    )
    raise ConfigurationError(message)


def _picked(batch: MiniBatch, rows: np.ndarray) -> MiniBatch:
    if len(rows) == batch.table.num_rows:
        return batch
    return PickedRows(batch.table.take(pa.array(rows)), (), whole=batch, places=rows)
