"""What became of a mini-batch, after its last attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_batch_inference.records import MiniBatchReceipt
    from airflow_batch_inference.scripts.failures import Failure
    from airflow_batch_inference.scripts.plan import MiniBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mini-batch, after its last attempt.

    Attributes
    ----------
    batch
        Its files.
    receipt
        What it gave; None where nothing.
    failures
        The attempts that failed, in order.
    is_failed
        Whether all did. With a receipt, the last one returned too few elements.
    """

    batch: MiniBatch
    receipt: MiniBatchReceipt | None
    failures: tuple[Failure, ...] = ()
    is_failed: bool = False

    @property
    def returned(self) -> int:
        """How many elements were returned, each one success."""
        return 0 if self.receipt is None else self.receipt.returned

    @property
    def errors(self) -> int:
        """How many of its files failed."""
        if not self.is_failed:
            return 0
        lost = self.failures[-1].lost
        return min(len(self.batch.items), max(0, len(self.batch.items) - self.returned) + lost)
