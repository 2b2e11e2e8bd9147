"""How many rows may still be rejected, and what happens when there are more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import TooManyRejectedRowsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import Receipt


def left_to_reject(spec: JobSpec, receipts: Iterable[Receipt]) -> int | None:
    """Return how many rows of a job may still be rejected; None: any number."""
    most = _most(spec)
    return None if most is None else max(0, most - sum(_unscored(receipt) for receipt in receipts))


def require_allowed(spec: JobSpec, receipts: Iterable[Receipt]) -> None:
    """Refuse more rejected rows than the job allows.

    Raises
    ------
    TooManyRejectedRowsError
        Counts, the limit, the first reasons, and where the rejects lie.
    """
    most = _most(spec)
    rejected = [receipt for receipt in receipts if receipt.quarantine]
    count = sum(map(_unscored, rejected))
    if most is not None and count > most:
        shown = [f"{each.uri} row {each.row} ({each.stage}): {each.error}" for each in rejected[0].rejections[:3]]
        where = ", ".join(receipt.quarantine.uri for receipt in rejected[:3] if receipt.quarantine)
        message = (
            f"{count} rows were rejected, and {most} may be (error_threshold, max_rejected_fraction). Nothing was "
            f"committed. The rejects lie in {where}. First: {'; '.join(shown)}"
        )
        raise TooManyRejectedRowsError(message)


def _most(spec: JobSpec) -> int | None:
    return spec.request.policy.most(sum(plan.rows for plan in spec.plans))


def _unscored(receipt: Receipt) -> int:
    """Return how many rows could not be scored; those that a check sets aside have a limit of their own."""
    return receipt.rows_rejected - receipt.rows_set_aside
