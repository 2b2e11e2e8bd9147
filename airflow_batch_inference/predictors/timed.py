"""A predictor with a clock: how long each step has taken of all mini-batches so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_batch_inference.predictors.base import LonePredictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.sources.batches import MiniBatch


@dataclass(frozen=True, slots=True)
class TimedPredictor(LonePredictor):
    """One model or a chain of them, and the nanoseconds that each step has taken so far."""

    predictor: Predictor
    elapsed: list[int] = field(default_factory=list)

    @property
    def outputs(self) -> Sequence[str]:
        """See :class:`~.base.Predictor`."""
        return self.predictor.outputs

    @property
    def added(self) -> int:
        """See :class:`~.base.Predictor`."""
        return self.predictor.added

    @property
    def validation(self) -> InputValidation | None:
        """See :class:`~.base.Predictor`."""
        return self.predictor.validation

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """See :class:`~.base.Predictor`."""
        found = self.predictor.predict(batch)
        more = self.predictor.elapsed
        before = self.elapsed or [0] * len(more)
        self.elapsed[:] = [spent + now for spent, now in zip(before, more, strict=True)]
        return found
