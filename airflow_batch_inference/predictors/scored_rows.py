"""What came of the rows of a mini-batch: predictions, or the reasons why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_batch_inference.sources.batches import MiniBatch


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of a mini-batch that could not be scored."""

    row: int
    """Within the mini-batch, from 0."""
    stage: Literal["read", "schema", "predict", "check"]
    error: str


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """The rows of a mini-batch that were scored, in order, their predictions, and the rejected rows."""

    rows: MiniBatch
    predicted: list[pa.Array]
    rejected: list[RejectedRow]
