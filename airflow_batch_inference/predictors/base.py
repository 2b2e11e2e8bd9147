"""What the engine asks of whatever predicts a mini-batch: one model, a chain, a champion with challengers, or a split.

Invariants: as many values as rows in each column, in the rows' order; the same number of columns, of the same names,
whatever the mini-batch; and a row's values do not depend on the rows around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import pyarrow as pa

    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.predictors.scored_rows import RejectedRow, ScoredRows
    from airflow_batch_inference.records import ChainRows
    from airflow_batch_inference.sources.batches import MiniBatch


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


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredOutputs:
    """What the first rows have told of the models: all that a process needs to predict as all others do.

    Attributes
    ----------
    outputs
        The predictions by their default names.
    kinds
        The types of a split's columns.
    challengers
        What each of them returns.
    """

    outputs: pa.Schema
    kinds: tuple[pa.DataType, ...] | None = None
    challengers: tuple[ChallengerOutputs, ...] = ()


class ModelStatistics(Protocol):
    """Counts what each of several models does in a part."""

    def count(self, scored: ScoredRows) -> None:
        """Count the rows of a mini-batch that were scored."""

    def count_rejected(self, batch: MiniBatch, rejected: Sequence[RejectedRow]) -> None:
        """Count its rejected rows."""

    def chains(self) -> tuple[ChainRows, ...]:
        """Return what was counted."""


class NoStatistics:
    """One chain of models scores all rows: the part's own counts say it."""

    def count(self, scored: ScoredRows) -> None:
        """Count nothing."""

    def count_rejected(self, batch: MiniBatch, rejected: Sequence[RejectedRow]) -> None:
        """Count nothing."""

    def chains(self) -> tuple[ChainRows, ...]:
        """Return nothing."""
        return ()


class Predictor(Protocol):
    """Predicts the mini-batches of one part."""

    @property
    def outputs(self) -> Sequence[str]:
        """The columns' default names; known once a mini-batch was predicted."""

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions: they keep their names, and may be null."""

    @property
    def main(self) -> Predictor:
        """What gives the first columns, and whose row alignment is checked; all but challengers."""

    @property
    def validation(self) -> InputValidation | None:
        """What happens to values that do not fit, applied by :meth:`predict` itself; None: no column has a policy."""

    @property
    def elapsed(self) -> Sequence[int]:
        """Nanoseconds that each step of :attr:`main` took for the last mini-batch, each more than 0."""

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Return the prediction columns of a mini-batch.

        Raises
        ------
        DataError, PredictionError
            Some of its rows cannot be scored: the others could be, without them.
        RowAlignmentError, ConfigurationError, MemoryError, OSError
            What says nothing of single rows.
        """

    def infer_outputs(self, own: pa.Schema) -> InferredOutputs:
        """Return what the first rows, which were just predicted, have told; ``own`` are the predictions' columns."""

    def statistics(self, inferred: InferredOutputs, labels: Sequence[str]) -> ModelStatistics:
        """Return what counts a part, whose predictions are called ``labels``."""

    def exclude(self, name: str, reason: str) -> None:
        """Leave out a challenger that has ended the process before; without one of that name, nothing happens."""


class LonePredictor:
    """The answers of a predictor that gives all of its columns by itself; its subclasses predict."""

    __slots__ = ()

    @property
    def main(self) -> Self:
        """The predictor itself."""
        return self

    def infer_outputs(self, own: pa.Schema) -> InferredOutputs:
        """See :class:`Predictor`."""
        return InferredOutputs(outputs=own)

    def statistics(self, inferred: InferredOutputs, labels: Sequence[str]) -> ModelStatistics:  # noqa: ARG002  # see there
        """See :class:`Predictor`."""
        return NoStatistics()

    def exclude(self, name: str, reason: str) -> None:
        """See :class:`Predictor`."""
