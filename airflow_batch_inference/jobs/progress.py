"""What is told of a running job: the plan, a line every few seconds, and planned against actual at the end."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.records import Receipt

log = logging.getLogger(__name__)

_LOG_EVERY_S = 10.0


class Progress:
    """Counts finished parts and logs.

    Parameters
    ----------
    plans
        All parts.
    finished
        Receipts of those that an earlier try has scored.
    by
        Who scores, in words.
    started
        When the job began (``time.monotonic``).
    """

    def __init__(self, plans: Sequence[PartPlan], finished: Mapping[int, Receipt], *, by: str, started: float) -> None:
        self._parts = len(plans)
        self._receipts = dict(finished)
        self._done = sum(receipt.rows_in for receipt in finished.values())
        self._resumed = len(finished)
        self._started = started
        self._scoring = self._logged = time.monotonic()
        self._all_rows = sum(plan.rows for plan in plans)
        self._rows = 0
        if plans:
            largest = max(plan.rows for plan in plans)
            log.info(
                "Plan: %s rows in %d part(s) of at most %s rows, by %s",
                *(f"{self._all_rows:,}", len(plans), f"{largest:,}", by),
            )
        if finished:
            log.info("Resumed %d of %d parts that an earlier try has scored", len(finished), len(plans))

    def report(self, receipt: Receipt) -> None:
        """Note a finished part, and log unless the last line is too fresh."""
        before = self._receipts.get(receipt.index)
        self._receipts[receipt.index] = receipt
        self._rows += receipt.rows_in
        self._done += receipt.rows_in - (0 if before is None else before.rows_in)
        now = time.monotonic()
        if now - self._logged >= _LOG_EVERY_S:
            self._logged = now
            rate = self._rows / max(now - self._scoring, 1e-9)
            log.info(
                "Scored %s of %s rows (%d of %d parts), %s rows/s, about %.0f s left",
                *(f"{self._done:,}", f"{self._all_rows:,}", len(self._receipts), self._parts),
                *(f"{rate:,.0f}", (self._all_rows - self._done) / max(rate, 1e-9)),
            )

    def finish(self) -> None:
        """Log what was planned and what it came to."""
        wall = time.monotonic() - self._scoring
        scored = [receipt for index, receipt in self._receipts.items() if index < self._parts]
        rejected = sum(receipt.rows_rejected for receipt in scored)
        slowest = max(scored, key=lambda receipt: sum(receipt.seconds.values()), default=None)
        busy = sum(sum(receipt.seconds.values()) for receipt in scored)
        log.info(
            "Scored %s rows in %.1f s, %s rows/s; %d of %d parts, %s rows rejected",
            *(f"{self._rows:,}", wall, f"{self._rows / max(wall, 1e-9):,.0f}"),
            *(len(scored) - self._resumed, self._parts, f"{rejected:,}"),
        )
        if slowest is not None and len(scored) > 1:
            log.info(
                "Planned: %s rows a part on average; actual: %.2f s a part on average, the slowest (part %d) %.2f s",
                *(f"{self._all_rows / self._parts:,.0f}", busy / len(scored)),
                *(slowest.index, sum(slowest.seconds.values())),
            )

    def seconds(self) -> dict[str, float]:
        """Return wall seconds of planning and scoring, and the workers' seconds in each phase, summed."""
        phases: dict[str, float] = {"plan": self._scoring - self._started, "score": time.monotonic() - self._scoring}
        for receipt in self._receipts.values():
            for phase, spent in receipt.seconds.items():
                phases[phase] = phases.get(phase, 0.0) + spent
        return {phase: round(spent, 3) for phase, spent in phases.items()}
