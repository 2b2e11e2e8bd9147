"""How many rows may still be rejected, and what happens when there are more.

Invariants: what a receipt adds costs the same however many there were before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import TooManyRejectedRowsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import Receipt

_SHOWN = 3


class RejectedRows:
    """The rejected rows of a job's parts, counted.

    Parameters
    ----------
    spec
        The job.
    receipts
        Those that are there already.
    """

    def __init__(self, spec: JobSpec, receipts: Iterable[Receipt]) -> None:
        self._most = spec.request.policy.most(sum(plan.rows for plan in spec.plans))
        self._count = 0
        self._first: list[Receipt] = []
        for receipt in receipts:
            self.add(receipt)

    def add(self, receipt: Receipt) -> None:
        """Add those of one more part."""
        # Those that a check sets aside have a limit of their own.
        unscored = receipt.rows_rejected - receipt.rows_set_aside
        self._count += unscored
        if unscored and len(self._first) < _SHOWN:
            self._first.append(receipt)

    def left(self) -> int | None:
        """Return how many rows may still be rejected; None: any number."""
        return None if self._most is None else max(0, self._most - self._count)

    def require_allowed(self) -> None:
        """Refuse more rejected rows than the job allows.

        Raises
        ------
        TooManyRejectedRowsError
            Counts, the limit, the first reasons, and where the rejects lie.
        """
        if self._most is None or self._count <= self._most:
            return
        rejections = self._first[0].rejections
        first = [each for each in rejections if each.stage != "check"][:_SHOWN] or rejections[:_SHOWN]
        shown = [f"{each.uri} row {each.row} ({each.stage}): {each.error}" for each in first]
        where = ", ".join(receipt.quarantine.uri for receipt in self._first if receipt.quarantine)
        message = (
            f"{self._count} rows were rejected, and {self._most} may be (error_threshold, max_rejected_fraction). "
            f"Nothing was committed. The rejects lie in {where}. First: {'; '.join(shown)}"
        )
        raise TooManyRejectedRowsError(message)
