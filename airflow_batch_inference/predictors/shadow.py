"""Challengers beside a champion: they score the same rows in the same pass, into columns of their own, and no more.

What must not be relaxed: whatever a challenger does, the champion's predictions are the same and no row is rejected;
where a challenger fails, its columns are null. Only what ends the process ends the champion too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.chain import output_names
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.outputs import missing_rows
from airflow_batch_inference.wording.errors import told_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.predictors.base import BatchPredictor
    from airflow_batch_inference.predictors.input_validation import Screen
    from airflow_batch_inference.predictors.isolation import ScoredRows
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.sources.batches import MiniBatch

MOST_FAILURES = 100
"""After so many rows of a part that fail by themselves, a mini-batch that fails is null as a whole: to find its bad
rows would take more predict calls than the champion makes."""
_SHOWN_CHARACTERS = 500


def challenger_column(challenger: str, output: str, *, as_wallaroo: bool = False) -> str:
    """Return what an output of a challenger is called.

    Examples
    --------
    >>> challenger_column("b", "risk"), challenger_column("b", "risk", as_wallaroo=True)
    ('b.risk', 'out_b.risk')
    """
    return f"out_{challenger}.{output}" if as_wallaroo else f"{challenger}.{output}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengerOutputs:
    """What a challenger returns, as its first rows told.

    Attributes
    ----------
    schema
        Its outputs by their own names.
    error
        Why it takes no part; None: it does.
    """

    schema: pa.Schema
    error: str | None = None


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
    predictor: BatchPredictor | None
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
            names = self.called(self.record, self.predictor.names) if scored.predicted else ()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is not the champion's
            self._note(told_by(error), type(error).__name__)
            return {}, isinstance(error, ConfigurationError)
        if scored.rejected:
            self._note(scored.rejected[0].error, f"it failed on {len(scored.rejected)} rows")
        return dict(zip(names, _with_gaps(scored, batch.table.num_rows), strict=True)), False

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


@dataclass(slots=True, kw_only=True)
class ShadowedPredictor:
    """A champion, and challengers that score the rows that it can score.

    Attributes
    ----------
    champion, record
        Gives the predictions, and the record of the model that does.
    challengers
        Give further columns.
    as_wallaroo
        How challengers' columns are named; see :func:`challenger_column`.
    tell
        Called with a challenger's name before it predicts, and with nothing afterwards, so that a supervisor knows
        which one has ended the process.
    """

    champion: BatchPredictor
    record: ModelRecord
    challengers: tuple[Challenger, ...]
    as_wallaroo: bool = False
    tell: Callable[[str], None] = lambda name: None  # noqa: ARG005

    @property
    def names(self) -> Sequence[str]:
        """The champion's, and those of the challengers' columns."""
        return [*self.champion.names, *(name for each in self.challengers for name in self.columns_of(each))]

    def columns_of(self, challenger: Challenger) -> list[str]:
        """Return the names of a challenger's columns."""
        outputs = challenger.outputs.schema.names if challenger.outputs is not None else []
        return [challenger_column(challenger.name, name, as_wallaroo=self.as_wallaroo) for name in outputs]

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions of the champion."""
        return self.champion.added + sum(len(self.columns_of(each)) for each in self.challengers)

    @property
    def main(self) -> BatchPredictor:
        """The champion."""
        return self.champion

    @property
    def screen(self) -> Screen | None:
        """The champion's; challengers see the values that it has mended."""
        return self.champion.screen

    @property
    def elapsed(self) -> Sequence[int]:
        """The champion's."""
        return self.champion.elapsed

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Predict; see :class:`~.predicting.BatchPredictor`. Only the champion raises."""
        found = self.champion.predict(batch)
        if self.screen is not None:
            batch = replace(batch, table=self.screen.mended(batch.table))
        number = len(found) - self.champion.added
        own, names = found[:number], list(self.champion.names)[:number]
        for each in self.challengers:
            self.tell(each.name)
            called = each.called(self.record, names)
            like = pa.schema([pa.field(name, values.type) for name, values in zip(called, own, strict=True)])
            found = [*found, *each.predict(batch, like)]
        self.tell("")
        return found

    def exclude(self, failing: Mapping[str, str]) -> None:
        """Leave challengers out that have ended the process before: their name, and how."""
        for each in self.challengers:
            if each.name in failing:
                each.predictor = None
                each.error = f"It ended the worker process: {failing[each.name]}"
