"""Which worker scores which part next: runs of neighbouring parts stay together, and idle workers take from busy ones.

Parts that share a row group are one run: a worker that scores them one after the other decodes it once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.jobs.plan import PartPlan


class PartQueue:
    """Hands out parts to workers, named by whatever the caller likes.

    Parameters
    ----------
    plans
        The parts that are to be scored, in input order.
    """

    def __init__(self, plans: Iterable[PartPlan]) -> None:
        self._free: list[deque[PartPlan]] = []
        self._taken: dict[object, deque[PartPlan]] = {}
        last = None
        for plan in plans:
            begins_inside = bool(plan.ranges) and plan.ranges[0].skip > 0
            if self._free and begins_inside and last == plan.index - 1:
                self._free[-1].append(plan)
            else:
                self._free.append(deque([plan]))
            last = plan.index

    def take(self, worker: object) -> PartPlan | None:
        """Return a worker's next part: of its own run, else of the largest free one, else half of another's."""
        run = self._taken.get(worker)
        if not run:
            run = self._next_run()
            if run is None:
                return None
            self._taken[worker] = run
        return run.popleft()

    def put_back(self, worker: object, plan: PartPlan | None) -> None:
        """Take back the part of a worker that died, and the rest of its run."""
        run = self._taken.pop(worker, deque())
        if plan is not None:
            run.appendleft(plan)
        if run:
            self._free.append(run)

    def _next_run(self) -> deque[PartPlan] | None:
        if self._free:
            largest = max(self._free, key=lambda run: sum(plan.rows for plan in run))
            # By identity: deques compare by their content.
            self._free = [run for run in self._free if run is not largest]
            return largest
        busiest = max(self._taken.values(), key=len, default=None)
        if not busiest:
            return None
        half = (len(busiest) + 1) // 2
        stolen = deque(busiest.pop() for _ in range(half))
        stolen.reverse()
        return stolen
