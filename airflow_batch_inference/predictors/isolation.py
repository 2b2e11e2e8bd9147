"""From a mini-batch that fails to the rows that make it fail: bisect, set those aside, score the rest.

Invariants: a row is rejected only where it fails alone; failures of memory, the system or the network
never reject a row; and a model that returns the wrong number of rows is an error, whatever is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    ConfigurationError,
    DataError,
    PredictionError,
    RowAlignmentError,
    SignatureMismatchError,
    TooManyRejectedRowsError,
)
from airflow_batch_inference.predictors.outputs import has_missing, missing_rows
from airflow_batch_inference.predictors.scored_rows import RejectedRow, ScoredRows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.sources.batches import MiniBatch

_SAMPLED_ROWS = 8
_HINT = "To set such rows aside and score the rest, give error_threshold or max_rejected_fraction."


@dataclass(slots=True, kw_only=True)
class Isolator:
    """Scores the mini-batches of one part, and bisects those that fail.

    Attributes
    ----------
    predictor
        The model, or what several of them make.
    allowed
        How many rows may still be rejected; None: any number.
    is_strict
        Whether the first bad row is an error of its own kind; if not, it counts, and too many are one.
    allow_nan
        Whether a prediction may be NaN or missing; if not, its row is rejected.
    failing
        Row ranges (start, stop; numbered within the part) in which the process died before, with how: they are taken
        as failed without being tried again.
    is_secret
        Whether errors may not show values, where more rows are rejected than allowed.
    on_progress
        Called with start and stop before each predict call, so that a supervisor knows where the process died.
    samples
        Whether a few rows that all fail alone stand for a batch of thousands, which is then an error.
    """

    predictor: Predictor
    allowed: int | None = 0
    is_strict: bool = False
    allow_nan: bool = False
    failing: Mapping[tuple[int, int], str] = field(default_factory=dict)
    is_secret: bool = False
    on_progress: Callable[[int, int], None] = lambda start, stop: None  # noqa: ARG005
    rejected: int = 0
    samples: bool = True

    def score(self, batch: MiniBatch, start: int) -> ScoredRows:
        """Score a mini-batch whose first row has the number ``start`` within the part.

        About 2 k log2(n / k) predict calls more than one for k bad rows among n.

        Raises
        ------
        SignatureMismatchError, PredictionError
            No row may be rejected: what happened to the first bad one. Or a value that must fit does not, whatever may
            be rejected.
        TooManyRejectedRowsError
            More rows failed than are allowed, or all of them do.
        RowAlignmentError, ConfigurationError, MemoryError, OSError
            What says nothing of single rows.
        """
        good: list[list[pa.Array]] = []
        rejected: list[RejectedRow] = []
        validation = self.predictor.validation
        violations = [] if validation is None else list(validation.violations(batch))
        try:
            if not batch.broken and not violations:
                self._solve(batch, start, 0, good, rejected)
            else:
                self._solve_others(batch, start, violations, good, rejected)
        except TooManyRejectedRowsError as error:
            error.rejects = batch, sorted(rejected, key=lambda row: row.row)
            raise
        if len(good) == 1 and not rejected:
            return ScoredRows(batch, good[0], [])
        keep = np.ones(batch.table.num_rows, dtype=bool)
        keep[[row.row for row in rejected]] = False
        return ScoredRows(only(batch, keep), _joined(good), rejected)

    def _solve_others(
        self,
        batch: MiniBatch,
        start: int,
        violations: list[tuple[int, str]],
        good: list[list[pa.Array]],
        rejected: list[RejectedRow],
    ) -> None:
        """Set the rows aside that could not be read or do not fit the model, and score the others as one batch."""
        keep = batch.readable()
        for row, error in batch.broken:
            self._reject(batch.slice(row, 1), RejectedRow(row, "read", error), DataError(error), rejected)
        for row, error in violations:
            keep[row] = False
            mismatch = SignatureMismatchError(error)
            self._reject(batch.slice(row, 1), RejectedRow(row, "schema", error), mismatch, rejected)
        places = np.flatnonzero(keep)
        if len(places):
            found: list[RejectedRow] = []
            try:
                self._solve(only(batch, keep), start, 0, good, found)
            finally:  # whoever stores the rejects needs them where there are too many, too
                rejected += [replace(row, row=int(places[row.row])) for row in found]
        rejected.sort(key=lambda row: row.row)

    def _solve(
        self,
        batch: MiniBatch,
        start: int,
        offset: int,
        good: list[list[pa.Array]],
        rejected: list[RejectedRow],
    ) -> None:
        rows = batch.table.num_rows
        try:
            columns = self._predict(batch, start)
        except MemoryError:
            if rows == 1:
                raise
        except (RowAlignmentError, ConfigurationError):
            raise
        except (DataError, PredictionError) as error:
            if rows == 1:
                self._reject(batch, RejectedRow(offset, _stage(error), str(error)), error, rejected)
                return
            if self.samples:
                self._require_some_good_row(batch, start, error)
        else:
            self._check(batch, offset, columns, good, rejected)
            return
        middle = rows // 2
        self._solve(batch.slice(0, middle), start, offset, good, rejected)
        self._solve(batch.slice(middle, rows - middle), start + middle, offset + middle, good, rejected)

    def _predict(self, batch: MiniBatch, start: int) -> list[pa.Array]:
        stop = start + batch.table.num_rows
        died = self.failing.get((start, stop))
        if died is not None:
            message = f"The worker process ended while the model scored {batch.describe()}: {died}."
            raise PredictionError(message)
        self.on_progress(start, stop)
        return self.predictor.predict(batch)

    def _require_some_good_row(self, batch: MiniBatch, start: int, error: Exception) -> None:
        """Where many rejects are allowed, try a few rows before thousands: if all fail, it is not the rows."""
        rows = batch.table.num_rows
        if rows <= _SAMPLED_ROWS * _SAMPLED_ROWS or (self.allowed is not None and self.allowed < rows // 2):
            return
        for row in np.linspace(0, rows - 1, _SAMPLED_ROWS).astype(int).tolist():
            try:
                self._predict(batch.slice(row, 1), start + row)
            except (DataError, PredictionError):
                continue
            return
        message = (
            f"All of {_SAMPLED_ROWS} rows tried one at a time fail in {batch.describe()}: the model and the data do "
            f"not fit, whatever is allowed to be rejected. {error}"
        )
        raise TooManyRejectedRowsError(message) from error

    def _check(
        self,
        batch: MiniBatch,
        offset: int,
        columns: list[pa.Array],
        good: list[list[pa.Array]],
        rejected: list[RejectedRow],
    ) -> None:
        checked = [] if self.allow_nan else columns[: len(columns) - self.predictor.added]
        gaps = [missing_rows(column) for column in checked if has_missing(column)]
        missing = np.logical_or.reduce(gaps) if gaps else np.zeros(0, dtype=bool)
        if not missing.any():
            good.append(columns)
            return
        for row in np.flatnonzero(missing).tolist():
            message = f"The prediction for {batch.slice(row, 1).describe()} is NaN or missing."
            self._reject(batch, RejectedRow(offset + row, "check", message), PredictionError(message), rejected)
        good.append([column.filter(pa.array(~missing)) for column in columns])

    def _reject(
        self, batch: MiniBatch, row: RejectedRow, error: BatchInferenceError, rejected: list[RejectedRow]
    ) -> None:
        self.rejected += 1
        if self.is_strict:
            message = f"{error} {_HINT}"
            raise type(error)(message) from error
        rejected.append(row)
        if self.allowed is not None and self.rejected > self.allowed:
            message = (
                f"More rows were rejected than may be (error_threshold, max_rejected_fraction): {self.rejected} in "
                f"this part, where {self.allowed} were left. The last one, in {batch.describe()}: "
                f"{type(error).__name__ if self.is_secret else row.error}"
            )
            raise TooManyRejectedRowsError(message) from (None if self.is_secret else error)


def _stage(error: Exception) -> Literal["schema", "predict", "check"]:
    return "schema" if isinstance(error, SignatureMismatchError) else "predict"


def only(batch: MiniBatch, keep: np.ndarray) -> MiniBatch:
    """Return the rows of a mini-batch that a mask keeps, with an origin for each run of them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)))
    runs = [batch.slice(int(start), int(stop - start)) for start, stop in edges.reshape(-1, 2)]
    return type(batch)(batch.table.filter(pa.array(keep)), tuple(origin for run in runs for origin in run.origins))


def _joined(pieces: list[list[pa.Array]]) -> list[pa.Array]:
    if not pieces:
        return []
    kinds = [
        pa.unify_schemas([pa.schema([("_", piece[at].type)]) for piece in pieces], promote_options="permissive")
        .field(0)
        .type
        for at in range(len(pieces[0]))
    ]
    return [pa.concat_arrays([piece[at].cast(kind) for piece in pieces]) for at, kind in enumerate(kinds)]
