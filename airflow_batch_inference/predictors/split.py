"""A split as it predicts: each row goes to the one model that it meets, and the answers come back in the rows' order.

What must not be relaxed: no row meets two models, or none; and all models give the same columns, so that nobody who
reads the output need know which one it was.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError, PredictionError
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.schema.column_types import is_text
from airflow_batch_inference.sources.batches import MiniBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.predictors.base import BatchPredictor
    from airflow_batch_inference.predictors.input_validation import Screen
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
    arms
        The models, as they predict.
    screen
        What happens to values of the dataset that do not fit.
    kinds
        The types of the models' columns; None: all models are tried on the first mini-batch, and must agree.
    spent
        Nanoseconds that each model has taken so far.
    """

    split: Split
    arms: tuple[BatchPredictor, ...]
    screen: Screen | None = None
    kinds: tuple[pa.DataType, ...] | None = None
    elapsed: list[int] = field(default_factory=list)
    spent: Counter[int] = field(default_factory=Counter)

    @property
    def names(self) -> Sequence[str]:
        """Those of the first model that was called, and of the column that says which model it was."""
        return [*next((arm.names for arm in self.arms if arm.names), ()), SCORED_BY]

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions."""
        return self.arms[0].added + 1

    @property
    def main(self) -> SplitPredictor:
        """The predictor itself."""
        return self

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Predict; see :class:`~.predicting.BatchPredictor`.

        Raises
        ------
        ConfigurationError
            The models' columns differ.
        """
        began = time.perf_counter_ns()
        which = self.split.route(batch)
        whole = batch if self.screen is None else replace(batch, table=self.screen.mended(batch.table))
        if self.kinds is None:
            self.kinds = self._agreed(whole, which)
        order, found = [], []
        for place, arm in enumerate(self.arms):
            rows = np.flatnonzero(which == place)
            if len(rows):
                order.append(rows)
                found.append(self._typed(arm.predict(_picked(whole, rows)), place, whole))
                self.spent[place] += sum(arm.elapsed)
        back = pa.array(np.argsort(np.concatenate(order), kind="stable"))
        joined = [pa.concat_arrays(columns).take(back) for columns in zip(*found, strict=True)]
        self.elapsed[:] = [max(1, time.perf_counter_ns() - began)]
        return [*joined, pa.DictionaryArray.from_arrays(pa.array(which), pa.array(self.split.arms)).cast(pa.string())]

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
            f"The predictions of the model {self.split.arms[place]!r} for {batch.describe()} differ from those of the "
            f"first rows: {reason}."
        )
        raise PredictionError(message)

    def _agreed(self, batch: MiniBatch, which: np.ndarray) -> tuple[pa.DataType, ...]:
        """Try every model, on rows that it meets if there are any, and return the types that hold what they return."""
        schemas = []
        for place, arm in enumerate(self.arms):
            rows = np.flatnonzero(which == place)
            tried = _picked(batch, rows) if len(rows) else _picked(batch, np.arange(batch.table.num_rows))
            scored = Isolator(predictor=arm, allowed=None, allow_nan=True).score(tried, 0)
            if not scored.predicted:
                raise PredictionError(scored.rejected[0].error)
            names = zip(arm.names, scored.predicted, strict=True)
            schemas.append(pa.schema([pa.field(name, values.type) for name, values in names]))
        return tuple(
            _common(
                [schema.field(at).type if at < len(schema) else None for schema in schemas],
                schemas[0].names[at] if at < len(schemas[0]) else "",
                self.split.arms,
            )
            for at in range(max(map(len, schemas)))
        )


def _common(kinds: Sequence[pa.DataType | None], name: str, arms: Sequence[str]) -> pa.DataType:
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
    told = ", ".join(f"{arm} {'nothing' if kind is None else kind}" for arm, kind in zip(arms, kinds, strict=True))
    message = (
        f"The models of the split do not give the same columns: as {name or 'a further one'} they return {told}. All "
        "must answer alike: choose a predict_method that they share, or models of one kind."
    )
    raise ConfigurationError(message)


def _picked(batch: MiniBatch, rows: np.ndarray) -> MiniBatch:
    if len(rows) == batch.table.num_rows:
        return batch
    return PickedRows(batch.table.take(pa.array(rows)), (), whole=batch, places=rows)
