"""One challenger: it scores the rows that the champion can score, into columns of its own, null where it fails.

Invariants: whatever it does is no error of the job. Only what ends the process ends the champion too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.base import ChallengerOutputs
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.outputs import missing_rows
from airflow_batch_inference.predictors.wiring import output_names
from airflow_batch_inference.wording.errors import told_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.predictors.scored_rows import ScoredRows
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.sources.batches import MiniBatch

MOST_FAILURES = 100
"""After so many rows of a part that fail by themselves, a mini-batch that fails is null as a whole: to find its bad
rows would take more predict calls than the champion makes."""
_SHOWN_CHARACTERS = 500


@dataclass(slots=True, kw_only=True)
class Challenger:
    """One challenger, in one part.

    Attributes
    ----------
    name
        Begins the names of its columns.
    predictor, record
        Predicts as the champion does, and the record of the model that makes the outputs; None: there is none.
    outputs
        What it returns; None: the first mini-batch tells.
    error
        The first thing that went wrong; None: nothing has.
    labels
        What the user calls predictions, where their number fits.
    is_alone
        Whether one method makes the outputs.
    is_secret
        Whether errors may not show values.
    seconds
        What its predictions took.
    """

    name: str
    predictor: Predictor | None
    record: ModelRecord | None
    outputs: ChallengerOutputs | None = None
    error: str | None = None
    labels: tuple[str, ...] | None = None
    is_alone: bool = True
    is_secret: bool = False
    seconds: float = 0.0
    _isolator: Isolator | None = None

    def predict(self, batch: MiniBatch, like: pa.Schema) -> list[pa.Array]:
        """Return its columns, null where it fails.

        Parameters
        ----------
        batch
            Rows that the champion can score.
        like
            The champion's outputs: those of a challenger that fails on all of the first rows are taken for the same.
        """
        began = time.monotonic()
        found, is_out = self._predicted(batch)
        if self.outputs is None:
            schema = like if not found else pa.schema([pa.field(name, values.type) for name, values in found.items()])
            self.outputs = ChallengerOutputs(schema=schema, error=self.error if is_out else None)
        columns = self._typed(found, self.outputs.schema, batch.table.num_rows)
        self.seconds += time.monotonic() - began
        return columns

    def _predicted(self, batch: MiniBatch) -> tuple[dict[str, pa.Array], bool]:
        """Return its outputs by their names, none where it fails on all rows; and whether it can never take part."""
        if self.predictor is None or self.record is None or (self.outputs is not None and self.outputs.error):
            self.error = self.error or (self.outputs.error if self.outputs else None)
            return {}, True
        if self._isolator is None:
            self._isolator = Isolator(predictor=self.predictor, allowed=MOST_FAILURES, allow_nan=True)
        try:
            scored = self._isolator.score(batch, 0)
            names = self.called(self.record, self.predictor.outputs) if scored.predicted else ()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is not the champion's
            self._note(told_by(error), type(error).__name__)
            return {}, isinstance(error, ConfigurationError)
        if scored.rejected:
            self._note(scored.rejected[0].error, f"it failed on {len(scored.rejected)} rows")
        return dict(zip(names, _with_gaps(scored, batch.table.num_rows), strict=True)), False

    def exclude(self, reason: str) -> None:
        """Leave it out: it has ended the process before."""
        self.predictor = None
        self.error = f"It ended the worker process: {reason}"

    def called(self, record: ModelRecord, names: Sequence[str]) -> tuple[str, ...]:
        """Return what outputs of these default names are called."""
        return output_names(record, names, given=self.labels, is_alone=self.is_alone)

    def _typed(self, found: dict[str, pa.Array], schema: pa.Schema, rows: int) -> list[pa.Array]:
        """Return columns of the types that the first rows had; null where there is none, or NaN."""
        if found and [*found] != schema.names:
            self._note(
                f"it returned {', '.join(found)}, and {', '.join(schema.names)} before", "it changed its outputs"
            )
            found = {}
        columns = []
        for each in schema:
            values = found.get(each.name)
            try:
                columns.append(pa.nulls(rows, each.type) if values is None else _without_nan(values.cast(each.type)))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                self._note(f"its predictions differ from those of the first rows: {error}", "it changed its types")
                columns.append(pa.nulls(rows, each.type))
        return columns

    def _note(self, error: str, secret: str) -> None:
        if self.error is None:
            self.error = (secret if self.is_secret else error)[:_SHOWN_CHARACTERS]


def _with_gaps(scored: ScoredRows, rows: int) -> list[pa.Array]:
    """Return columns of all rows, null for those that were rejected."""
    if not scored.rejected:
        return scored.predicted
    missing = np.zeros(rows, dtype=bool)
    missing[[row.row for row in scored.rejected]] = True
    places = pa.array(np.cumsum(~missing) - 1, mask=missing)
    return [column.take(places) for column in scored.predicted]


def _without_nan(values: pa.Array) -> pa.Array:
    missing = missing_rows(values)
    return values.take(pa.array(np.arange(len(values)), mask=missing)) if missing.any() else values
