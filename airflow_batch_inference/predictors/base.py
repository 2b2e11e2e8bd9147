"""What the engine asks of whatever predicts a mini-batch: one model, steps, a champion with challengers, or a split.

What must not be relaxed: as many values as rows in each column, in the rows' order; the same number of columns, of the
same names, whatever the mini-batch; and a row's values do not depend on the rows around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from airflow_batch_inference.predictors.input_validation import Screen
    from airflow_batch_inference.sources.batches import MiniBatch


class BatchPredictor(Protocol):
    """Predicts mini-batches."""

    @property
    def names(self) -> Sequence[str]:
        """The columns' default names; known once a mini-batch was predicted."""

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions: they keep their names, and may be null."""

    @property
    def main(self) -> BatchPredictor:
        """What gives the first columns, and is scored twice by the parity probe; all but challengers."""

    @property
    def screen(self) -> Screen | None:
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
        OutOfStepError, ConfigurationError, MemoryError, OSError
            What says nothing of single rows.
        """
