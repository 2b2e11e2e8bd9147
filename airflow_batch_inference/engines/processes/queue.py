"""Which worker scores which part next: runs of neighbouring parts stay together, and idle workers take from busy ones.

Parts that share a row group are one run: a worker that scores them one after the other decodes it once.

Invariants: a part is with one worker at a time; and to take one costs the logarithm of how many there are.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
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
        self._free: list[tuple[int, int, deque[PartPlan]]] = []
        """A heap: the largest run first, and of equal ones the one that came first."""
        self._numbers = count()
        self._taken: dict[object, deque[PartPlan]] = {}
        run: deque[PartPlan] = deque()
        for plan in plans:
            begins_inside = bool(plan.ranges) and plan.ranges[0].skip > 0
            if run and not (begins_inside and run[-1].index == plan.index - 1):
                self._put(run)
                run = deque()
            run.append(plan)
        if run:
            self._put(run)

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
            self._put(run)

    def _put(self, run: deque[PartPlan]) -> None:
        heapq.heappush(self._free, (-sum(plan.rows for plan in run), next(self._numbers), run))

    def _next_run(self) -> deque[PartPlan] | None:
        if self._free:
            return heapq.heappop(self._free)[2]
        busiest = max(self._taken.values(), key=len, default=None)
        if not busiest:
            return None
        half = (len(busiest) + 1) // 2
        stolen = deque(busiest.pop() for _ in range(half))
        stolen.reverse()
        return stolen
